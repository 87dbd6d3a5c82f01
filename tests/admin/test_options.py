"""How commands ask before they change something."""

from __future__ import annotations

import io
import sys

import click
import pytest

from roomhost.admin.options import confirm
from roomhost.runtime import HostError


class Keyboard(io.StringIO):
    """Standard input with somebody at it."""

    def isatty(self) -> bool:
        return True


def at(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a terminal at which this is typed."""
    monkeypatch.setattr(sys, "stdin", Keyboard(answer))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)


def test_a_yes_goes_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The question is not part of the output."""
    at("y\n", monkeypatch)
    confirm("Drop it?", False)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "Drop it? [y/N]: ")


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_anything_else_ends_the_command(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was done."""
    at(answer, monkeypatch)
    with pytest.raises(click.Abort):
        confirm("Drop it?", False)


def test_where_nobody_can_answer_yes_has_to_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a script, and where the question would go into a file."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(HostError, match=r"^Drop it\? There is no terminal to ask: say --yes$"):
        confirm("Drop it?", False)
    confirm("Drop it?", True)
