"""Bad input: every field of every operation with everything that it may not be. It is refused with the
path of the field, and leaves no trace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import httpx
import msgspec
import pytest

from roomhost.actors import limits
from roomhost.actors.operations import TABLE, Operation
from roomhost.actors.types import RealtimePrincipal

from ..helpers.collab import KEY, routes

pytestmark = pytest.mark.anyio

REQUIRED = {
    "publish": '"type":"a"',
    "broadcast": '"type":"a"',
    "restore": '"snapshotId":"s"',
    "apply_update": '"update":1',
    "apply_yjs_update": '"updateBase64":"AAA="',
}
MAY_BE_ZERO = ("clock", "limit")  # of what is posted
DEEP = "[" * 10_000 + "]" * 10_000
NOT_JSON = ("NaN", "Infinity", '"\\ud800"', '"\x00"', DEEP, "01", "'a'")
NO_RECORDS = ("1", '"a"', "true", "[]", "1e999", '{"a":1e999}', '{"a":"\\ud800"}', '{"a":NaN}')
NO_TEXTS = ("1", "true", "[]", "{}", "1.5")
NO_IDS = (*NO_TEXTS, '""', '"\\u0000"', '"a\\nb"', f'"{"i" * 257}"', f'"{"ö" * 129}"')
NO_BASE64 = (
    '"A"',
    '"AA="',
    '"AAA"',
    '"AB=="',
    '"AAA=A"',
    '"AA A"',
    '"\\nAAA="',
    '"AAA-"',
    '"ÄAA="',
)
NO_COUNTS = ('"1"', "true", "[]", "1.5", "-1", "0", str(2**31), str(2**63), str(2**64), "1e999")


def bad_values(operation: Operation, field: msgspec.structs.FieldInfo) -> tuple[str, ...]:
    """JSON that a field may not have."""
    plain = plain_types(field.type)
    if field.name in ("data", "update"):
        levels = limits.MAX_JSON_DEPTH + 1
        nested = '{"a":' * levels + "1" + "}" * levels
        large = f'"{"x" * limits.MAX_DATA_BYTES}"'
        return (*NOT_JSON, nested, large, str(2**64), str(-(2**63) - 1), "1e999")

    if dict in plain:
        large = f'{{"a":"{"x" * limits.MAX_ROOM_METADATA_BYTES}"}}'
        return (*NOT_JSON, *NO_RECORDS, large)

    if bool in plain:
        return (*NOT_JSON, "1", '"true"', "[]")

    if int in plain:
        counts = [one for one in NO_COUNTS if one != "0" or field.name not in MAY_BE_ZERO]
        return (*NOT_JSON, *counts)

    if tuple in plain:
        return (*NOT_JSON, "{}", '"admin"', "[1]", '["root"]')

    if RealtimePrincipal in plain:
        return (*NOT_JSON, "1", "[]", "{}", '{"kind":"root"}', '{"kind":"user"}')

    if field.encode_name.endswith("Base64"):
        return (*NOT_JSON, *NO_TEXTS, *NO_BASE64)

    if field.encode_name == "cursor":
        return (*NOT_JSON, *NO_TEXTS, f'"{"c" * 600}"', '"c"')

    return (*NOT_JSON, *NO_IDS)


def plain_types(kind: Any) -> set[Any]:
    """The types in an annotation."""
    origin = getattr(kind, "__origin__", kind)
    found = {origin} if isinstance(origin, type) else set()
    return found.union(*(plain_types(inner) for inner in get_args(kind)))


def bad_bodies(operation: Operation) -> Iterator[tuple[str, str]]:
    """Bodies of an operation with one field that is bad, and its path."""
    required = REQUIRED.get(operation.name, "")
    rest = f",{required}" if required else ""
    yield f'{{"unknown":1{rest}}}', "unknown"
    if required:
        yield "{}", required.split('"')[1]
    for field in msgspec.structs.fields(operation.input.kind):
        name = field.encode_name
        others = "" if f'"{name}"' in rest else rest
        for value in bad_values(operation, field):
            yield f'{{"{name}":{value}{others}}}', name
    if "actor" in operation.input.kind.__struct_fields__:
        for name in ("id", "userId", "sessionId", "tenantId", "email", "displayName"):
            for value in NO_IDS:
                other = "id" if name == "userId" else "userId"
                actor = f'{{"kind":"user","{other}":"a","{name}":{value}}}'
                yield f'{{"actor":{actor}{rest}}}', f"actor.{name}"


def twice(operation: Operation) -> str:
    """A good body, but for a key that one of its objects has twice."""
    names = operation.input.kind.__struct_fields__
    holds = next((name for name in ("metadata", "presence", "state") if name in names), None)
    if holds is None:
        return '{"unknown":{"b":1,"b":2}}'

    required = REQUIRED.get(operation.name, "")
    return f'{{"{holds}":{{"b":1,"b":2}}{"," * bool(required)}{required}}}'


def check_refusal(response: httpx.Response, body: str, path: str) -> None:
    """400 or 413, with the path of the field, or below it; a body that is no JSON has none."""
    problem = response.json()
    assert response.status_code in (400, 413), (body[:80], problem)
    field = problem.get("field")
    if field is None:
        assert problem["code"] == "invalid_argument"
        assert problem["message"].startswith(("the body is not JSON", "the body is nested")), body[
            :80
        ]
    else:
        assert field.partition(".")[0] == path.partition(".")[0], (body[:80], problem)


@pytest.mark.parametrize(
    "operation", [one for one in TABLE if not one.reads], ids=lambda one: one.name
)
async def test_bad_input_is_refused_and_leaves_no_trace(operation: Operation) -> None:
    """In a room that there is, and in one that there is not."""
    async with routes() as (http, host):
        room = host.env.COLLAB.crdt_room("r")
        await room.publish(type="first")
        await room.apply_update(update="first")
        before = [await room.lifecycle(), await room.history(), await room.members()]
        before += [await room.document(), await room.sync_yjs()]
        metadata, stats = await room.metadata(), await host.env.COLLAB.stats()
        headers = KEY | {"content-type": "application/json"}
        for body, path in bad_bodies(operation):
            for name in ("r", "new"):
                url = f"/crdt/{name}/{operation.path}"
                response = await http.post(url, content=body, headers=headers)
                check_refusal(response, body, path)
        for body in ("[]", "1", "null", '"a"', "", "{", '{"a"', "\xff", DEEP):
            if body or operation.name in REQUIRED:
                content = body.encode("latin-1")
                response = await http.post(url, content=content, headers=headers)
                assert response.status_code == 400, body[:40]
        for body, key in (('{"unknown":1,"unknown":2}', "unknown"), (twice(operation), "b")):
            response = await http.post(url, content=body, headers=headers)
            assert (response.status_code, response.json()["field"]) in (
                (400, key),
                (400, "unknown"),
            )
        after = [await room.lifecycle(), await room.history(), await room.members()]
        assert [*after, await room.document(), await room.sync_yjs()] == before
        assert (await room.metadata(), await host.env.COLLAB.stats()) == (metadata, stats)
        assert [found.name for found in host.list_objects("COLLAB.rooms")] == ["r"]
