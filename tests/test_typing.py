"""Both type checkers, strict, over the layout that the wheel has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
PACKAGES = ("actors", "admin", "bindings", "runtime", "storage")
BESIDE = ("benchmarks", "examples", "pyproject.toml", "tests")


@pytest.fixture
def wheel_layout(tmp_path: Path) -> Path:
    """`roomhost/` as a wheel holds it, beside the folders that import it."""
    (tmp_path / "roomhost").mkdir()
    links = {tmp_path / "roomhost" / name: REPOSITORY / name for name in PACKAGES}
    links |= {tmp_path / name: REPOSITORY / name for name in BESIDE}
    for link, target in links.items():
        try:
            link.symlink_to(target)
        except OSError as error:
            pytest.skip(f"this system makes no directory links: {error}")

    return tmp_path


@pytest.mark.timeout(300)
def test_mypy_finds_nothing(wheel_layout: Path) -> None:
    """mypy, strict."""
    check(wheel_layout, "mypy", "roomhost", "tests", "benchmarks", "examples")


@pytest.mark.timeout(300)
def test_pyright_finds_nothing(wheel_layout: Path) -> None:
    """pyright, strict. It follows a directory link only where the link itself is named."""
    packages = [f"roomhost/{package}" for package in PACKAGES]
    check(wheel_layout, "pyright", *packages, "tests", "benchmarks", "examples")


def check(layout: Path, tool: str, *paths: str) -> None:
    """Run a checker of this environment; what it finds is the failure."""
    binaries = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": str(binaries.parent),
    }
    done = subprocess.run(
        [str(binaries / tool), *paths], cwd=layout, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
