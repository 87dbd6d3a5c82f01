"""What the load generator of the benchmarks counts, and what it does not let pass."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parent.parent
HALF = 33  # bytes of a frame that comes in two pieces


@pytest.fixture
def anyio_backend() -> str:
    """Its protocols are those of asyncio."""
    return "asyncio"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of the benchmarks, by its name."""
    monkeypatch.syspath_prepend(REPOSITORY)
    return lambda name: importlib.import_module(f"benchmarks.{name}")


class Written:
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def write(self, data: bytes) -> None:
        """See asyncio.Transport."""
        self.frames.append(data)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """See asyncio.Transport."""


async def test_an_echo_is_counted_when_it_is_whole(load: Any) -> None:
    """A half of one is none; what came back is sent again, as many times as it came."""
    echo = load("load_echo")
    flight, wire = echo.Flight(), Written()
    flight.open = True
    one = echo.Echo(flight, [echo.SENT * count for count in range(4)])
    one.connection_made(wire)

    one.data_received(echo.COMES * 2 + echo.COMES[:HALF])
    one.data_received(echo.COMES[HALF:])

    assert flight.done == 3
    assert wire.frames == [echo.SENT * 2, echo.SENT]


async def test_another_frame_among_the_echoes_fails_the_run(load: Any) -> None:
    """A ping of the server would be counted as part of an echo: the figure would be wrong."""
    echo = load("load_echo")
    flight = echo.Flight()
    flight.left = 1
    one = echo.Echo(flight, [b"", echo.SENT])
    one.connection_made(Written())

    one.data_received(b"\x89\x00" + echo.COMES)

    with pytest.raises(ConnectionError, match="not what was sent"):
        await flight.ended


async def test_a_lost_connection_fails_the_run(load: Any) -> None:
    """What the others measure without it is nothing that was asked for."""
    flight = load("load_echo").Flight()

    load("load_run").Wire(flight).connection_lost(None)

    with pytest.raises(ConnectionError, match="closed a connection"):
        await flight.ended


async def test_a_fan_out_stays_within_its_window(load: Any) -> None:
    """The next message is sent when all sockets taken together have had one more; the run ends when
    everything has come."""
    fan_out = load("load_fan_out")
    wire = Written()
    run = fan_out.FanOut(b"m", 10, 3)
    run.sender = wire
    run.open = True

    run.begin()
    run.delivered(9)
    assert wire.frames == [b"mmm"]
    run.delivered(1)
    run.delivered(20)
    assert wire.frames == [b"mmm", b"m", b"mm"]
    run.open = False
    run.delivered(29)
    assert not run.ended.done()
    run.delivered(1)

    await run.ended
    assert run.done == 60


async def test_another_answer_than_the_first_fails_the_run(load: Any) -> None:
    """An error that is answered fast is no speed."""
    flight = load("load_echo").Flight()
    client = load("load_http").Client(flight, "http://127.0.0.1:1/echo/one")
    flight.open = True
    client.connection_made(Written())
    client.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")

    client.data_received(b"HTTP/1.1 500 No\r\ncontent-length: 5\r\n\r\nsorry")

    with pytest.raises(ConnectionError, match="another answer"):
        await flight.ended


async def test_frames_of_any_size_are_told_apart(load: Any) -> None:
    """Also when one comes in pieces; and only those of the type that is expected."""
    realtime = load("load_realtime")
    heard: list[int] = []
    run = realtime.Publishing()
    reader = realtime.Reader(run, realtime.MESSAGE, heard.append)
    short = realtime.MESSAGE + b"x" * 200
    frame = b"\x81\x7e" + len(short).to_bytes(2, "big") + short
    large = b"\x81\x7f" + (70_000).to_bytes(8, "big") + realtime.MESSAGE.ljust(70_000)
    small = b"\x81\x05hello"

    reader.data_received(frame + large + small + frame[:3])
    reader.data_received(frame[3:])
    assert heard == [3, 1]
    reader.data_received(frame.replace(b"message", b"welcome"))

    with pytest.raises(ConnectionError, match="another frame"):
        await run.ended


async def test_a_refused_upgrade_is_told_with_the_answer(load: Any) -> None:
    """What the server says is the error."""
    web_socket = load("web_socket")
    handshake = web_socket.Handshake(b"GET", web_socket.NONE)
    handshake.connection_made(Written())

    handshake.data_received(b"HTTP/1.1 403 Forbidden\r\n\r\nno key")

    with pytest.raises(ConnectionError, match="403 Forbidden"):
        await handshake.done


async def test_a_greeting_is_kept_from_who_takes_over(load: Any) -> None:
    """It would be counted among what was sent for."""
    web_socket, fan_out = load("web_socket"), load("load_fan_out")
    wire = Written()
    handshake = web_socket.Handshake(b"GET", fan_out.CONNECTED)
    run = fan_out.FanOut(b"m", 1, 1)
    handshake.connection_made(wire)

    handshake.data_received(b'HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x0f0{"sid":"open"}')
    assert not handshake.done.done()
    handshake.data_received(b'\x81\x0e40{"sid":"one"}')

    await handshake.done
    handshake.hand_over(fan_out.Listener(run, b"\x81\x01m"))
    assert run.done == 0
    assert wire.frames[-1] == fan_out.CONNECTED.says
