"""Hosts that break one promise each: what looks for it must complain of them, or is worth nothing.

A host breaks what the variable names. `python -m tests.faults.kill_broken ARGUMENTS` is a process
that makes a backup where it is to stand in the end, instead of beside it.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from roomhost.actors import member_record, members, messages, socket_events
from roomhost.actors.update_log import UpdateLog
from roomhost.admin import backup as admin_backup
from roomhost.runtime import SystemClock, local_server, local_socket, token_secrets
from roomhost.runtime.output_gate import OutputGate
from roomhost.storage import (
    UNCHANGED,
    Batch,
    DataDirectoryError,
    backup,
    backup_process,
    data_directory,
    log_segment,
)
from roomhost.storage.alarm_table import AlarmTable
from roomhost.storage.applier import Applier
from roomhost.storage.catalogue import Catalogue, CatalogueTable
from roomhost.storage.environment import Environment
from roomhost.storage.keyspace import number_bytes
from roomhost.storage.log_segment import Segment
from roomhost.storage.map_copy import verify_copy
from roomhost.storage.partition import Partition
from roomhost.storage.writer import Writer

VARIABLE = "KILL_BROKEN"
STEP_SECONDS = 5.0  # that a backup gives who kills it
HELD_SECONDS = 0.05  # a commit that nobody waits for takes
HELD_GROUPS = 30  # that are acknowledged and not in the log
EARLY_MS = 200
COUNTED = b"count"  # what a ledger writes first of three
COUNT = 8  # of something, until it kills itself after it


def set_in(owner: Any, name: str, value: Any) -> None:
    """Put something in the place of a function or a method."""
    assert hasattr(owner, name), name
    setattr(owner, name, value)


class SelfKill:
    """Kills the process at one of many moments of a kind."""

    def __init__(self) -> None:
        self._left = COUNT

    def pass_by(self) -> None:
        """One of them."""
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def applies_rarely() -> None:
    """So that the log is what a restart depends on: LMDB has less."""
    set_in(Applier, "_seconds", lambda _applier: None)


def answers_early() -> None:
    """A group is acknowledged long before it is in the log."""
    applies_rarely()
    append = Segment.append
    held: list[tuple[Segment, int, bytes]] = []

    def hold(segment: Segment, sequence: int, payload: bytes) -> None:
        held.append((segment, sequence, payload))
        if len(held) > HELD_GROUPS:
            append(*held.pop(0))

    set_in(Segment, "append", hold)


def forgets_the_log() -> None:
    """What is in the log when it starts is taken for nothing."""
    applies_rarely()

    def nothing(_data: bytes) -> tuple[()]:
        return ()

    set_in(log_segment, "records_in", nothing)


def splits_turns() -> None:
    """Of each turn, one half is committed, then the other; it dies between two."""
    commit, dying = Partition._commit, SelfKill()

    def halves(partition: Partition, batches: Sequence[Batch]) -> None:
        first, rest = zip(*map(split, batches), strict=True)
        commit(partition, first)
        if any(COUNTED in batch.writes for batch in first):
            dying.pass_by()
        commit(partition, rest)

    set_in(Partition, "_commit", halves)


def split(batch: Batch) -> tuple[Batch, Batch]:
    """The first writes of a batch, and the others."""
    keys = list(batch.writes)[: len(batch.writes) // 2]
    first = {key: batch.writes[key] for key in keys}
    rest = {key: value for key, value in batch.writes.items() if key not in first}
    return (
        replace(batch, writes=first, alarm=UNCHANGED),
        Batch(batch.number, None, False, rest, batch.alarm),
    )


def lets_out_early() -> None:
    """What an object says leaves before the commit that it depends on, which takes a while."""
    commit = Partition._commit

    def slowly(partition: Partition, batches: Sequence[Batch]) -> None:
        time.sleep(HELD_SECONDS)
        commit(partition, batches)

    def at_once(_gate: OutputGate, _target: int, opened: Callable[[], object], _no: object) -> bool:
        opened()
        return False

    set_in(Partition, "_commit", slowly)
    set_in(OutputGate, "_must_wait", at_once)
    set_in(OutputGate, "confirm", lambda _gate, _lock: None)
    lock = OutputGate.lock
    set_in(OutputGate, "lock", lambda gate, confirmed=True: lock(gate, False))


def forgets_keys() -> None:
    """No idempotency key is kept; it dies with a message durable that nobody was told of."""
    answer, dying = Writer._answer, SelfKill()

    def untold(writer: Writer, outcomes: Any) -> None:
        if any(key.startswith(b"m:") for batch in writer._durable for key in batch.writes):
            dying.pass_by()
        answer(writer, outcomes)

    set_in(Writer, "_answer", untold)
    set_in(messages, "_keep_result", lambda *_: None)


def resumes_behind() -> None:
    """Who resumes misses a message."""
    after = messages.after
    set_in(socket_events, "after", lambda state, epoch, seq: after(state, epoch, seq)[1:])


def resumes_in_disorder() -> None:
    """Who resumes hears the last two messages the wrong way round, at the places of each other."""
    after = messages.after

    def disorder(state: Any, epoch: str, seq: int) -> list[bytes] | str:
        found = after(state, epoch, seq)
        if isinstance(found, str) or len(found) < 2:
            return found

        *first, one, other = found
        head = len(b'{"type":"message","seq":')
        places = [frame[head:].partition(b",") for frame in (one, other)]
        swapped = [(places[0][0], places[1][2]), (places[1][0], places[0][2])]
        return first + [one[:head] + seq + b"," + rest for seq, rest in swapped]

    set_in(socket_events, "after", disorder)


def forgets_presence() -> None:
    """What a member says of itself is told, and not stored."""
    encode = member_record.encode_record

    def without(record: Any) -> bytes:
        kept, record.presence = record.presence, {}
        try:
            return encode(record)
        finally:
            record.presence = kept

    set_in(members, "encode_record", without)


def forgets_updates() -> None:
    """Updates of documents are told, and not stored."""

    def forget(log: UpdateLog, _record: object) -> int:
        log.seq += 1
        return log.seq

    set_in(UpdateLog, "append_yjs", forget)


def rings_early() -> None:
    """The clock of the host is ahead."""
    now_ms = SystemClock.now_ms
    set_in(SystemClock, "now_ms", lambda clock: now_ms(clock) + EARLY_MS)


def forgets_overdue() -> None:
    """Alarms that are overdue when it starts do not ring."""
    due, begun_ms = AlarmTable.due, time.time() * 1000

    def later(table: AlarmTable, until_ms: int, **named: Any) -> list[tuple[int, int]]:
        return [row for row in due(table, until_ms, **named) if row[0] > begun_ms]

    set_in(AlarmTable, "due", later)


def forgets_secrets() -> None:
    """The secret of tokens is another one each time."""

    def forget(path: Any) -> Any:
        raise FileNotFoundError(path)

    set_in(token_secrets, "read_secrets_file", forget)


def keeps_its_socket() -> None:
    """A socket of an earlier process is not replaced."""
    listen = local_socket.listen_locally

    def refuse(directory: Any) -> Any:
        if (directory / "admin.sock").exists():
            raise OSError("the address is in use")
        return listen(directory)

    set_in(local_server, "listen_locally", refuse)


def trusts_the_lock() -> None:
    """Who wrote into the lock is taken to hold it still."""
    take = data_directory._take

    def trust(path: Any, lock: int) -> None:
        if os.fstat(lock).st_size:
            raise DataDirectoryError(f"{path} is held")
        take(path, lock)

    set_in(data_directory, "_take", trust)


def backs_up_in_place() -> None:
    """A backup has its name before it is whole."""
    set_in(admin_backup, "PROCESS", "tests.faults.kill_broken")


def backs_up_early() -> None:
    """A backup is of what LMDB has, which may be less than was acknowledged."""
    applies_rarely()
    set_in(Partition, "apply_now", lambda _partition: None)


def migrates_in_two() -> None:
    """The sets of objects are recorded first, then the migrations that made them so."""
    write = CatalogueTable.write

    def twice(table: CatalogueTable, catalogue: Catalogue) -> None:
        write(table, replace(catalogue, tags=table.read().tags))
        write(table, catalogue)

    set_in(CatalogueTable, "write", twice)


def leaves_alarms() -> None:
    """A row of the table of alarms stays when the alarm is another one."""

    def leave(environment: Environment, transaction: Any, number: bytes, alarm: Any) -> None:
        if isinstance(alarm, int):
            due = number_bytes(alarm)
            transaction.put(due + number, b"", db=environment._tables["alarms"])
            transaction.put(number, due, db=environment._tables["alarm_of"])

    set_in(Environment, "_write_alarm", leave)


def logs_errors() -> None:
    """Something goes wrong, and is only logged."""
    start = Partition._start

    def wrong(partition: Partition) -> None:
        logging.getLogger("roomhost.runtime").error("something went wrong")
        start(partition)

    set_in(Partition, "_start", wrong)


BROKEN: dict[str, Callable[[], None]] = {
    function.__name__: function
    for function in (
        *(answers_early, forgets_the_log, splits_turns, lets_out_early, forgets_keys),
        *(resumes_behind, resumes_in_disorder, forgets_presence, forgets_updates, rings_early),
        *(forgets_overdue, forgets_secrets, keeps_its_socket, trusts_the_lock),
        *(backs_up_in_place, backs_up_early, migrates_in_two, leaves_alarms, logs_errors),
    )
}


def install(names: str) -> None:
    """Break it in each of these ways; they stand between commas."""
    for name in filter(None, names.split(",")):
        BROKEN[name]()


def late(function: Callable[..., Any]) -> Callable[..., Any]:
    """A step of a backup that is killed before it."""

    @functools.wraps(function)
    def wait(*arguments: Any, **named: Any) -> Any:
        time.sleep(STEP_SECONDS)
        return function(*arguments, **named)

    return wait


if __name__ == "__main__":
    set_in(backup, "PARTIAL", "")
    set_in(backup, "verify_copy", late(verify_copy))
    with contextlib.suppress(OSError):
        sys.exit(backup_process.main(*sys.argv[1:]))
