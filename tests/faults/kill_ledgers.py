"""Those who append to ledgers, by `connect()` and over HTTP, and remember which place each number got."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from .kill_client import Client, Line, Promise, Record, result_of

LEDGERS = 3
CALLERS = 2  # of each, by `connect()`; one more over HTTP
SECONDS = 0.004  # between two calls of one


@dataclass(slots=True)
class Book:
    """What is known of one ledger. `places`: of the numbers that were acknowledged; `seen`: all
    numbers, in order, as they were read last."""

    places: dict[int, int] = field(default_factory=dict)
    asked: set[int] = field(default_factory=set)
    seen: list[int] = field(default_factory=list)


class Ledgers(Client):
    """All of them."""

    def __init__(self, record: Record, random: Random) -> None:
        super().__init__(record, random)
        self.books = {f"ledger-{number}": Book() for number in range(LEDGERS)}
        self._number = 0

    async def look(self, line: Line) -> None:
        """Read all of them."""
        for name, book in self.books.items():
            count, first, last = await line.env.LEDGER.get_by_name(name).read()
            self.compare(name, book, count, first, last)
            book.seen = first
            self.record.checked["append"] += len(book.places)

    def compare(self, name: str, book: Book, count: int, first: list[int], last: list[int]) -> None:
        """What one says, with what is known of it."""
        expect = self.record.expect
        whole = first == last and len(first) == count
        expect(whole, Promise.WHOLE, f"{name} counts {count}, and has {len(first)}, {len(last)}")
        at = dict(enumerate(first))
        lost = [number for number, place in book.places.items() if at.get(place) != number]
        expect(not lost, Promise.DURABLE, f"{name} has {lost} no more, or elsewhere")
        kept = first[: len(book.seen)] == book.seen
        expect(kept, Promise.KEPT, f"{name} had {len(book.seen)} numbers that are others now")
        once = len(set(first)) == len(first) and book.asked.issuperset(first)
        expect(once, Promise.ONCE, f"{name} has a number twice, or one that nobody gave it")

    def jobs(self, line: Line) -> list[Coroutine[Any, Any, None]]:
        """Append, from all sides."""
        found: list[Coroutine[Any, Any, None]] = []
        for name in self.books:
            call = partial(self.append, line, name, self._call)
            fetch = partial(self.append, line, name, self._fetch)
            found += [line.keep(call, SECONDS) for _ in range(CALLERS)]
            found.append(line.keep(fetch, 2 * SECONDS))
        return found

    async def append(self, line: Line, name: str, ask: Any) -> None:
        """One number; it is not sent again."""
        self._number += 1
        number, book = self._number, self.books[name]
        book.asked.add(number)
        place = await ask(line, name, number)
        book.places[number] = place
        line.acknowledged("append")

    async def _call(self, line: Line, name: str, number: int) -> int:
        place: int = await line.env.LEDGER.get_by_name(name).append(number)
        return place

    async def _fetch(self, line: Line, name: str, number: int) -> int:
        response = await line.http.get(f"/ledger/{name}/append", params={"number": number})
        return int(result_of(response))
