"""Who may call the admin API, what it refuses, and how it answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import anyio
import msgspec
import pytest

from roomhost.admin import operations
from roomhost.admin.operations import OPERATIONS, Access, Operation
from roomhost.admin.structs import Input
from roomhost.runtime import Host
from roomhost.runtime.local_server import LOCAL_EXTENSION, LocalASGI
from roomhost.runtime.testing import host_for

from ..helpers.admin_app import app
from ..helpers.admin_calls import Answer, ask, locally

KEY = {"authorization": "Bearer key"}


@pytest.mark.parametrize(
    ("keys", "headers", "status", "told"),
    [
        ((), KEY, 401, "set api_keys in roomhost.toml"),
        ((), {}, 401, "has no API key"),
        (("",), {"authorization": "Bearer "}, 401, "has no API key"),
        (("key",), {}, 401, "Authorization: Bearer <key>"),
        (("key",), {"authorization": "Bearer kez"}, 401, "Authorization: Bearer <key>"),
        (("key",), {"authorization": "Basic key"}, 401, "Authorization: Bearer <key>"),
        (("old", "key"), KEY, 200, ""),
    ],
)
async def test_over_the_network_a_key_is_needed(
    keys: tuple[str, ...], headers: dict[str, str], status: int, told: str
) -> None:
    """One of the host's; a refusal says how to get in, and shows nothing."""
    async with host_for(app, api_keys=keys) as host:
        answer = await ask(host.asgi, "/_admin/v1/host", headers=headers)
    assert answer.status == status
    assert told in answer.body.decode()
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["code"] == "unauthenticated"


async def test_the_local_socket_needs_no_key_and_no_client_can_claim_to_be_there() -> None:
    """What says so is the listener, not a header."""
    async with host_for(app, api_keys=("key",)) as host:
        assert (await locally(host, "host"))["name"] == "admin"
        claims = {LOCAL_EXTENSION: "1", "extensions": LOCAL_EXTENSION}
        answer = await ask(host.asgi, "/_admin/v1/host", headers=claims)
        assert answer.status == 401


@pytest.mark.parametrize(
    ("operation", "edit", "told"),
    [
        ("put", False, "set inspector_edit"),
        ("delete-key", False, "set inspector_edit"),
        ("import", False, "set inspector_edit"),
        ("run-alarm", False, "set inspector_edit"),
        ("evict", False, "set inspector_edit"),
        ("put", True, "missing required field"),
        ("export", False, "missing required field"),
    ],
)
async def test_writing_over_the_network_needs_the_switch(
    operation: str, edit: bool, told: str
) -> None:
    """`inspector_edit`; it does not matter for what only reads."""
    async with host_for(app, api_keys=("key",), inspector_edit=edit) as host:
        answer = await ask(host.asgi, f"/_admin/v1/{operation}", headers=KEY)
    assert told in answer.json()["message"]
    assert answer.status == (400 if "missing" in told else 403)


async def test_what_is_for_the_machine_alone_is_refused_over_the_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the switch says."""
    monkeypatch.setitem(OPERATIONS, "stay", Operation(Input, fine, access=Access.LOCAL))
    async with host_for(app, api_keys=("key",), inspector_edit=True) as host:
        answer = await ask(host.asgi, "/_admin/v1/stay", headers=KEY)
        assert (answer.status, answer.json()["code"]) == (403, "forbidden")
        assert await locally(host, "stay") == {}


@pytest.mark.parametrize(
    "path", ["/_admin/", "/_admin/v1/", "/_admin/v1/nothing", "/_admin/v2/host"]
)
async def test_an_unknown_operation_is_told_which_there_are(path: str) -> None:
    """By name."""
    async with host_for(app) as host:
        answer = await ask(LocalASGI(host), path)
    assert answer.status == 404
    assert ", ".join(sorted(OPERATIONS)) in answer.json()["message"]


@pytest.mark.parametrize("path", ["/healthz", "/counter/a/x", "/_rpc/v1", "/_inspector/", "/"])
async def test_the_local_socket_serves_nothing_else(path: str) -> None:
    """No object, no page."""
    async with host_for(app) as host:
        answer = await ask(LocalASGI(host), path, method="GET")
    assert (answer.status, answer.json()["code"]) == (404, "not_found")


async def test_an_operation_is_a_post() -> None:
    """A link that is opened calls nothing."""
    async with host_for(app) as host:
        answer = await ask(LocalASGI(host), "/_admin/v1/host", method="GET")
    assert answer.status == 405


DEEP = b'{"binding":' + b"[" * 20_000 + b"]" * 20_000 + b"}"


@pytest.mark.parametrize(
    ("body", "told", "field"),
    [
        (b"{", "no JSON", None),
        (b"[]", "Expected `object`, got `array`", None),
        (b"null", "Expected `object`, got `null`", None),
        (b"\xff\xfe", "no JSON", None),
        (b"{}", "missing required field `binding`", None),
        (b'{"binding": 1}', "binding: Expected `str`, got `int`", "binding"),
        (b'{"binding": "COUNTER", "limit": 0}', "limit: from 1 to 1000", None),
        (b'{"binding": "COUNTER", "limit": 1e400}', "limit: Number out of range", "limit"),
        (b'{"binding": "COUNTER", "limit": "9"}', "limit: Expected `int`, got `str`", "limit"),
        (b'{"binding": "COUNTER", "nothing": 1}', "unknown field `nothing`", None),
        (b'{"binding": "\\ud800"}', "no JSON", None),
        (b'{"binding": "COUNTER", "after": "x"}', "after: give what the page before", "after"),
        (b'{"binding": "COUNTER", "after": "COUNTER/00"}', "after: give what", "after"),
        (DEEP, "binding: Expected `str`, got `array`", "binding"),
        (DEEP.replace(b"binding", b"nothing"), "unknown field `nothing`", None),
    ],
    ids=range(15),
)
async def test_hostile_input_is_a_problem_that_names_the_field(
    body: bytes, told: str, field: str | None
) -> None:
    """Of whatever shape it is, 400, and nothing is logged as an error of the host's."""
    async with host_for(app) as host:
        answer = await ask(LocalASGI(host), "/_admin/v1/objects", body)
    assert answer.status == 400
    problem = answer.json()
    assert problem["code"] == "invalid_argument"
    assert told in problem["message"]
    assert problem.get("field") == field


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_is_bounded(announced: bool) -> None:
    """As soon as it says that it is too long, or is."""
    body = b'{"binding": "' + b"x" * 70_000 + b'"}'
    headers = {"content-length": str(len(body))} if announced else {}
    async with host_for(app) as host:
        answer = await ask(LocalASGI(host), "/_admin/v1/objects", body, headers)
    assert answer.status == 413
    assert "at most 65536 bytes" in answer.json()["message"]


async def fine(host: Host, given: Input) -> Input:
    """An operation."""
    return given


async def fail(host: Host, given: Input) -> Input:
    """An operation with a bug."""
    raise LookupError("lost")


async def test_a_bug_of_an_operation_is_told_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller learns the class and the message, the log where."""
    monkeypatch.setitem(OPERATIONS, "fail", Operation(Input, fail))
    async with host_for(app) as host:
        answer = await ask(LocalASGI(host), "/_admin/v1/fail")
    assert answer.status == 500
    assert "LookupError: lost" in answer.json()["message"]
    assert "admin API failed" in caplog.text


def streaming(monkeypatch: pytest.MonkeyPatch, stream: operations.Stream) -> None:
    """Have an operation "stream"."""
    monkeypatch.setitem(OPERATIONS, "stream", Operation(Input, stream=stream))


async def test_a_stream_is_a_line_for_each_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As NDJSON; it ends with its result."""

    async def lines(host: Host, given: Input) -> AsyncGenerator[dict[str, Any]]:
        yield {"progress": {"done": 1}}
        yield {"result": given}

    streaming(monkeypatch, lines)
    async with host_for(app) as host:
        answer = await ask(LocalASGI(host), "/_admin/v1/stream")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.body == b'{"progress":{"done":1}}\n{"result":{}}\n'
    assert answer.complete


async def test_a_stream_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its first line by a problem, later by its last line."""
    before = 0

    async def lines(host: Host, given: Input) -> AsyncGenerator[dict[str, Any]]:
        for number in range(before):
            yield {"progress": number}
        raise operations_error()

    streaming(monkeypatch, lines)
    async with host_for(app) as host:
        answer = await ask(LocalASGI(host), "/_admin/v1/stream")
        assert (answer.status, answer.json()["code"]) == (404, "not_found")
        before = 1
        answer = await ask(LocalASGI(host), "/_admin/v1/stream")
        assert answer.lines()[1:] == [{"error": {"code": "not_found", "message": "gone"}}]
        assert answer.complete


def operations_error() -> Exception:
    """A refusal."""
    from roomhost.admin.errors import not_found

    return not_found("gone")


@pytest.mark.parametrize("first", [0, 1])
async def test_a_stream_ends_when_its_client_leaves_or_the_host_stops(
    monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    """However long it would be silent; what it holds is let go."""
    ended: list[bool] = []

    async def lines(host: Host, given: Input) -> AsyncGenerator[dict[str, Any]]:
        try:
            for number in range(first):
                yield {"event": number}
            await anyio.sleep_forever()
        finally:
            ended.append(True)

    streaming(monkeypatch, lines)
    async with host_for(app) as host:
        leaves = Answer()
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: ask(LocalASGI(host), "/_admin/v1/stream", answer=leaves))
            await leaves.until(first)
            await anyio.wait_all_tasks_blocked()
            leaves.left.set()
        stays = Answer()
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: ask(LocalASGI(host), "/_admin/v1/stream", answer=stays))
            await stays.until(first)
            await anyio.wait_all_tasks_blocked()
            host.refuse()
    assert ended == [True, True]
    if first:
        assert stays.lines()[-1]["error"]["code"] == "stopping"
    else:
        assert (stays.status, stays.json()["code"]) == (503, "stopping")


async def test_the_host_says_what_it_is() -> None:
    """And what it has: its bindings with their counts, without the books of a module."""
    async with host_for(app, inspector_edit=True) as host:
        await host.env.COUNTER.get_by_name("a").increment()
        await host.env.COLLAB.room("lobby").publish(type="chat")
        told = await locally(host, "host")
        assert told["edit"] is True
        assert told["started_ms"] == host.started_ms > 0
        assert [
            (each["binding"], each["kind"], each.get("class_name"), each["objects"])
            for each in told["bindings"]
        ] == [("COUNTER", "class", "Counter", 1), ("COLLAB", "realtime", None, 1)]
        statistics = await locally(host, "statistics")
        assert statistics["objects_in_memory"] >= 2


def test_every_operation_either_answers_or_streams() -> None:
    """And takes an input that refuses what it does not know."""
    for name, operation in OPERATIONS.items():
        assert (operation.run is None) != (operation.stream is None), name
        assert operation.input.__struct_config__.forbid_unknown_fields, name
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(b'{"surely_unknown": 1}', type=operation.input)
