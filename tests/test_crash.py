"""What was acknowledged is there after `kill -9`, at whatever moment it came."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

CHILD = Path(__file__).parent / "helpers" / "crash_child.py"
KILLS = 30
MOST_ACKNOWLEDGED = 400  # between two kills
SEED = 20_261_124
FAR_MS = 4_000_000_000_000


def start(what: str, directory: Path, argument: object) -> subprocess.Popen[str]:
    """The process to kill."""
    command = [sys.executable, str(CHILD), what, str(directory), str(argument)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def read_line(child: subprocess.Popen[str]) -> str:
    """The next line it says."""
    assert child.stdout is not None
    line = child.stdout.readline()
    assert line.endswith("\n"), "the child ended by itself"
    return line.rstrip("\n")


def kill(child: subprocess.Popen[str]) -> list[str]:
    """Kill it; the whole lines that it had said before."""
    assert child.stdout is not None
    child.kill()
    rest = child.stdout.read()
    child.stdout.close()
    child.wait()
    return rest.split("\n")[:-1]


@pytest.mark.timeout(240)
def test_nothing_acknowledged_is_lost_and_no_half_batch_is_stored(tmp_path: Path) -> None:
    """Thirty kills at random moments, on one directory, each followed by a look at what is there."""
    rng = random.Random(SEED)
    acknowledged: dict[str, set[int]] = defaultdict(set)
    first = 1
    for _ in range(KILLS + 1):
        child = start("write", tmp_path / "state", first)
        line = read_line(child)
        while line == "ran":  # an alarm that was overdue, before the first look
            line = read_line(child)
        check(json.loads(line), acknowledged)
        lines = [read_line(child) for _ in range(rng.randrange(MOST_ACKNOWLEDGED))]
        lines += kill(child)
        for name, number in (line.split() for line in lines if line != "ran"):
            acknowledged[name].add(int(number))
            first = max(first, int(number) + 100)  # what was written and not said keeps its number
    assert sum(map(len, acknowledged.values())) > KILLS


def check(state: dict[str, Any], acknowledged: dict[str, set[int]]) -> None:
    """Hold what a restart found against what was acknowledged before."""
    ticker = state.pop("ticker")
    assert ticker["armed"] >= max(acknowledged["ticker"], default=0)
    assert ticker["fired"] == ticker["armed"] or ticker["alarm"] is not None
    for name, found in state.items():
        assert found["a"] == found["b"], f"half a batch of {name}"
        assert acknowledged[name] <= set(found["a"]), f"{name} lost an acknowledged write"
        alarms = [FAR_MS + number for number in acknowledged[name] if number % 3 == 0]
        assert not alarms or found["alarm"] >= max(alarms), f"{name} lost an alarm"


def test_an_alarm_whose_success_was_not_committed_runs_again(tmp_path: Path) -> None:
    """Killed between the handler's end and its commit: it runs again, and what the first run wrote
    is not there twice."""
    child = start("alarm", tmp_path / "state", 1)
    assert read_line(child) == "ran"
    assert read_line(child) == "held"
    kill(child)

    child = start("alarm", tmp_path / "state", 0)
    assert read_line(child) == "ran"
    assert json.loads(read_line(child)) == {"armed": 1, "fired": 1, "runs": 1, "alarm": None}
    assert child.wait(timeout=30) == 0
    assert kill(child) == []
