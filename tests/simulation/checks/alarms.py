"""Alarms: never early, never after they were deleted, one run at a time, and at least once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .events import Answered, Called, Constructed, Fired, Looked, Ran, Seen

ARMED, DUE, ALARM, STAMP = "armed", "due", "alarm", "stamp"  # keys of what is found
MAX_RETRIES = 6  # then an alarm is given up
FIRST_BACKOFF_MS = 2_000


def never_early(history: Sequence[Seen], due: Mapping[int, int]) -> Iterator[str]:
    """A run is for the alarm that is set, and not before its time (semantics 6.2). `due`: by token,
    the time for which it was set."""
    for seen in history:
        match seen.event:
            case Fired(name, _, token, due_ms, now_ms):
                if due_ms != due.get(token):
                    yield f"{name} runs at {due_ms}, alarm {token} was set for {due.get(token)}"
                if now_ms < due_ms:
                    yield f"alarm {token} of {name} runs {due_ms - now_ms} ms early"
            case _:
                pass


def never_after_deletion(history: Sequence[Seen]) -> Iterator[str]:
    """Once it was acknowledged that an alarm was deleted or replaced, none that is older runs
    (6.2). The answer to a call that changes an alarm is the stamp of that."""
    called: dict[int, str] = {}
    newest: dict[str, int] = {}
    for seen in history:
        match seen.event:
            case Called(call, name):
                called[call] = name
            case Answered(call, int(stamp)):
                newest[called[call]] = max(stamp, newest.get(called[call], 0))
            case Fired(name, _, token) if token < newest.get(name, 0):
                yield f"alarm {token} of {name} runs after change {newest[name]} was acknowledged"
            case _:
                pass


def one_run_at_a_time(history: Sequence[Seen]) -> Iterator[str]:
    """A run begins when the one before has ended, or its instance has (6.2)."""
    running: dict[str, Fired] = {}
    for seen in history:
        match seen.event:
            case Fired(name, instance, token) as fired:
                before = running.get(name)
                if before is not None and before.instance == instance:
                    yield f"alarm {token} of {name} runs beside alarm {before.token}"
                running[name] = fired
            case Ran(name):
                running.pop(name, None)
            case _:
                pass


def retries_wait(history: Sequence[Seen]) -> Iterator[str]:
    """A run that failed is followed by another one after two seconds at the least, seven runs in all,
    as long as the host lives (6.3)."""
    failed: dict[int, tuple[Seen, int]] = {}  # by token, when and under which number
    fired: dict[int, int] = {}
    for seen in history:
        match seen.event:
            case Fired(name, _, token, retry=retry):
                before, number = failed.get(token, (None, 0))
                if before is not None and before.generation == seen.generation:
                    if seen.at_ms < before.at_ms + FIRST_BACKOFF_MS:
                        yield f"alarm {token} of {name} runs again too soon"
                    if retry not in (number, number + 1) or retry > MAX_RETRIES:
                        yield f"alarm {token} of {name} runs as number {retry}, after {number}"
                fired[token] = retry
            case Ran(_, _, token, failed=True):
                failed[token] = (seen, fired.get(token, 0))
            case _:
                pass


def whole_alarms(history: Sequence[Seen]) -> Iterator[str]:
    """What an instance finds has an alarm exactly as long as that has not run: its deletion is one
    commit with what the handler wrote last (6.2), or it was given up."""
    last_run: dict[int, int] = {}  # by token, the number of its last run
    given_up: set[int] = set()
    for seen in history:
        match seen.event:
            case Fired(token=token, retry=retry):
                last_run[token] = retry
            case Ran(token=token, failed=True) if last_run.get(token) == MAX_RETRIES:
                given_up.add(token)
            case Constructed(name, found=found) | Looked(name, found):
                yield from _whole(name, found, given_up)
            case _:
                pass


def _whole(name: str, found: Mapping[str, Any], given_up: set[int]) -> Iterator[str]:
    armed, alarm = found.get(ARMED), found.get(ALARM)
    if armed is None and alarm is not None:
        yield f"{name} has an alarm at {alarm} that has run, or was deleted"
    if armed is not None and alarm != found[DUE] and not (alarm is None and armed in given_up):
        yield f"{name} has alarm {armed} for {found[DUE]} not run, and an alarm at {alarm}"


def all_ran(history: Sequence[Seen]) -> Iterator[str]:
    """At the end, long after everything was due, no alarm is left (6.2, 6.4)."""
    last: dict[str, Mapping[str, Any]] = {}
    for seen in history:
        match seen.event:
            case Looked(name, found):
                last[name] = found
            case _:
                pass
    for name, found in last.items():
        if found.get(ALARM) is not None:
            yield f"alarm {found.get(ARMED)} of {name} never ran to its end"
