"""A run: the same each time, cut off anywhere, and it tells what was wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from unittest.mock import patch

import pytest

from roomhost.storage import Writer
from roomhost.storage.commit_log import CommitLog

from ..consistency.broken import answers_before_the_commit, output_that_never_waits
from .faults import NO_FAULTS, Fault
from .run import simulate
from .workloads import WORKLOADS
from .workloads.tallies import Tallies
from .world import World

REPOSITORY = Path(__file__).parent.parent.parent
STEPS = 260  # of a run without faults, about


def test_a_seed_gives_the_same_run_again() -> None:
    """Each decision and each observation, also after others have run in between."""
    digests = [simulate(Tallies, seed).digest for seed in (1, 2, 3)]
    assert [simulate(Tallies, seed).digest for seed in (1, 2, 3)] == digests
    assert len(set(digests)) == 3


@pytest.mark.timeout(300)
def test_a_seed_gives_the_same_run_in_another_process() -> None:
    """Of any workload: neither addresses nor hashes of text decide anything."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.simulation", "--seeds", "3", "--digests"],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed in ("1", "2")
    ]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert outputs[0] == outputs[1]
    assert len(outputs[0].splitlines()) == 3 * len(WORKLOADS)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", [Fault.CRASH, Fault.RESTART])
def test_a_host_can_end_between_any_two_steps(fault: Fault) -> None:
    """Wherever it is cut off, nothing that was told is lost, and the next host starts."""
    struck = 0
    for step in range(1, STEPS, 3):
        result = simulate(Tallies, 1 + step % 3, plan={step: fault})
        assert result.complaints == (), f"{fault} at step {step}"
        struck += result.faults[fault.value]
    # There is one more at the end of each run, and no host at the first steps.
    assert struck > STEPS / 3


def test_a_host_can_crash_again_while_it_starts() -> None:
    """At each step of a start after a crash."""
    for step in range(1, 40):
        plan = {120: Fault.CRASH, 120 + step: Fault.CRASH, 123 + step: Fault.CRASH}
        result = simulate(Tallies, 1, plan=plan)
        assert result.complaints == (), f"{step} steps after a crash"


@pytest.mark.parametrize("broken", [answers_before_the_commit, output_that_never_waits])
def test_what_is_broken_is_found(broken: type[AbstractContextManager[None]]) -> None:
    """In sixty seeds, by the smallest of workloads."""
    with broken():
        assert any(simulate(Tallies, seed).complaints for seed in range(60))


def test_a_log_that_is_not_read_is_found() -> None:
    """What is only there is lost, or the host cannot start."""
    with patch.object(CommitLog, "replay", lambda _self: iter(())):
        assert any(simulate(Tallies, seed).complaints for seed in range(10))


def test_an_error_that_is_logged_is_a_complaint() -> None:
    """The product says itself that something should not have happened."""

    def fail(_self: Writer, _batches: object) -> None:
        raise ZeroDivisionError

    with patch.object(CommitLog, "reserve", fail):
        result = simulate(lambda: Tallies(NO_FAULTS), 1)
    assert any("a commit failed unexpectedly" in complaint for complaint in result.complaints)


class Crooked(Tallies):
    """Workloads that are wrong themselves."""

    name = "crooked"

    async def settle(self, world: World) -> None:
        raise ValueError("of the workload")

    def check(self, world: World) -> Iterator[str]:
        yield from ()


def test_an_error_of_the_workload_is_a_complaint() -> None:
    """And leaves nothing running."""
    (complaint,) = simulate(Crooked, 1).complaints
    assert "of the workload" in complaint


def test_a_trace_tells_each_step() -> None:
    """In words: tasks, callbacks, threads, faults; it changes nothing."""
    told: list[str] = []
    traced = simulate(Tallies, 5, told.append, plan={50: Fault.CRASH})
    assert traced.digest == simulate(Tallies, 5, plan={50: Fault.CRASH}).digest
    text = "\n".join(told)
    for words in ("thread roomhost-writer", "task ", "call ", "fault: crash"):
        assert words in text
