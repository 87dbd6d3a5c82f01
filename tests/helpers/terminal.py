"""Scripted terminal sessions: commands typed, and what they print, with the variable parts masked."""

from __future__ import annotations

import os
import re
import shlex
import sys

import pytest

from roomhost.runtime import commands

MASKS = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "<time>"),
    (re.compile(r"\b\d{13}\b"), "<ms>"),
    (re.compile(r"http://127\.0\.0\.1:\d{4,}"), "<url>"),
    (re.compile(r'(?<="pid": )\d+'), "<pid>"),
    (re.compile(r'(?<="version": )"[^"]+"'), "<version>"),
    (re.compile(r"process \d+ on \S+ since \S+?:\d\d:\d\d\+00:00"), "<holder>"),
    (re.compile(r"(?:/[^\s/:]+)+/(?=(?:state|nowhere)\b)"), "<here>/"),
)


class Terminal:
    """Types `roomhost ...` in this process, so that a session takes no time for starting it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def type(self, command: str) -> str:
        """What a command prints, standard output first, and how it ends unless well; masked."""
        words = [os.path.expandvars(word) for word in shlex.split(command)]
        assert words[0] == "roomhost"
        self._monkeypatch.setattr(sys, "argv", words)
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            commands.main()
        printed = self._capsys.readouterr()
        end = f"[exit {ended.value.code}]\n" if ended.value.code else ""
        return mask(printed.out + printed.err + end)

    def check(self, session: str) -> None:
        """Type every line of a session that begins with "$ "; what follows it is what it prints, a
        line that ends with "..." only as far as that."""
        wanted = session.strip("\n").splitlines()
        found: list[str] = []
        for line in wanted:
            if line.startswith("$ "):
                found += [line, *self.type(line[2:]).splitlines()]
        for index, line in enumerate(wanted[: len(found)]):
            if line.endswith("...") and found[index].startswith(line[:-3]):
                found[index] = line
        assert found == wanted


def mask(text: str) -> str:
    """The same in every run."""
    for pattern, stands_for in MASKS:
        text = pattern.sub(stands_for, text)
    return text
