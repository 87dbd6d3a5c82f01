"""uvicorn's HTTP protocol, with bounds on what a client may send before the application has it.

uvicorn's own has none on the bytes, the number and the time of a request's headers, nor on its body.
A request that comes in one piece passes by: what is counted and timed is what a client still owes.
"""

from __future__ import annotations

from inspect import CORO_CREATED, getcoroutinestate
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from . import limits as bounds
from .http import GONE_EXTENSION
from .intake import Intake, Reason
from .lingering import Lingering, linger
from .request_limits import Refusal, RequestLimits, declared_bytes
from .stalled import unsent_bytes

if TYPE_CHECKING:
    from asyncio import Task, TimerHandle, Transport
    from collections.abc import Callable

    from uvicorn._types import ASGI3Application
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


VERSIONS = ("1.1", "1.0")


class Refused(Exception):
    """Ends the parser's work on what came: the client has been answered already."""


class HttpProtocol(HttpToolsProtocol):
    """One connection. `_loop` has its timers, which may be those of a test.

    The timer of the headers is in the place of uvicorn's for keep-alive, which is stopped whenever
    anything comes: at a time a client owes the headers of a request, or nothing.
    """

    # Beside the attributes of uvicorn, which are as many as Python finds fast in a dictionary.
    __slots__ = (
        "_answer_timer",
        "_body_bytes",
        "_body_cycle",
        "_body_seen",
        "_body_timer",
        "_end_timer",
        "_head",
        "_head_bytes",
        "_head_until",
        "_intake",
        "_limits",
        "_max_body",
        "_max_headers",
        "_on_gone",
        "_refused",
        "_room",
        "_task",
        "_unsent",
        "_whole",
        "held_bytes",
    )

    def __init__(
        self,
        *arguments: Any,
        limits: RequestLimits,
        intake: Intake | None = None,
        **keywords: Any,
    ) -> None:
        super().__init__(*arguments, **keywords)
        self._limits = limits
        self._intake = intake or Intake()
        self.held_bytes = 0  # of a request that is not whole
        self._max_headers = limits.headers
        self._max_body = limits.body_bytes
        self._whole = False  # the end of a request was in what came last
        self._refused = False
        self._on_gone: Callable[[], object] | None = None
        self._task: Task[None] | None = None  # of the newest request
        self._head: object = None  # what the headers that are owed are told from others by
        self._head_bytes = 0  # of them, so far
        self._head_until = 0.0
        self._room = limits.header_bytes  # more at a time is looked at in pieces
        self._body_bytes = 0  # of the request that is read
        self._body_cycle: RequestResponseCycle | None = None  # whose body is timed
        self._body_seen: int | None = None  # of it, when it was looked at last; None: no fault yet
        self._body_timer: TimerHandle | None = None
        self._end_timer: TimerHandle | None = None
        self._answer_timer: TimerHandle | None = None
        self._unsent = 0  # bytes, when it was looked at last

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_until = self.loop.time() + self._limits.header_seconds
        beyond = len(self.connections) - self._limits.connections
        if beyond > bounds.MAX_LINGERING:
            self._refused = True
            self._intake.count(Reason.CONNECTIONS)
            transport.abort()
        elif beyond > 0:
            self._refuse(Refusal.CONNECTIONS)
        else:
            self._time_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._hold(0)
        if self._on_gone is not None:
            self._on_gone()
        for timer in (self._body_timer, self._end_timer, self._answer_timer):
            if timer is not None:
                timer.cancel()
        # The scope refers to this, which is to be free now, and not at a collection.
        self.cycle = self.scope = None  # type: ignore[assignment]

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._answer_timer is None:
            self._time_answer()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._answer_timer is not None:
            self._answer_timer.cancel()
            self._answer_timer = None

    def data_received(self, data: bytes) -> None:
        timer = self.timeout_keep_alive_task
        if timer is not None:
            timer.cancel()
            self.timeout_keep_alive_task = None
        if len(data) > self._room:
            self._in_pieces(data)
            return

        self._whole = False
        parser: Any = self.parser
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
                # It refers to this, which is to be free now, and not at a collection.
                self.parser = None  # type: ignore[assignment]
            else:
                self.cycle.keep_alive = False  # it is answered as if it had not asked
        except httptools.HttpParserError:
            self._misunderstood()
        else:
            if not self._whole:
                self._owing(len(data))

    def _misunderstood(self) -> None:
        """What came is no HTTP. In a body, whoever waits for the rest of it waits no longer."""
        cycle = self._newest()
        if self._refused:
            return

        if cycle is not None and cycle.more_body and not self._owes_headers():
            self._refuse_body(Refusal.BAD_REQUEST)
        else:
            self._refuse(Refusal.BAD_REQUEST)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._whole = False  # a request may begin in what ends another

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > self._max_body:
            self._refuse_body(Refusal.LARGE_BODY)
            raise Refused

        HttpToolsProtocol.on_body(self, body)

    def on_message_complete(self) -> None:
        self._whole = True
        self._body_bytes = 0
        if self.held_bytes:
            self._hold(0)
        parser: Any = self.parser
        if parser.should_upgrade() and self._should_upgrade():
            return

        self.cycle.more_body = False
        self.cycle.message_event.set()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        headers: Any = cycle.scope["headers"]
        if len(headers) > self._max_headers:
            cycle.disconnected = True
            self._refuse(Refusal.LARGE_HEADERS, cycle)
            return

        hosts = [name for name, _ in headers].count(b"host")
        if hosts > 1 or cycle.scope["http_version"] not in VERSIONS:
            cycle.disconnected = True
            self._refuse(Refusal.BAD_REQUEST, cycle)
            return

        extensions: dict[str, Any] = {GONE_EXTENSION: self.when_gone}
        cycle.scope["extensions"] = extensions
        task = self._task = self.loop.create_task(cycle.run_asgi(app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def when_gone(self, callback: Callable[[], object] | None) -> None:
        """Call `callback()` when the client has gone; None: nobody waits for that any more."""
        self._on_gone = callback
        if callback is not None and self.parser is None:  # pyright: ignore[reportUnnecessaryComparison]
            callback()

    def _in_pieces(self, data: bytes) -> None:
        """No piece has more than the headers may have, so that too many are seen before they are
        taken."""
        start = 0
        while start < len(data) and not self._refused and not self.transport.is_closing():
            if not self._owes_headers():
                self._room = self._limits.header_bytes
            if not self._room:
                self._refuse(Refusal.LARGE_HEADERS)
                return

            if self.transport.get_protocol() is not self:
                return  # it is a WebSocket now

            piece = data[start : start + self._room]
            start += len(piece)
            self.data_received(piece)

    def _newest(self) -> RequestResponseCycle | None:
        """The request whose headers were complete last."""
        return self.cycle

    def _owes_headers(self) -> bool:
        """Whether the headers of a request have begun, and not ended."""
        return self.scope is not None and "method" not in self.scope  # pyright: ignore[reportUnnecessaryComparison]

    def _owing(self, size: int) -> None:
        """What came has not ended a request: bound the rest."""
        cycle = self._newest()
        if self._refused or self.transport.is_closing():
            return

        self._hold(self.held_bytes + size)
        if not self._intake.has_room:
            self._intake.relieve()
            if self._refused or self.transport.is_closing():
                return

        if not self._owes_headers() and cycle is not None and cycle.more_body:
            self._bound_body(cycle)
        else:
            self._bound_headers(size)

    def _bound_headers(self, size: int) -> None:
        # Empty lines are no request yet; they are bounded as one.
        head: object = self.scope if self._owes_headers() else self.cycle
        if head is not self._head:
            self._head, self._head_bytes = head, 0
            if self._newest() is not None:  # the first ones have the time of the connection
                self._head_until = self.loop.time() + self._limits.header_seconds
        self._head_bytes += size
        self._room = self._limits.header_bytes - self._head_bytes
        if self._room < 0:
            self._refuse(Refusal.LARGE_HEADERS)
        else:
            self._time_headers()

    def _time_headers(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_at(self._head_until, self._headers_late)

    def _headers_late(self) -> None:
        if self.transport.is_closing():
            return

        if self._owes_headers():
            self._refuse(Refusal.SLOW_HEADERS)
        else:
            self._intake.count(Reason.SILENT)
            self.transport.close()  # nobody waits for an answer

    def _bound_body(self, cycle: RequestResponseCycle) -> None:
        if cycle is self._body_cycle:
            return

        self._body_cycle, self._body_seen = cycle, None
        if declared_bytes(cycle.scope["headers"]) > self._limits.body_bytes:
            self._refuse_body(Refusal.LARGE_BODY)
        elif self._limits.body_bytes_per_second:
            self._body_seen = self._body_bytes
            if self._body_timer is None:
                self._time_body()

    def _time_body(self) -> None:
        self._body_timer = self.loop.call_later(self._limits.body_seconds, self._look_at_body)

    def _look_at_body(self) -> None:
        self._body_timer = None
        cycle = self.cycle
        if cycle is not self._body_cycle or not cycle.more_body or self.transport.is_closing():
            self._body_cycle = None
            return

        # It is the client's fault only where somebody waits for what it sends.
        waits = not (self.flow.read_paused or cycle.body or cycle.waiting_for_100_continue)
        least = self._limits.body_bytes_per_second * self._limits.body_seconds
        if waits and self._body_seen is not None and self._body_bytes - self._body_seen < least:
            self._refuse_body(Refusal.SLOW_BODY)
            return

        self._body_seen = self._body_bytes if waits else None
        self._time_body()

    def give_up(self) -> None:
        """What is not whole of this connection holds most of what all of them may: refuse it."""
        if not self._refused:  # else what it holds is read no more
            refuse = self._refuse if self._owes_headers() else self._refuse_body
            refuse(Refusal.INCOMING_BYTES)
        self._hold(0)

    def _hold(self, size: int) -> None:
        self._intake.incoming_bytes += size - self.held_bytes
        self.held_bytes = size

    def _time_answer(self) -> None:
        self._unsent = unsent_bytes(self.transport)
        self._answer_timer = self.loop.call_later(
            bounds.ANSWER_TIMEOUT_SECONDS, self._look_at_answer
        )

    def _look_at_answer(self) -> None:
        """What the client has not taken keeps the answer, and what makes it, in memory."""
        self._answer_timer = None
        if unsent_bytes(self.transport) < self._unsent:
            self._time_answer()
            return

        self._intake.count(Reason.SLOW_READER)
        self.transport.abort()

    def _refuse_body(self, refusal: Refusal) -> None:
        """Refuse the newest request, of which the application has seen the headers, or nothing yet."""
        cycle = self._newest()
        if self._refused:
            return

        if cycle is None or any(cycle is waiting for waiting, _ in self.pipeline):
            self._turn_away(refusal)
            self.transport.abort()  # the answers to those before it are not told from its own
            return

        unanswered = not cycle.response_started
        task = self._task
        if task is not None and getcoroutinestate(task.get_coro()) == CORO_CREATED:  # type: ignore[arg-type]
            task.cancel()
        cycle.disconnected = True
        cycle.message_event.set()
        if unanswered:
            self._refuse(refusal, cycle)
        else:
            self._turn_away(refusal)
            self.transport.close()

    def _turn_away(self, refusal: Refusal) -> None:
        """Read no further, and count why."""
        self._refused = True
        self._intake.count(Reason[refusal.name])

    def _refuse(self, refusal: Refusal, answered: RequestResponseCycle | None = None) -> None:
        """Answer, read no further, and close. A response that is under way, but to the request that
        is `answered`, comes first and is the last."""
        self._turn_away(refusal)
        self._unset_keepalive_if_required()
        cycle = self._newest()
        if cycle is not None and cycle is not answered and not cycle.response_complete:
            cycle.keep_alive = False
            self.pipeline.clear()
            self.transport.set_protocol(Lingering(self))
            return

        headers = self.server_state.default_headers
        self.transport.write(refusal.response(self._limits, headers))
        self.flow.resume_reading()
        self._end_timer = linger(self.transport, self, self.loop)
