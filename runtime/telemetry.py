"""Whether a host makes spans: decided once, when it starts."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from .engine import Engine

NOTHING: nullcontext[None] = nullcontext()

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from .observer import Observer
    from .tracing import Tracing


def tracing_here() -> Tracing | None:
    """What makes spans in this process; None: OpenTelemetry's API is not installed, or the application
    has set no tracer provider."""
    if find_spec("opentelemetry") is None:
        return None

    try:
        from .tracing import find_tracing
    except ImportError:  # another package of that name space
        return None

    return find_tracing()


def within(observer: Observer, traceparent: str | None) -> AbstractContextManager[object]:
    """A block that is run below the span of another process; None, or no spans here: as it stands."""
    if traceparent is None or not observer.traces:
        return NOTHING

    from .tracing import within_trace

    return within_trace(traceparent)


def engine_maker(observer: Observer) -> Callable[..., Engine]:
    """What makes the engine of a host: one that makes spans, or one that knows of none."""
    tracing = tracing_here()
    if tracing is None:
        observer.trace(None)
        return Engine

    from .traced import TracedEngine
    from .tracing import ended

    observer.trace(ended)
    return partial(TracedEngine, tracing)
