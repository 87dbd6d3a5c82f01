"""A line of a file, and what is around it."""

from __future__ import annotations

from pathlib import Path

import pytest

from roomhost.admin import limits
from roomhost.admin.dev_failure import failure_of
from roomhost.admin.dev_places import Line, excerpt, printable
from roomhost.runtime import HostError, load_settings


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("port = 1\n\nprot = 2\n", "roomhost.toml:3"),
        ("port = 1\nhost =\n", "roomhost.toml:2"),
        ("host = '::1'\nport = 'many'\n", "roomhost.toml:2"),
        ("ssl_certfile = 'x'\n", "None"),
    ],
)
def test_a_settings_file_has_lines_too(text: str, where: str, tmp_path: Path) -> None:
    """As far as the message says which."""
    (tmp_path / "roomhost.toml").write_text(text)
    with pytest.raises(HostError) as raised:
        load_settings(environ={}, directory=tmp_path)
    failure = failure_of(raised.value, (str(tmp_path),))
    assert str(failure.where) == where


def test_an_excerpt_is_around_its_line() -> None:
    """As far as there are lines, each as long as it may be; a tab is one character."""
    assert [line.number for line in excerpt(["x" * 300] * 100, 50)] == list(range(46, 55))
    assert len(excerpt(["x" * 300], 1)[0].text) == limits.MAX_EXCERPT_CHARACTERS
    assert excerpt(["\tx\r\n"], 1) == (Line(1, " x"),)
    assert excerpt([], 1) == ()
    assert excerpt(["x"], 9) == ()


def test_printable_text_is_as_long_as_it_was() -> None:
    """Columns stay what they are."""
    text = "a\x1b[2J\x07\x9b\udc80\n\tö🙂"
    assert printable(text) == "a\ufffd[2J\ufffd\ufffd?\n\tö🙂"
