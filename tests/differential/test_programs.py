"""The programs in files give the same transcript under workerd and here, or differ as they say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .driver import Roomhost, roomhost
from .mapping import canonical
from .process import Workerd
from .programs import load, program_files

FILES = program_files()
LOOPS = {
    "asyncio": ("asyncio", {}),
    "asyncio+uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}


@pytest.fixture(scope="module", params=LOOPS)
def each_host(request: pytest.FixtureRequest) -> Iterator[Roomhost]:
    """This project's host, on each of its event loops."""
    with roomhost(*LOOPS[request.param]) as running:
        yield running


@pytest.fixture(scope="session")
def by_workerd(workerd: Workerd) -> dict[Path, Any]:
    """What workerd does with each program: all of them at once, for some wait seconds."""
    return dict(zip(FILES, workerd.run([load(path) for path in FILES]), strict=True))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_program_does_the_same_on_both_sides(
    path: Path, by_workerd: dict[Path, Any], each_host: Roomhost
) -> None:
    """Or exactly what it says about each side, where we differ on purpose."""
    program = load(path)
    actual, real = canonical(each_host.run(program)), canonical(by_workerd[path])
    differs = program.get("differs")
    if differs is None:
        assert actual == real
    else:
        assert real == json.dumps(differs["workerd"], sort_keys=True, indent=1)
        assert actual == json.dumps(differs["roomhost"], sort_keys=True, indent=1)


def test_every_difference_has_a_reason() -> None:
    """A program that says what both sides do says why, and they do not do the same."""
    for path in FILES:
        differs = load(path).get("differs")
        if differs is not None:
            assert len(differs["why"]) > 20, path
            assert differs["workerd"] != differs["roomhost"], path
