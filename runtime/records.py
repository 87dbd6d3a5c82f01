"""What an observer tells of single events and lines of the log, and of the host as a whole."""

from __future__ import annotations

import msgspec


class EventRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event of one object that has ended.

    `at_ms`: when it ended, by the host's clock, milliseconds since the epoch; `binding`: the name of the
    object's namespace; `kind`: of `EventKind`; `what`: the method, the path, or the kind; `queued_ms`: how
    long it waited behind others; `duration_ms`: from there until the outcome had left, what it depends on
    being on the disk; `outcome`: "ok", or the class of the error.
    """

    at_ms: int
    binding: str
    object_id: str
    name: str | None = None
    kind: str
    what: str
    queued_ms: float
    duration_ms: float
    outcome: str


class LogLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line that was logged by an object's code, or about an object.

    `level`: "debug" to "critical"; `message`: with the traceback, if one was logged."""

    at_ms: int
    level: str
    logger: str
    message: str
    binding: str
    object_id: str
    name: str | None = None


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The host in the last second or two.

    `p50_ms`, `p99_ms`: that half of the events, and all but a hundredth, took no longer than;
    `group_size`: batches of one commit, on average; `memory_bytes`: of the process; `resident`: objects
    that are in memory; `sockets`: that are open.
    """

    at_ms: int
    events_per_second: float
    p50_ms: float
    p99_ms: float
    commits_per_second: float
    group_size: float
    memory_bytes: int
    resident: int
    sockets: int
