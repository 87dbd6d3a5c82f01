"""What hostile clients do at full strength, in a process of their own, against a host at a port:

    python -m tests.hostile.attacks NAME PORT COUNT

It says "under way" when it has begun in earnest, and ends when its input does.
"""

from __future__ import annotations

import asyncio
import itertools
import resource
import sys
from collections.abc import Awaitable, Callable

from . import raw

Attack = Callable[[int, int, asyncio.Event], Awaitable[None]]
HALF_UPGRADE = b"GET /mirror/x/ws HTTP/1.1\r\nHost: localhost\r\n" + raw.UPGRADE[:60]
HELD = 2_000_000  # bytes of a message or a body that does not end
AT_ONCE = 64  # connections that are opened at the same time


async def _hold(port: int, count: int, sent: bytes, begun: asyncio.Event) -> None:
    """Open so many connections, send the same over each, and read nothing."""
    writers: list[asyncio.StreamWriter] = []
    opening = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with opening:
            _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
            writer.write(sent)
            writers.append(writer)

    await asyncio.gather(*[one() for _ in range(count)], return_exceptions=True)
    begun.set()
    await asyncio.Event().wait()


async def silent(port: int, count: int, begun: asyncio.Event) -> None:
    """Connected, and not a word; every other one with half of an upgrade."""
    group = [_hold(port, count // 2, sent, begun) for sent in (b"", HALF_UPGRADE)]
    await asyncio.gather(*group)


async def dribble(port: int, count: int, begun: asyncio.Event) -> None:
    """Headers that come a byte at a time."""
    writers = [(await asyncio.open_connection("127.0.0.1", port))[1] for _ in range(count)]
    begun.set()
    for byte in itertools.cycle(b"GET / HTTP/1.1\r\nX: yyyyyyyyyyyyyyyyyyy"):
        for writer in writers:
            writer.write(bytes([byte]))
        await asyncio.sleep(0.2)


async def churn(port: int, count: int, begun: asyncio.Event) -> None:
    """Connections that come and go, `count` of them and then on; ten at a time."""
    done = itertools.count(1)

    async def one() -> None:
        while True:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET")
            writer.transport.abort()
            if next(done) == count:
                begun.set()

    await asyncio.gather(*[one() for _ in range(10)])


async def _socket(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw.get("/mirror/x/ws", raw.UPGRADE))
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def pings(port: int, count: int, begun: asyncio.Event) -> None:
    """Pings at full speed, over `count` sockets; one that is closed is opened anew."""
    data = raw.frame(raw.PING, b"x" * 100) * 500

    async def one() -> None:
        while True:
            _, writer = await _socket(port)
            begun.set()
            try:
                while True:
                    writer.write(data)
                    await writer.drain()
            except OSError:
                continue

    await asyncio.gather(*[one() for _ in range(count)])


async def giants(port: int, count: int, begun: asyncio.Event) -> None:
    """Messages of 2 MB each that do not end."""
    held = []
    part = raw.frame(raw.CONTINUATION, b"x" * 65_000, fin=False)
    for _ in range(count):
        reader, writer = await _socket(port)
        writer.write(raw.frame(raw.BINARY, b"x", fin=False) + part * (HELD // 65_000))
        await writer.drain()
        held.append((reader, writer))
    begun.set()
    await asyncio.Event().wait()


async def bodies(port: int, count: int, begun: asyncio.Event) -> None:
    """Bodies of 2 MB each that do not end."""
    head = b"POST /mirror/%d/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n"
    held = []
    for number in range(count):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head % number + bytes(HELD))
        await writer.drain()
        held.append(writer)
    begun.set()
    await asyncio.Event().wait()


async def tiny_rooms(port: int, count: int, begun: asyncio.Event) -> None:
    """An object for each request, and each stores something; eight at a time."""
    numbers = itertools.count()

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            if number == count:
                begun.set()
            writer.write(raw.get(f"/mirror/tiny-{number}/count"))
            await reader.readuntil(b"}")

    await asyncio.gather(*[one() for _ in range(8)])


async def deaf(port: int, count: int, begun: asyncio.Event) -> None:
    """Answers of 8 MiB that nobody reads."""
    await _hold(port, count, raw.get("/mirror/x/large"), begun)


async def guesses(port: int, count: int, begun: asyncio.Event) -> None:
    """Wrong keys, one after the other, over `count` connections."""

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in itertools.count():
            head = f"Authorization: Bearer guess-{number}\r\n".encode()
            writer.write(raw.post("/_admin/v1/statistics", b"{}", head))
            await reader.readuntil(b"}")
            begun.set()

    await asyncio.gather(*[one() for _ in range(count)])


ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (silent, dribble, churn, pings, giants, bodies, tiny_rooms, deaf, guesses)
}


async def attack(name: str, port: int, count: int) -> None:
    """Run one until the input ends."""
    begun = asyncio.Event()
    task = asyncio.create_task(_run(ATTACKS[name], port, count, begun))
    await begun.wait()
    print("under way", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    task.cancel()


async def _run(function: Attack, port: int, count: int, begun: asyncio.Event) -> None:
    try:
        await function(port, count, begun)
    except OSError as error:  # the host has had enough
        print(error, file=sys.stderr)
    finally:
        begun.set()


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(attack(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
