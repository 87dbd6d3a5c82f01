"""What the tests of the inspector look at: counters, a table where a game is played, and rooms.

`POST /counter/homepage/seed` fills it.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from pycrdt import Map, Text

from roomhost.actors import RealtimePrincipal, realtime
from roomhost.bindings import App
from roomhost.runtime import AlarmInfo, DurableObject, Request, Response, WebSocket, WebSocketPair

HOSTILE = '<img src=x onerror="throw 1">\u202e"\'&amp;'
LONG = "w" * 400  # without a place to break it
PAGES = {
    "homepage": 18_204,
    "pricing": 3_911,
    "docs/quick-start": 2_740,
    "docs/storage": 1_318,
    "docs/alarms": 904,
    "docs/sockets": 1_077,
    "blog/how-a-room-sleeps": 655,
    "blog/one-writer": 412,
    "changelog": 388,
    "status": 96,
}
BOARDS = 58  # with the two others more than a page
HOUR_MS = 3_600_000
CHAT = (
    ("Ada", "Morning! Is the new map in the build already?"),
    ("Grace", "Since last night. Try the harbour, the tide is in."),
    ("Linus", "It sleeps when nobody is there, I checked: no actor in memory, sockets open."),
    ("Ada", "Lovely. Then I deploy at noon."),
)
HANDBOOK = """Operating the rooms

Who is on call looks at three things: how long a commit takes, how many
objects are in memory, and which alarms are late.

1. A room that is slow has a long queue. Open it here and follow its events.
2. A room that is reset says why in its log.
3. Nothing acknowledged is ever lost. If in doubt, restart.
"""

logger = logging.getLogger("arcade")
logger.setLevel(logging.INFO)  # whatever the host's own level is


class Counter(DurableObject):
    """Counts the visits of a page, and sums them up once in two hours."""

    async def fetch(self, request: Request) -> Response:
        action = request.url.path.rsplit("/", 1)[-1]
        if action == "seed":
            await seed(self.env)
        if action == "fail":
            await self.ctx.storage.set_alarm(0)
            await self.ctx.storage.put("fails", True)
        return Response.from_json({"visits": await self.visit()})

    async def visit(self, by: int = 1) -> int:
        """One more."""
        visits: int = await self.ctx.storage.get("visits", 0) + by
        await self.ctx.storage.put("visits", visits)
        logger.info("%s was visited", self.ctx.id.name)
        return visits

    async def begin(self, visits: int) -> None:
        """What a page begins with."""
        await self.ctx.storage.put("visits", visits)
        await self.ctx.storage.put("since", datetime(2026, 11, 1, tzinfo=UTC))
        if visits > 2_000:
            await self.ctx.storage.set_alarm(
                int(datetime.now(UTC).timestamp() * 1000) + 2 * HOUR_MS
            )

    async def alarm(self, info: AlarmInfo) -> None:
        if await self.ctx.storage.get("fails", False):
            raise ValueError("the sum cannot be written")


class Table(DurableObject):
    """A game of chess: its players have sockets, and a player who thinks too long loses the turn."""

    async def fetch(self, request: Request) -> Response:
        pair = WebSocketPair()
        name = request.query_params["player"]
        self.ctx.accept_web_socket(pair.server, [request.query_params["role"], name])
        pair.server.serialize_attachment({"player": name, "rating": 1_800 + len(name)})
        return Response(status=101, web_socket=pair.client)

    async def begin(self, title: str, **values: Any) -> None:
        """A new game."""
        await self.ctx.storage.put("title", title)
        for key, value in values.items():
            await self.ctx.storage.put(key, value)
        await self.ctx.storage.set_alarm(int(datetime.now(UTC).timestamp() * 1000) + HOUR_MS)

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        if message == "resign":
            raise ValueError("the game is over already")
        moves = await self.ctx.storage.get("moves", [])
        await self.ctx.storage.put("moves", [*moves, message])
        logger.info("%s plays %s", ws.deserialize_attachment()["player"], message)
        for other in self.ctx.get_web_sockets():
            other.send(message)

    async def alarm(self, info: AlarmInfo) -> None:
        await self.ctx.storage.put("turn", "timed out")


async def seed(env: Any) -> None:
    """Everything that the tests look for."""
    for page, visits in PAGES.items():
        await env.COUNTER.get_by_name(page).begin(visits)
    await env.COUNTER.get(env.COUNTER.new_unique_id()).begin(7)
    await env.TABLE.get_by_name("friday-night").begin(
        "Friday night, board 2",
        moves=["e2e4", "c7c5", "g1f3", "d7d6", "d2d4", "c5d4"],
        turn="white",
        clock={"white": 284.5, "black": 301.25, "increment": 2},
        players={"white": "Ada", "black": "Grace", "watching": ["Linus", "Barbara"]},
        started=datetime(2026, 11, 27, 19, 30, tzinfo=UTC),
        board="rnbqkbnr/pp2pppp/3p4/8/3pP3/5N2/PPP2PPP/RNBQKB1R w KQkq - 0 4\n" * 4,
    )
    await env.TABLE.get_by_name(HOSTILE).begin(HOSTILE, **{HOSTILE: {HOSTILE: HOSTILE}, LONG: LONG})
    for number in range(BOARDS):
        await env.TABLE.get_by_name(f"board {number + 3}").begin(
            f"Board {number + 3}", turn="white"
        )
    await talk(env.LIVE)
    await write(env.LIVE)


async def talk(live: Any) -> None:
    """A room with members, a conversation and what strangers say; and a channel."""
    room = live.room("general")
    people = [
        RealtimePrincipal(kind="user", id=name.lower(), display_name=name) for name, _ in CHAT
    ]
    for actor, doing in zip(people[:3], ("typing", "reading", "away"), strict=True):
        presence = {"status": doing, "page": "/harbour"}
        await room.join(actor=actor, presence=presence)
    await room.metadata(metadata={"topic": "Deploy at noon", "pinned": 3, "private": False})
    for actor, (_, text) in zip(people, CHAT, strict=True):
        await room.publish(type="chat", data={"text": text}, actor=actor)
    hostile = RealtimePrincipal(kind="user", id="mallory", display_name=HOSTILE)
    strange = live.room(HOSTILE.replace("\u202e", ""))
    await strange.join(actor=hostile, presence={HOSTILE: HOSTILE})
    await strange.publish(type=HOSTILE, data={HOSTILE: [HOSTILE]}, actor=hostile)
    for version in range(60):
        await live.channel("deployments").publish(type="deployed", data={"version": version})


async def write(live: Any) -> None:
    """A document with two roots, and who is in it."""
    room = live.crdt_room("handbook")
    async with room.edit() as doc:
        doc.get("body", type=Text).insert(0, HANDBOOK)
        doc.get("settings", type=Map)["reviewed"] = "2026-11-20"
    ada = RealtimePrincipal(kind="user", id="ada", display_name="Ada")
    await room.join(actor=ada, presence={"status": "editing"})
    await room.awareness(client_id="ada", state={"cursor": {"line": 7, "column": 12}}, actor=ada)


app = App(
    name="arcade",
    bindings={"COUNTER": Counter, "TABLE": Table, "LIVE": realtime(name="live")},
)
