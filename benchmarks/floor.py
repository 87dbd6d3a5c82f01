"""What the machine does without us: the references."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lmdb as untyped_lmdb  # pyright: ignore[reportMissingTypeStubs]

from roomhost.runtime.backend import current_backend

from .workloads import key_of, new_value

lmdb: Any = untyped_lmdb


class HandOver:
    """Two tasks that pass a result to each other through bare futures: a call with nothing in it."""

    def __init__(self) -> None:
        self._new_waiter = current_backend().waiter
        self._request = self._new_waiter()

    async def answer(self) -> None:
        """The other task; until cancelled."""
        while True:
            reply = await self._request
            self._request = self._new_waiter()
            reply.set_result(None)

    async def call(self) -> None:
        """Wake the other task and wait for it."""
        reply = self._new_waiter()
        self._request.set_result(reply)
        await reply


@contextmanager
def raw_lmdb(directory: Path, group: int, rooms: int) -> Generator[Any]:
    """A function that commits `group` puts like ours, of the same keys behind an object's number,
    with one fsync, in the calling thread."""
    directory.mkdir(parents=True, exist_ok=True)
    environment = lmdb.open(str(directory), map_size=1 << 32, max_dbs=2)
    table = environment.open_db(b"entries")
    numbers = itertools.count()

    def commit() -> None:
        with environment.begin(write=True) as transaction:
            for _ in range(group):
                number = next(numbers)
                key = (number % rooms).to_bytes(8, "big") + key_of(number // rooms).encode()
                transaction.put(key, new_value(), db=table)

    yield commit
    environment.close()
