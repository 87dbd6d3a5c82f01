"""Names the object that holds the event loop, so that no other object of the host runs.

Cooperative code cannot be interrupted, so this only tells: in the log, while it lasts and when it is over,
and in figures. See `docs/reliability.md`, "Isolation".
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from . import limits
from .heartbeat import Heartbeat
from .loop_holder import Holder, event_in, holder

if TYPE_CHECKING:
    from collections.abc import Callable

    from .engine import Engine
    from .events import Event
    from .heartbeat import Held
    from .slot import Slot

    Tell = Callable[[str, Slot | None, dict[str, object]], object]


logger = logging.getLogger("roomhost.runtime")


class LoopWatchdog:
    """A thread beside the loop of one engine, from `start` to `stop`. `holds`: how often the loop was held
    for more than `most_seconds`, and `held_seconds`, for how long, by the binding of the object that
    did it, "" where none could be named.

    `tell(message, slot, details)` is called in that thread, while the loop cannot do anything.
    """

    def __init__(self, engine: Engine, most_seconds: float, tell: Tell) -> None:
        self.holds: Counter[str] = Counter()
        self.held_seconds: defaultdict[str, float] = defaultdict(float)
        self._engine = engine
        self._tell = tell
        self._look_seconds = most_seconds / limits.LOOKS_PER_HOLD
        self._beat = Heartbeat(most_seconds, self._look_seconds)
        self._holder: Holder | None = None
        self._owner = threading.get_ident()
        self._loop = current_loop()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="roomhost-watchdog", daemon=True)

    def start(self) -> None:
        """Look from now on. In the loop's thread."""
        self._ask()
        self._thread.start()

    def stop(self) -> None:
        """Look no more; it is over when this returns."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._look_seconds):
            event = event_in(self._loop)  # first: what held the interpreter is about to go on
            held = self._beat.look(time.perf_counter(), time.process_time())
            if held is not None:
                try:
                    self._tell_of(held, event)
                except Exception:  # a handler of the log, or what an application calls an event
                    logger.exception("who holds the event loop could not be told")
            if self._beat.answered and not self._ask():
                return

    def _tell_of(self, held: Held, event: Event | None) -> None:
        found = self._holder or holder(self._engine, self._owner, event)
        if held.over:
            self._holder = None
            self._count(found, held.seconds)
            self._report(found, held.seconds, "held the event loop for {:.2f} s")
        else:
            self._holder = found
            self._report(found, held.seconds, "has held the event loop for {:.2f} s")

    def _ask(self) -> bool:
        """Ask the loop to answer. False: it has ended."""
        self._beat.ask(time.perf_counter())
        try:
            self._engine.backend.call_from_thread(self._answer)
        except RuntimeError:
            return False
        return True

    def _answer(self) -> None:
        self._beat.answer(time.perf_counter())

    def _count(self, found: Holder, seconds: float) -> None:
        binding = "" if found.slot is None else found.slot.meter.binding
        self.holds[binding] += 1
        self.held_seconds[binding] += seconds

    def _report(self, found: Holder, seconds: float, how: str) -> None:
        slot = found.slot
        if slot is None:
            who = "code of no object"
        else:
            who = f"{slot.meter.binding} {slot.id.name or slot.id}"
        where = f" in {found.what}" if found.what else ""
        at = f", at {found.place}" if found.place else ""
        self._tell(
            f"{who} {how.format(seconds)}{where}{at}: nothing else of this host runs meanwhile",
            slot,
            {"held_seconds": round(seconds, 3), "stack": list(found.stack)},
        )


def current_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs here, if it is asyncio's."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
