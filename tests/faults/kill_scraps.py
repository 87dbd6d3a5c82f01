"""Somebody who stores what the next version of the application deletes."""

from __future__ import annotations

from collections.abc import Coroutine
from random import Random
from typing import Any

from roomhost.runtime import DurableObjectError

from .kill_client import Client, Line, Promise, Record

SECONDS = 0.03


class Scraps(Client):
    """`kept`: of each version the scraps that were acknowledged, until a migration deletes them."""

    def __init__(self, record: Record, random: Random) -> None:
        super().__init__(record, random)
        self.kept: dict[int, set[int]] = {}
        self._version = 0
        self._number = 0

    def deleted(self, before: int) -> None:
        """A migration to this version is recorded: what older ones stored may go at any time."""
        for version in [version for version in self.kept if version < before]:
            del self.kept[version]

    async def look(self, line: Line) -> None:
        """Those of the version that runs are there."""
        self._version = await line.env.CONTROL.get_by_name("control").version()
        kept = self.kept.get(self._version, set())
        lost = [number for number in sorted(kept) if await self._stub(line, number).get() != number]
        self.record.expect(not lost, Promise.DURABLE, f"{lost} of {self._version} are lost")
        self.record.checked["scrap"] += len(kept)

    def jobs(self, line: Line) -> list[Coroutine[Any, Any, None]]:
        """Store more; which may fail once the next version runs."""
        return [line.keep(lambda: self._put(line), SECONDS)]

    async def _put(self, line: Line) -> None:
        self._number += 1
        number = self._number
        try:
            await self._stub(line, number).put(number)
        except DurableObjectError as error:
            if "has no binding" not in str(error):  # the next version is deployed
                raise
            return

        self.kept.setdefault(self._version, set()).add(number)
        line.acknowledged("scrap")

    def _stub(self, line: Line, number: int) -> Any:
        return line.env[f"SCRAP{self._version}"].get_by_name(str(number))
