"""A chat: one actor for each room, its history in storage, its sockets hibernating.

    roomhost serve examples.chat:app

`/` leads to a room; `/room/{name}` is its page, `/room/{name}/socket` its WebSocket. A page sends
`{"type": "message", "id", "text"}` and gets every message of the room, its own too, as
`{"type": "message", "seq", "id", "name", "text", "at"}`: that echo leaves only when the message is
on disk, so what a page has seen is never lost. After a reconnect a page names the last `seq` it has
and sends again what was not echoed, with the same id: what it missed is replayed, or counted where
that is too much, and nothing is stored twice.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from starlette.applications import Starlette
from starlette.responses import FileResponse, RedirectResponse
from starlette.routing import Route, WebSocketRoute

from roomhost.bindings import App
from roomhost.runtime import (
    AlarmInfo,
    DurableObject,
    Request,
    Response,
    WebSocket,
    WebSocketPair,
    WebSocketRequestResponsePair,
    serve_fetch,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.requests import Request as PageRequest
    from starlette.websockets import WebSocket as PageSocket

    from roomhost.bindings import Env
    from roomhost.runtime import DurableObjectState

MAX_TEXT_CHARACTERS = 2_000
MAX_ID_CHARACTERS = 64
MAX_NAME_CHARACTERS = 40
REPLAYED_MESSAGES = 100  # that a page gets when it opens
KEPT_MESSAGES = 1_000  # that stay as they are when the room archives, and that a replay has at most
ARCHIVE_BLOCK_MESSAGES = 500
ARCHIVE_BLOCK_TEXT_BYTES = 1_048_576  # a stored value holds 2 MiB, names and ids included
SEQ_DIGITS = 12
IDLE_MS = 10 * 60 * 1000  # without a message, then the room archives

Message = dict[str, Any]


class Room(DurableObject):
    """One chat room.

    Keys: `seq`, the number of the last message; `message:{seq}`; `id:{id}`, the seq a message got,
    for those that come twice; `archive:{seq}`, a block of old messages by the seq of its first one;
    `archived_at`, when the last block was made.
    """

    def __init__(self, ctx: DurableObjectState, env: Env) -> None:
        super().__init__(ctx, env)
        # Answered by the host, without waking the room.
        ctx.set_web_socket_auto_response(WebSocketRequestResponsePair("ping", "pong"))

    async def fetch(self, request: Request) -> Response:
        """Open a socket: `?name=` is who speaks, `?after=` the last message the page has."""
        if not request.is_upgrade:
            return Response("this is a WebSocket\n", status=426)

        name = request.query_params.get("name", "").strip()[:MAX_NAME_CHARACTERS] or "somebody"
        after = request.query_params.get("after", "")
        known = after.isdecimal() and len(after) <= SEQ_DIGITS
        pair = WebSocketPair()
        pair.server.serialize_attachment({"name": name})
        self.ctx.accept_web_socket(pair.server, [name])
        for message in await self._replay(int(after) if known else None):
            pair.server.send(frame(message))
        self._tell({"type": "joined", "name": name, "members": self.members()})
        return Response(status=101, web_socket=pair.client)

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        """Store a message and echo it to everyone; what is no message gets an error frame."""
        try:
            message_id, text = parse(message)
        except ValueError as error:
            ws.send(json.dumps({"type": "error", "message": str(error)}))
            return

        stored, is_new = await self._store(ws.deserialize_attachment()["name"], message_id, text)
        if is_new:
            self._tell(stored)
        else:
            ws.send(frame(stored))

    async def web_socket_close(
        self, ws: WebSocket, code: int, reason: str, was_clean: bool
    ) -> None:
        """Tell the others, unless the same name is here by another socket."""
        name = ws.deserialize_attachment()["name"]
        if all(other is ws for other in self.ctx.get_web_sockets(name)):
            members = [member for member in self.members() if member != name]
            self._tell({"type": "left", "name": name, "members": members}, but=ws)

    async def alarm(self, info: AlarmInfo) -> None:
        """Nobody has written for a while: move old messages into blocks."""
        storage = self.ctx.storage
        end = message_key(await storage.get("seq", 0) - KEPT_MESSAGES + 1)
        while old := await storage.list(prefix="message:", end=end, limit=ARCHIVE_BLOCK_MESSAGES):
            block = first_block(old.values())
            await storage.put(archive_key(block[0]["seq"]), block)
            await storage.delete([message_key(message["seq"]) for message in block])
            await storage.put("archived_at", self.env.now_ms())
            # Each block moves whole or not at all, and no more than one is held in memory.
            await storage.sync()

    async def history(
        self, before: int | None = None, limit: int = REPLAYED_MESSAGES
    ) -> list[Message]:
        """The last `limit` messages before a seq, oldest first, archived ones too."""
        end = None if before is None else message_key(before)
        recent = await self.ctx.storage.list(prefix="message:", end=end, reverse=True, limit=limit)
        found: list[Message] = list(recent.values())
        while len(found) < limit:
            first: int | None = found[-1]["seq"] if found else before
            older = await self._archived(first)
            if not older:
                break
            found += reversed(older)
        return found[:limit][::-1]

    def members(self) -> list[str]:
        """The names in the room."""
        return sorted({ws.deserialize_attachment()["name"] for ws in self.ctx.get_web_sockets()})

    async def _store(self, name: str, message_id: str, text: str) -> tuple[Message, bool]:
        """Store a message once; the stored one, and whether it is new. Nothing comes between these
        storage calls, and what they write is on disk before anyone is told."""
        storage = self.ctx.storage
        known = await storage.get(f"id:{message_id}")
        if known is not None:
            return await self._stored(known), False

        now_ms = self.env.now_ms()
        seq = await storage.get("seq", 0) + 1
        message: Message = {
            "type": "message",
            "seq": seq,
            "id": message_id,
            "name": name,
            "text": text,
            "at": now_ms,
        }
        await storage.put({"seq": seq, message_key(seq): message, f"id:{message_id}": seq})
        await storage.set_alarm(now_ms + IDLE_MS)
        return message, True

    async def _stored(self, seq: int) -> Message:
        """A message by its seq, wherever it is."""
        message: Message | None = await self.ctx.storage.get(message_key(seq))
        return message if message is not None else (await self._archived(seq + 1))[-1]

    async def _archived(self, before: int | None) -> list[Message]:
        """The messages before a seq of the last block that has any; none when no block has."""
        end = None if before is None else archive_key(before)
        blocks = await self.ctx.storage.list(prefix="archive:", end=end, reverse=True, limit=1)
        return [
            message
            for block in blocks.values()
            for message in block
            if before is None or message["seq"] < before
        ]

    async def _replay(self, after: int | None) -> Sequence[Message]:
        """What a page gets that has everything up to a seq, or nothing."""
        if after is None:
            return await self.history()

        newest = await self.ctx.storage.get("seq", 0)
        if after > newest:
            # A copy was restored that is older than the page: numbers are given again.
            return [{"type": "reset"}, *await self.history()]

        kept = await self.ctx.storage.list(
            prefix="message:", start=message_key(after + 1), reverse=True, limit=KEPT_MESSAGES
        )
        missed = list(kept.values())[::-1]
        skipped = newest - after - len(missed)
        return [{"type": "skipped", "count": skipped}, *missed] if skipped else missed

    def _tell(self, message: Message, but: WebSocket | None = None) -> None:
        text = frame(message)
        for ws in self.ctx.get_web_sockets():
            if ws is not but:
                ws.send(text)


def message_key(seq: int) -> str:
    """The key of a message: in the order of the numbers."""
    return f"message:{max(seq, 0):0{SEQ_DIGITS}}"


def archive_key(seq: int) -> str:
    """The key of a block whose first message has this number."""
    return f"archive:{max(seq, 0):0{SEQ_DIGITS}}"


def first_block(messages: Iterable[Message]) -> list[Message]:
    """As many of the first messages as fit in a stored value; at least one."""
    block: list[Message] = []
    text_bytes = 0
    for message in messages:
        text_bytes += len(message["text"].encode())
        if block and text_bytes > ARCHIVE_BLOCK_TEXT_BYTES:
            break
        block.append(message)
    return block


def frame(message: Message) -> str:
    """A message as it goes to a page."""
    return json.dumps(message, ensure_ascii=False)


def parse(message: str | bytes) -> tuple[str, str]:
    """The id and the text of what a page sent. ValueError says what is wrong with it."""
    try:
        parsed = json.loads(message)
    except (ValueError, RecursionError):
        raise ValueError("a frame is JSON") from None

    fields = cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {}
    if fields.get("type") != "message":
        raise ValueError('a frame is an object of type "message"')

    message_id, text = fields.get("id"), fields.get("text")
    if not isinstance(message_id, str) or not 0 < len(message_id) <= MAX_ID_CHARACTERS:
        raise ValueError(f"id is a string of 1 to {MAX_ID_CHARACTERS} characters")

    if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT_CHARACTERS:
        raise ValueError(
            f"text is a string of 1 to {MAX_TEXT_CHARACTERS} characters, not all blank"
        )

    try:
        (message_id + text).encode()
    except UnicodeEncodeError:
        raise ValueError("id and text are valid Unicode") from None

    return message_id, text


def now_ms() -> int:
    """The wall time. A variable of the application, so that a test can set the room's clock."""
    return time.time_ns() // 1_000_000


async def lobby(request: PageRequest) -> RedirectResponse:
    """Lead whoever comes to a room."""
    return RedirectResponse("/room/lobby")


async def page(request: PageRequest) -> FileResponse:
    """The page of a room: one file, no build step, nothing from elsewhere."""
    return FileResponse(
        Path(__file__).with_name("chat.html"), headers={"cache-control": "no-cache"}
    )


async def socket(page_socket: PageSocket) -> None:
    """Hand a WebSocket to the room it names."""
    room = page_socket.state.env.ROOM.get_by_name(page_socket.path_params["name"])
    await serve_fetch(page_socket.scope, page_socket.receive, page_socket.send, room.fetch)


app = App(
    name="chat",
    bindings={"ROOM": Room},
    vars={"now_ms": now_ms},
    main=Starlette(
        routes=[
            Route("/", lobby),
            Route("/room/{name}", page),
            WebSocketRoute("/room/{name}/socket", socket),
        ]
    ),
)
