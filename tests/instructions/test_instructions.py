"""No kind of event takes 5 % more instructions than is recorded, and the guard would see it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from . import counting
from .client_requests import Valgrind
from .counting import OTHER_THREADS, REPOSITORY, instructions, least, obstacle
from .events import CALIBRATION, KINDS
from .figures import Figures, faults, load, this_build

BUILD = {"python": "3.11.7", "msgspec": "0.22.0"}
OTHER = {"python": "3.13.0", "msgspec": "0.22.0"}
RECORDED = Figures(BUILD, {CALIBRATION: 50_000, "call": 100_000, "echo": 120_000})


@pytest.mark.timeout(600)
def test_no_event_takes_more_instructions_than_recorded() -> None:
    """Counted anew, beside the recorded figures; again, in other layouts, while something is wrong."""
    reason = obstacle()
    if reason is not None:
        pytest.skip(reason)

    def wrong(counted: dict[str, int]) -> list[str]:
        return list(faults(load(), Figures(this_build(), counted)))

    assert wrong(least(enough=lambda counted: not wrong(counted))) == []


def test_every_kind_has_a_figure() -> None:
    """Nothing that is counted goes without one, and none is left over."""
    assert load().instructions.keys() == {*KINDS, OTHER_THREADS}


@pytest.mark.parametrize(
    ("build", "counted", "wrong"),
    [
        (BUILD, {}, []),
        (BUILD, {"call": 105_000, "echo": 1_000}, []),
        (BUILD, {"call": 105_001}, ["call"]),
        (BUILD, {"call": 110_000, "echo": 132_000}, ["call", "echo"]),
        # A slower calibration excuses nothing in the same build.
        (BUILD, {CALIBRATION: 55_000, "call": 110_000}, [CALIBRATION, "call"]),
        # In another one everything is measured by it.
        (OTHER, {CALIBRATION: 100_000, "call": 229_000, "echo": 275_000}, []),
        (OTHER, {"call": 115_001}, ["call"]),
        (OTHER, {CALIBRATION: 25_000}, ["call", "echo"]),
    ],
)
def test_what_grew_is_named(
    build: dict[str, str], counted: dict[str, int], wrong: list[str]
) -> None:
    """Beyond 5 %, or 15 % in another build; what got cheaper is fine."""
    found = list(faults(RECORDED, Figures(build, RECORDED.instructions | counted)))
    assert [line.partition(":")[0] for line in found] == wrong
    assert all("make instructions" in line for line in found)
    assert all(("python 3.13.0 for 3.11.7" in line) == (build is OTHER) for line in found)


def test_a_line_says_what_is_allowed() -> None:
    """Both figures, the growth and the limit."""
    (line,) = faults(RECORDED, Figures(BUILD, RECORDED.instructions | {"call": 112_000}))
    assert line.startswith(
        "call: 112,000 instructions, recorded are 100,000: +12.0%, allowed are +5%; "
    )


@pytest.mark.parametrize(
    ("counted", "line"),
    [
        (RECORDED.instructions | {"new": 1}, "new: nothing is recorded"),
        ({CALIBRATION: 50_000, "call": 100_000}, "echo: nothing is counted"),
    ],
)
def test_a_kind_of_which_nothing_is_known_is_named(counted: dict[str, int], line: str) -> None:
    """On either side."""
    (found,) = faults(RECORDED, Figures(BUILD, counted))
    assert found.startswith(line)


def test_the_counts_are_read_by_mark_and_thread() -> None:
    """An event's share of its kind; what other threads did is one sum."""
    dumps = [
        f"thread: 1\ndesc: Trigger: Client Request: {name}\ntotals: {kind.steps * kind.events * 7}\n"
        for name, kind in KINDS.items()
    ]
    dumps += ["thread: 1\ndesc: Trigger: Client Request: between\ntotals: 500\n"]
    dumps += [f"thread: {number}\ntotals: {number * 100}\n" for number in (1, 2, 3)]
    dumps += ["# a list of the other files\n"]
    assert instructions(dumps) == dict.fromkeys(KINDS, 7) | {OTHER_THREADS: 500}


def test_the_least_of_all_layouts_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each kind by itself; and no layout is counted once it is enough."""
    rows = [{"get": 9, "list": 5}, {"get": 5, "list": 9}, {"get": 4, "list": 4}]
    counted: list[int] = []

    def count(layout: int) -> dict[str, int]:
        counted.append(layout)
        return rows[layout]

    monkeypatch.setattr(counting, "count", count)
    assert least(enough=lambda least: least["get"] <= 5) == {"get": 5, "list": 5}
    assert counted == [0, 1]
    monkeypatch.setattr(counting, "LAYOUTS", len(rows))
    assert least() == {"get": 4, "list": 4}


def test_nothing_is_counted_without_valgrind() -> None:
    """The requests do nothing elsewhere, and say so."""
    with pytest.raises(RuntimeError, match="valgrind"):
        Valgrind()


def test_the_command_says_what_is_missing() -> None:
    """One line, exit status 2."""
    command = [sys.executable, "-m", f"{__package__}"]
    done = subprocess.run(
        command, cwd=REPOSITORY, env={"PATH": ""}, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
