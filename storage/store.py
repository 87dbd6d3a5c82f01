"""One object's committed entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .batch import UNCHANGED
from .keyspace import NUMBER_BYTES, floor_key, is_long, number_bytes, prefix_end, split, stored_key
from .limits import PREFIX_BYTES
from .merge import merged
from .pending import Pending

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import Environment


class ObjectStore:
    """What is on disk of one object, in the log or in LMDB: bytes by user key. An object never
    written reads as empty."""

    __slots__ = ("_environment", "_number", "_object", "_pending")

    def __init__(
        self, environment: Environment, number: int, pending: Pending | None = None
    ) -> None:
        self._environment = environment
        self._pending = Pending() if pending is None else pending
        self._object = number
        self._number = number_bytes(number)

    def get(self, key: bytes) -> bytes | None:
        """The encoded value of a key, if there is one."""
        pending = self._pending.get(self._object, key)
        if pending is not UNCHANGED:
            return pending

        stored = stored_key(self._number, key)
        value = self._environment.get("entries", stored)
        if value is None or not is_long(stored):
            return value

        return split(stored, value)[1]

    def scan(
        self,
        start: bytes | None,
        end: bytes | None,
        *,
        reverse: bool = False,
        limit: int | None = None,
    ) -> list[tuple[bytes, bytes]]:
        """The entries from `start` up to, not including, `end`, in order of their keys, or backwards;
        `limit` cuts the list where it ends."""
        if limit is not None and limit <= 0:
            return []

        cleared, writes = self._pending.changes(self._object)
        if not (cleared or writes):
            return self._scan(start, end, reverse, limit)

        def scan(enough: int | None) -> list[tuple[bytes, bytes]]:
            return [] if cleared else self._scan(start, end, reverse, enough)

        return merged(writes, scan, start, end, reverse, limit)

    def measure(self, *, limit: int) -> tuple[int, int]:
        """How many entries there are, and how many bytes their keys and values take; counting ends
        at `limit` entries. No value is read."""
        cleared, writes = self._pending.changes(self._object)
        hidden = {stored_key(self._number, key) for key in writes}
        sizes = [len(key) + len(value) for key, value in writes.items() if value is not None][
            :limit
        ]
        if cleared:
            return len(sizes), sum(sizes)

        with self._environment.reading(copied=False) as transaction:
            cursor = self._environment.cursor(transaction, "entries")
            there = cursor.set_range(self._number)
            while there and len(sizes) < limit:
                stored = bytes(cursor.key())
                if stored[:NUMBER_BYTES] != self._number:
                    break

                if stored not in hidden:
                    # The whole of a long key stands in the value, behind its size.
                    beside = -2 if is_long(stored) else len(stored) - NUMBER_BYTES
                    sizes.append(len(cursor.value()) + beside)
                there = cursor.next()
        return len(sizes), sum(sizes)

    def alarm(self) -> int | None:
        """When the alarm is due, milliseconds since the epoch, if one is set."""
        pending = self._pending.alarm(self._object)
        if pending is not UNCHANGED:
            return pending

        due = self._environment.get("alarm_of", self._number)
        return None if due is None else int.from_bytes(due, "big")

    def _scan(
        self, start: bytes | None, end: bytes | None, reverse: bool, limit: int | None
    ) -> list[tuple[bytes, bytes]]:
        found: list[tuple[bytes, bytes]] = []
        with self._environment.reading() as transaction:
            cursor = self._environment.cursor(transaction, "entries")
            entries = self._backward(cursor, end) if reverse else self._forward(cursor, start)
            for key, value in entries:
                if start is not None and key < start:
                    if reverse:
                        break
                    continue
                if end is not None and key >= end:
                    if not reverse:
                        break
                    continue
                found.append((key, value))
                if len(found) == limit:
                    break
        return found

    def _forward(self, cursor: Any, start: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        begin = self._number if start is None else floor_key(self._number, start)
        return self._ordered(cursor, cursor.set_range(begin), cursor.next, reverse=False)

    def _backward(self, cursor: Any, end: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        if end is None:
            last = prefix_end(self._number)
        elif len(end) <= PREFIX_BYTES:
            last = self._number + end  # in LMDB too, every key before `end` stands before it
        else:
            last = prefix_end(floor_key(self._number, end))  # behind the run of long keys around it
        if last is not None and cursor.set_range(last):
            found = cursor.prev()
        else:
            found = cursor.last()
        return self._ordered(cursor, found, cursor.prev, reverse=True)

    def _ordered(
        self, cursor: Any, found: bool, step: Any, *, reverse: bool
    ) -> Iterator[tuple[bytes, bytes]]:
        """Entries from where the cursor stands; a run of long keys that begin alike is sorted."""
        run: list[tuple[bytes, bytes]] = []
        while found:
            stored = cursor.key()
            if stored[:NUMBER_BYTES] != self._number:
                break

            entry = split(stored, cursor.value())
            if run and not (
                is_long(stored) and entry[0][:PREFIX_BYTES] == run[0][0][:PREFIX_BYTES]
            ):
                yield from sorted(run, reverse=reverse)
                run = []
            if is_long(stored):
                run.append(entry)
            else:
                yield entry
            found = step()
        yield from sorted(run, reverse=reverse)
