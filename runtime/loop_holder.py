"""Which object's code an event loop is held by, found from another thread."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from contextvars import Context
from dataclasses import dataclass
from pathlib import Path
from sysconfig import get_path
from typing import TYPE_CHECKING

from . import limits
from .events import CURRENT

if TYPE_CHECKING:
    from types import FrameType

    from .engine import Engine
    from .events import Event
    from .slot import Slot

# Where code is that an application only uses: Python's own, installed packages, ours.
LIBRARIES = (
    *map(get_path, ("stdlib", "purelib", "platlib")),
    *(
        str(Path(__file__).parent.parent / folder) + os.sep
        for folder in ("storage", "runtime", "bindings", "actors", "admin")
    ),
)


@dataclass(frozen=True, slots=True)
class Holder:
    """`slot`: of the object whose code runs, None when that cannot be said; `what`: of it is run, or was
    when it started the task that runs; `place`: where the code is, as "say (chat.py:12)";
    `stack`: the innermost frames, outermost first, likewise."""

    slot: Slot | None
    what: str
    place: str
    stack: tuple[str, ...]


def event_in(loop: asyncio.AbstractEventLoop | None) -> Event | None:
    """The event whose code runs in a loop at this moment, or has started the task that does. None also
    where the loop is not asyncio's."""
    task = None if loop is None else asyncio.current_task(loop)
    # Before Python 3.12 a task gives away its context to the garbage collector alone.
    for referent in gc.get_referents(task):
        if isinstance(referent, Context):
            return referent.get(CURRENT)

    return None


def holder(engine: Engine, thread: int, event: Event | None) -> Holder:
    """Who runs in a thread, that of the loop: the object of `event`, as `event_in` found it, or else the
    one whose turn it is."""
    frames = frames_of(thread)
    stack = tuple(map(shown, frames[-limits.MAX_HELD_FRAMES :]))
    theirs = [frame for frame in frames if not frame.f_code.co_filename.startswith(LIBRARIES)]
    place = shown((theirs or frames)[-1]) if frames else ""
    if event is None:
        running = (slot.running for slot in engine.resident)
        turns = (activation.turn for activation in running if activation is not None)
        event = next(filter(None, turns), None)
    if event is None:
        return Holder(None, "", place, stack)

    return Holder(event.activation.slot, event.what, place, stack)


def frames_of(thread: int) -> list[FrameType]:
    """The frames of a thread now, outermost first."""
    frames: list[FrameType] = []
    # What debuggers and profilers use; there is no other way to look at a thread from outside.
    frame = sys._current_frames().get(thread)  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames[::-1]


def shown(frame: FrameType) -> str:
    """A frame in one word."""
    code = frame.f_code
    return f"{code.co_name} ({Path(code.co_filename).name}:{frame.f_lineno})"
