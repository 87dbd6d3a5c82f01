"""The `roomhost` command: what it offers, and how it says that something is wrong."""

from __future__ import annotations

import re
import sys

import pytest

from roomhost.runtime import commands


def typed(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    """The exit status, standard output and standard error."""
    monkeypatch.setattr(sys, "argv", ["roomhost", *arguments])
    with pytest.raises(SystemExit) as ended:
        commands.main()
    assert isinstance(ended.value.code, int)
    printed = capsys.readouterr()
    return ended.value.code, printed.out, printed.err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nothing"], "roomhost: No such command 'nothing'."),
        (["serve"], "roomhost: Missing argument 'MODULE:APP'."),
        (["serve", "a:b", "--port", "x"], "roomhost: Invalid value for '--port': 'x' is not"),
        (["bench", "--callers", "0"], "roomhost: Invalid value for '--callers': 0 is not"),
        (["bench", "--what"], "roomhost: No such option"),
    ],
)
def test_a_mistake_in_typing_is_one_line(
    arguments: list[str],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On standard error, with exit status 2."""
    status, out, err = typed(arguments, monkeypatch, capsys)
    assert (status, out) == (2, "")
    assert err.startswith(line)
    assert err.count("\n") == 1


def test_help_lists_every_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of the packages above too; without a command it is on standard error."""
    status, out, _ = typed(["--help"], monkeypatch, capsys)
    assert status == 0
    assert re.search(r"^  bench +Measure rooms", out, re.MULTILINE)
    assert re.search(r"^  serve +Run the actor host", out, re.MULTILINE)
    status, _, err = typed([], monkeypatch, capsys)
    assert (status, err) == (2, out)
