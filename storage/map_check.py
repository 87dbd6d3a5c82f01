"""Whether what a map holds is of a piece: records, objects, entries, alarms, namespaces.

That its pages are is for py-lmdb's offline verifier to say, which reads a file that nobody writes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lmdb import verify as untyped_verify  # pyright: ignore[reportMissingTypeStubs]

from .environment import NAMESPACE_BYTES, lmdb, object_key
from .finding import counted
from .keyspace import NUMBER_BYTES, is_long, split, stored_key
from .limits import MAX_PROBLEMS
from .map_reader import DATA_FILE
from .messagepack import unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .map_reader import MapReader

verifier: Any = untyped_verify

ID_BYTES = 32
NEEDED = ("entries", "objects", "records", "alarms", "alarm_of", "namespaces")
REPORT_AT = 10_000  # rows, from one report to the next


@dataclass(slots=True)
class MapContents:
    """What a map holds. `problems`: the first `MAX_PROBLEMS` of `problem_count`, a line each.

    `objects_of`: how many objects each namespace has, by its number; `namespaces`: their names;
    `states`: "served", "parked" or "deleted", where it is recorded.
    `overdue`: how many alarms are due before the time that was asked for; `first_due_ms`: of the
    first alarm.
    """

    entries: int = 0
    alarms: int = 0
    overdue: int = 0
    first_due_ms: int | None = None
    objects_of: dict[int, int] = field(default_factory=dict[int, int])
    namespaces: dict[int, str] = field(default_factory=dict[int, str])
    states: dict[int, str] = field(default_factory=dict[int, str])
    problems: list[str] = field(default_factory=list[str])
    problem_count: int = 0

    @property
    def objects(self) -> int:
        """How many objects are stored."""
        return sum(self.objects_of.values())

    def problem(self, line: str) -> None:
        """One was found."""
        self.problem_count += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(line)


def verify_pages(path: Path) -> list[str]:
    """What is wrong with the pages of the map in the directory `path`, a line each; nobody may be
    writing it."""
    try:
        found: list[str] = verifier.verify(str(path / DATA_FILE), subdir=False)
    except verifier.VerifyError as error:
        return [str(error)]

    return found


def check_contents(
    reader: MapReader, *, due_before_ms: int = 0, report: Callable[[int], object] = lambda _: None
) -> MapContents:
    """Read all that a map holds, in one snapshot. `report(rows)` now and then, with how many rows
    were read since. DataDirectoryError: it cannot be read."""
    with reader.reading() as (transaction, tables):
        check = Check(transaction, tables, report)
        for name in NEEDED:
            if name not in tables:
                check.contents.problem(f"the table {name!r} is missing")
        if not check.contents.problems:
            check.namespaces()
            check.records()
            check.entries()
            check.alarms(due_before_ms)
        return check.contents


class Check:
    """One look at everything, table by table."""

    def __init__(
        self, transaction: Any, tables: dict[str, Any], report: Callable[[int], object]
    ) -> None:
        self._transaction = transaction
        self._tables = tables
        self._report = report
        self.contents = MapContents()

    def namespaces(self) -> None:
        """Each has a number of its own."""
        contents = self.contents
        for key, value in self._rows("namespaces"):
            number = _decoded(value, 0)
            if not _is_namespace(number) or number in contents.namespaces:
                contents.problem(f"the namespace {key!r} has no number of its own")
                continue

            contents.namespaces[number] = key.decode(errors="replace")
        for number in contents.namespaces if "deployed" in self._tables else ():
            recorded = self._get("deployed", number.to_bytes(NAMESPACE_BYTES, "big"))
            if recorded is not None:
                contents.states[number] = str(_decoded(recorded, 2))

    def records(self) -> None:
        """Each object is found by its namespace and id under the number it says it has, and each of
        those leads to a record."""
        contents = self.contents
        count = 0
        for key, value in self._rows("records"):
            count += 1
            namespace, object_id = _decoded(value, 0), _decoded(value, 1)
            if (
                len(key) != NUMBER_BYTES
                or not _is_namespace(namespace)
                or not isinstance(object_id, bytes)
                or len(object_id) != ID_BYTES
            ):
                contents.problem(f"the record {key.hex()} cannot be read")
                continue

            contents.objects_of[namespace] = contents.objects_of.get(namespace, 0) + 1
            if self._get("objects", object_key(namespace, object_id)) != key:
                contents.problem(f"object {_number(key)} is not found by its id")
        listed = self._count("objects")
        if listed != count:
            contents.problem(f"{listed} ids are listed, {count} objects have a record")
        for namespace in sorted(contents.objects_of.keys() - contents.namespaces.keys()):
            objects = counted(contents.objects_of[namespace], "object is", "objects are")
            contents.problem(f"{objects} in namespace {namespace}, which has no name")

    def entries(self) -> None:
        """Each belongs to an object, and has a key that can be read."""
        contents = self.contents
        owner = b""
        for key, value in self._rows("entries"):
            contents.entries += 1
            if key[:NUMBER_BYTES] != owner:
                owner = key[:NUMBER_BYTES]
                if self._get("records", owner) is None:
                    contents.problem(f"object {_number(owner)} has entries and no record")
            if not _is_readable(key, value):
                contents.problem(f"the entry {key.hex()} has a key that cannot be read")

    def alarms(self, due_before_ms: int) -> None:
        """The alarms in order of time and those in order of objects are the same, and each belongs to
        an object."""
        contents = self.contents
        contents.alarms = self._count("alarms")
        for key, due in self._rows("alarm_of"):
            if len(due) != NUMBER_BYTES or self._get("alarms", due + key) is None:
                contents.problem(f"the alarm of object {_number(key)} is not among those in order")
            if self._get("records", key) is None:
                contents.problem(f"object {_number(key)} has an alarm and no record")
        armed = self._count("alarm_of")
        if armed != contents.alarms:
            contents.problem(f"{contents.alarms} alarms are in order, {armed} objects have one")
        for key, _ in self._rows("alarms"):
            due_ms = int.from_bytes(key[:NUMBER_BYTES], "big")
            if contents.first_due_ms is None:
                contents.first_due_ms = due_ms
            if due_ms >= due_before_ms:
                break
            contents.overdue += 1

    def _rows(self, table: str) -> Iterator[tuple[bytes, bytes]]:
        rows = 0
        for rows, row in enumerate(self._transaction.cursor(db=self._tables[table]), 1):
            yield row
            if rows % REPORT_AT == 0:
                self._report(REPORT_AT)
        self._report(rows % REPORT_AT)

    def _get(self, table: str, key: bytes) -> bytes | None:
        try:
            found: bytes | None = self._transaction.get(key, db=self._tables[table])
            return found
        except lmdb.BadValsizeError:  # a damaged row says an impossible key
            return None

    def _count(self, table: str) -> int:
        count: int = self._transaction.stat(self._tables[table])["entries"]
        return count


def _decoded(data: bytes, index: int) -> Any:
    """An item of a packed row; None where it is damaged."""
    try:
        return unpack(data)[index]
    except Exception:
        return None


def _is_namespace(number: Any) -> bool:
    """Whether a row can have it as the number of its namespace."""
    return isinstance(number, int) and 0 <= number < 1 << 8 * NAMESPACE_BYTES


def _is_readable(stored: bytes, value: bytes) -> bool:
    """Whether the user's key of an entry can be read, and is the one it stands under."""
    if len(stored) < NUMBER_BYTES:
        return False

    key, _ = split(stored, value)
    try:
        key.decode()
    except UnicodeDecodeError:
        return False

    return not is_long(stored) or stored_key(stored[:NUMBER_BYTES], key) == stored


def _number(key: bytes) -> int:
    return int.from_bytes(key[:NUMBER_BYTES], "big")
