"""Characters of two UTF-16 units, each of which takes two clocks, and what would cut one in two.

yrs 0.28 does not survive that: it panics when the document is read later, or writes another length
than it has, so that what comes after it is lost (`Item::split`, `ContentString`). Stock clients never
do it: lib0's `simpleDiff` keeps the two together, and yjs writes the halves as U+FFFD.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, TypeAlias

from .yjs_reader import read_text
from .yjs_structs import read_ranges, read_sections, structs_of

if TYPE_CHECKING:
    from typing import Final

    from .yjs_structs import Section, Struct

STRING: Final = 4  # kind of content
CLOCKS: Final = "I"  # as an array: four bytes, as many as the character has

_candidate = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}").search
_beyond = re.compile("[\U00010000-\U0010ffff]").finditer

Lows: TypeAlias = dict[int, "array[int]"]  # by client: the clocks of second halves, in order


def may_hold_pairs(update: bytes) -> bool:
    """Whether bytes may hold a character beyond U+FFFF: False for most, at the price of a search."""
    return _candidate(update) is not None


class Pairs:
    """The clocks of the second halves in one document. What was deleted may be among them."""

    __slots__ = ("_lows",)

    def __init__(self) -> None:
        self._lows: Lows = {}

    @classmethod
    def of(cls, document: bytes) -> Pairs:
        """Of a document, all of it as one update. InvalidArgument: it is malformed."""
        pairs = cls()
        pairs.add(brings(document, {}))
        return pairs

    def add(self, lows: Lows) -> None:
        """Have what an update that became part of the document `brings`."""
        for client, clocks in lows.items():
            self._lows.setdefault(client, array(CLOCKS)).extend(clocks)

    def cuts(self, update: bytes, lows: Lows, clocks: dict[int, int]) -> bool:
        """Whether an update cuts a character of the document, which has those `clocks`, or one of
        those that it brings. To be asked before it is applied. InvalidArgument: it is malformed."""
        if not lows and not self._lows:
            return False

        sections, deletes_at = read_sections(update)
        return (
            any(_is_in(lows, section.client, clocks.get(section.client, 0)) for section in sections)
            or any(
                self._parts(struct, lows)
                for section in sections
                for struct in structs_of(update, section)
            )
            or any(
                self._is_low(client, start, lows) or self._is_low(client, end, lows)
                for client, start, end in read_ranges(update, deletes_at)
            )
        )

    def cut_by(self, vector: dict[int, int]) -> bool:
        """Whether a state vector ends within a character of the document."""
        return any(_is_in(self._lows, client, clock) for client, clock in vector.items())

    def _parts(self, struct: Struct, lows: Lows) -> bool:
        """Whether a struct comes to lie behind a first half, or before a second one."""
        origin, right = struct.origin, struct.right_origin
        return (origin is not None and self._is_low(origin[0], origin[1] + 1, lows)) or (
            right is not None and self._is_low(*right, lows)
        )

    def _is_low(self, client: int, clock: int, lows: Lows) -> bool:
        return _is_in(self._lows, client, clock) or _is_in(lows, client, clock)


def brings(update: bytes, clocks: dict[int, int]) -> Lows:
    """The second halves in an update that a document with those `clocks` does not have; one at which
    the document ends is among them. InvalidArgument: the update is malformed."""
    lows: Lows = {}
    if may_hold_pairs(update):
        for section in read_sections(update)[0]:
            found = _second_halves(update, section, clocks.get(section.client, 0))
            if found:
                lows[section.client] = found
    return lows


def _second_halves(update: bytes, section: Section, known: int) -> array[int]:
    found = array(CLOCKS)
    for struct in structs_of(update, section):
        if struct.kind == STRING and struct.clock + struct.length > known:
            text = read_text(update, struct.content)[0]
            # One clock more for each such character before it, and for its own first half.
            first = struct.clock + 1
            clocks = (first + place + match.start() for place, match in enumerate(_beyond(text)))
            found.extend(clock for clock in clocks if clock >= known)
    return found


def _is_in(lows: Lows, client: int, clock: int) -> bool:
    clocks = lows.get(client)
    if clocks is None:
        return False

    place = bisect_left(clocks, clock)
    return place < len(clocks) and clocks[place] == clock
