"""The actor that interprets programs here: interpreter.mjs is its twin, operation by operation.

README.md lists the operations. A step is a list: the operation's name and its arguments.
"""

from __future__ import annotations

import contextlib
import inspect
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import anyio

from roomhost.bindings import App
from roomhost.runtime import (
    AlarmInfo,
    DurableObject,
    DurableObjectState,
    Request,
    Response,
    WebSocket,
    WebSocketPair,
    WebSocketRequestResponsePair,
)
from roomhost.runtime.testing import ManualClock

from .mapping import NOTHING, described, shown, time_shown
from .turnstile import Turnstile

Step = list[Any]
Steps = list[Step]

ERRORS: dict[str, type[Exception]] = {
    "Error": RuntimeError,
    "TypeError": TypeError,
    "RangeError": ValueError,
}


@dataclass
class World:
    """What outlives an instance: the program, its transcript, how many alarms have run."""

    program: dict[str, Any]
    clock: ManualClock
    turnstile: Turnstile  # a pause is a real suspension: whoever can run meanwhile does
    transcript: list[Any] = field(default_factory=list)
    alarms_started: int = 0
    alarms_ended: int = 0
    thrown: bool = False


@dataclass
class Frame:
    """Where steps run: who they are in the transcript, what their storage calls go to."""

    strand: str
    target: Any
    socket: WebSocket | None = None
    result: Any = None
    client: WebSocket | None = None


class Thrown(Exception):
    """What `throw` threw: it ends the steps around it. Every other error is written down."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Interpreter(DurableObject):
    """Runs steps, and writes down what each of them gave."""

    worlds: ClassVar[dict[str, World]] = {}

    def __init__(self, ctx: DurableObjectState, env: Any) -> None:
        super().__init__(ctx, env)
        assert ctx.id.name is not None
        self.world = Interpreter.worlds[ctx.id.name]
        self.memory: dict[str, Any] = {}
        self.barriers: dict[str, anyio.Event] = {}
        self.transactions: dict[str, Any] = {}
        program = self.world.program
        if "construct" in program:
            try:
                self._run_sync(self._frame("constructor"), program["construct"])
            except Thrown as thrown:
                raise thrown.error from None
        if "start" in program:
            ctx.block_concurrency_while(lambda: self._run_all("start", program["start"]))

    async def run(self, strand: str, steps: Steps) -> Any:
        return await self._run_all(strand, steps)

    async def fetch(self, request: Request) -> Response:
        frame = self._frame("fetch")
        await self._run_frame(frame, json.loads(unquote(urlsplit(str(request.url)).query)))
        if frame.client is None:
            return Response(json.dumps(frame.result))

        return Response(status=101, web_socket=frame.client)

    async def alarm(self, info: AlarmInfo) -> None:
        world = self.world
        runs = world.program.get("alarms", [])
        run = world.alarms_started
        world.alarms_started += 1
        self._log("alarm", "alarm", info.retry_count, info.is_retry)
        try:
            await self._run_all("alarm", runs[run] if run < len(runs) else [])
        finally:
            world.alarms_ended += 1

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        assert isinstance(message, str)
        steps = json.loads(message) if message.startswith("[") else None
        name = self.ctx.get_tags(ws)[0]
        self._log("message", "message", name, message if steps is None else "steps")
        if steps is None:
            steps = self.world.program.get("message", [])
        await self._run_frame(self._frame("message", ws), steps)

    async def web_socket_close(
        self, ws: WebSocket, code: int, reason: str, was_clean: bool
    ) -> None:
        self._log("close", "close", self.ctx.get_tags(ws)[0], code, reason, was_clean)
        await self._run_frame(self._frame("close", ws), self.world.program.get("close", []))

    async def web_socket_error(self, ws: WebSocket, error: Exception) -> None:
        self._log("error", "error", described(error))

    def _frame(self, strand: str, socket: WebSocket | None = None) -> Frame:
        return Frame(strand, self.ctx.storage, socket)

    async def _run_all(self, strand: str, steps: Steps) -> Any:
        frame = self._frame(strand)
        await self._run_frame(frame, steps)
        return frame.result

    async def _run_frame(self, frame: Frame, steps: Steps) -> None:
        try:
            await self._run_steps(frame, steps)
        except Thrown as thrown:
            raise thrown.error from None

    async def _run_steps(self, frame: Frame, steps: Steps) -> None:
        for step in steps:
            await self._run_step(frame, step)

    async def _run_step(self, frame: Frame, step: Step) -> None:
        name, *rest = step
        self.world.turnstile.moved()
        if name == "unawaited":
            ((inner, *innermost),) = rest
            # What fails raises at the call here, and in JavaScript mostly in the promise.
            with contextlib.suppress(Exception):
                self._start(frame, inner, innermost)
            return

        try:
            value = self._start(frame, name, rest)
            if inspect.isawaitable(value):
                value = await value
            if name == "get_alarm":
                value = time_shown(value)
            if name != "open":
                self._log(frame.strand, name, shown(value, name))
        except Exception as error:
            self._caught(frame, name, error)

    def _run_sync(self, frame: Frame, steps: Steps) -> None:
        for name, *rest in steps:
            try:
                self._log(frame.strand, name, shown(SYNC[name](self, frame, *rest), name))
            except Exception as error:
                self._caught(frame, name, error)

    def _start(self, frame: Frame, name: str, arguments: list[Any]) -> Any:
        if name in STORAGE:
            return STORAGE[name](frame.target, *arguments)

        return (SYNC.get(name) or ASYNC[name])(self, frame, *arguments)

    def _caught(self, frame: Frame, name: str, error: Exception) -> None:
        if not isinstance(error, Thrown):
            self._log(frame.strand, name, described(error))
        elif name in ("throw", "throw_once", "in_storage", "in_transaction"):
            raise error
        else:
            self._log(frame.strand, name, described(error.error))

    def _log(self, strand: str, *entry: Any) -> None:
        self.world.transcript.append([strand, *entry])
        self.world.turnstile.moved()

    def _barrier(self, name: str) -> anyio.Event:
        return self.barriers.setdefault(name, anyio.Event())

    def _socket(self, frame: Frame, name: str | None) -> WebSocket:
        if name is None:
            assert frame.socket is not None
            return frame.socket

        return self.ctx.get_web_sockets(name)[0]


# Calls of storage, or of a transaction: each returns what the API returned, an awaitable.
STORAGE: dict[str, Callable[..., Any]] = {
    "get": lambda target, key: target.get(key, NOTHING),
    "get_many": lambda target, keys: target.get(keys),
    "put": lambda target, *arguments: target.put(*arguments[:2], **dict(*arguments[2:])),
    "put_many": lambda target, entries, options=(): target.put(entries, **dict(options)),
    "delete": lambda target, key, options=(): target.delete(key, **dict(options)),
    "delete_many": lambda target, keys: target.delete(keys),
    "list": lambda target, options=(): target.list(**dict(options)),
    "delete_all": lambda target: target.delete_all(),
    "sync": lambda target: target.sync(),
    "set_alarm": lambda target, ms: target.set_alarm(ms),
    "get_alarm": lambda target: target.get_alarm(),
    "delete_alarm": lambda target: target.delete_alarm(),
    "rollback": lambda target: target.rollback(),
}


def _transaction_sync(self: Interpreter, frame: Frame, steps: Steps) -> str:
    self.ctx.storage.transaction_sync(lambda: self._run_sync(frame, steps))
    return "committed"


def _throw(self: Interpreter, frame: Frame, kind: str, message: str) -> None:
    raise Thrown(ERRORS[kind](message))


def _throw_once(self: Interpreter, frame: Frame, kind: str, message: str) -> None:
    if not self.world.thrown:
        self.world.thrown = True
        _throw(self, frame, kind, message)


def _abort(self: Interpreter, frame: Frame, reason: str | None = None, options: Any = ()) -> None:
    self.ctx.abort(reason, **dict(options))


def _accept(self: Interpreter, frame: Frame, name: str, tags: Any = ()) -> None:
    pair = WebSocketPair()
    self.ctx.accept_web_socket(pair.server, [name, *tags])
    frame.client = pair.client


def _set_auto_response(
    self: Interpreter, frame: Frame, request: str | None = None, response: str = ""
) -> None:
    pair = None if request is None else WebSocketRequestResponsePair(request, response)
    self.ctx.set_web_socket_auto_response(pair)


def _auto_response(self: Interpreter, frame: Frame) -> list[str] | None:
    pair = self.ctx.get_web_socket_auto_response()
    return None if pair is None else [pair.request, pair.response]


def _auto_response_time(self: Interpreter, frame: Frame, name: str | None = None) -> Any:
    when = self.ctx.get_web_socket_auto_response_timestamp(self._socket(frame, name))
    return None if when is None else time_shown(int(when.timestamp() * 1000))


# Synchronous calls, also inside transaction_sync and a constructor.
SYNC: dict[str, Callable[..., Any]] = {
    "kv_get": lambda self, frame, key: self.ctx.storage.kv.get(key, NOTHING),
    "kv_put": lambda self, frame, key, value: self.ctx.storage.kv.put(key, value),
    "kv_delete": lambda self, frame, key: self.ctx.storage.kv.delete(key),
    "kv_list": lambda self, frame, options=(): self.ctx.storage.kv.list(**dict(options)),
    "transaction_sync": _transaction_sync,
    "remember": lambda self, frame, name, value: self.memory.update({name: value}),
    "recall": lambda self, frame, name: self.memory.get(name),
    "note": lambda self, frame, text: text,
    "throw": _throw,
    "throw_once": _throw_once,
    "return": lambda self, frame, value: setattr(frame, "result", value),
    "abort": _abort,
    "accept": _accept,
    "send": lambda self, frame, text, name=None: self._socket(frame, name).send(text),
    "close": lambda self, frame, code=None, reason=None, name=None: self._socket(frame, name).close(
        code, reason
    ),
    "attach": lambda self, frame, value, name=None: self._socket(frame, name).serialize_attachment(
        value
    ),
    "attachment": lambda self, frame, name=None: self._socket(frame, name).deserialize_attachment(),
    "tags": lambda self, frame, name=None: self.ctx.get_tags(self._socket(frame, name)),
    "tags_of_new": lambda self, frame: self.ctx.get_tags(WebSocketPair().server),
    "ready_state": lambda self, frame, name=None: int(self._socket(frame, name).ready_state),
    "sockets": lambda self, frame, tag=None: [
        self.ctx.get_tags(ws)[0] for ws in self.ctx.get_web_sockets(tag)
    ],
    "set_auto_response": _set_auto_response,
    "auto_response": _auto_response,
    "auto_response_time": _auto_response_time,
    "set_event_timeout": lambda self, frame, ms=None: (
        self.ctx.set_hibernatable_web_socket_event_timeout(ms)
    ),
    "event_timeout": lambda self, frame: self.ctx.get_hibernatable_web_socket_event_timeout(),
}


async def _transaction(self: Interpreter, frame: Frame, name: str, steps: Steps) -> Any:
    async def run(transaction: Any) -> str:
        self.transactions[name] = transaction
        await self._run_steps(replace(frame, target=transaction), steps)
        return name

    return await self.ctx.storage.transaction(run)


def _block(self: Interpreter, frame: Frame, steps: Steps) -> Awaitable[Any]:
    async def run() -> str:
        await self._run_frame(frame, steps)
        return "ended"

    return self.ctx.block_concurrency_while(run)


async def _nest(self: Interpreter, frame: Frame, depth: int, steps: Steps) -> str:
    async def deeper(left: int) -> None:
        if left == 0:
            await self._run_frame(frame, steps)
        else:
            await self.ctx.block_concurrency_while(lambda: deeper(left - 1))

    await deeper(depth)
    return "ended"


async def _catch(self: Interpreter, frame: Frame, steps: Steps) -> str:
    await self._run_steps(frame, steps)
    return "nothing"


async def _add(self: Interpreter, frame: Frame, key: str, options: Any = ()) -> int:
    value: int = await frame.target.get(key, 0) + 1
    if "pause" in dict(options):
        await self.world.turnstile.pause()
    await frame.target.put(key, value)
    return value


async def _put_copy(
    self: Interpreter, frame: Frame, key: str, value: list[Any], change: Any
) -> Any:
    putting = frame.target.put(key, value)
    value.append(change)
    await putting
    stored = await frame.target.get(key)
    stored.append(change)
    return await frame.target.get(key)


def _wait_until(self: Interpreter, frame: Frame, strand: str, steps: Steps) -> None:
    async def run() -> None:
        await self.world.turnstile.pause()
        await self._run_steps(replace(frame, strand=strand), steps)

    self.ctx.wait_until(run())


async def _call_self(self: Interpreter, frame: Frame, steps: Steps) -> Any:
    stub = self.env.OBJECT.get_by_name(self.ctx.id.name)
    return await stub.run(f"{frame.strand}, inner", steps)


async def _in_storage(self: Interpreter, frame: Frame, steps: Steps) -> str:
    await self._run_steps(replace(frame, target=self.ctx.storage), steps)
    return "ended"


async def _in_transaction(self: Interpreter, frame: Frame, name: str, steps: Steps) -> str:
    await self._run_steps(replace(frame, target=self.transactions[name]), steps)
    return "ended"


async def _wait(self: Interpreter, frame: Frame, name: str) -> None:
    # anyio suspends at an event that is set; a promise that is resolved keeps its turn.
    barrier = self._barrier(name)
    if not barrier.is_set():
        await barrier.wait()


async def _open(self: Interpreter, frame: Frame, name: str) -> None:
    self._log(frame.strand, "open", name)  # before whoever waits for it goes on
    self._barrier(name).set()
    await self.world.turnstile.pause()


# Operations that suspend, or hold steps of their own.
ASYNC: dict[str, Callable[..., Any]] = {
    "pause": lambda self, frame: self.world.turnstile.pause(),
    "set_alarm_now": lambda self, frame, later=0: frame.target.set_alarm(
        self.world.clock.now_ms() + later
    ),
    "open": _open,
    "wait": _wait,
    "transaction": _transaction,
    "block": _block,
    "nest": _nest,
    "catch": _catch,
    "add": _add,
    "put_copy": _put_copy,
    "wait_until": _wait_until,
    "call_self": _call_self,
    "in_storage": _in_storage,
    "in_transaction": _in_transaction,
}

app = App(name="differential", bindings={"OBJECT": Interpreter})
