"""Options of a module: refused with the path of the field, or complete and nobody else's."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.actors import (
    InvalidArgument,
    RealtimeActorHeaders,
    RealtimeLifecycleOptions,
    RealtimeModuleOptions,
    RealtimeRetentionOptions,
)
from roomhost.actors.module import realtime
from roomhost.actors.options import derived_database_name, normalize

NAMES = st.text(min_size=1, max_size=60)


def deep(levels: int) -> Any:
    """An object in an object, so many times."""
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}

    return value


def circular() -> dict[str, Any]:
    """An object that holds itself."""
    value: dict[str, Any] = {}
    value["self"] = value
    return value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None),
        ("name", ""),
        ("name", 5),
        ("name", b"collab"),
        ("name", "\ud800"),
        ("name", "a\x00b"),
        ("name", "é" * 128),
        ("namespace", ""),
        ("namespace", "a\nb"),
        ("namespace", 1),
        ("database_name", ""),
        ("database_name", "a" * 256),
        ("binding", "\x7f"),
        ("history_limit", 0),
        ("history_limit", -1),
        ("history_limit", 2**31),
        ("history_limit", 10**30),
        ("history_limit", True),
        ("history_limit", 100.0),
        ("history_limit", "100"),
        ("presence_ttl_seconds", 0),
        ("presence_ttl_seconds", 0.5),
        ("auto_resolve_user", 1),
        ("auto_resolve_user", "no"),
        ("allow_anonymous", 0),
        ("bind_connection_to_expiry", "true"),
        ("token_in_query", "true"),
        ("lifecycle", 300),
        ("retention", []),
        ("actor_headers", "x-user"),
        ("observability", "debug"),
        ("observability", [1]),
        ("observability", True),
        ("observability", {1: 2}),
        ("observability", {"a": float("nan")}),
        ("observability", {"a": float("-inf")}),
        ("observability", {"a": b"bytes"}),
        ("observability", {"a": object()}),
        ("observability", {"a": 2**64}),
        ("observability", {"\udfff": 1}),
        ("observability", {"a": [{"b": {1, 2}}]}),
        ("observability", deep(65)),
        ("placement", circular()),
        ("placement", "eu"),
    ],
)
def test_a_wrong_option_is_named(field: str, value: object) -> None:
    """Whatever it is given, `normalize` refuses it with the path of the field in JSON."""
    given: dict[str, Any] = {"name": "collab", field: value}
    with pytest.raises(InvalidArgument) as caught:
        normalize(RealtimeModuleOptions(**given))

    head, *tail = field.split("_")
    path = head + "".join(word.capitalize() for word in tail)
    assert caught.value.field is not None
    assert caught.value.field.split(".")[0] == path
    assert path in str(caught.value)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"lifecycle": RealtimeLifecycleOptions(idle_ttl_seconds=0)}, "lifecycle.idleTtlSeconds"),
        ({"lifecycle": {"destroyTtlSeconds": 2**31}}, "lifecycle.destroyTtlSeconds"),
        ({"lifecycle": {"allowRecreate": 1}}, "lifecycle.allowRecreate"),
        ({"lifecycle": {"idle_ttl_seconds": 5}}, "lifecycle.idle_ttl_seconds"),
        ({"retention": RealtimeRetentionOptions(max_messages=0)}, "retention.maxMessages"),
        ({"retention": {"maxAgeSeconds": True}}, "retention.maxAgeSeconds"),
        ({"retention": {"forever": True}}, "retention.forever"),
        ({"actor_headers": {"id": ["x-id"]}}, "actorHeaders.id"),
        ({"actor_headers": {"userId": "x-user"}}, "actorHeaders.userId"),
        ({"actor_headers": {"userId": [""]}}, "actorHeaders.userId"),
        ({"actor_headers": {"userId": ["x user"]}}, "actorHeaders.userId"),
        ({"actor_headers": {"email": ["x-mail\n"]}}, "actorHeaders.email"),
        ({"actor_headers": {"email": ["x-mäil"]}}, "actorHeaders.email"),
        ({"actor_headers": {"tenantId": ["x" * 257]}}, "actorHeaders.tenantId"),
        ({"actor_headers": {"sessionId": ["x"] * 17}}, "actorHeaders.sessionId"),
        ({"placement": {"a": {"b": [1, float("inf")]}}}, "placement.a.b"),
    ],
)
def test_the_path_leads_to_the_field(given: dict[str, Any], path: str) -> None:
    """Inside an option too, in a struct as in a mapping."""
    with pytest.raises(InvalidArgument) as caught:
        normalize(RealtimeModuleOptions(name="collab", **given))

    assert caught.value.field == path


def test_a_name_is_enough() -> None:
    """Everything that has a default has it; what has none is None."""
    config = normalize(RealtimeModuleOptions(name="collab"))
    assert (config.namespace, config.database_name) == ("default", "realtime:default:collab")
    assert (config.history_limit, config.presence_ttl_seconds) == (100, 60)
    assert config.lifecycle.idle_ttl_seconds == 300
    assert config.lifecycle.destroy_ttl_seconds == 86_400
    assert config.lifecycle.allow_recreate is False
    assert (config.auto_resolve_user, config.allow_anonymous) == (True, False)
    assert config.bind_connection_to_expiry is True
    assert config.actor_headers.user_id == ("x-roomhost-user-id", "x-user-id")
    assert config.actor_headers.session_id == ("x-roomhost-session-id", "x-session-id")
    assert config.actor_headers.tenant_id == ("x-roomhost-tenant-id", "x-tenant-id")
    assert config.actor_headers.email == ("x-roomhost-user-email", "x-user-email")
    assert config.actor_headers.display_name == ("x-roomhost-user-name", "x-user-name")
    assert (config.binding, config.retention) == (None, None)
    assert (config.observability, config.placement) == (None, None)


def test_what_is_given_is_kept() -> None:
    """No default replaces an option, a false one neither."""
    options = RealtimeModuleOptions(
        name="collab",
        namespace="prod",
        database_name="state",
        binding="COLLAB",
        history_limit=1,
        presence_ttl_seconds=2**31 - 1,
        lifecycle=RealtimeLifecycleOptions(idle_ttl_seconds=1, allow_recreate=True),
        auto_resolve_user=False,
        allow_anonymous=True,
        observability={"level": "debug", "sampling": 0.5, "labels": {}, "none": None},
        placement={"region": ["eu", "us"]},
        retention=RealtimeRetentionOptions(max_messages=10),
        bind_connection_to_expiry=False,
        token_in_query=False,
        actor_headers=RealtimeActorHeaders(),
    )
    config = normalize(options)
    for field in msgspec.structs.fields(options):
        if field.name != "lifecycle":
            assert getattr(config, field.name) == getattr(options, field.name)

    assert config.lifecycle.idle_ttl_seconds == 1
    assert config.lifecycle.destroy_ttl_seconds == 86_400
    assert config.lifecycle.allow_recreate is True


def test_given_headers_replace_all_of_the_default() -> None:
    """A field that is not given is read from no header; names are kept in lower case."""
    headers = RealtimeActorHeaders(user_id=("Remote-User", "X-FORWARDED-USER"))
    config = normalize(RealtimeModuleOptions(name="collab", actor_headers=headers))
    assert config.actor_headers == RealtimeActorHeaders(user_id=("remote-user", "x-forwarded-user"))


def test_json_says_the_defaults() -> None:
    """The configuration as JSON is complete, in camel case, and reads back as the same options."""
    config = normalize(RealtimeModuleOptions(name="collab"))
    text = msgspec.json.encode(config)
    said = msgspec.json.decode(text)
    assert said["historyLimit"] == 100
    assert said["lifecycle"] == {
        "idleTtlSeconds": 300,
        "destroyTtlSeconds": 86_400,
        "allowRecreate": False,
    }
    assert normalize(msgspec.json.decode(text, type=RealtimeModuleOptions)) == config


def test_what_is_normalised_stays_so() -> None:
    """Normalising twice is normalising once."""
    config = normalize(RealtimeModuleOptions(name="collab", placement={"a": [1, {"b": None}]}))
    assert normalize(config) == config


def test_nobody_changes_a_configuration() -> None:
    """Its fields cannot be set, and what its options were made of is not what it holds."""
    placement: dict[str, Any] = {"region": ["eu"]}
    config = normalize(RealtimeModuleOptions(name="collab", placement=placement))
    placement["region"].append("us")
    assert config.placement == {"region": ["eu"]}
    for struct, field in ((config, "history_limit"), (config.lifecycle, "allow_recreate")):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(struct, field, 5)


def test_objects_are_as_deep_as_json_may_be() -> None:
    """64 levels are echoed."""
    config = normalize(RealtimeModuleOptions(name="collab", observability=deep(64)))
    assert config.observability == deep(64)


@given(NAMES, NAMES, NAMES, NAMES)
def test_no_two_instances_share_a_database_name(a: str, b: str, c: str, d: str) -> None:
    """The derived name tells any two pairs of namespace and name apart, and is a name itself."""
    first, second = derived_database_name(a, b), derived_database_name(c, d)
    assert (first == second) == ((a, b) == (c, d))
    assert len(first) <= 255
    assert first.isascii() and first.isprintable()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a:b", "c"), ("a", "b:c")),
        (("a%3Ab", "c"), ("a:b", "c")),
        (("a", "b"), ("A", "b")),
        (("é" * 127, "a"), ("é" * 127, "b")),
        (("é" * 127, "a:b"), ("é" * 126, "é:a:b")),
    ],
)
def test_derived_names_of_awkward_pairs_differ(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    """Also where one contains what joins them, or is too long to be readable."""
    assert derived_database_name(*one) != derived_database_name(*other)


@pytest.mark.parametrize(
    "lifecycle",
    [
        {"idle_ttl_seconds": 30, "allow_recreate": True},
        {"idleTtlSeconds": 30, "allowRecreate": True},
        RealtimeLifecycleOptions(idle_ttl_seconds=30, allow_recreate=True),
    ],
)
def test_an_object_is_a_struct_or_a_mapping_by_either_case(lifecycle: Any) -> None:
    """All three say the same."""
    config = realtime(name="collab", lifecycle=lifecycle).config
    assert (config.lifecycle.idle_ttl_seconds, config.lifecycle.allow_recreate) == (30, True)


def test_an_unknown_name_in_an_object_is_refused_by_its_path() -> None:
    """With its name."""
    with pytest.raises(InvalidArgument) as error:
        realtime(name="collab", lifecycle={"idle": 30})
    assert error.value.field == "lifecycle.idle"
