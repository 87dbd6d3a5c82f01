"""A process that feeds wrong bytes to the guard, and what passes to pycrdt, as a room does.

`python -m tests.helpers.yjs_fuzz SEED INPUTS`, from the repository. It prints what became of the
inputs as JSON; that it gets so far, in little memory, is what is tested. The document is that of a
room in memory, `LoadedDocument`; one that could not do it is of no use any more, and a new one begins.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from pycrdt import Doc, Map, Text, get_state, merge_updates

from roomhost.actors.errors import InvalidArgument
from roomhost.actors.live_document import DocumentFailed, TooDeep
from roomhost.actors.loaded_document import LoadedDocument, Unsound
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
        self.failures: list[str] = []
        self._loaded = LoadedDocument()
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

        return {
            "counts": self.counts,
            "failures": self.failures,
            "slow": self.slow,
            "kibibytes": _peak_kibibytes(),
        }

    def _renew(self) -> None:
        self._loaded.live.close()
        self._loaded = LoadedDocument()
        self._composer = Composer(self.random)
        self._corpus = self.random.choice(self._corpora)
        self._left = UPDATES_OF_DOCUMENT
        whole: Doc[Any] = Doc()
        for data in self._corpus[: self.random.randrange(2 * len(self._corpus))]:
            whole.apply_update(data)
        self._loaded.load(whole.get_update(), ())

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
        outcome = self._apply(data, shape)
        self.counts[outcome] += 1
        if time.process_time() - start > SLOW_SECONDS:
            self.slow.append(data.hex())

        self._left -= 1
        if outcome == "waits":
            clocks = self._loaded.live.clocks()
            self._composer.clocks = {client: clocks.get(client, 0) for client in CLIENTS}
        elif outcome != "applied" or not self._left:
            self._renew()

    def _apply(self, data: bytes, shape: Shape) -> str:
        """What became of an update. A document that took it is read in every way that a room reads
        it, and must be what it writes."""
        loaded = self._loaded
        try:
            integrated = loaded.integrate(data, shape)
        except InvalidArgument:
            return "wait for each other"
        except Unsound:
            return "cuts"
        except TooDeep:
            return "too deep"
        except DocumentFailed as error:
            return self._failed("panics" if _is_panic(error) else "not applied", data)

        if loaded.place(data) is None:
            loaded.note(self._left, data, shape, integrated)
        if not integrated and not loaded.covers(shape):
            return "waits"

        try:
            whole = loaded.live.diff()
            self._read(data, whole)
            is_whole = check_update(whole, len(whole)).ends == loaded.live.clocks()
        except (DocumentFailed, InvalidArgument):
            is_whole = False
        return "applied" if is_whole else self._failed("cannot be read", data)

    def _failed(self, outcome: str, data: bytes) -> str:
        self.failures.append(f"{outcome}: {data.hex()}")
        return outcome

    def _read(self, data: bytes, whole: bytes) -> None:
        self._loaded.live.diff(b"\2\1" + uint(self.random.randrange(9)) + b"\2\3")
        if self.random.random() < 0.1:
            self._loaded.live.checkpoint()
            doc: Doc[Any] = Doc()
            doc.apply_update(whole)
            list(doc.get("map", type=Map))
            str(doc.get("text", type=Text))
            doc.get("text", type=Text).diff()
            get_state(data)
            merge_updates(whole, data)

    def _vector(self) -> None:
        live = self._loaded.live
        data = live.vector()
        if self.random.random() < 0.9:
            data = mutated(self.random, data, self.random.choice(self._corpus))
        try:
            check_state_vector(data)
        except InvalidArgument:
            self.counts["vector refused"] += 1
            return

        self.counts["vector"] += 1
        try:
            live.diff(data)
        except DocumentFailed:  # it ends within a character, and the room loads the document again
            self.counts["vector cuts"] += 1
            self._renew()

    def _decode(self, name: str, decode: Decoder, corpus: list[bytes]) -> None:
        data, other = self.random.choices(corpus, k=2)
        try:
            decode(mutated(self.random, data, other))
            self.counts[name] += 1
        except InvalidArgument:
            self.counts[f"{name} refused"] += 1


def _peak_kibibytes() -> int:
    """The most memory that this process had; `ru_maxrss` may be that of the one that started it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise AssertionError("this system does not say how much memory a process had")


def _is_panic(error: DocumentFailed) -> bool:
    return type(error.__cause__).__name__ == "PanicException"


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print(json.dumps(Fuzz(int(sys.argv[1], 16)).run(int(sys.argv[2]))))
