"""What an event is and how it ended, as figures and records of it say."""

from __future__ import annotations

from enum import Enum


class EventKind(Enum):
    """Why an object's code is run."""

    CALL = "call"  # a method, or a property
    FETCH = "fetch"
    ALARM = "alarm"
    MESSAGE = "message"
    CLOSE = "close"
    ERROR = "error"  # of a WebSocket
    TASK = "task"  # what the object started itself: not counted for anybody, it is part of an event


class Outcome(Enum):
    """How an event ended. A handler that raised has failed; an object that was reset took its events
    with it; what is overloaded never began."""

    OK = "ok"
    FAILED = "failed"
    RESET = "reset"
    OVERLOADED = "overloaded"


class ResetCause(Enum):
    """Why an object was reset."""

    CONSTRUCTOR = "constructor"  # it raised
    ABORT = "abort"  # `ctx.abort()`
    SECTION = "section"  # `block_concurrency_while()`: its callback raised
    SECTION_TIMEOUT = "section_timeout"  # likewise: it took over 30 s
    ALARM_TIMEOUT = "alarm_timeout"
    EVENT_TIMEOUT = "event_timeout"  # `set_hibernatable_web_socket_event_timeout()`
    STORAGE = "storage"  # a commit failed
    COMMIT_TIMEOUT = "commit_timeout"
    CODE_UPDATED = "code_updated"
    HOST = "host"  # it stopped, or reset all objects
    OTHER = "other"


def outcome_of(error: BaseException | None) -> Outcome:
    """How an event ended that left with this error, or without one."""
    if error is None:
        return Outcome.OK

    if getattr(error, "durable_object_reset", False):
        return Outcome.RESET

    return Outcome.OVERLOADED if getattr(error, "overloaded", False) else Outcome.FAILED
