"""Random programs give the same transcript under workerd and here."""

from __future__ import annotations

import difflib
import hashlib
import os
import secrets
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, seed, settings

from .driver import Roomhost
from .mapping import canonical
from .process import Workerd
from .programs import FOUND, written
from .strategies import programs

EXAMPLES = int(os.environ.get("DIFFERENTIAL_EXAMPLES", "500"))


def chosen_seed() -> int:
    """`DIFFERENTIAL_SEED`; in CI the commit, so that a red run is red again and the next commit tries
    other programs; else a new one."""
    given_seed = os.environ.get("DIFFERENTIAL_SEED")
    if given_seed is None and os.environ.get("CI"):
        command = ["git", "-C", str(FOUND.parent), "rev-parse", "HEAD"]
        given_seed = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return int(given_seed, 16) if given_seed else secrets.randbits(64)


def keep(program: dict[str, Any]) -> Path:
    """Write a program that differs into found/, where test_programs.py runs it from now on."""
    text = written(program)
    path = FOUND / f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
    FOUND.mkdir(exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.timeout(600)
def test_random_programs_do_the_same_on_both_sides(workerd: Workerd, host: Roomhost) -> None:
    """One that does not is made as small as it gets, and kept in found/."""
    differing: list[dict[str, Any]] = []

    @seed(chosen_seed())
    @settings(max_examples=EXAMPLES, phases=(Phase.generate, Phase.shrink))
    @given(programs)
    def compare(program: dict[str, Any]) -> None:
        expected, actual = canonical(workerd.run([program])[0]), canonical(host.run(program))
        if actual != expected:
            differing.append(program)
            lines = (expected.splitlines(), actual.splitlines())
            pytest.fail("\n".join(difflib.unified_diff(*lines, "workerd", "roomhost")))

    try:
        compare()
    finally:
        if differing:
            keep(differing[-1])
