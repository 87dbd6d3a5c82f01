"""Yjs updates that are wrong: real ones changed a little, and new ones that are well framed."""

from __future__ import annotations

from random import Random

from .yjs_updates import gap, item, text, uint, update

CLIENTS: tuple[int, ...] = (1, 2, 3, 2**53 - 1)
ROOTS = ("text", "array", "map", "xml", "other", "")
BYTES = (0, 1, 2, 10, 63, 64, 116, 117, 118, 119, 127, 128, 129, 132, 135, 136, 196, 199, 255)
NUMBERS = (0, 1, 127, 128, 2**14, 2**28, 2**31 - 1, 2**31, 2**32, 2**53 - 1, 2**53, 2**63)
WORDS = ("a", "abcdef", "é", "😀", "a😀b", "\n", "e\u0301")
JSON = ("1", "null", '"a"', '{"a":[1,2]}', "true", "[]", "[[[]]]", "", "{")
KINDS = (1, 3, 4, 4, 4, 5, 6, 6, 7, 7, 7, 8, 8, 9)  # of content, as likely as they are many


def mutated(random: Random, data: bytes, other: bytes) -> bytes:
    """The bytes with one to three changes; `other` is what parts may come from."""
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        at = random.randrange(len(out) + 1)
        match random.randrange(8):
            case 0 if out:
                out[at % len(out)] ^= 1 << random.randrange(8)
            case 1 if out:
                out[at % len(out)] = random.choice(BYTES)
            case 2:
                out[at : at + random.randrange(2)] = uint(random.choice(NUMBERS))
            case 3:
                del out[at : at + random.randrange(1, 5)]
            case 4:
                start = random.randrange(len(other) + 1)
                out[at:at] = other[start : start + random.randrange(1, 20)]
            case 5:
                out[at:at] = out[at : at + random.randrange(1, 20)]
            case 6:
                del out[at:]
            case _:
                level = random.choice((1, 3, 70, 200))
                out[at:at] = random.choice((b"\x75\1", b"\x76\1\0")) * level

    return bytes(out)


class Composer:
    """Well framed updates whose structs refer to each other as they please."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.clocks: dict[int, int] = dict.fromkeys(CLIENTS, 0)

    def compose(self) -> bytes:
        """The next update."""
        random = self._random
        clients: list[tuple[int, int, list[bytes]]] = []
        for client in random.sample(CLIENTS, random.choice((0, 1, 1, 1, 2, 3))):
            first = max(0, self.clocks[client] + random.choice((0, 0, 0, 0, 0, -1, -2, 1)))
            structs: list[bytes] = []
            clock = first
            for _ in range(random.choice((1, 1, 2, 3, 6))):
                length, struct = self._struct(client, clock)
                structs.append(struct)
                clock += length

            self.clocks[client] = max(self.clocks[client], clock)
            clients.append((client, first, structs))

        deleted = random.sample(CLIENTS, random.choice((0, 0, 1, 2)))
        return update(clients, [(client, self._ranges(client)) for client in deleted])

    def _ranges(self, client: int) -> list[tuple[int, int]]:
        random, end = self._random, self.clocks[client]
        return [
            (random.randrange(end + 1), random.choice((1, 1, 2, 4)))
            for _ in range(random.choice((1, 1, 2)))
        ]

    def _struct(self, client: int, clock: int) -> tuple[int, bytes]:
        random = self._random
        chance = random.random()
        if chance < 0.06:
            length = random.choice((1, 2, 5))
            return length, gap(length, 0 if chance < 0.05 else 10)

        kind = random.choice(KINDS)
        length, content = self._content(kind)
        origin, right = (self._id(client, clock) if random.random() < 0.4 else None for _ in "or")
        named = clock == 0 or random.random() < 0.6
        parent = random.choice(ROOTS) if named else self._id(client, clock)
        key = random.choice((None, None, "k", ""))
        return length, item(kind, content, origin=origin, right=right, parent=parent, key=key)

    def _id(self, client: int, clock: int) -> tuple[int, int]:
        """Of an earlier struct of the client, mostly, or of any other."""
        of = self._random.choice((client, *CLIENTS))
        end = clock if of == client else self.clocks[of]
        return of, self._random.randrange(max(1, end))

    def _content(self, kind: int) -> tuple[int, bytes]:
        random = self._random
        match kind:
            case 1:
                length = random.choice((1, 2, 9))
                return length, uint(length)
            case 3:
                return 1, uint(3) + random.randbytes(3)
            case 4:
                word = random.choice(WORDS)
                return len(word.encode("utf-16-le")) // 2, text(word)
            case 5:
                return 1, text(random.choice(JSON))
            case 6:
                return 1, text(random.choice(("bold", ""))) + text(random.choice(JSON))
            case 7:
                of = random.randrange(7)
                return 1, uint(of) + (text(random.choice(("p", ""))) if of == 3 else b"")
            case 8:
                values = [self._value(0) for _ in range(random.choice((1, 1, 2, 3)))]
                return len(values), uint(len(values)) + b"".join(values)
            case _:
                return 1, text(random.choice(("guid", ""))) + self._value(0)

    def _value(self, level: int) -> bytes:
        random = self._random
        match random.randrange(9 if level < 4 else 7):
            case 0:
                return random.choice((b"\x7f", b"\x7e", b"\x79", b"\x78"))
            case 1:
                return b"\x7d" + bytes([random.randrange(128)])
            case 2:
                return b"\x7c" + random.randbytes(4)
            case 3:
                return random.choice((b"\x7a", b"\x7b")) + random.randbytes(8)
            case 4:
                return b"\x74" + uint(3) + random.randbytes(3)
            case 5 | 6:
                return b"\x77" + text(random.choice(WORDS))
            case 7:
                values = [self._value(level + 1) for _ in range(random.randrange(4))]
                return b"\x75" + uint(len(values)) + b"".join(values)
            case _:
                keys = ("gc", "encoding", "a", "a")[: random.randrange(5)]
                entries = [text(key) + self._value(level + 1) for key in keys]
                return b"\x76" + uint(len(entries)) + b"".join(entries)
