"""The engine of a host that makes spans: its own kinds of channel, slot and pool, so that others pay
nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import context as contexts
from opentelemetry import trace

from .activation import Launch
from .channel import LocalChannel
from .engine import Engine
from .hibernation import CloseEvent, SocketEvent
from .slot import Slot
from .task_pool import TaskPool
from .tracing import ROOTS, Tracing, carry

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from opentelemetry.trace import SpanContext

    from .durable_object import ActorClass
    from .events import CallEvent, Event
    from .object_id import DurableObjectId
    from .task_pool import Job
    from .web_socket import WebSocket


class TracedChannel(LocalChannel):
    """Begins the span of a call where it is made: its parent is what runs there."""

    __slots__ = ("_tracing",)

    def __init__(
        self, engine: Engine, namespace: int, object_id: DurableObjectId, tracing: Tracing
    ) -> None:
        super().__init__(engine, namespace, object_id)
        self._tracing = tracing

    def _send(self, event: CallEvent) -> Coroutine[Any, Any, Any]:
        self._tracing.begin(self.slot(), event)
        return super()._send(event)


class TracedSlot(Slot):
    """Begins the spans of what nobody called. `_last`: of the newest call or request, which an alarm links
    to; `_openers`: of the requests that opened sockets, which their messages link to."""

    __slots__ = ("_last", "_openers", "_tracing")

    def __init__(
        self,
        engine: Engine,
        namespace: int,
        actor_class: ActorClass,
        object_id: DurableObjectId,
        tracing: Tracing,
    ) -> None:
        super().__init__(engine, namespace, actor_class, object_id)
        self._tracing = tracing
        self._last: SpanContext | None = None
        self._openers: dict[WebSocket, SpanContext] = {}

    def deliver(self, event: Event) -> None:
        if event.kind in ROOTS:
            linked = self._openers.get(event.ws) if isinstance(event, SocketEvent) else self._last
            self._tracing.begin(self, event, () if linked is None else (linked,))
            if isinstance(event, CloseEvent):
                self._openers.pop(event.ws, None)
        elif event.span is not None:
            self._last = event.span.get_span_context()
        super().deliver(event)

    def accept(self, ws: WebSocket, tags: Iterable[str]) -> None:
        super().accept(ws, tags)
        opener = trace.get_current_span().get_span_context()
        if opener.is_valid:
            self._openers[ws] = opener

    def broke(self, activation: Any, cause: BaseException) -> None:
        super().broke(activation, cause)
        self._openers.clear()


class TracedPool(TaskPool):
    """Runs what an object's code starts, as `wait_until` does, within the span of that code."""

    def run(self, job: Job) -> None:
        if isinstance(job, Launch) and job.event.span is None:
            carry(job.event, contexts.get_current())
        super().run(job)


class TracedEngine(Engine):
    """An engine that is given a `Tracing`."""

    def __init__(self, tracing: Tracing, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._tracing = tracing
        self.pool = TracedPool(arguments[0], self.backend)

    def channel(self, namespace: int, object_id: DurableObjectId) -> LocalChannel:
        return TracedChannel(self, namespace, object_id, self._tracing)

    def new_slot(self, namespace: int, actor_class: ActorClass, object_id: DurableObjectId) -> Slot:
        return TracedSlot(self, namespace, actor_class, object_id, self._tracing)
