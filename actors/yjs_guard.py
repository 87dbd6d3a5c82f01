"""What is checked of a Yjs update or state vector before pycrdt sees a byte of it.

Guarantee: bytes that pass cannot make the process reserve memory out of proportion, or nest deeper
than it can bear, whoever sent them (realtime.md 0.2, S1 to S4), and every client, yjs or yrs, reads
the same structs in them. What yjs 13 and yrs write passes. What only the whole document shows is
checked by `loaded_document.py` before yrs gets them: gaps (`Shape.follows`), characters cut in two,
neighbours in two lists. Not promised: that yrs applies them in time.

An update is a list of clients with their structs (what was inserted, or a gap), then a delete set.
The format is that of yjs 13.6, version 1: `readClientsStructRefs`, `readItemContent`,
`readDeleteSet`. How deep the types of a document nest is not visible in one update: see `Shape`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from .errors import InvalidArgument
from .limits import MAX_STATE_VECTOR_BYTES, MAX_UPDATE_BYTES, MAX_UPDATE_CLIENTS, MAX_YJS_CLOCK
from .tallies import REFUSALS
from .yjs_reader import (
    CODE,
    read_client,
    read_clock,
    read_count,
    read_length,
    read_text,
    read_uint,
    refusal,
    skip_any,
    skip_bytes,
    skip_json,
    truncated,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

# The first byte of a struct: five bits of what it is, three of what is written before its content.
GC: Final = 0
DELETED: Final = 1
SKIP: Final = 10
TYPE: Final = 7
KIND: Final = 0b0001_1111
HAS_ORIGIN: Final = 0b1000_0000
HAS_RIGHT_ORIGIN: Final = 0b0100_0000
HAS_PARENT_KEY: Final = 0b0010_0000

XML_ELEMENT: Final = 3
XML_HOOK: Final = 5
LAST_TYPE: Final = 6  # of yjs; yrs has weak links and more, which no JavaScript client can read

# The smallest of each, in bytes.
CLIENT_BYTES: Final = 3  # number of structs, id, clock
STRUCT_BYTES: Final = 2  # a gap of length one
DELETES_BYTES: Final = 2  # of one client: id, number of ranges
RANGE_BYTES: Final = 2
VECTOR_ENTRY_BYTES: Final = 2


class Shape(msgspec.Struct):
    """What an update holds, as far as the room needs to know.

    `starts` and `ends`: by client, the first clock of its last structs without a gap between them,
    and the clock after them. `deletes`: by client, the clock after the last range that is deleted.
    `needs`: by client, the clock after the last struct that one of another client refers to, as its
    neighbour or parent. `nests`: a shared type comes within another one, or beside something that
    may be within one, so that the document gets deeper. `deletes_at`: the byte at which the
    delete set begins.
    """

    # Each has its own: the library copies an empty default.
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    deletes: list[tuple[int, int]] = []
    needs: dict[int, int] = {}
    nests: bool = False
    deletes_at: int = 0

    @property
    def empty(self) -> bool:
        """Nothing is inserted, nothing is deleted."""
        return not self.ends and not self.deletes

    def follows(self, vector: dict[int, int]) -> bool:
        """A document with that state vector can take all of it at once: there is no gap before or
        within it, and whatever it refers to is in the document or in the update.

        What does not follow must wait outside of the document. yrs would keep it, behind a hole or
        among what is pending, and what comes later can crash it there."""
        return self.blocker(vector) is None

    def blocker(self, vector: dict[int, int]) -> tuple[int, int] | None:
        """A client, and the clock of it that a document with that state vector lacks, so that the
        update does not follow; None: it does."""
        known = vector.get
        for client, start in self.starts.items():
            if known(client, 0) < start:
                return client, start

        if not self.needs and not self.deletes:
            return None  # as with most keystrokes

        ends = self.ends.get
        for client, clock in (*self.needs.items(), *self.deletes):
            if known(client, 0) < clock > ends(client, 0):
                return client, clock

        return None

    def overlaps(self, vector: dict[int, int]) -> bool:
        """A document with that state vector has the first of its structs, or part of one, and not
        all of them."""
        known = vector.get
        for client, start in self.starts.items():
            if start < known(client, 0) < self.ends[client]:
                return True

        return False

    def covered_by(self, vector: dict[int, int]) -> bool:
        """A document with that state vector has all structs, and all that is deleted; whether it
        is deleted there, the vector does not say."""
        known = vector.get
        for client, end in self.ends.items():
            if known(client, 0) < end:
                return False

        for client, end in self.deletes:
            if known(client, 0) < end:
                return False

        return True


def check_update(
    data: bytes, max_bytes: int = MAX_UPDATE_BYTES, max_structs: int | None = None
) -> Shape:
    """The shape of an update (version 1). To be called before anything else reads the bytes.

    InvalidArgument, code `invalid_update`: it is no update, has more than `max_bytes`, more than
    `max_structs` if there is such a bound, more than MAX_UPDATE_CLIENTS clients, or something that
    no client of ours writes; the message says what, and at which byte."""
    if len(data) > max_bytes:
        REFUSALS.count("too_large")
        raise InvalidArgument(
            f"a Yjs update is at most {max_bytes} bytes, not {len(data)}", code=CODE
        )

    shape = Shape()
    try:
        at = shape.deletes_at = _check_clients(data, shape, max_structs)
        at = _check_deletes(data, at, shape)
    except IndexError:
        raise truncated(data) from None

    if at != len(data):
        raise refusal(f"{len(data) - at} bytes after its end", at)

    return shape


def check_state_vector(data: bytes) -> dict[int, int]:
    """A state vector: by client, the first clock that is not known.

    InvalidArgument, code `invalid_update`: it is none, has more than MAX_STATE_VECTOR_BYTES, more
    than MAX_UPDATE_CLIENTS clients, or one of them twice."""
    if len(data) > MAX_STATE_VECTOR_BYTES:
        REFUSALS.count("too_large")
        raise InvalidArgument(
            f"a state vector is at most {MAX_STATE_VECTOR_BYTES} bytes, not {len(data)}", code=CODE
        )

    vector: dict[int, int] = {}
    try:
        count, at = _read_clients(data, 0, VECTOR_ENTRY_BYTES)
        for _ in range(count):
            client, at = read_client(data, at)
            vector[client], at = read_clock(data, at)
    except IndexError:
        raise truncated(data) from None

    if at != len(data):
        raise refusal(f"{len(data) - at} bytes after its end", at)
    if len(vector) != count:
        raise refusal("a client twice", at)

    return vector


def _read_clients(data: bytes, at: int, entry_bytes: int) -> tuple[int, int]:
    count, at = read_count(data, at, entry_bytes)
    if count > MAX_UPDATE_CLIENTS:
        raise refusal(f"{count} clients, where {MAX_UPDATE_CLIENTS} may be", at)

    return count, at


def _check_clients(data: bytes, shape: Shape, max_structs: int | None) -> int:
    """The position after the structs of all clients."""
    clients, at = _read_clients(data, 0, CLIENT_BYTES)
    structs = 0
    seen: set[int] = set()
    for _ in range(clients):
        count, spelled = read_count(data, at, STRUCT_BYTES)
        structs += count
        if max_structs is not None and structs > max_structs:
            REFUSALS.count("too_large")
            raise InvalidArgument(
                f"a Yjs update has at most {max_structs} structs: send it in several", code=CODE
            )

        client, at = read_client(data, spelled)
        if client in seen:
            raise refusal(f"the client {client} twice", at)

        if not count:  # nobody writes it, and yrs panics where it knows the client
            raise refusal(f"the client {client} without structs", at)

        seen.add(client)
        at = _check_structs(data, at, count, (client, data[spelled:at]), shape)

    return at


def _check_structs(data: bytes, at: int, count: int, owner: tuple[int, bytes], shape: Shape) -> int:
    """The position after the clock of a client and all its structs. `owner`: the client's id, as a
    number and as the bytes that spell it."""
    first, at = read_clock(data, at)
    start = end = clock = first
    client, spelled = owner
    needs = shape.needs
    for _ in range(count):
        info = data[at]
        at += 1
        if info == GC or info == SKIP:
            length, at = read_length(data, at)
        else:
            root = False
            if info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN):
                if info & HAS_ORIGIN:
                    at = _skip_id(data, at, spelled, clock, needs)
                if info & HAS_RIGHT_ORIGIN:
                    at = _skip_id(data, at, spelled, clock, needs)
            else:
                root, at = _skip_parent(data, at, info, spelled, clock, needs)

            kind = info & KIND
            length, at = CONTENTS[kind](data, at)
            if kind == TYPE and not root:
                shape.nests = True

        if info != SKIP:
            if clock != end:
                start = clock  # after a gap
            end = clock + length

        clock += length
        if clock > MAX_YJS_CLOCK:
            raise refusal(f"a clock over {MAX_YJS_CLOCK}", at)

    if end != first:
        shape.starts[client] = start
        shape.ends[client] = end

    return at


def _skip_id(data: bytes, at: int, owner: bytes, before: int, needs: dict[int, int]) -> int:
    """The position after the id of a struct, which the one of `owner` at the clock `before` refers
    to. It is an earlier one of the same client, or of another, and noted in `needs`."""
    # Every number has one spelling, and none begins with another; so most need not be read.
    if data.startswith(owner, at):
        clock, at = read_uint(data, at + len(owner))
        if clock >= before:
            raise refusal("a struct that refers to a later one of its client", at)

        return at

    client, at = read_client(data, at)
    clock, at = read_clock(data, at)
    if clock >= needs.get(client, 0):
        needs[client] = clock + 1

    return at


def _skip_parent(
    data: bytes, at: int, info: int, owner: bytes, before: int, needs: dict[int, int]
) -> tuple[bool, int]:
    """Whether the parent is a root, by name, and the position after it and its key."""
    named = data[at]
    at += 1
    if named == 1:
        at = read_text(data, at)[1]
    elif named == 0:
        at = _skip_id(data, at, owner, before, needs)
    else:
        raise refusal(f"a parent of the unknown kind {named}", at)

    if info & HAS_PARENT_KEY:
        at = read_text(data, at)[1]

    return named == 1, at


def _check_deletes(data: bytes, at: int, shape: Shape) -> int:
    """The position after the delete set."""
    clients, at = _read_clients(data, at, DELETES_BYTES)
    seen: set[int] = set()
    for _ in range(clients):
        client, at = read_client(data, at)
        count, at = read_count(data, at, RANGE_BYTES)
        if client in seen:
            raise refusal(f"the client {client} twice", at)

        seen.add(client)
        last = 0
        for _ in range(count):
            clock, at = read_clock(data, at)
            length, at = read_length(data, at)
            last = max(last, clock + length)

        if last > MAX_YJS_CLOCK:
            raise refusal(f"a clock over {MAX_YJS_CLOCK}", at)
        if last:
            shape.deletes.append((client, last))

    return at


# The length in clocks of each kind of content, and the position after it.


def _unknown(data: bytes, at: int) -> tuple[int, int]:
    raise refusal("a struct of an unknown kind", at)


def _json(data: bytes, at: int) -> tuple[int, int]:
    # yrs reads one text more than are declared, so what follows is one thing to yjs and another to
    # yrs. Nothing has written this since yjs 13.
    raise refusal("values as JSON, which yjs and yrs read differently", at)


def _binary(data: bytes, at: int) -> tuple[int, int]:
    return 1, skip_bytes(data, at)


def _string(data: bytes, at: int) -> tuple[int, int]:
    text, at = read_text(data, at)
    if not text:
        raise refusal("a text of length 0", at)
    if text.isascii():
        return len(text), at

    return len(text.encode("utf-16-le")) // 2, at  # JavaScript's characters


def _embed(data: bytes, at: int) -> tuple[int, int]:
    return 1, skip_json(data, at)


def _format(data: bytes, at: int) -> tuple[int, int]:
    at = read_text(data, at)[1]
    return 1, skip_json(data, at)


def _type(data: bytes, at: int) -> tuple[int, int]:
    kind = data[at]
    at += 1
    if kind > LAST_TYPE:
        raise refusal(f"a shared type of the unknown kind {kind}", at)
    if kind == XML_HOOK:  # yjs reads its name, yrs does not
        raise refusal("an XML hook, which yjs and yrs read differently", at)
    if kind == XML_ELEMENT:
        at = read_text(data, at)[1]

    return 1, at


def _any(data: bytes, at: int) -> tuple[int, int]:
    count, at = read_count(data, at, 1)
    if not count:
        raise refusal("a list of no values", at)

    for _ in range(count):
        at = skip_any(data, at)

    return count, at


def _document(data: bytes, at: int) -> tuple[int, int]:
    at = read_text(data, at)[1]
    return 1, skip_any(data, at)


# By number, as `contentRefs` of yjs.
_KNOWN: Final[tuple[Callable[[bytes, int], tuple[int, int]], ...]] = (
    _unknown,  # a gap without flags has no content
    read_length,  # deleted
    _json,
    _binary,
    _string,
    _embed,
    _format,
    _type,
    _any,
    _document,
)
CONTENTS: Final = _KNOWN + (_unknown,) * (KIND + 1 - len(_KNOWN))
