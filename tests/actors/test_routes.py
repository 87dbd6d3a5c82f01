"""The routes over HTTP: every operation, who may call it, and what is refused before it costs."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from roomhost.actors import operations
from roomhost.runtime import DurableObjectError, OverloadedError
from roomhost.runtime.errors import reset_error
from roomhost.storage import StorageError

from ..helpers.collab import KEY, bearer, routes

pytestmark = pytest.mark.anyio

INPUTS: dict[str, dict[str, Any]] = {
    "publish": {"type": "chat", "data": None},
    "broadcast": {"type": "chat"},
    "join": {"memberId": "ann", "presence": {"x": 1}},
    "presence": {"memberId": "ann", "presence": {"x": 2}},
    "metadata": {"metadata": {"topic": "tea"}},
    "leave": {"memberId": "ann"},
    "apply_update": {"update": {"op": 1}, "clientId": "tab", "clock": 0},
    "apply_yjs_update": {"updateBase64": "AAA="},
}


def code_of(response: httpx.Response) -> tuple[int, str]:
    """The status and the code of a refusal, whose shape is checked."""
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "detail", "message", "retryable"} <= problem.keys()
    assert problem["status"] == response.status_code
    return response.status_code, problem["code"]


async def call(http: httpx.AsyncClient, path: str, **fields: Any) -> Any:
    """The result of an operation, called with an API key."""
    name = path.rpartition("/")[2]
    reads = operations.BY_PATH[name].reads
    fields = {"params": fields} if reads else {"json": fields}
    response = await http.request("GET" if reads else "POST", path, headers=KEY, **fields)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    return response.json()


async def test_every_operation_has_a_route() -> None:
    """With the seed's types as JSON; rooms and CRDT rooms of a name are the same."""
    async with routes() as (http, _):
        published = await call(http, "/rooms/r%2Fs/publish", **INPUTS["publish"])
        assert (published["room"], published["kind"]) == ("r/s", "room")
        for name in ("broadcast", "join", "presence", "metadata"):
            assert (await call(http, f"/rooms/r%2Fs/{name}", **INPUTS[name]))["room"] == "r/s"
        members = await call(http, "/crdt/r%2Fs/members", limit=1, includeLeft="false")
        assert [member["presence"] for member in members] == [{"x": 2}]
        page = await call(http, "/rooms/r%2Fs/history", limit=1)
        assert [item["type"] for item in page["items"]] == ["chat"]
        older = await call(http, "/rooms/r%2Fs/history", cursor=page["cursor"])
        assert older["items"][0]["data"] is None
        snapshot = await call(http, "/rooms/r%2Fs/snapshot")
        await call(http, "/rooms/r%2Fs/restore", snapshotId=snapshot["snapshotId"])
        assert (await call(http, "/rooms/r%2Fs/leave", memberId="ann"))["memberId"] == "ann"
        grant = await call(http, "/rooms/r%2Fs/authorize", memberId="ann")
        assert grant["url"] == "ws://test/realtime/collab/rooms/r%2Fs/ws"
        assert (await call(http, "/rooms/r%2Fs/lifecycle"))["status"] == "active"
        assert (await call(http, "/channels/c/publish", type="note"))["kind"] == "channel"
        assert (await http.get("/stats", headers=KEY)).json() == {
            "rooms": 2,
            "members": 0,
            "messages": 4,
        }
        for kind, name in (("room", "r/s"), ("channel", "c")):
            names = (await http.get(f"/{kind}s", headers=KEY)).json()
            assert names == [{"kind": kind, "name": name}]
        assert (await http.get("/rooms?after=r/s&limit=5", headers=KEY)).json() == []
        await call(http, "/rooms/r%2Fs/destroy", deleteHistory=True)
        refused = await http.post("/rooms/r%2Fs/publish", json=INPUTS["publish"], headers=KEY)
        assert code_of(refused) == (410, "room_destroyed")


@pytest.mark.parametrize(
    ("method", "path", "refused"),
    [
        ("GET", "/", (404, "not_found")),
        ("GET", "/rooms/r", (404, "not_found")),
        ("POST", "/rooms/r/publish/", (404, "not_found")),
        ("POST", "/rooms/r/explode", (404, "not_found")),
        ("POST", "/crdts/r/publish", (404, "not_found")),
        ("POST", "/rooms//publish", (400, "invalid_argument")),
        ("POST", "/rooms/%FF/publish", (400, "invalid_argument")),
        ("POST", "/rooms/%0A/publish", (400, "invalid_argument")),
        ("POST", f"/rooms/{'n' * 256}/publish", (400, "invalid_argument")),
        ("POST", "/rooms/r/apply-update", (404, "not_found")),
        ("GET", "/rooms/r/document", (404, "not_found")),
        ("POST", "/crdt/r/document", (405, "method_not_allowed")),
        ("GET", "/crdt/r/sync-yjs", (405, "method_not_allowed")),
        ("POST", "/crdt/r/yjs.update", (404, "not_found")),
        ("GET", "/crdt/r/document?cursor=zzz", (400, "invalid_cursor")),
        ("GET", "/crdt/r/document?sinceClock=-1", (400, "invalid_argument")),
        ("GET", "/channels/c/document", (400, "unsupported_for_channel")),
        ("POST", "/channels/c/compact", (400, "unsupported_for_channel")),
        ("POST", "/channels/c/join", (400, "unsupported_for_channel")),
        ("GET", "/channels/c/members", (400, "unsupported_for_channel")),
        ("GET", "/rooms/r/publish", (405, "method_not_allowed")),
        ("DELETE", "/rooms/r/history", (405, "method_not_allowed")),
        ("POST", "/stats", (405, "method_not_allowed")),
        ("GET", "/rooms/r/ws", (426, "upgrade_required")),
        ("GET", "/rooms/r/history?limit=abc", (400, "invalid_argument")),
        ("GET", "/rooms/r/history?limit=1.0", (400, "invalid_argument")),
        ("GET", "/rooms/r/history?limit=0", (400, "invalid_argument")),
        ("GET", "/rooms/r/history?limit=99999999999999999999", (400, "invalid_argument")),
        ("GET", "/rooms/r/history?limit=1&limit=1", (400, "invalid_argument")),
        ("GET", "/rooms/r/history?cursor=%FF", (400, "invalid_argument")),
        ("GET", "/rooms/r/history?cursor=zzz", (400, "invalid_cursor")),
        ("GET", "/rooms/r/history?order=asc", (400, "invalid_argument")),
        ("GET", "/rooms/r/members?includeLeft=yes", (400, "invalid_argument")),
        ("GET", "/rooms?limit=0", (400, "invalid_argument")),
        ("POST", "/rooms/r/leave?memberId=a", (400, "invalid_argument")),
    ],
)
async def test_what_a_url_may_not_be(method: str, path: str, refused: tuple[int, str]) -> None:
    """Refused with the field where there is one, and 405 with the methods that there are."""
    async with routes() as (http, host):
        response = await http.request(method, path, headers=KEY)
        assert code_of(response) == refused
        assert ("allow" in response.headers) == (response.status_code == 405)
        if "?" in path and "%FF" not in path:
            assert response.json()["field"] == path.partition("?")[2].partition("=")[0]
        assert host.list_objects("COLLAB.rooms") == []


async def test_a_body_is_bounded_json() -> None:
    """Of one type, and not too large; an empty one is the input without fields."""
    async with routes() as (http, host):
        path = "/rooms/r/publish"
        headers = KEY | {"content-type": "application/json"}
        response = await http.post(path, content=b" " * (2**20 + 1), headers=headers)
        assert code_of(response) == (413, "payload_too_large")
        for kind in ("text/plain", "application/json; charset=latin-1", "application/xml"):
            headers = KEY | {"content-type": kind}
            response = await http.post(path, content=b'{"type":"a"}', headers=headers)
            assert code_of(response) == (415, "unsupported_media_type")
        assert code_of(await http.post(path, content=b"{}", headers=KEY))[0] == 415
        headers = KEY | {"content-encoding": "gzip"}
        assert code_of(await http.post(path, json={}, headers=headers))[0] == 415
        missing = await http.post(path, headers=KEY)
        assert (code_of(missing)[0], missing.json()["field"]) == (400, "type")
        assert host.list_objects("COLLAB.rooms") == []
        assert (await http.post("/rooms/r/metadata", headers=KEY)).status_code == 200


async def test_who_is_nobody_is_asked_for_a_credential() -> None:
    """401, before the body is looked at; a damaged or foreign credential likewise."""
    async with routes() as (http, host):
        await host.env.COLLAB.room("r").publish(type="first")
        wrong: list[dict[str, str]] = [
            {},
            {"authorization": "Basic a2V5"},
            {"authorization": "Bearer keys"},
            {"authorization": "Bearer a.b.c"},
            await bearer(host, "other"),
            {"x-user-id": "ann"},
        ]
        for headers in wrong:
            response = await http.post("/rooms/r/publish", content=b"\xff", headers=headers)
            assert code_of(response) == (401, "unauthenticated")
            assert response.headers["www-authenticate"] == "Bearer"
            assert (await http.get("/stats", headers=headers)).status_code in (401, 403)
        token = await bearer(host)
        assert code_of(await http.get("/channels/r/history", headers=token))[0] == 401
        assert code_of(await http.get("/rooms", headers=token)) == (403, "forbidden")
        clock: Any = host.clock
        assert (await http.get("/rooms/r/history", headers=token)).status_code == 200
        await clock.advance(306)
        assert code_of(await http.get("/rooms/r/history", headers=token))[0] == 401


@pytest.mark.parametrize("query", ["token=x", "api_key=x", "KEY=x", "limit=other", "access_token="])
async def test_a_credential_in_a_url_is_refused(query: str) -> None:
    """By its name or by its value, with the reason, also with a good one in its place."""
    async with routes() as (http, _):
        response = await http.get(f"/rooms/r/history?{query}", headers=KEY)
        assert code_of(response) == (400, "invalid_argument")
        assert "logged" in response.json()["message"]
        assert "other" not in response.json()["message"]


async def test_a_token_is_for_its_actor_and_its_capabilities() -> None:
    """It names nobody else, and does what it was given; API keys name anybody."""
    async with routes() as (http, host):
        room = host.env.COLLAB.room("r")
        clock: Any = host.clock
        actor = {"kind": "user", "userId": "bob"}
        await room.join(member_id="ann")
        allowed = {
            "publish": {"publish", "broadcast"},
            "presence": {"join", "leave", "presence", "awareness"},
            "subscribe": {"members", "metadata", "lifecycle"},
            "history": {"history"},
            "crdt:read": {"document", "sync_yjs"},
            "crdt:write": {"apply_update", "apply_yjs_update"},
            "admin": {"snapshot", "restore", "authorize", "destroy", "compact"},
        }
        for capability, names in allowed.items():
            headers = await bearer(host, capabilities=(capability,))
            await clock.advance(1)  # so many calls a second are refused
            for operation in operations.TABLE:
                if operation.name in names:
                    continue

                method = "GET" if operation.reads else "POST"
                body = INPUTS.get(operation.name)
                if operation.name == "restore":
                    body = {"snapshotId": "s"}
                path = f"/crdt/r/{operation.path}"
                response = await http.request(method, path, json=body, headers=headers)
                assert code_of(response) == (403, "forbidden"), (capability, operation.name)
        headers = await bearer(host)
        for path, body in (
            ("publish", {"type": "a", "actor": actor}),
            ("join", {"actor": actor}),
            ("join", {"memberId": "bob"}),
            ("snapshot", {}),
        ):
            response = await http.post(f"/rooms/r/{path}", json=body, headers=headers)
            assert code_of(response) == (403, "forbidden")
        body = {"type": "a", "actor": actor}
        result = await http.post("/rooms/r/publish", json=body, headers=KEY)
        assert result.json()["actor"]["userId"] == "bob"


async def test_a_trusted_proxy_names_the_user() -> None:
    """Nobody else does; a page of another origin cannot ask in that user's name."""
    user = {"x-user-id": "ann", "host": "test"}
    settings: dict[str, Any] = {"trusted_proxies": ("10.0.0.0/8",)}
    async with routes(client=("10.1.2.3", 9), **settings) as (http, _):
        joined = await http.post("/rooms/r/join", headers=user)
        assert joined.json()["memberId"] == "ann"
        foreign = user | {"origin": "https://evil.example"}
        assert code_of(await http.post("/rooms/r/leave", headers=foreign)) == (403, "forbidden")
        session = {"x-session-id": "s"}
        assert code_of(await http.post("/rooms/r/join", headers=session))[0] == 401
        assert code_of(await http.post("/rooms/r/snapshot", headers=user))[0] == 403
    async with routes(client=("11.1.2.3", 9), **settings) as (http, _):
        assert code_of(await http.post("/rooms/r/join", headers=user))[0] == 401


async def test_anonymous_callers_where_they_are_allowed() -> None:
    """Somebody else each time."""
    async with routes(options={"allow_anonymous": True}) as (http, _):
        first, second = [(await http.post("/rooms/r/join")).json() for _ in range(2)]
        assert first["actor"]["kind"] == "anonymous"
        assert first["memberId"] != second["memberId"]


async def test_too_many_requests_are_refused() -> None:
    """By member and room, or by address; trusted callers are not counted."""
    async with routes(options={"allow_anonymous": True}) as (http, host):
        headers = await bearer(host)
        for _ in range(100):
            assert (await http.get("/rooms/r/lifecycle", headers=headers)).status_code == 200
        refused = await http.get("/rooms/r/lifecycle", headers=headers)
        assert code_of(refused) == (429, "rate_limited")
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["retryAfterMs"] == 20
        for other in (KEY, {}):
            assert (await http.get("/rooms/r/lifecycle", headers=other)).status_code == 200
        clock: Any = host.clock
        await clock.advance(0.02)
        assert (await http.get("/rooms/r/lifecycle", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (OverloadedError("too much"), (503, "overloaded")),
        (StorageError("the disk is full: secret"), (503, "unavailable")),
        (reset_error(DurableObjectError("aborted: secret")), (503, "unavailable")),
        (reset_error(ValueError("secret")), (500, "internal")),
        (ValueError("secret"), (500, "internal")),
    ],
)
async def test_failures_of_a_room_tell_no_secrets(
    error: Exception, refused: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What may be tried again says when."""
    async with routes() as (http, host):

        def fail(*_: Any) -> Any:
            raise error

        monkeypatch.setattr(type(host.env.COLLAB), "stub", fail)
        response = await http.get("/rooms/r/lifecycle", headers=KEY)
        assert code_of(response) == refused
        assert ("retry-after" in response.headers) == (refused[0] == 503)
        assert "secret" not in response.text


async def test_pages_of_other_origins() -> None:
    """Those that are allowed may ask, and read; HEAD and OPTIONS are what they should be."""
    page = {"origin": "https://app.example", "access-control-request-method": "POST"}
    async with routes(allowed_origins=("https://app.example",)) as (http, _):
        asked = await http.options("/rooms/r/publish", headers=page)
        assert asked.status_code == 204
        assert asked.headers["access-control-allow-origin"] == "https://app.example"
        assert asked.headers["access-control-allow-methods"] == "POST, OPTIONS"
        assert "authorization" in asked.headers["access-control-allow-headers"]
        refused = await http.post("/rooms/r/publish", headers=page)
        assert (refused.status_code, refused.headers["vary"]) == (401, "origin")
        assert refused.headers["access-control-allow-origin"] == "https://app.example"
        other = await http.options(
            "/rooms/r/publish", headers=page | {"origin": "https://evil.example"}
        )
        assert "access-control-allow-origin" not in other.headers
        head = await http.head("/openapi.json")
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) > 1_000
