"""What the clients of a host that is killed have in common: what was promised, and a line to one run."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import Any

import httpx
from websockets.exceptions import WebSocketException

from roomhost.bindings import connect

HEADERS = {"Authorization": "Bearer the-key-of-those-who-kill"}
API_KEY = HEADERS["Authorization"].removeprefix("Bearer ")
PATIENCE_SECONDS = 20.0  # for something that must happen: then it has not


class Promise(Enum):
    """What a complaint is about."""

    STARTS = "after a kill it starts, whatever the last process left"
    TOKENS = "a token is good after a restart"
    DURABLE = "what was acknowledged is there"
    WHOLE = "a turn is there whole, or not at all"
    ONCE = "what was sent again is there once"
    KEPT = "what anybody saw is not taken back"
    ORDER = "the order is the same for everybody"
    GAPLESS = "who resumes misses nothing, and hears nothing twice"
    PRESENCE = "members, and what they said last, are as everybody was told"
    DOCUMENT = "documents have every update that was acknowledged or seen, and become equal"
    RINGS = "every alarm rings"
    NOT_EARLY = "no alarm rings before its time"
    BACKUP = "there is no backup of a name, or a whole one"
    DEPLOY = "a migration is recorded whole, or not at all"
    SOUND = "the doctor finds nothing wrong"
    QUIET = "the host logs no error"


@dataclass(frozen=True, slots=True)
class Complaint:
    """That a promise was broken, and how."""

    promise: Promise
    text: str

    def __str__(self) -> str:
        return f"{self.promise.name}: {self.text}"


@dataclass(slots=True)
class Record:
    """What was found in all runs. `acknowledged`: by what was asked; `checked`: of those that were
    looked for after a restart, each as often as that was. `patience`: seconds for what must happen;
    then it has not."""

    complaints: list[Complaint] = field(default_factory=list)
    acknowledged: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    patience: float = PATIENCE_SECONDS

    def complain(self, promise: Promise, text: str) -> None:
        """Something is wrong."""
        self.complaints.append(Complaint(promise, text))

    def expect(self, right: bool, promise: Promise, text: str) -> None:
        """Complain unless it is so."""
        if not right:
            self.complain(promise, text)


class Line:
    """One run of the host, from outside. `over`: it has ended, or is about to."""

    def __init__(self, url: str, http: httpx.AsyncClient, env: Any, record: Record) -> None:
        self.url = url
        self.http = http
        self.env = env
        self.record = record
        self.over = asyncio.Event()
        self.enough = asyncio.Event()  # acknowledgements, to be killed
        self.left = 0  # of them; 0: it is not to be killed by their count

    @property
    def socket_url(self) -> str:
        """Of the realtime module."""
        return f"{self.url.replace('http', 'ws', 1)}/realtime/collab"

    def acknowledged(self, what: str) -> None:
        """The host has promised something."""
        self.record.acknowledged[what] += 1
        if self.left > 0:
            self.left -= 1
            if self.left == 0:
                self.enough.set()

    async def keep(self, step: Callable[[], Awaitable[object]], seconds: float) -> None:
        """Do something again and again, at least so far apart, until it is over. What fails because
        the host is gone, or resets an object as it says, is left to the step itself to do again."""
        while not self.over.is_set():
            with suppressed_loss():
                await step()
            await self.pause(seconds)

    async def pause(self, seconds: float) -> None:
        """The load is not more than this machine bears."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.over.wait(), seconds)

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        """The result of an operation of the realtime module."""
        response = await self.http.post(f"/realtime/collab/{path}", json=body)
        result: dict[str, Any] = result_of(response)
        return result

    async def get(self, path: str, **query: Any) -> Any:
        """Likewise, of one that only reads."""
        response = await self.http.get(f"/realtime/collab/{path}", params=query)
        return result_of(response)


class Lost(Exception):
    """The host said that this may be tried again."""


class suppressed_loss(suppress):
    """What follows from the end of a process, or from a reset that an error tells of, is no error."""

    def __init__(self) -> None:
        super().__init__(Exception)

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> bool:
        return error is not None and is_loss(error)


def is_loss(error: BaseException) -> bool:
    """Whether an error says that a connection is gone, or that one may try again."""
    lost = (httpx.TransportError, OSError, EOFError, WebSocketException, Lost)
    return isinstance(error, lost) or getattr(error, "retryable", False) is True


def result_of(response: httpx.Response) -> Any:
    """The JSON of a success. Lost: it may be tried again."""
    if response.status_code in (429, 503):
        raise Lost(response.text)

    assert response.status_code == 200, f"{response.request.url}: {response.text}"
    return response.json()


class Client:
    """Somebody who uses the host through all its runs, and remembers what it was promised."""

    def __init__(self, record: Record, random: Random) -> None:
        self.record = record
        self.random = random

    async def look(self, line: Line) -> None:
        """Hold what a host that has just started says against what was promised."""

    async def resume(self, line: Line) -> None:
        """Connect again, and hold what is said then against what was promised."""

    def jobs(self, line: Line) -> list[Coroutine[Any, Any, None]]:
        """What it does at the same time, until it is over."""
        return []


@asynccontextmanager
async def line_to(url: str, record: Record) -> AsyncGenerator[Line]:
    """A line to a host that listens."""
    limits = httpx.Limits(max_keepalive_connections=8)
    async with (
        httpx.AsyncClient(
            base_url=url, headers=HEADERS, limits=limits, timeout=PATIENCE_SECONDS
        ) as http,
        connect(url, api_key=API_KEY) as env,
    ):
        yield Line(url, http, env, record)
