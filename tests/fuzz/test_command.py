"""`python -m tests.fuzz`: what leads it to new code is in a group of its own, and need not be here."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from .table import MODULE_OF, TARGETS

REPOSITORY = Path(__file__).parent.parent.parent


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, from the repository."""
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_target_that_is_none_is_refused() -> None:
    """In one line that names it."""
    done = command("nothing")

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("there is no target nothing")


def test_the_command_runs_inputs_or_says_what_is_missing() -> None:
    """A line for the target, with how many; without atheris the reason."""
    done = command("varints", "--runs", "200")

    if find_spec("atheris") is None:
        assert done.returncode != 0
        assert "No module named 'atheris'" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert "varints: 200 inputs" in done.stdout


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_has_a_module_and_seeds(name: str) -> None:
    """Names are those of folders; a search begins with what is good."""
    assert MODULE_OF[name].startswith("tests.fuzz.targets.")
    assert TARGETS[name].seeds
    assert name == name.lower() and " " not in name
