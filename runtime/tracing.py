"""Spans of OpenTelemetry: one for each event of an object, below what called it.

A host makes them if OpenTelemetry's API is installed and the application has set a tracer provider
before the host starts; else nothing of this is imported, and no event pays for it. Names and attributes
follow the semantic conventions for RPC and HTTP.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.propagate import extract, inject
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from .event_kind import EventKind
from .events import FetchEvent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanContext, TracerProvider

    from .events import Event
    from .slot import Slot

SYSTEM = "roomhost"
ROOTS = (EventKind.ALARM, EventKind.MESSAGE, EventKind.CLOSE, EventKind.ERROR)


class Tracing:
    """Makes the spans of one host, or of one connection to a host."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer(SYSTEM)

    def begin(self, slot: Slot, event: Event, links: Sequence[SpanContext] = ()) -> None:
        """Start the span of an event that is delivered, and have its handler run within it. Alarms
        and what happens on a WebSocket begin a trace of their own."""
        root = event.kind in ROOTS
        parent = contexts.Context() if root else _parent_of(event)
        if not trace.get_current_span(parent).get_span_context().is_valid:
            if not slot.meter.span_sampler.picks():
                return

        event.span = span = self._tracer.start_span(
            f"{slot.actor_class.name}/{event.what}" if not root else _root_name(slot, event),
            context=parent,
            kind=_kind_of(event, parent),
            attributes=_attributes(slot, event),
            links=[Link(context) for context in links],
        )
        carry(event, trace.set_span_in_context(span, parent))

    def call(self, service: str, method: str) -> CallSpan:
        """Start the span of a call to a host in another process."""
        return CallSpan(
            self._tracer.start_span(
                f"{service}/{method}",
                kind=SpanKind.CLIENT,
                attributes={"rpc.system": SYSTEM, "rpc.service": service, "rpc.method": method},
            )
        )


class CallSpan:
    """The span of a call until it is answered. `traceparent`: what the other side is told of it."""

    def __init__(self, span: Span) -> None:
        self._span = span
        carrier: dict[str, str] = {}
        inject(carrier, trace.set_span_in_context(span))
        self.traceparent = carrier.get("traceparent")

    async def until(self, answer: Awaitable[Any]) -> Any:
        """Wait for the answer; the span ends with it."""
        try:
            return await answer
        except BaseException as error:
            fail(self._span, error)
            raise
        finally:
            self._span.end()


def find_tracing() -> Tracing | None:
    """What makes spans here; None: the application has set no tracer provider."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, (trace.ProxyTracerProvider, trace.NoOpTracerProvider)):
        return None

    return Tracing(provider)


def carry(event: Event, context: Context) -> None:
    """Have the code of an event run within a context."""
    # On the event alone: a class that knew of this would make every host pay.
    event.invoke = partial(_invoke, event.invoke, context)  # type: ignore[method-assign]


def ended(event: Event, queued_ms: float, error: BaseException | None) -> None:
    """An event has ended: so does its span."""
    span: Span | None = event.span
    if span is None:
        return

    span.set_attribute("roomhost.queued_ms", queued_ms)
    if error is not None:
        fail(span, error)
    span.end()


def fail(span: Span, error: BaseException) -> None:
    """A span ends with an error."""
    span.set_attribute("error.type", type(error).__name__)
    span.record_exception(error)
    span.set_status(Status(StatusCode.ERROR, str(error)))


@contextmanager
def within_trace(traceparent: str) -> Generator[None]:
    """Make what another process said of its span the current one, for a block."""
    token = contexts.attach(extract({"traceparent": traceparent}, contexts.Context()))
    try:
        yield
    finally:
        contexts.detach(token)


def _invoke(invoke: Callable[[], Any], context: Context) -> Any:
    token = contexts.attach(context)
    try:
        started = invoke()
    finally:
        contexts.detach(token)
    return _run(started, context) if isawaitable(started) else started


async def _run(started: Awaitable[Any], context: Context) -> Any:
    token = contexts.attach(context)
    try:
        return await started
    finally:
        contexts.detach(token)


def _parent_of(event: Event) -> Context:
    """The context of the caller; of a request that has none here, what its headers say."""
    current = contexts.get_current()
    known = trace.get_current_span(current).get_span_context().is_valid
    return (
        current if known or not isinstance(event, FetchEvent) else extract(event.headers, current)
    )


def _kind_of(event: Event, parent: Context) -> SpanKind:
    if event.kind in ROOTS:
        return SpanKind.CONSUMER

    return SpanKind.SERVER if _is_remote(parent) else SpanKind.INTERNAL


def _is_remote(parent: Context) -> bool:
    context = trace.get_current_span(parent).get_span_context()
    return context.is_remote or not context.is_valid


def _root_name(slot: Slot, event: Event) -> str:
    return f"{slot.actor_class.name} {event.kind.value}"


def _attributes(slot: Slot, event: Event) -> dict[str, str]:
    name = slot.id.name
    found = {
        "roomhost.binding": slot.meter.binding,
        "roomhost.object.id": str(slot.id),
        "roomhost.event": event.kind.value,
    }
    if name is not None:
        found["roomhost.object.name"] = name
    if isinstance(event, FetchEvent):
        method, _, path = event.what.partition(" ")
        return found | {"http.request.method": method, "url.path": path}

    return found | {
        "rpc.system": SYSTEM,
        "rpc.service": slot.actor_class.name,
        "rpc.method": event.what,
    }
