"""Traces of the shape of the published ones, made from a seed.

What a text becomes is kept beside, in plain strings: a trace knows its end without any CRDT.
"""

from __future__ import annotations

import random
import string
from dataclasses import dataclass, field

from .traces import Patch, Step, Trace

LETTERS = string.ascii_lowercase + "      ,.\\{}"
FOREIGN_LETTERS = LETTERS + "\u00e4\u00e9\u00f1\u00df"
TEXT_ENCODING = "latin-1"  # a byte for a letter
# As in automerge-paper: 70 % of the edits insert a character, in runs; the cursor seldom goes far.
TYPED = 0.7
MEAN_RUN = 12
NEAR = 0.9
NEAR_CHARACTERS = 200
MOST_UNSEEN = 25  # steps of another agent that are under way


class Typist:
    """Somebody with a cursor in a text of their own: types, deletes backwards, goes elsewhere."""

    def __init__(self, rng: random.Random, letters: str) -> None:
        self._bytes = bytearray()
        self._letters = letters
        self._rng = rng
        self._cursor = 0
        self._left = 0
        self._types = True

    @property
    def text(self) -> str:
        """What it has become."""
        return self._bytes.decode(TEXT_ENCODING)

    @property
    def length(self) -> int:
        """Its letters."""
        return len(self._bytes)

    @property
    def begins(self) -> bool:
        """Whether the next edit is the first of a run."""
        return self._left == 0

    def edit(self) -> Patch:
        """The next edit, of one character, in the typist's own text."""
        if self._left == 0:
            self._begin_run()
        self._left -= 1
        if self._types or self._cursor == 0:
            return self._type()

        self._cursor -= 1
        del self._bytes[self._cursor]
        return Patch(self._cursor, 1, "")

    def _type(self) -> Patch:
        at, letter = self._cursor, self._rng.choice(self._letters)
        self._bytes.insert(at, ord(letter))
        self._cursor += 1
        return Patch(at, 0, letter)

    def _begin_run(self) -> None:
        rng = self._rng
        self._types = rng.random() < TYPED
        self._left = 1 + int(rng.expovariate(1 / MEAN_RUN))
        if rng.random() < 0.5:
            return  # goes on where it is

        to = rng.randint(0, len(self._bytes))
        if rng.random() < NEAR:
            to = self._cursor + rng.randint(-NEAR_CHARACTERS, NEAR_CHARACTERS)
        self._cursor = min(max(0, to), len(self._bytes))


def sequential_trace(seed: int, edits: int) -> Trace:
    """One writer."""
    typist = Typist(random.Random(seed), LETTERS)
    steps = [Step(0, (number - 1,) if number else (), (typist.edit(),)) for number in range(edits)]
    return Trace(1, steps, typist.text)


@dataclass
class _Writer:
    """One of several, on a line of its own, and what became of each of its steps.

    `seen`: how many steps of each writer it knows of. `steps`: the indexes of its own in the trace;
    `lengths`: of its line, before and after each; `views`: what it had seen at each, itself included.
    """

    typist: Typist
    seen: list[int]
    steps: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=lambda: [0])
    views: list[list[int]] = field(default_factory=list)


def concurrent_trace(seed: int, agents: int, edits: int) -> Trace:
    """Several writers, each on a line of its own, who see one another's edits late: no two insert
    at the same place, so the end is the same whatever orders such inserts."""
    rng = random.Random(seed)
    writers = [_Writer(Typist(rng, FOREIGN_LETTERS), [0] * agents) for _ in range(agents)]
    steps = [Step(0, (), (Patch(0, 0, "\n" * (agents - 1)),))]
    number = 0
    for index in range(1, edits):
        if writers[number].typist.begins:
            number = rng.randrange(agents)
            _look(rng, number, writers)
        steps.append(_step(number, writers))
        writers[number].steps.append(index)
    lines = [writer.typist.text for writer in writers]
    return Trace(agents, steps, "\n".join(lines))


def _look(rng: random.Random, number: int, writers: list[_Writer]) -> None:
    """See what the others did, but for the newest, and what they had seen."""
    seen = writers[number].seen
    for other, writer in enumerate(writers):
        count = len(writer.steps) - rng.randint(0, MOST_UNSEEN)
        if other != number and count > seen[other]:
            seen[:] = map(max, seen, writer.views[count - 1])


def _step(number: int, writers: list[_Writer]) -> Step:
    """The next edit of a writer, in the text as it knows it."""
    writer = writers[number]
    heads = {other: count for other, count in enumerate(writer.seen) if count}
    views = [writers[other].views[count - 1] for other, count in heads.items()]
    parents = tuple(
        writers[other].steps[count - 1]
        for other, count in heads.items()
        if sum(view[other] >= count for view in views) == 1  # its own view, and nobody else's
    )
    before = sum(writers[other].lengths[writer.seen[other]] + 1 for other in range(number))
    patch = writer.typist.edit()
    writer.seen[number] += 1
    writer.lengths.append(writer.typist.length)
    writer.views.append(list(writer.seen))
    return Step(number, parents or (0,), (patch._replace(at=before + patch.at),))
