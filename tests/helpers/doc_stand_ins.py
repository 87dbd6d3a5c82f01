"""What stands in for commands that would change the machine: it checks what they name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from importlib.metadata import metadata
from pathlib import Path

from .doc_page import REPOSITORY

REQUIREMENT = re.compile(r"roomhost(?:\[([\w,]+)\])?")
OTHERS = ("pytest", "starlette", "uvicorn")  # what a page may tell to install beside it


def stand_in(command: str, directory: Path) -> bool:
    """Whether a command is one of those. AssertionError: it names something that is not there."""
    words = shlex.split(command, comments=True)
    if words[:1] == ["sudo"]:
        words = words[1:]
    check = STAND_INS.get(words[0]) if words else None
    if check is not None:
        check(words[1:], directory)
    return check is not None


def _pip(words: list[str], directory: Path) -> None:
    assert words[0] == "install", words
    extras = metadata("roomhost").get_all("Provides-Extra") or []
    for word in words[1:]:
        found = REQUIREMENT.fullmatch(word)
        assert found or word in OTHERS, f"{word} is not ours to install"
        if found and found[1]:
            assert set(found[1].split(",")) <= set(extras), f"{word}: the extras are {extras}"


def _systemctl(words: list[str], directory: Path) -> None:
    units = [word for word in words[1:] if not word.startswith("-")]
    for unit in units:
        file = unit if "." in unit else f"{unit}.service"
        assert (directory / file).exists(), f"no unit {unit} is on the page"


def _docker(words: list[str], directory: Path) -> None:
    assert (directory / "Dockerfile").exists() or "build" not in words, "no Dockerfile is here"


def _install(words: list[str], directory: Path) -> None:
    for word in words:
        if not word.startswith(("-", "/")) and "." in word:
            assert (directory / word).exists(), f"no {word} is on the page"


def _make(words: list[str], directory: Path) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for word in words:
        assert "=" in word or f"\n{word}:" in makefile, f"make {word}: no such target"


def _nothing(words: list[str], directory: Path) -> None:
    """Users, folders and servers of the machine."""


STAND_INS: Mapping[str, Callable[[list[str], Path], None]] = {
    "pip": _pip,
    "systemctl": _systemctl,
    "docker": _docker,
    "install": _install,
    "make": _make,
    "useradd": _nothing,
    "nginx": _nothing,
    "journalctl": _systemctl,
}
