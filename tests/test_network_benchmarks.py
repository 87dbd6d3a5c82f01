"""The rows of the network in `python -m benchmarks`: that they are measured, not how fast."""

from __future__ import annotations

import importlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

REPOSITORY = Path(__file__).parent.parent
BENCHES = ("bench_http", "bench_echo", "bench_fan_out")


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The package, with one case of each row and servers that come with it; data in a directory of
    its own."""
    monkeypatch.syspath_prepend(REPOSITORY)
    monkeypatch.chdir(tmp_path)
    package = importlib.import_module("benchmarks.__main__")
    servers = importlib.import_module("benchmarks.servers")
    absent = servers.Server("absent", lambda: "it is not installed", servers.ours)
    for name in BENCHES:
        monkeypatch.setattr(getattr(package, name), "SERVERS", (servers.OURS, servers.RAW, absent))
    monkeypatch.setattr(package.bench_http, "ROOMS", (2,))
    monkeypatch.setattr(package.bench_echo, "CASES", ((2, 2),))
    monkeypatch.setattr(package.bench_fan_out, "BARS", {(3, 2): {servers.RAW: 0.7}})
    return package


def test_servers_are_compared_over_sockets(
    benchmarks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row has a figure of every server that is there, ours beside the others, and names one that
    is not."""
    results = anyio.run(all_rows, benchmarks, monkeypatch)

    for letter in "cde":
        ours, raw, absent = [row for row in results if row.letter == letter]
        assert ours.figure.name.startswith("ours, ")
        assert ours.beside is raw.figure
        assert "µs CPU each" in ours.figure.notes[-1]
        assert ours.ratio > 0
        assert absent.figure.notes == ["it is not installed"]
    puts, published, delivered = [row for row in results if row.letter == "i"]
    assert published.beside is delivered.beside is puts.figure
    assert published.figure.median > 0
    assert "sent to heard" in delivered.figure.notes[-1]
    assert [row.met is None for row in results if row.letter == "k"] == [False, True] * 2


async def all_rows(benchmarks: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One round of all of them, of servers that are started once."""
    servers = benchmarks.bench_echo.SERVERS
    async with benchmarks.bench_echo.network(servers) as running:

        @asynccontextmanager
        async def shared(_servers: Any) -> AsyncGenerator[Any]:
            yield running

        results: Any = []
        for name in BENCHES:
            monkeypatch.setattr(getattr(benchmarks, name), "network", shared)
            results += await getattr(benchmarks, name).run(1, 0.02)
        realtime = benchmarks.bench_realtime.realtime_sockets
        case = realtime.Case(1, 2)
        case.puts.rates.append(1.0)
        await case.measure(running, 0.05)
        costs = benchmarks.bench_history.Costs(1, 20)
        await costs.measure(running, servers[0], {10: "short", 20: "long"}, 0, 0.02)
        return [*results, *case.rows(), *costs.rows()]


def test_a_room_is_seeded_with_its_history(benchmarks: Any, tmp_path: Path) -> None:
    """Its messages can be read like those that were published."""
    seed_history = importlib.import_module("benchmarks.seed_history")
    network_app = importlib.import_module("benchmarks.network_app")

    async def seeded() -> Any:
        await seed_history.main(str(tmp_path / "state"), 12, ["short"])
        host = importlib.import_module("roomhost.runtime").Host
        async with host(network_app.app, data_dir=tmp_path / "state") as running:
            return await running.env.COLLAB.room("short").history(limit=100)

    page = anyio.run(seeded)
    assert len(page.items) == 12
    assert page.items[0].data == {"text": "x" * 70}
