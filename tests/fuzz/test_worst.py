"""The worst inputs of the largest size that is let in take no more than a linear decoder could."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from roomhost.actors import json_values

from .broken import BROKEN_WORK
from .table import TARGETS

REPOSITORY = Path(__file__).parent.parent.parent
SECONDS = 300  # on a machine that others use too


def run_worst(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The process that tries them."""
    command = [sys.executable, "-m", "tests.fuzz.worst", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


@pytest.mark.timeout(SECONDS)
def test_no_input_takes_the_square_of_its_size() -> None:
    """Neither of the processor nor of memory: deep nesting, many keys, keys of one hash, lengths that
    lie, digits, fragments, headers, and what a pattern could go back over."""
    done = run_worst()
    assert done.returncode == 0, done.stdout[-300:] + done.stderr[-2_000:]
    told = done.stdout.count("times that")
    assert told == sum(len(target.families) for target in TARGETS.values())


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("name", BROKEN_WORK)
def test_a_decoder_that_does_is_ended(name: str) -> None:
    """The process dies of it, and the last line says of what."""
    done = run_worst("--broken", name)
    assert done.returncode != 0
    assert done.stdout.splitlines()[-1] == f"{BROKEN_WORK[name]}", (
        done.stdout + done.stderr[-2_000:]
    )


@pytest.mark.parametrize("pattern", [json_values.AT, json_values.BRACKETS])
def test_patterns_of_errors_do_not_go_back(pattern: re.Pattern[str]) -> None:
    """What may repeat holds nothing that it begins with."""
    assert pattern.search("[" * 100_000 + " - at `" * 10_000) is None
