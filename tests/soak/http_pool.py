"""Requests over a few connections that are kept, without a library between."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

import msgspec

from . import limits

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Answer:
    """Of the host."""

    status: int
    body: bytes

    def json(self) -> Any:
        """Its body."""
        return msgspec.json.decode(self.body)


class HttpPool:
    """To one host, with one API key. Who asks gets a connection of its own, kept from earlier if one is
    free. A host closes one that was idle for 5 s, which looks like no answer: so those are not kept for
    longer than `KEPT_SECONDS`."""

    KEPT_SECONDS = 2.0

    def __init__(self, port: int, api_key: str) -> None:
        self._port = port
        self._key = api_key
        self._free: deque[tuple[float, Streams]] = deque()

    async def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        """One request. OSError: no answer, or none in time."""
        reader, writer = await self._take()
        lines = (
            f"{method} {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self._port}",
            f"Authorization: Bearer {self._key}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        )
        try:
            async with asyncio.timeout(limits.ANSWER_SECONDS):
                writer.write("\r\n".join((*lines, "", "")).encode() + body)
                answer = await read_answer(reader)
        except asyncio.IncompleteReadError as error:
            writer.close()
            raise ConnectionError(f"{path}: the connection was lost") from error
        except BaseException:
            writer.close()
            raise

        self._free.append((asyncio.get_running_loop().time(), (reader, writer)))
        return answer

    async def _take(self) -> Streams:
        oldest = asyncio.get_running_loop().time() - self.KEPT_SECONDS
        while self._free:
            since, streams = self._free.pop()
            if since > oldest:
                return streams
            streams[1].close()
        return await asyncio.open_connection("127.0.0.1", self._port)

    def close(self) -> None:
        """All of them."""
        for _, (_, writer) in self._free:
            writer.close()


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """A response whose length is told. IncompleteReadError: it is not all there."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    body = await reader.readexactly(int(fields.get("content-length", "0")))
    return Answer(int(head[0].split(" ", 2)[1]), body)
