"""The structs of a Yjs update (version 1), one after the other, and what is deleted.

For updates that `check_update` let through once, or that pycrdt wrote: lengths and ids are checked
again, since a document that is read back was made by strangers, what is in a text or a value is not.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from .limits import MAX_YJS_CLOCK
from .yjs_guard import (
    CLIENT_BYTES,
    CONTENTS,
    GC,
    HAS_ORIGIN,
    HAS_PARENT_KEY,
    HAS_RIGHT_ORIGIN,
    KIND,
    SKIP,
    STRUCT_BYTES,
)
from .yjs_reader import (
    read_client,
    read_clock,
    read_count,
    read_length,
    read_text,
    read_uint,
    refusal,
    truncated,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

EMPTY = b"\x00\x00"  # the update that says nothing

Id = tuple[int, int]  # client, clock


class Section(NamedTuple):
    """The structs of one client: `structs` of them from the byte `at`, the first with `clock`; `end`
    is the clock after the last."""

    client: int
    clock: int
    end: int
    structs: int
    at: int


class Struct(NamedTuple):
    """What was inserted with one first clock: `length` clocks of content of one `kind`, or a gap.

    `origin`, `right_origin`: the neighbours when it was inserted. Without either of these it has a
    parent: the name of a `root`, or the id `parent` of a type. Its bytes: a flag and ids from `start`
    to `body`, then all that names no id, to `end`; of that the last is the content, from `content`.
    """

    clock: int
    length: int
    kind: int
    origin: Id | None
    right_origin: Id | None
    root: str | None
    parent: Id | None
    start: int
    body: int
    content: int
    end: int

    def references(self) -> tuple[Id | None, ...]:
        """What has to be there before this: up to two ids."""
        return (self.origin, self.right_origin, self.parent)


def read_sections(data: bytes) -> tuple[list[Section], int]:
    """The sections of an update, and the position of its delete set. InvalidArgument (a ValueError):
    it is malformed, or has a client twice."""
    if not data:
        raise truncated(data)

    count, at = read_count(data, 0, CLIENT_BYTES)
    sections: list[Section] = []
    for _ in range(count):
        section = _read_section(data, at)
        at, end = section.at, section.clock
        for struct in structs_of(data, section):
            at, end = struct.end, struct.clock + struct.length
        sections.append(section._replace(end=end))

    if len({section.client for section in sections}) < len(sections):
        raise refusal("a client twice", at)

    return sections, at


def structs_of(data: bytes, section: Section) -> Iterator[Struct]:
    """The structs of a section, in order of their clocks. InvalidArgument: one is malformed."""
    clock, at = section.clock, section.at
    for _ in range(section.structs):
        try:
            struct = _read_struct(data, at, clock)
        except IndexError:
            raise truncated(data) from None

        clock += struct.length
        if clock > MAX_YJS_CLOCK:
            raise refusal(f"a clock over {MAX_YJS_CLOCK}", at)

        at = struct.end
        yield struct


def read_deletes(data: bytes, at: int) -> dict[int, list[tuple[int, int]]]:
    """What is deleted, by client: first clocks, and those after the last, in order, without
    overlap. InvalidArgument: it is malformed, or is not all of the rest."""
    deletes: dict[int, list[tuple[int, int]]] = {}
    for client, start, end in read_ranges(data, at):
        deletes.setdefault(client, []).append((start, end))
    return {client: merged(pairs) for client, pairs in deletes.items()}


def read_ranges(data: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """What is deleted, range by range as the update has it: client, first clock, and that after the
    last. InvalidArgument: as `read_deletes`."""
    try:
        count, at = read_uint(data, at)
        for _ in range(count):
            client, at = read_client(data, at)
            ranges, at = read_count(data, at, STRUCT_BYTES)
            for _ in range(ranges):
                clock, at = read_clock(data, at)
                length, at = read_length(data, at)
                yield client, clock, clock + length
    except IndexError:
        raise truncated(data) from None

    if at != len(data):
        raise refusal(f"{len(data) - at} bytes after its end", at)


def merged(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in order, those that touch or overlap as one."""
    result: list[tuple[int, int]] = []
    for start, end in sorted(pairs):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))

    return result


def causal(data: bytes) -> Iterator[tuple[int, Struct]]:
    """Client and struct of all structs, each after those of the update that it refers to; linear
    but for a heap of the clients that wait. InvalidArgument: the update is malformed, or structs
    wait for each other."""
    if data.startswith(b"\x01"):  # one client, as in most updates: in the order of its clocks
        section = _read_section(data, 1)
        for struct in structs_of(data, section):
            yield section.client, struct
        return

    sections, _ = read_sections(data)
    cursors = {section.client: _Cursor(data, section) for section in sections}
    waiting: dict[int, list[Id]] = {}  # by the client waited for: a clock of it, and who waits
    ready = list(cursors.values())
    while ready:
        cursor = ready.pop()
        while cursor.struct is not None:
            awaited = _awaited(cursor.struct, cursors)
            if awaited is not None:
                heappush(waiting.setdefault(awaited[0], []), (awaited[1], cursor.client))
                break
            yield cursor.client, cursor.struct
            cursor.advance()

        heap = waiting.get(cursor.client, ())
        while heap and heap[0][0] < cursor.clock:
            ready.append(cursors[heappop(heap)[1]])

    if any(waiting.values()):
        raise refusal("structs that wait for each other", 0)


class _Cursor:
    """How far the structs of one client were read: `struct` is next, or None at the end; `clock` is
    where it begins."""

    __slots__ = ("_rest", "client", "clock", "end", "struct")

    def __init__(self, data: bytes, section: Section) -> None:
        self.client = section.client
        self.clock = section.clock
        self.end = section.end
        self._rest = structs_of(data, section)
        self.struct = next(self._rest, None)

    def advance(self) -> None:
        """On to the next struct."""
        self.struct = next(self._rest, None)
        self.clock = self.end if self.struct is None else self.struct.clock


def _awaited(struct: Struct, cursors: dict[int, _Cursor]) -> Id | None:
    """What a struct refers to and comes later in the update, if anything."""
    for reference in struct.references():
        if reference is not None:
            cursor = cursors.get(reference[0])
            if cursor is not None and cursor.clock <= reference[1] < cursor.end:
                return reference

    return None


def _read_section(data: bytes, at: int) -> Section:
    """The head of a section; its end is not known yet."""
    try:
        count, at = read_count(data, at, STRUCT_BYTES)
        client, at = read_client(data, at)
        clock, at = read_clock(data, at)
    except IndexError:
        raise truncated(data) from None

    return Section(client, clock, clock, count, at)


def _read_struct(data: bytes, at: int, clock: int) -> Struct:
    start = at
    info = data[at]
    at += 1
    if info == GC or info == SKIP:
        length, end = read_length(data, at)
        return Struct(clock, length, info, None, None, None, None, start, at, at, end)

    origin = right_origin = parent = root = None
    if info & HAS_ORIGIN:
        origin, at = _read_id(data, at)
    if info & HAS_RIGHT_ORIGIN:
        right_origin, at = _read_id(data, at)

    body = at
    if origin is None and right_origin is None:
        named, at = read_uint(data, at)
        if named == 1:
            root, at = read_text(data, at)
        elif named == 0:
            parent, at = _read_id(data, at)
            body = at
        else:
            raise refusal(f"a parent of the unknown kind {named}", at)
        if info & HAS_PARENT_KEY:
            at = read_text(data, at)[1]

    kind = info & KIND
    length, end = CONTENTS[kind](data, at)
    return Struct(clock, length, kind, origin, right_origin, root, parent, start, body, at, end)


def _read_id(data: bytes, at: int) -> tuple[Id, int]:
    client, at = read_client(data, at)
    clock, at = read_clock(data, at)
    return (client, clock), at
