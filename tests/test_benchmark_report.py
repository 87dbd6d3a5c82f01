"""Rows of the scoreboard, what is made of them, and that those without a network are measured."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

REPOSITORY = Path(__file__).parent.parent
TIMES = 100.0  # that a figure of a second is shorter


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The modules of the package, without peers; data in a directory of its own."""
    monkeypatch.syspath_prepend(REPOSITORY)
    monkeypatch.chdir(tmp_path)
    main = importlib.import_module("benchmarks.__main__")
    modules = {
        name: importlib.import_module(f"benchmarks.{name}") for name in ("measure", "report")
    }
    for peer in (main.bench_calls.peers.workerd, main.bench_calls.peers.durable_actors_peer):
        monkeypatch.setattr(peer, "missing", lambda: "it is not installed")
    return SimpleNamespace(main=main, scoreboard=main.scoreboard, **modules)


def test_a_ratio_is_the_median_of_rounds_that_followed_each_other(benchmarks: Any) -> None:
    """Not the ratio of the medians; and there is none to nothing."""
    figure, row = benchmarks.measure.Figure, benchmarks.measure.Row
    ours = figure("ours", "calls/s", [10.0, 90.0, 40.0])

    assert row("a", ours, figure("peer", "calls/s", [10.0, 30.0, 20.0])).ratio == 2.0
    assert row("a", ours, figure("peer", "calls/s", [0.0, 0.0, 1.0])).ratio is None


def test_a_bar_is_reached_or_not_exceeded(benchmarks: Any) -> None:
    """What more is good for, and what less is; without a bar or rounds of both there is no answer."""
    figure, row = benchmarks.measure.Figure, benchmarks.measure.Row
    ours, peer = figure("ours", "KiB", [10.0]), figure("peer", "KiB", [100.0])
    absent = benchmarks.measure.skipped("peer", "it is not installed")

    assert row("g", ours, peer, 0.1, less_is_better=True).met is True
    assert row("g", ours, peer, 0.09, less_is_better=True).met is False
    assert row("a", peer, ours, 10.0).met is True
    assert row("a", peer, ours, 11.0).met is False
    assert row("a", ours, benchmarks.measure.target(20.0, ours), 1.0).met is False
    assert [row("a", ours, beside, bar).met for beside, bar in ((peer, None), (None, 2.0))] == [
        None
    ] * 2
    assert row("a", ours, absent, 2.0).met is row("a", ours, absent).ratio is None


def test_sides_take_turns_in_both_orders(benchmarks: Any) -> None:
    """So that none is always measured right after the same other."""
    order: list[str] = []

    def side(name: str) -> Any:
        async def once() -> tuple[float, str]:
            order.append(name)
            return float(len(order)), f"turn {len(order)}"

        return benchmarks.measure.Side(benchmarks.measure.Figure(name, "turns"), once)

    sides = [side("first"), side("second")]
    anyio.run(benchmarks.measure.take_turns, 3, sides)

    assert order == ["first", "second", "second", "first", "first", "second"]
    assert sides[0].figure.rates == [1.0, 4.0, 5.0]
    assert sides[1].figure.notes[-1] == "turn 6"


def test_the_page_has_every_row_and_what_is_to_be_said(
    benchmarks: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Letters in order, bars first, one line for each figure, who was skipped, and the text that is
    kept for a letter."""
    explanations = tmp_path / "EXPLANATIONS.md"
    explanations.write_text("# All\n\n## (b) Puts\n\nThe disk.\n\n## (c) Nothing\n\n")
    monkeypatch.setattr(benchmarks.scoreboard, "EXPLANATIONS", explanations)
    figure, row = benchmarks.measure.Figure, benchmarks.measure.Row
    ours = figure("ours, 1 caller", "puts/s", [2_000.0], ["1.0 puts a commit"])
    workerd = figure("workerd, 1 caller", "puts/s", [1_000.0])
    alone = figure("LMDB alone", "puts/s", [8_000.0])
    results = [row("h", figure("alarms", "ms", [0.1234])), row("b", ours, workerd, 1.0)]
    results += [row("b", ours, alone, 0.5), row("b", benchmarks.measure.skipped("peer", "no npm"))]

    page = benchmarks.scoreboard.page(results, ["2 CPUs"], ["b"])

    assert "* 2 CPUs\n" in page
    assert "1 of 2 bars are met." in page
    assert "| b | ours, 1 caller | LMDB alone | 0.25 | ≥ 0.5 | **missed** |" in page
    assert page.index("(b) Calls with a durable put\n\nThe disk.\n") < page.index("## (h)")
    beside = "2.0 of workerd (at least 1.0: met); 0.25 of LMDB alone (at least 0.5: **missed**)"
    assert f"| 2,000 | 2,000 - 2,000 | {beside} | 1.0 puts a commit |" in page
    assert "| peer | skipped | | | | no npm |" in page
    assert "| 0.123 |" in page
    assert "(plots/b.png)" in page
    assert "(plots/h.png)" not in page
    assert "peer (skipped): no npm" in benchmarks.report.table(results)
    assert benchmarks.report.is_peer(alone)
    assert not benchmarks.report.is_peer(ours)


def test_a_part_that_fails_costs_the_others_nothing(
    benchmarks: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its row says why."""

    async def fail(rounds: int, seconds: float) -> Any:
        raise OSError("no disk")

    monkeypatch.setitem(benchmarks.main.BENCHES, "calls", ("a", fail))
    options = benchmarks.main.parser().parse_args(["calls", "--loop", "asyncio"])
    [row] = benchmarks.main.measured("calls", options)

    assert (row.letter, row.figure.name) == ("a", "calls")
    assert row.figure.notes == ["failed: OSError('no disk')"]
    assert "no disk" in capsys.readouterr().err


def test_every_heading_of_the_explanations_is_a_letter(benchmarks: Any) -> None:
    """None is lost by a slip."""
    text = benchmarks.scoreboard.EXPLANATIONS.read_text()

    found = benchmarks.scoreboard.explained(text)
    assert text.count("\n## ") == len(found)
    assert found.keys() <= benchmarks.scoreboard.TITLES.keys()


def test_objects_are_measured_without_peers(
    benchmarks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cold reads and alarms, by a host in a process of its own; peers that are missing have a
    row with the reason."""
    monkeypatch.setattr(benchmarks.main.bench_alarms, "START_MS", 0)
    monkeypatch.setattr(benchmarks.main.bench_alarms, "LIGHT_START_MS", 0)

    for name in ("activation", "alarms"):
        letter, bench = benchmarks.main.BENCHES[name]
        results = anyio.run(bench, 1, 1 / TIMES)
        rows = [row for row in results if row.figure.rates]
        absent = [row.figure for row in results if not row.figure.rates]
        assert {row.letter for row in results} == {letter}
        assert all(row.figure.median >= 0 for row in rows)
        assert len(rows) >= 2
        assert absent[0].notes == ["it is not installed"]
