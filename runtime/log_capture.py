"""Catches what an object's code logs, and what is logged about it, while somebody follows."""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import TYPE_CHECKING

from .backend import current_backend
from .events import CURRENT
from .records import LogLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from .backend import Backend

EVENTS = (
    "roomhost.events"  # the logger with a line for each event at debug, for slow ones at warning
)

_formatter = logging.Formatter()


class LogCapture(logging.Handler):
    """On the root logger between the first `start` and the last `stop`. `heard(line)` is called in the
    host's thread. What the loggers' levels leave out is not there to be caught."""

    def __init__(self, heard: Callable[[LogLine], object]) -> None:
        super().__init__()
        self._heard = heard
        self._wanted = 0
        self._backend: Backend | None = None
        self._thread = 0

    def start(self) -> None:
        """One more wants to hear."""
        self._wanted += 1
        if self._wanted == 1:
            self._backend = current_backend()
            self._thread = threading.get_ident()
            logging.getLogger().addHandler(self)

    def stop(self) -> None:
        """One less does."""
        self._wanted -= 1
        if not self._wanted:
            logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on, if it is of an object. The line of an event is not: followers get that as
        an `EventRecord`."""
        if record.name == EVENTS and record.levelno <= logging.DEBUG:
            return

        line = line_of(record)
        if line is None:
            return

        if threading.get_ident() == self._thread:
            self._heard(line)
        elif self._backend is not None:
            self._backend.call_from_thread(partial(self._heard, line))


def line_of(record: logging.LogRecord) -> LogLine | None:
    """A record of the log as a line of the object it is about, or whose code runs. None: of no object."""
    details = object_of(record)
    if details is None:
        return None

    message = record.getMessage()
    if record.exc_info:
        message = f"{message}\n{_formatter.formatException(record.exc_info)}"
    return LogLine(
        at_ms=round(record.created * 1_000),
        level=record.levelname.lower(),
        logger=record.name,
        message=message,
        binding=details[0],
        object_id=details[1],
        name=details[2],
    )


def object_of(record: logging.LogRecord) -> tuple[str, str, str | None] | None:
    """Binding, id and name of the object that a record is about: what it says itself, else the object
    whose code runs here, in a thread of it too."""
    object_id: str | None = getattr(record, "object_id", None)
    if object_id is not None:
        return getattr(record, "binding", ""), object_id, getattr(record, "object_name", None)

    event = CURRENT.get()
    if event is None:
        return None

    slot = event.activation.slot
    return slot.meter.binding, str(slot.id), slot.id.name
