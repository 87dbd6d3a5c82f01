"""The hostile clients that are thought of: what bounds each, how it is told, where it is counted, and the
tests that show it. `python -m tests.hostile` prints them as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

REFUSALS = "roomhost_refusals_total"
SLOW_READERS = "roomhost_slow_readers_closed_total"
FRAMES = "roomhost_realtime_rate_limited_frames_total"


class Threat(NamedTuple):
    """`limits`: names of constants as `runtime.MAX_X`, or of settings; none where the answer is always no.
    `code`: statuses of HTTP, close codes of WebSockets. `reasons`: values of `Reason`, of the metric
    `roomhost_refusals_total`; or else `metric`. `tests`: `file::test`, of this folder or below tests/."""

    name: str
    limits: tuple[str, ...]
    code: str
    reasons: tuple[str, ...]
    tests: tuple[str, ...]
    metric: str = ""


SLOW = "test_slow.py::test_who_does_not_finish_is_cut_off"
THREATS = (
    Threat(
        "Slow headers, of a request or an upgrade",
        ("header_timeout_seconds",),
        "408",
        ("slow_headers",),
        (SLOW, "test_measure.py::test_ten_thousand_half_open_connections_are_in_nobodys_way"),
    ),
    Threat(
        "A slow body",
        ("min_body_bytes_per_second", "body_timeout_seconds"),
        "408",
        ("slow_body",),
        (SLOW,),
    ),
    Threat(
        "Silent connections, by the ten thousand",
        ("header_timeout_seconds", "max_connections"),
        "closed",
        ("silent",),
        (SLOW, "test_measure.py::test_ten_thousand_half_open_connections_are_in_nobodys_way"),
    ),
    Threat(
        "Unfinished TLS handshakes",
        ("ssl_handshake_timeout_seconds", "max_connections"),
        "closed",
        ("handshake", "connections"),
        ("test_slow.py::test_handshakes_of_tls_count_as_connections",),
    ),
    Threat(
        "Very many connections",
        ("max_connections", "runtime.MAX_LINGERING", "runtime.RESERVED_FILES"),
        "503, then closed",
        ("connections",),
        (
            "test_slow.py::test_too_many_connections_are_told_then_dropped",
            "test_slow.py::test_the_limit_of_connections_leaves_files_for_the_host",
        ),
    ),
    Threat(
        "Connections that come and go",
        ("max_connections",),
        "none",
        ("connections",),
        (
            "test_slow.py::test_churn_leaks_nothing",
            "test_measure.py::test_a_good_client_is_served_beside",
        ),
    ),
    Threat(
        "Answers that nobody reads, or without end",
        ("runtime.ANSWER_TIMEOUT_SECONDS",),
        "dropped",
        ("slow_reader",),
        (
            "test_slow.py::test_an_answer_that_nobody_reads_is_dropped",
            "test_slow.py::test_a_reset_in_an_answer_leaves_nothing",
        ),
    ),
    Threat(
        "A pipeline of requests, half-closed connections",
        ("runtime.KEEP_ALIVE_TIMEOUT_SECONDS",),
        "closed",
        ("silent",),
        (
            "test_slow.py::test_a_pipeline_is_read_no_further_than_it_is_answered",
            "test_slow.py::test_a_half_closed_connection_ends",
        ),
    ),
    Threat(
        "Floods of pings, pongs, empty and tiny fragments",
        (
            "runtime.SMALL_FRAMES_PER_SECOND",
            "runtime.SMALL_FRAMES_BURST",
            "runtime.MAX_FRAMES_AT_ONCE",
        ),
        "1008",
        ("flood",),
        (
            "test_frames.py::test_a_flood_of_frames_that_carry_nothing_is_closed_with_1008",
            "test_frames.py::test_pongs_that_nobody_reads_do_not_pile_up",
            "test_measure.py::test_a_good_client_is_served_beside",
        ),
    ),
    Threat(
        "A giant message, in one frame or in fragments",
        ("runtime.MAX_MESSAGE_BYTES",),
        "1009",
        ("large_message",),
        (
            "test_frames.py::test_a_giant_in_fragments_is_closed_with_1009",
            "test_frames.py::test_fragments_take_the_memory_of_their_bytes",
        ),
    ),
    Threat(
        "Very many messages or bodies that do not end",
        ("max_incoming_bytes",),
        "1013, 503",
        ("incoming_bytes",),
        (
            "test_frames.py::test_unfinished_messages_are_bounded_together",
            "test_volume.py::test_slow_large_bodies_are_bounded_together",
        ),
    ),
    Threat(
        "Frames that break the protocol",
        ("runtime.MAX_CLOSE_REASON_BYTES",),
        "1002, 1007",
        ("protocol_error", "invalid_text"),
        ("test_frames.py::test_a_frame_that_breaks_the_protocol_ends_its_connection",),
    ),
    Threat(
        "Compression bombs",
        (),
        "no extension; 415; 1002",
        ("protocol_error",),
        (
            "test_frames.py::test_compression_is_not_taken_up",
            "test_frames.py::test_a_room_reads_no_compressed_body_and_sends_none",
        ),
    ),
    Threat(
        "Large headers, cookies, very many subprotocols",
        ("max_header_bytes", "max_headers"),
        "431",
        ("large_headers",),
        (
            "test_frames.py::test_subprotocols_are_bounded_by_the_headers",
            "test_http.py::test_cookies_and_trailers_are_the_applications",
        ),
    ),
    Threat(
        "A body that is too large",
        ("max_request_bytes",),
        "413",
        ("large_body",),
        ("runtime/test_http_protocol.py::test_a_body_that_grows_too_large_is_answered_with_413",),
    ),
    Threat(
        "100,000 tiny rooms of one client",
        (
            "max_instances",
            "actors.CLIENT_RATE_PER_SECOND",
            "actors.CLIENT_RATE_BURST",
            "actors.MAX_BUCKETS",
        ),
        "429, 503",
        ("rate_limited",),
        (
            "test_volume.py::test_tiny_rooms_leave_memory_again",
            "test_volume.py::test_where_nobody_is_idle_another_object_is_refused",
            "test_volume.py::test_one_client_has_a_rate_over_all_rooms",
        ),
    ),
    Threat(
        "Too many frames for a room",
        ("actors.RATE_PER_SECOND", "actors.YJS_RATE_PER_SECOND"),
        "4529",
        (),
        ("actors/test_rate.py::test_the_hundred_and_first_is_refused",),
        FRAMES,
    ),
    Threat(
        "Who subscribes and never reads",
        ("actors.MAX_OUTGOING_BYTES", "runtime.MAX_OUTGOING_BYTES"),
        "4531, 1013",
        (),
        ("test_volume.py::test_who_subscribes_and_never_reads_is_closed",),
        SLOW_READERS,
    ),
    Threat(
        "A token in another room, module or part of the host",
        (),
        "401, 403",
        ("token_elsewhere",),
        ("test_credentials.py::test_a_token_opens_its_room_and_nothing_else",),
    ),
    Threat(
        "A token of an earlier life of its room",
        (),
        "401, 410",
        ("token_generation",),
        ("test_credentials.py::test_a_token_ends_with_the_life_of_its_room",),
    ),
    Threat(
        "A token that is over",
        ("actors.MAX_TOKEN_TTL_SECONDS", "actors.TOKEN_GRACE_SECONDS"),
        "401, 4503",
        ("token_expired", "token_early"),
        ("test_credentials.py::test_a_token_has_its_time",),
    ),
    Threat(
        "A token of another host, or a changed one",
        ("actors.MAX_TOKEN_BYTES",),
        "401",
        ("token_signature", "token_malformed", "token_claims", "no_credential"),
        ("test_credentials.py::test_a_token_of_another_host_is_nobodys",),
    ),
    Threat(
        "Guessing API keys",
        ("runtime.MAX_FAILED_KEYS", "runtime.FAILED_KEY_SECONDS"),
        "401, 429",
        ("wrong_key", "wrong_keys"),
        (
            "test_credentials.py::test_guesses_are_counted_and_then_refused_unseen",
            "test_credentials.py::test_no_secret_is_compared_but_in_constant_time",
        ),
    ),
    Threat(
        "Sockets of the host without a key",
        (),
        "401",
        ("wrong_key",),
        ("test_credentials.py::test_without_a_key_no_socket_of_the_host_is_held_open",),
    ),
    Threat(
        "Tricks in names and paths",
        ("actors.MAX_NAME_BYTES", "runtime.MAX_OBJECT_NAME_BYTES"),
        "400, 401, 404",
        ("bad_request",),
        (
            "test_names.py::test_two_names_are_two_objects_by_every_way",
            "test_names.py::test_what_is_no_text_names_nothing",
            "test_names.py::test_a_room_is_named_as_it_is_written",
            "test_names.py::test_no_way_to_write_a_path_opens_the_host",
        ),
    ),
    Threat(
        "Text of clients in headers, logs and labels",
        (),
        "500, or one header",
        (),
        (
            "test_injection.py::test_no_answer_is_split",
            "test_injection.py::test_an_upgrade_selects_no_text_of_the_client",
            "test_injection.py::test_no_line_of_the_log_is_forged",
            "test_injection.py::test_no_metric_has_a_name_of_a_client",
        ),
        "roomhost_events_total",
    ),
    Threat(
        "Forms and pages of other origins",
        ("allowed_origins",),
        "403, 415, 401",
        ("wrong_origin",),
        (
            "test_pages.py::test_a_form_of_another_page_changes_no_room",
            "test_pages.py::test_no_page_of_others_opens_a_socket",
            "test_pages.py::test_no_page_is_let_read_an_answer",
            "test_pages.py::test_the_admin_api_knows_no_ambient_authority",
        ),
    ),
    Threat(
        "A name that was rebound to this machine",
        ("public_url", "allowed_origins"),
        "421",
        ("wrong_host",),
        (
            "test_pages.py::test_a_name_that_was_rebound_to_this_machine_is_not_its_own",
            "test_pages.py::test_names_of_this_machine_and_of_a_proxy_are_answered",
        ),
    ),
    Threat(
        "Requests that hide in others",
        (),
        "400, then closed",
        ("bad_request",),
        (
            "test_http.py::test_no_request_hides_in_another",
            "test_http.py::test_two_names_of_a_host_are_none",
        ),
    ),
    Threat(
        "What is no HTTP/1.1, other upgrades, bad handshakes",
        (),
        "400, 405, 426",
        ("bad_request",),
        (
            "test_http.py::test_what_is_no_request_of_http_1_1_is_refused",
            "test_http.py::test_upgrades_to_anything_else_are_not_taken_up",
            "test_http.py::test_a_bad_handshake_of_a_socket_opens_none",
        ),
    ),
    Threat(
        "A client that is gone without a word",
        ("runtime.CLOSE_SECONDS", "runtime.LINGER_SECONDS"),
        "1011",
        ("no_pong",),
        ("test_slow.py::test_a_client_that_answers_no_ping_is_lost",),
    ),
)


def table() -> Iterator[str]:
    """The lines of a table in Markdown."""
    yield "| threat | limit | answer | counted as | tests |"
    yield "| --- | --- | --- | --- | --- |"
    for threat in THREATS:
        limits = ", ".join(f"`{name}`" for name in threat.limits) or "always"
        reasons = ", ".join(f"`{reason}`" for reason in threat.reasons)
        counted = f"`{threat.metric}`" if threat.metric else f"`{REFUSALS}` {reasons}"
        tests = ", ".join(f"`{path_of(test)}`" for test in threat.tests)
        yield f"| {threat.name} | {limits} | {threat.code} | {counted} | {tests} |"


def path_of(test: str) -> str:
    """A test as the repository has it."""
    return f"tests/{test}" if "/" in test else f"tests/hostile/{test}"
