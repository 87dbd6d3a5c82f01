"""A process of clients: `python -m tests.soak.load DIR NUMBER PORT`. What it samples is in a file of its
own; on standard output it says when the traffic begins, and that it is over."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

from roomhost.bindings import connect

from . import limits
from .clients import leave_all, rooms_of, seat_all
from .closing import Closing, counter_name, settle, ticker_name
from .http_pool import HttpPool
from .plan import Lines, Places, Plan, read_plan
from .room import Room
from .seat import House
from .tally import Tally
from .traffic import Additions, Traffic

API_KEY = "a-key-of-the-long-run-alone"
CONNECTED, OVER = "connected", "over"


class Load:
    """Of one run."""

    def __init__(self, plan: Plan, number: int, port: int, lines: Lines) -> None:
        self._plan = plan
        self._number = number
        self._port = port
        self._lines = lines
        self._tally = Tally()
        self._rooms: list[Room] = []

    async def run(self) -> None:
        """Connect, act, settle, check."""
        url = f"http://127.0.0.1:{self._port}"
        async with connect(url, api_key=API_KEY) as env:
            house = self._house(env)
            http = HttpPool(self._port, API_KEY)
            self._rooms = rooms_of(self._plan, house, self._number)
            sampler = asyncio.ensure_future(self._sample())
            await self._begin(house)
            self._note("begin")
            say(CONNECTED)
            began = time.time()
            await self._act(house, http, began)
            sampler.cancel()
            self._write_sample()
            await leave_all(self._rooms)
            http.close()
        say(OVER)

    def _house(self, env: Any) -> House:
        seed = random.Random(f"{self._plan.seed} {self._number}")
        return House(self._port, env, self._tally, seed, asyncio.Semaphore(limits.OPENED_AT_ONCE))

    async def _begin(self, house: House) -> None:
        await seat_all(self._rooms)
        if self._number == 0:
            for number in range(self._plan.tickers):
                await house.env.TICKER.get_by_name(ticker_name(number)).start()

    async def _act(self, house: House, http: HttpPool, began: float) -> None:
        counters = [
            Additions(counter_name(self._number, number)) for number in range(self._plan.counters)
        ]
        traffic = Traffic(self._plan, house, self._rooms, counters, http)
        await traffic.run(self._plan.seconds)
        self._note("end")
        await traffic.over()
        unsettled = await settle(house, self._rooms)
        closing = Closing(house, http)
        checks = {
            "settled": unsettled,
            "rooms": await closing.rooms(self._rooms),
            "counters": await closing.counters(counters),
        }
        if self._number == 0:
            checks["tickers"] = await closing.tickers(self._plan, time.time() - began)
        checked = {
            "rooms": len(self._rooms),
            "messages": sum(room.ledger.seq for room in self._rooms),
            "acknowledged": sum(
                bits.bit_count() for room in self._rooms for bits in room.ledger.acked.values()
            ),
            "documents": sum(room.is_document for room in self._rooms),
            "additions": sum(counter.acked for counter in counters),
        }
        self._lines.write({"at": time.time(), "checks": checks, "checked": checked})

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(self._plan.sample_seconds)
            self._write_sample()

    def _write_sample(self) -> None:
        taken = self._tally.take()
        taken["connected"] = sum(not seat.away for room in self._rooms for seat in room.seats)
        taken["cpu_seconds"] = sum(os.times()[:2])
        self._lines.write({"at": time.time(), "sample": taken})

    def _note(self, what: str) -> None:
        self._lines.write({"at": time.time(), "note": what})


def say(what: str) -> None:
    """To who started it."""
    print(what, flush=True)


def main(directory: Path, number: int, port: int) -> None:
    """One process."""
    places = Places(directory)
    load = Load(read_plan(places), number, port, Lines(places.load(number)))
    uvloop.run(load.run())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
