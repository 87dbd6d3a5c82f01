"""What is delivered to an object: one `Event` for each thing that its code is run for.

An event is also the *frame* of the code that runs for it. `CURRENT` holds it in the context of the
handler and of every task that the handler starts, so that a storage call or an outgoing call finds
the gates it goes through.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar

from ..storage import DataCloneError, decode, encode
from . import limits
from .errors import DurableObjectError, LimitError, cross
from .event_kind import EventKind
from .event_names import name_of_call
from .http import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio import CancelScope
    from starlette.datastructures import Headers

    from .activation import Activation
    from .backend import Waiter
    from .http import Request
    from .input_gate import InputGate, Lock
    from .object_id import DurableObjectId
    from .timers import Timer

# Values that need no copy and no measuring.
UNCHANGING = frozenset((type(None), bool, int, float))

CURRENT: ContextVar[Event | None] = ContextVar("roomhost_event", default=None)


class Event:
    """One thing delivered to one object, from its arrival until its outcome has left the object.

    `gate` is where its handler's turns enter: the object's input gate, or the critical section it
    runs in. `lock` is the hold on that gate which its next turn runs under, when it was queued.
    `scope` can cancel the handler, while it is suspended. `after_turn` is called once, at the end
    of the next turn. `internal`: its outcome stays in the object, so it need not be durable first.
    `delivered`: its object has taken it. `refusable`: it may be refused as overloaded; then `size`
    is what it holds in memory, in bytes, and `overdue` the timer that fails it when it has waited for
    too long. `carried`: an instance of older code waits for it, see `retirement`. `arrived`, `began`:
    when it was delivered and when its handler began, 0 before, by the clock of `perf_counter`; `kind`:
    what it is, for figures; `span`: of OpenTelemetry, if there is one.
    """

    kind: ClassVar[EventKind] = EventKind.TASK

    activation: Activation
    gate: InputGate
    lock: Lock | None = None
    scope: CancelScope | None = None
    after_turn: Callable[[], object] | None = None
    overdue: Timer | None = None
    finished = False
    internal = False
    refusable = False
    delivered = False
    carried = False
    size = 0
    arrived = 0.0
    began = 0.0
    span: Any = None

    @property
    def object_id(self) -> DurableObjectId | None:
        """The id to start an instance with, if this event knows one better than the object does."""
        return None

    @property
    def what(self) -> str:
        """What of the object is run: a method, a path, or the kind."""
        return self.kind.value

    def invoke(self) -> Any:
        """Call the actor's code. Returns its result, or an awaitable for it."""
        raise NotImplementedError

    def outcome(self, result: Any) -> Any:
        """Turn what the handler returned into what may leave the object: a copy, checked."""
        return result

    def succeed(self, result: Any) -> None:
        """The outcome may leave: everything it depends on is durable."""
        self.finished = True

    def fail(self, error: BaseException) -> None:
        """The event ends with an error, which may leave. Only the first end counts."""
        self.finished = True


class CallEvent(Event):
    """An event whose caller waits for the outcome."""

    kind = EventKind.CALL
    refusable = True
    _waiter: Waiter | None = None
    _result: Any = None
    _error: BaseException | None = None

    def __init__(self, object_id: DurableObjectId) -> None:
        self._id = object_id

    @property
    def object_id(self) -> DurableObjectId:
        return self._id

    def succeed(self, result: Any) -> None:
        if not self.finished:
            self.finished = True
            self._result = result
            waiter = self._waiter
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    def fail(self, error: BaseException) -> None:
        if not self.finished:
            self.finished = True
            self._error = cross(error, remote=self._remote(error), object_id=str(self._id))
            waiter = self._waiter
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    def _remote(self, error: BaseException) -> bool:
        """Whether the handler itself raised, as opposed to the object having been reset."""
        return not getattr(error, "durable_object_reset", False)

    async def result(self, new_waiter: Callable[[], Waiter]) -> Any:
        """Wait for the outcome: return it or raise it. Cancelling the wait cancels nothing else."""
        if not self.finished:
            self._waiter = new_waiter()
            await self._waiter
        if self._error is not None:
            # Raised through a local, or error and event would keep each other alive.
            error, self._error = self._error, None
            raise error

        return self._result


class RpcEvent(CallEvent):
    """A method call over a stub; `arguments` are the callee's own copies."""

    def __init__(
        self,
        object_id: DurableObjectId,
        method: str,
        arguments: Any,
        keywords: dict[str, Any],
        size: int,
    ) -> None:
        self._id = object_id
        self.size = size
        self._method = method
        self._arguments = arguments
        self._keywords = keywords
        # The class says the same, but what an instance has itself is found several times faster.
        self.lock = self.after_turn = self.overdue = self._waiter = self._error = None
        self.finished = self.internal = False
        self.refusable = True
        self.arrived = 0.0

    @property
    def what(self) -> str:
        # Before it runs it may have no activation, and its method may not be known.
        activation: Activation | None = getattr(self, "activation", None)
        method = None if activation is None else activation.actor_class.methods.get(self._method)
        return name_of_call(method, self._method, self._arguments)

    def invoke(self) -> Any:
        activation = self.activation
        method = activation.actor_class.methods[self._method]
        return method(activation.instance, *self._arguments, **self._keywords)

    def outcome(self, result: Any) -> Any:
        return result if type(result) in UNCHANGING else copy_for_rpc(result)


class GetEvent(CallEvent):
    """A read of a property over a stub (semantics.md 2.1)."""

    def __init__(self, object_id: DurableObjectId, name: str) -> None:
        super().__init__(object_id)
        self._name = name

    @property
    def what(self) -> str:
        return self._name

    def invoke(self) -> Any:
        activation = self.activation
        return activation.actor_class.getter(self._name)(activation.instance)

    def outcome(self, result: Any) -> Any:
        return copy_for_rpc(result)


class FetchEvent(CallEvent):
    """An HTTP request to `fetch`. When its caller has given up, a WebSocket in the answer ends."""

    kind = EventKind.FETCH
    _given_up = False

    def __init__(self, object_id: DurableObjectId, request: Request) -> None:
        self._id = object_id
        self._request = request
        content = request.buffered
        self.size = 0 if content is None else len(content)
        # As in `RpcEvent`.
        self.lock = self.after_turn = self.overdue = self._waiter = self._error = None
        self.finished = self.internal = self._given_up = False
        self.refusable = True
        self.arrived = 0.0

    @property
    def headers(self) -> Headers:
        """Of the request."""
        return self._request.headers

    @property
    def what(self) -> str:
        return f"{self._request.method} {self._request.url.path}"

    def invoke(self) -> Any:
        activation = self.activation
        if not activation.actor_class.defines("fetch"):
            raise DurableObjectError("Handler does not export a fetch() function.")

        return activation.instance.fetch(self._request)

    async def result(self, new_waiter: Callable[[], Waiter]) -> Any:
        """Wait for the response: nobody else can take it."""
        try:
            return await super().result(new_waiter)
        except BaseException:
            self._given_up = True
            self._drop_socket()
            raise

    def succeed(self, result: Any) -> None:
        super().succeed(result)
        if self._given_up:
            self._drop_socket()

    def _drop_socket(self) -> None:
        if self._result is not None and self._result.web_socket is not None:
            self._result.web_socket.accept()
            self._result.web_socket.terminate()

    def outcome(self, result: Any) -> Response:
        if not isinstance(result, Response):
            raise TypeError(f"fetch() returns a Response, not {type(result).__name__}")

        if result.web_socket is not None:
            protocol = result.headers.get("sec-websocket-protocol")
            result.web_socket.opened_by(str(self._request.url), protocol)
        return self.activation.own_stream(result)

    def _remote(self, error: BaseException) -> bool:
        return self.delivered


class StartEvent(Event):
    """The frame of a constructor."""


class RunEvent(Event):
    """Code of the object that it started itself: `wait_until`, a critical section, a body."""

    internal = True

    def __init__(
        self,
        call: Callable[[], Any],
        succeeded: Callable[[Any], object],
        failed: Callable[[BaseException], object],
    ) -> None:
        self._call = call
        self._succeeded = succeeded
        self._failed = failed

    def invoke(self) -> Any:
        return self._call()

    def succeed(self, result: Any) -> None:
        if not self.finished:
            self.finished = True
            self._succeeded(result)

    def fail(self, error: BaseException) -> None:
        if not self.finished:
            self.finished = True
            self._failed(error)


def copy_for_rpc(value: Any) -> Any:
    """The receiver's own copy of a value (semantics.md 2.2). DataCloneError: an unsupported type.
    LimitError: more than 32 MiB encoded.
    """
    if type(value) in UNCHANGING:
        return value

    copy, size = _copy(value)
    if size > limits.MAX_RPC_BYTES:
        raise _too_large(size)

    return copy


def copy_arguments(
    arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], int]:
    """The callee's own copies of the arguments of a call, together as `copy_for_rpc`, and about how
    many bytes they take."""
    if not arguments and not keywords:
        return arguments, keywords, 0

    total = 0
    copies: list[Any] = []
    for value in arguments:
        copy, size = _copy(value, len(copies) + 1)
        copies.append(copy)
        total += size
    named: dict[str, Any] = {}
    for name, value in keywords.items():
        named[name], size = _copy(value, name)
        total += size
    if total > limits.MAX_RPC_BYTES:
        raise _too_large(total)

    return tuple(copies), named, total


def _copy(value: Any, argument: int | str | None = None) -> tuple[Any, int]:
    """A copy, and about how many bytes it takes encoded. `argument`: which one of a call it is."""
    if type(value) in UNCHANGING:
        return value, 0

    if type(value) is bytes or (type(value) is str and value.isascii()):
        return value, len(value)  # cannot change, and needs no check

    try:
        data = encode(value)
    except DataCloneError as error:
        where = "" if argument is None else f"argument {argument!r}: "
        raise DataCloneError(f"{where}{error}") from None

    return decode(data), len(data)


def _too_large(size: int) -> LimitError:
    return LimitError(
        "Serialized RPC arguments or return values are limited to 32MiB, "
        f"but the size of this value was: {size} bytes."
    )
