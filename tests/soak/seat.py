"""A place in a room that is held by one client for the whole run: by connection after connection."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from roomhost.actors import RealtimePrincipal

from . import limits
from .tally import Count, Tally

if TYPE_CHECKING:
    from .room import Room


@dataclass(slots=True)
class House:
    """What all clients of a process share. `env`: of the host, over a connection from code; `closing`:
    the traffic is over, nobody leaves any more."""

    port: int
    env: Any
    tally: Tally
    random: random.Random
    opening: asyncio.Semaphore
    in_flight: int = 0
    closing: bool = False


class Seat:
    """Subclasses open connections, and say where they are. `away`: nobody is in it just now."""

    def __init__(self, house: House, room: Room, number: int) -> None:
        self.house = house
        self.room = room
        self.number = number
        self.away = True
        self._token: list[str] = []
        self._returning: asyncio.Task[None] | None = None

    @property
    def member_id(self) -> str:
        """Who is in it."""
        return f"m{self.number}"

    async def connect(self) -> None:
        """One attempt. OSError: it failed."""
        raise NotImplementedError

    def hang_up(self, *, clean: bool) -> None:
        """This side goes."""
        raise NotImplementedError

    async def protocols(self) -> list[str]:
        """What opens the socket: those of a grant that is good for the whole run."""
        if not self._token:
            granted = await self.room.handle.authorize(
                member_id=self.member_id,
                actor=RealtimePrincipal(kind="user", user_id=self.member_id),
                ttl_seconds=limits.TOKEN_SECONDS,
            )
            self._token = list(granted.protocols)
        return self._token

    async def come(self) -> None:
        """Connect, again and again until it works; each failure is an error."""
        while self.away:
            async with self.house.opening:
                try:
                    await self.connect()
                    self.away = False
                except Exception as error:
                    self.house.tally.error("open", f"{self.room.name}: {error!r}")
            if self.away:
                await asyncio.sleep(self.house.random.uniform(*limits.RETRY_SECONDS))

    def leave(self) -> None:
        """Go, one way or the other, and come back after a while."""
        if self.away or self.house.closing:
            return

        self.away = True
        self.hang_up(clean=self.house.random.random() < 0.5)
        self.house.tally.count(Count.LEFT)
        self._return_later()

    def was_closed(self, code: int) -> None:
        """The host has gone. Whether that was announced is the judge's to say."""
        self.away = True
        self.house.tally.error("close", f"{self.room.name} {self.member_id}", code)
        self._return_later()

    def _return_later(self) -> None:
        self._returning = asyncio.ensure_future(self._return())

    async def _return(self) -> None:
        await asyncio.sleep(self.house.random.uniform(*limits.AWAY_SECONDS))
        await self.come()
        self.house.tally.count(Count.RETURNED)


async def until(true: Callable[[], bool]) -> bool:
    """It is, or time is up."""
    end = time.monotonic() + limits.SETTLE_SECONDS
    while not true():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.05)
    return True
