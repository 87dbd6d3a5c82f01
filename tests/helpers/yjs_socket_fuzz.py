"""A host whose room gets frames of y-protocols that are wrong, many of them, from a seed: run as a
process of its own, which must survive.

    python -m tests.helpers.yjs_socket_fuzz SEED INPUTS

Prints what became of them, as JSON. Between them an honest client types, and must be heard.
"""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from pycrdt import Doc, Text

from roomhost.actors import yjs_protocol
from roomhost.actors.yjs_protocol import AwarenessEntry, awareness_payload
from roomhost.runtime.web_socket import ReadyState

from .room_sockets import Hall, hall_for, user
from .yjs_mutations import Composer, mutated
from .yjs_peers import Peer
from .yjs_updates import written_by_two

ROUND = 500  # inputs between two words of the honest client
MEMORY_BYTES = 2 * 1024**3


def corpus(random: Random) -> list[bytes]:
    """Frames as honest clients send them, of every kind."""
    updates, first, _ = written_by_two(random, 60)
    entries = [AwarenessEntry(client, 3, b'{"user":{"name":"ann"}}') for client in (1, 2, 300)]
    return [
        *(yjs_protocol.update(update) for update in updates),
        yjs_protocol.sync_step_2(first.doc.get_update()),
        yjs_protocol.sync_step_1(first.doc.get_state()),
        yjs_protocol.awareness(awareness_payload(entries)),
        yjs_protocol.query_awareness(),
        yjs_protocol.permission_denied("no"),
    ]


class Attack:
    """One hostile client after the other, in the room of an honest one."""

    def __init__(self, hall: Hall, seed: str) -> None:
        self._hall = hall
        self._random = Random(seed)
        self._corpus = corpus(self._random)
        self._composer = Composer(self._random)
        self._clients = 0
        self.ends: Counter[str] = Counter()

    async def run(self, inputs: int) -> None:
        """Send so many frames, over as many connections as it takes."""
        mallory = await self._client()
        for _ in range(inputs):
            if mallory.ws is None or mallory.ws.ready_state is not ReadyState.OPEN:
                await self._hall.host.settle()
                self.ends[str(mallory.end)] += 1
                mallory = await self._client()
            await mallory.say(self._frame())
        await self._hall.host.settle()

    async def _client(self) -> Peer:
        self._clients += 1
        name = f"mallory {self._clients % 50}"
        return await Peer(self._hall, 10_000 + self._clients).connect(user(name))

    def _frame(self) -> bytes:
        random = self._random
        if random.random() < 0.3:
            return yjs_protocol.update(self._composer.compose())

        return mutated(random, random.choice(self._corpus), random.choice(self._corpus))


async def attack(seed: str, inputs: int, directory: Path) -> dict[str, Any]:
    """The whole attack; what the honest client typed is in the document at the end."""
    async with hall_for(data_dir=directory) as hall:
        honest = await Peer(hall, 5).connect()
        attacker = Attack(hall, seed)
        typed = 0
        for start in range(0, inputs, ROUND):
            await attacker.run(min(ROUND, inputs - start))
            if honest.ws is None:
                raise AssertionError(f"the honest client was closed: {honest.end}")
            honest.doc.get("honest", type=Text).insert(0, "x")
            typed += 1
        await hall.host.settle()
        await hall.host.evict(hall.stub())
        late = await Peer(hall, 6).connect()
        found: Doc[Any] = Doc()
        found.apply_update(late.doc.get_update())
        return {
            "typed": typed,
            "found": len(str(found.get("honest", type=Text))),
            "connections": attacker._clients,
            "ends": attacker.ends,
        }


def main() -> None:
    """The child process."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    logging.disable(logging.CRITICAL)
    # In memory where that can be: it is not the disk that is tried here.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with TemporaryDirectory(dir=memory) as directory:
        report = anyio.run(attack, sys.argv[1], int(sys.argv[2]), Path(directory), backend="trio")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
