"""Credentials of somebody else, of another room, of another time; guesses; and how they are compared."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from roomhost.runtime import limits
from roomhost.runtime.intake import Reason
from roomhost.runtime.testing import ManualClock

from ..helpers.served import served
from . import raw
from .app import app
from .beside import beside

pytestmark = pytest.mark.anyio

REPOSITORY = Path(__file__).parent.parent.parent
FOLDERS = ("storage", "runtime", "bindings", "actors", "admin")
JSON = b"Content-Type: application/json\r\n"
KEY = b"Authorization: Bearer key\r\n"
SECRETS = {"mac", "signature", "secret", "credential", "api_key", "api_keys"}
COMPARED = {"runtime/api_keys.py", "runtime/object_id.py", "actors/cursors.py"}


async def granted(client: raw.Raw, module: str, room: str, **options: Any) -> str:
    """A token for one room."""
    path = f"/realtime/{module}/rooms/{room}/authorize"
    body = {"actor": {"kind": "user", "userId": "ann"}, **options}
    answer = await client.ask(raw.post(path, json.dumps(body).encode(), KEY + JSON))
    assert answer.status == 200, answer
    token: str = json.loads(answer.body)["token"]
    return token


async def used(client: raw.Raw, module: str, room: str, token: str, kind: str = "rooms") -> int:
    """The status of a request with a token."""
    head = f"Authorization: Bearer {token}\r\n".encode()
    return (await client.ask(raw.get(f"/realtime/{module}/{kind}/{room}/history", head))).status


async def upgraded(url: str, module: str, room: str, token: str) -> int:
    """Likewise of an upgrade."""
    head = raw.UPGRADE + f"Authorization: Bearer {token}\r\n".encode()
    async with await raw.connect(url) as client:
        path = f"/realtime/{module}/rooms/{room}/ws"
        return (await client.ask(raw.get(path, head))).status


async def test_a_token_opens_its_room_and_nothing_else() -> None:
    """Not another room, the channel of its name, another module, the admin API, or the list of rooms."""
    async with served(app) as (url, host), beside(url), await raw.connect(url) as client:
        token = await granted(client, "collab", "a")
        assert await used(client, "collab", "a", token) == 200
        assert await upgraded(url, "collab", "a", token) == 101
        for module, room, kind in (
            ("collab", "b", "rooms"), ("collab", "A", "rooms"), ("collab", "a%20", "rooms"),
            ("collab", "a", "channels"), ("again", "a", "rooms"),
        ):  # fmt: skip
            assert await used(client, module, room, token, kind) == 401
        assert await upgraded(url, "collab", "b", token) == 401
        assert host.intake.refusals == {Reason.TOKEN_ELSEWHERE: 6}
        head = f"Authorization: Bearer {token}\r\n".encode()
        for path, status in (("/realtime/collab/rooms", 403), ("/_admin/v1/statistics", 401)):
            assert (await client.ask(raw.get(path, head))).status == status
        answer = await client.ask(raw.get("/_rpc/v1", head + raw.UPGRADE))
        assert answer.status == 401


async def test_a_token_ends_with_the_life_of_its_room() -> None:
    """The room that is made anew under the name lets nobody in with one of before; nor to a socket."""
    async with served(app) as (url, host), beside(url), await raw.connect(url) as client:
        token = await granted(client, "again", "a")
        body = b'{"type": "said", "data": 1}'
        publish = "/realtime/again/rooms/a/publish"
        assert (await client.ask(raw.post(publish, body, KEY + JSON))).status == 200
        destroy = raw.post("/realtime/again/rooms/a/destroy", b"{}", KEY + JSON)
        assert (await client.ask(destroy)).status == 200
        assert await used(client, "again", "a", token) in (401, 410)
        assert (await client.ask(raw.post(publish, body, KEY + JSON))).status == 200
        assert await used(client, "again", "a", token) == 401
        assert await upgraded(url, "again", "a", token) == 401
        assert host.intake.refusals[Reason.TOKEN_GENERATION] >= 2
        assert await used(client, "again", "a", await granted(client, "again", "a")) == 200


async def test_a_token_has_its_time() -> None:
    """Then it is refused, by what it opened too."""
    clock = ManualClock()
    async with served(app, clock=clock) as (url, host), await raw.connect(url) as client:
        token = await granted(client, "collab", "a", ttlSeconds=60)
        assert await used(client, "collab", "a", token) == 200
        await clock.advance(66_000)
        async with await raw.connect(url) as later:
            assert await used(later, "collab", "a", token) == 401
        assert host.intake.refusals[Reason.TOKEN_EXPIRED] == 1


async def test_a_token_of_another_host_is_nobodys() -> None:
    """Its secret is another one; what is changed in one of ours is found too."""
    async with served(app) as (other, _), await raw.connect(other) as client:
        foreign = await granted(client, "collab", "a")
    async with served(app) as (url, host), beside(url), await raw.connect(url) as client:
        assert await used(client, "collab", "a", foreign) == 401
        own = await granted(client, "collab", "a")
        head, payload, signature = own.split(".")
        changed = payload[:-2] + ("AA" if payload[-2:] != "AA" else "BB")
        for token in (f"{head}.{changed}.{signature}", f"{head}.{payload}.{signature[::-1]}"):
            assert await used(client, "collab", "a", token) == 401
        for token in (f"{head}.{payload}.", "x.y.z", "eyJhbGciOiJub25lIn0.e30.", "key2"):
            assert await used(client, "collab", "a", token) == 401
        assert host.intake.refusals[Reason.TOKEN_SIGNATURE] >= 1
        assert host.intake.refusals[Reason.TOKEN_MALFORMED] >= 3
        assert set(host.intake.refusals) <= {
            Reason.TOKEN_SIGNATURE, Reason.TOKEN_MALFORMED, Reason.TOKEN_CLAIMS,
        }  # fmt: skip


async def test_without_a_key_no_socket_of_the_host_is_held_open() -> None:
    """An upgrade of the admin API or of calls from other processes is refused, and its connection ends
    or goes on as HTTP: no WebSocket waits for a key."""
    async with served(app) as (url, _), beside(url):
        for path in ("/_rpc/v1", "/_rpc/", "/_admin/v1/statistics", "/_admin/"):
            async with await raw.connect(url) as client:
                answer = await client.ask(raw.get(path, raw.UPGRADE))
                assert answer.status == 401
                assert await client.rest() == b""


async def test_guesses_are_counted_and_then_refused_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty of an address; then also the right key has to wait. Of the API keys, and everywhere."""
    monkeypatch.setattr("roomhost.runtime.failed_keys.is_loopback", lambda _: False)
    async with served(app) as (url, host), beside(url), await raw.connect(url) as client:
        for number in range(limits.MAX_FAILED_KEYS):
            head = f"Authorization: Bearer guess-{number}\r\n".encode()
            assert (await client.ask(raw.post("/_admin/v1/statistics", b"{}", head))).status == 401
        for head in (b"Authorization: Bearer guess\r\n", KEY):
            assert (await client.ask(raw.post("/_admin/v1/statistics", b"{}", head))).status == 429
        assert host.intake.refusals == {Reason.WRONG_KEY: 20, Reason.WRONG_KEYS: 2}


def test_no_secret_is_compared_but_in_constant_time() -> None:
    """No `==`, `!=` or `in` has a secret, a signature or a MAC at one of its sides."""
    found = []
    for folder in FOLDERS:
        for path in sorted((REPOSITORY / folder).glob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found += [
                f"{folder}/{path.name}:{node.lineno}"
                for node in ast.walk(tree)
                if isinstance(node, ast.Compare) and _of_a_secret(node)
            ]
    assert found == []
    for name in COMPARED:
        assert "hmac.compare_digest(" in (REPOSITORY / name).read_text(encoding="utf-8")


def _of_a_secret(compared: ast.Compare) -> bool:
    identity = all(isinstance(operator, ast.Is | ast.IsNot) for operator in compared.ops)
    looks_inside = isinstance(compared.left, ast.Constant) and isinstance(compared.ops[0], ast.In)
    if identity or looks_inside:
        return False

    sides = [compared.left, *compared.comparators]
    named = {side.id for side in sides if isinstance(side, ast.Name)}
    named |= {side.attr for side in sides if isinstance(side, ast.Attribute)}
    return bool(named & SECRETS)
