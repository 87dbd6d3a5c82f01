"""A process that feeds wrong bytes to the guard, and what passes to pycrdt, as a room does.

`python -m tests.helpers.yjs_fuzz SEED INPUTS`, from the repository. It prints what became of the
inputs as JSON; that it gets so far, in little memory, is what is tested. What a room does: an update
that does not follow the document waits outside of it, here for ever; one that pycrdt refuses, or
that the document does not cover afterwards, ends the life of the document in memory.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from pycrdt import Doc, Map, Text, get_state, merge_updates

from roomhost.actors.errors import InvalidArgument
from roomhost.actors.yjs_guard import Shape, check_state_vector, check_update

from .yjs_mutations import CLIENTS, Composer, mutated
from .yjs_updates import uint, written_by_two

MEMORY_BYTES = 1024 * 1024 * 1024
SLOW_SECONDS = 0.1  # of the processor
UPDATES_OF_DOCUMENT = 30  # then a new one
CORPORA = 20

Decoder = Callable[[bytes], object]

# What else reads bytes of strangers: each gets mutated input, and may raise InvalidArgument alone.
DECODERS: dict[str, tuple[Decoder, list[bytes]]] = {}


class Fuzz:
    """The documents that are fed, one after the other, and what became of the inputs."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.counts: Counter[str] = Counter()
        self.slow: list[str] = []
        self._corpora = [written_by_two(self.random, 30)[0] for _ in range(CORPORA)]
        self._renew()

    def run(self, inputs: int) -> dict[str, Any]:
        """Feed so many inputs."""
        while self.counts["inputs"] < inputs:
            self.counts["inputs"] += 1
            chance = self.random.random()
            if chance < 0.1:
                self._vector()
            else:
                self._update(self._composer.compose() if chance < 0.5 else self._mutated())
            for name, (decode, corpus) in DECODERS.items():
                self._decode(name, decode, corpus)

        taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {"counts": self.counts, "slow": self.slow, "kibibytes": taken}

    def _renew(self) -> None:
        self._doc: Doc[Any] = Doc(client_id=99)
        self._composer = Composer(self.random)
        self._corpus = self.random.choice(self._corpora)
        self._left = UPDATES_OF_DOCUMENT
        for data in self._corpus[: self.random.randrange(2 * len(self._corpus))]:
            self._doc.apply_update(data)

    def _mutated(self) -> bytes:
        data, other = self.random.choices(self._corpus, k=2)
        return data if self.random.random() < 0.1 else mutated(self.random, data, other)

    def _update(self, data: bytes) -> None:
        try:
            shape = check_update(data)
        except InvalidArgument:
            self.counts["refused"] += 1
            return

        start = time.process_time()
        vector = check_state_vector(self._doc.get_state())
        if shape.follows(vector):
            outcome = self._apply(data, shape)
        else:
            outcome = "waits"
            self._composer.clocks = {client: vector.get(client, 0) for client in CLIENTS}
        self.counts[outcome] += 1
        if time.process_time() - start > SLOW_SECONDS:
            self.slow.append(data.hex())

        self._left -= 1
        if outcome not in ("applied", "waits") or not self._left:
            self._renew()

    def _apply(self, data: bytes, shape: Shape) -> str:
        """What became of an update that follows. A document that took it is read in every way that
        a room reads it. That fails where a struct begins within a character of two units, which yrs
        does not split rightly: the rare panic that no look at one update can prevent."""
        try:
            self._doc.apply_update(data)
        except Exception:
            return "not applied"
        except BaseException as error:
            return _panic(error)

        if not shape.covered_by(check_state_vector(self._doc.get_state())):
            return "not covered"

        try:
            whole = self._doc.get_update()
            self._read(data, whole)
        except BaseException as error:
            _panic(error)
            return "cannot be read"

        return "applied" if self._is_whole(whole) else "splits a character"

    def _is_whole(self, whole: bytes) -> bool:
        """The document is what it writes. It is not after a deletion that begins or ends within a
        character of two units: yrs keeps the character, and writes another length than it has."""
        try:
            shape = check_update(whole, sys.maxsize)
        except InvalidArgument:
            return False

        return shape.ends == check_state_vector(self._doc.get_state())

    def _read(self, data: bytes, whole: bytes) -> None:
        self._doc.get_update(b"\2\1" + uint(self.random.randrange(9)) + b"\2\3")
        list(self._doc.get("map", type=Map))
        str(self._doc.get("text", type=Text))
        if self.random.random() < 0.1:
            get_state(data)
            merge_updates(whole, data)
            self._doc.get("text", type=Text).diff()
            Doc[Any]().apply_update(whole)

    def _vector(self) -> None:
        data = self._doc.get_state()
        if self.random.random() < 0.9:
            data = mutated(self.random, data, self.random.choice(self._corpus))
        try:
            check_state_vector(data)
        except InvalidArgument:
            self.counts["vector refused"] += 1
            return

        self._doc.get_update(data)
        self.counts["vector"] += 1

    def _decode(self, name: str, decode: Decoder, corpus: list[bytes]) -> None:
        data, other = self.random.choices(corpus, k=2)
        try:
            decode(mutated(self.random, data, other))
            self.counts[name] += 1
        except InvalidArgument:
            self.counts[f"{name} refused"] += 1


def _panic(error: BaseException) -> str:
    """The outcome, if it is a panic of pycrdt, which is no Exception."""
    if type(error).__name__ != "PanicException":
        raise error

    return "panics"


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print(json.dumps(Fuzz(int(sys.argv[1], 16)).run(int(sys.argv[2]))))
