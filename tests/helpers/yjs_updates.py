"""Yjs updates written by hand, byte by byte, and documents that are edited at random."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from pycrdt import (
    Array,
    Doc,
    Map,
    Text,
    TransactionEvent,
    XmlElement,
    XmlFragment,
    XmlText,
    merge_updates,
)

Clients = Iterable[tuple[int, int, list[bytes]]]
Deletes = Iterable[tuple[int, list[tuple[int, int]]]]

TYPES = {"text": Text, "array": Array, "map": Map, "xml": XmlFragment}
WORDS = ("a", "hello", "é", "😀", "x😀y", "\n", "e\u0301")


def uint(value: int) -> bytes:
    """A number as lib0 writes it."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def text(value: str) -> bytes:
    """A text as lib0 writes it."""
    data = value.encode()
    return uint(len(data)) + data


def update(clients: Clients = (), deletes: Deletes = ()) -> bytes:
    """An update: (client, first clock, structs), and (client, ranges of clock and length)."""
    out = uint(len(list(clients)))
    for client, clock, structs in clients:
        out += uint(len(structs)) + uint(client) + uint(clock) + b"".join(structs)

    out += uint(len(list(deletes)))
    for client, ranges in deletes:
        out += uint(client) + uint(len(ranges))
        out += b"".join(uint(clock) + uint(length) for clock, length in ranges)

    return out


def item(
    kind: int,
    content: bytes,
    *,
    origin: tuple[int, int] | None = None,
    right: tuple[int, int] | None = None,
    parent: str | tuple[int, int] = "text",
    key: str | None = None,
) -> bytes:
    """An item: where it goes, by its neighbours, or else by its parent's name or id and a key."""
    info = kind | (origin is not None) << 7 | (right is not None) << 6 | (key is not None) << 5
    out = bytes([info])
    for neighbour in (origin, right):
        if neighbour is not None:
            out += uint(neighbour[0]) + uint(neighbour[1])

    if origin is None and right is None:
        out += b"\1" + text(parent) if isinstance(parent, str) else b"\0" + _id(parent)
        if key is not None:
            out += text(key)

    return out + content


def one(struct: bytes, clock: int = 0) -> bytes:
    """An update of one struct, of client 1."""
    return update([(1, clock, [struct])])


def gap(length: int = 1, info: int = 0) -> bytes:
    """A struct without content: collected (0) or left out (10)."""
    return bytes([info]) + uint(length)


def nested(levels: int) -> bytes:
    """Maps within maps, each the value of `k` of the one before, by client 1."""
    first = item(7, b"\1", parent="map", key="k")
    rest = (item(7, b"\1", parent=(1, clock), key="k") for clock in range(levels - 1))
    return update([(1, 0, [first, *rest])])


def _id(of: tuple[int, int]) -> bytes:
    return uint(of[0]) + uint(of[1])


class Peer:
    """A document and what it wrote, one update for each edit."""

    def __init__(self, random: Random, client_id: int) -> None:
        self.doc: Doc[Any] = Doc(client_id=client_id)
        self.roots: dict[str, Any] = {
            name: self.doc.get(name, type=kind) for name, kind in TYPES.items()
        }
        self.updates: list[bytes] = []
        self._random = random
        self._seen = self.doc.observe(self._written)

    def edit(self) -> None:
        """One change, of any kind."""
        edits: tuple[Callable[[], None], ...] = (
            self._text,
            self._text,
            self._text,
            self._format,
            self._array,
            self._map,
            self._xml,
        )
        self._random.choice(edits)()

    def hear(self, other: Peer) -> None:
        """Everything the other has."""
        self.doc.apply_update(other.doc.get_update(self.doc.get_state()))

    def _written(self, event: TransactionEvent) -> None:
        self.updates.append(event.update)

    def _text(self) -> None:
        words, marks = self.roots["text"], self._marks()
        at = self._random.randrange(len(marks))
        if at < len(marks) - 1 and self._random.random() < 0.3:
            del words[marks[at] : marks[min(at + 3, len(marks) - 1)]]
        else:
            words.insert(marks[at], self._random.choice(WORDS))

    def _format(self) -> None:
        words, marks = self.roots["text"], self._marks()
        if self._random.random() < 0.3:
            words.insert_embed(0, {"image": [1, None, "é"]}, {"bold": True})
        elif len(marks) > 1:
            words.format(0, marks[-1], {"bold": self._random.choice([True, None])})

    def _marks(self) -> list[int]:
        """The indices between the characters of the text, which are counted in bytes of UTF-8; one
        within a character makes yrs write what it cannot read."""
        marks = [0]
        for part, _ in self.roots["text"].diff():
            for mark in part if isinstance(part, str) else "x":
                marks.append(marks[-1] + len(mark.encode()))

        return marks

    def _array(self) -> None:
        array = self.roots["array"]
        if len(array) and self._random.random() < 0.3:
            del array[self._random.randrange(len(array))]
        else:
            at = self._random.randrange(len(array) + 1)
            array.insert(at, self._random.choice(self._values()))

    def _map(self) -> None:
        of = self.roots["map"]
        key = self._random.choice("abc")
        if key in of and self._random.random() < 0.3:
            del of[key]
        else:
            of[key] = self._random.choice(self._values())

    def _xml(self) -> None:
        children = self.roots["xml"].children
        if len(children) and self._random.random() < 0.3:
            del children[self._random.randrange(len(children))]
        elif self._random.random() < 0.5:
            children.append(XmlText(self._random.choice(WORDS)))
        else:
            children.append(XmlElement("p", {"class": "é"}, [XmlText("x"), XmlElement("b")]))

    def _values(self) -> tuple[Any, ...]:
        return (
            *(None, True, 7, -7, 2**40, 0.1, 1e300, float("inf"), "", "😀", b"\0\xff"),
            *([1, [2, {"a": []}]], {"a": {"b": [None]}}, Text("in"), Array([1, Text("deep")])),
            *(Map({"a": Map({"b": Array([1])})}), Doc()),
        )


def written_by_two(random: Random, edits: int) -> tuple[list[bytes], Peer, Peer]:
    """Updates that two peers wrote while they heard of each other now and then; what one of them
    left out (a gap), merged ones and differences are among them."""
    first, second = (
        Peer(random, 2**53 - 1 - random.randrange(99)),
        Peer(random, random.randrange(99)),
    )
    written: list[bytes] = []
    for _ in range(edits):
        peer, other = (first, second) if random.random() < 0.5 else (second, first)
        peer.edit()
        if random.random() < 0.2:
            written.append(peer.doc.get_update(other.doc.get_state()))
            other.hear(peer)
        if random.random() < 0.1:
            written.append(peer.doc.get_update())

    first.hear(second)
    second.hear(first)
    written += first.updates + second.updates
    for _ in range(edits // 4):
        written.append(merge_updates(*random.sample(written, min(3, len(written)))))

    return written, first, second
