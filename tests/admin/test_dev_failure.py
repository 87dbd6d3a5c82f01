"""Where an error is, as a person is told."""

from __future__ import annotations

import importlib.util
import sys
import sysconfig
from pathlib import Path

import msgspec
import pytest

from roomhost.admin import limits
from roomhost.admin.dev_failure import NOT_STARTED, Failure, failure_of, is_own
from roomhost.admin.dev_places import Line
from roomhost.runtime import HostError
from roomhost.storage import DataDirectoryError


def failure_of_module(directory: Path, source: str, *, name: str = "broken") -> Failure:
    """What is said about a module that cannot be imported."""
    path = directory / f"{name}.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    with pytest.raises(BaseException) as raised:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return failure_of(raised.value, (str(directory),))


def test_a_syntax_error_is_at_its_line_and_column(tmp_path: Path) -> None:
    """And the way that Python came there is left out."""
    failure = failure_of_module(tmp_path, "x = 1\n\ny = f(1,, 2)\n")
    assert (failure.kind, failure.message) == ("SyntaxError", "invalid syntax")
    assert failure.where is not None
    assert (str(failure.where), failure.where.columns) == ("broken.py:3", (8, 9))
    assert failure.where.excerpt == (Line(1, "x = 1"), Line(2, ""), Line(3, "y = f(1,, 2)"))
    assert (failure.frames, failure.raised, failure.traceback) == ((), None, "")
    assert failure.summary == "SyntaxError: invalid syntax (broken.py:3)"


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("if x:\ny\n", "broken.py:2"),
        ("def f():\n\treturn 1\n        return 2\n", "broken.py:3"),
        ("x = '''\n", "broken.py:1"),
        ("x = 1\0", "broken.py:1"),
        ("# coding: nonsense\n", "broken.py:"),
    ],
)
def test_every_kind_of_syntax_error_names_its_file(source: str, where: str, tmp_path: Path) -> None:
    """Indentation, text that does not end, zero bytes, an encoding that there is not."""
    failure = failure_of_module(tmp_path, source)
    assert failure.kind in ("SyntaxError", "IndentationError", "TabError")
    assert str(failure.where).startswith(where)


def test_an_exception_is_in_the_innermost_own_line(tmp_path: Path) -> None:
    """With the library's line that raised it, and who called."""
    source = "import json\n\ndef load(text):\n    return json.loads(text)\n\nload('{')\n"
    failure = failure_of_module(tmp_path, source)
    assert failure.kind == "JSONDecodeError"
    assert (str(failure.where), failure.where and failure.where.function) == (
        "broken.py:4",
        "load",
    )
    assert [str(frame) for frame in failure.frames] == ["broken.py:6"]
    assert failure.raised is not None
    assert failure.raised.file.endswith("json/decoder.py")
    assert failure.traceback.startswith("Traceback (most recent call last):\n")


def test_the_message_is_what_python_prints(tmp_path: Path) -> None:
    """With its notes, and with what was meant; an error that cannot even be told is no trouble."""
    failure = failure_of_module(tmp_path, "counter = 1\ncountre\n")
    assert failure.message in (
        "name 'countre' is not defined. Did you mean: 'counter'?",
        "name 'countre' is not defined",  # Python 3.11 thinks so only when it prints by itself
    )
    source = "error = KeyError('x')\nerror.add_note('a note')\nraise error\n"
    assert failure_of_module(tmp_path, source).message == "'x'\na note"
    assert failure_of_module(tmp_path, "raise ValueError\n").message == ""
    source = "class E(Exception):\n    def __str__(self):\n        return 1 / 0\nraise E\n"
    assert failure_of_module(tmp_path, source).message == "<exception str() failed>"


def test_columns_are_characters(tmp_path: Path) -> None:
    """Python counts bytes of UTF-8."""
    failure = failure_of_module(tmp_path, 'x = "größe 🙂", 1 / 0\n')
    assert failure.where is not None
    assert failure.where.columns is not None
    start, end = failure.where.columns
    assert failure.where.excerpt[0].text[start:end] == "1 / 0"


def test_only_one_of_a_group_and_the_cause_of_ours_are_what_is_shown(tmp_path: Path) -> None:
    """What we wrap says less than what was wrapped, unless no own line is in it."""
    failure = failure_of_module(
        tmp_path, "raise ExceptionGroup('g', [ExceptionGroup('h', [ValueError('inner')])])\n"
    )
    assert (failure.kind, failure.message) == ("ValueError", "inner")
    failure = failure_of_module(
        tmp_path, "raise ExceptionGroup('g', [ValueError('one'), ValueError('two')])\n"
    )
    assert (failure.kind, str(failure.where)) == ("ExceptionGroup", "broken.py:1")

    wrapped = HostError("cannot import demo: No module named 'demo'")
    wrapped.__cause__ = ModuleNotFoundError("No module named 'demo'")
    failure = failure_of(ExceptionGroup("g", [wrapped]), (str(tmp_path),))
    assert failure == Failure(NOT_STARTED, "cannot import demo: No module named 'demo'")
    failure = failure_of(DataDirectoryError("it is held"), (str(tmp_path),))
    assert failure == Failure(NOT_STARTED, "it is held")


def test_code_of_libraries_is_not_the_applications_own(tmp_path: Path) -> None:
    """Wherever they are installed, in the application's directory too."""
    root = (str(tmp_path), str(Path(__file__).parent.parent.parent))
    (tmp_path / "lib" / "site-packages").mkdir(parents=True)
    for path in ("demo.py", "lib/site-packages/click.py"):
        (tmp_path / path).touch()
    assert is_own(str(tmp_path / "demo.py"), root)
    assert is_own("demo.py", root)
    assert is_own(__file__, root)
    assert not is_own(str(tmp_path / "lib/site-packages/click.py"), root)
    assert not is_own(sys.modules["roomhost.runtime"].__file__ or "", root)
    assert not is_own(f"{sysconfig.get_path('stdlib')}/json/decoder.py", ("/",))
    assert not is_own("<string>", root)
    assert not is_own("uvloop/loop.pyx", root)
    assert not is_own("/elsewhere/demo.py", root)


def test_nothing_that_is_shown_can_move_the_cursor(tmp_path: Path) -> None:
    """Nor is there anything that UTF-8 has no bytes for."""
    source = "x = '\x1b'  # \x9b\nraise ValueError('\x1b[2J' + chr(0xdc80) + '\\n\\t')\n"
    failure = failure_of_module(tmp_path, source)
    assert failure.message == "\ufffd[2J?\n\t"
    assert "\x1b" not in failure.traceback
    assert failure.where is not None
    assert failure.where.excerpt[0].text == "x = '\ufffd'  # \ufffd"
    msgspec.json.encode(failure)


def test_what_is_shown_has_bounds(tmp_path: Path) -> None:
    """An error may be as long as it likes, and come from as deep."""
    source = "def f(n):\n    if n:\n        f(n - 1)\n    raise ValueError('x' * 10**6)\nf(100)\n"
    failure = failure_of_module(tmp_path, source)
    assert len(failure.message) == limits.MAX_FAILURE_CHARACTERS
    assert len(failure.frames) == limits.MAX_SHOWN_FRAMES
    assert len(failure.traceback) <= limits.MAX_TRACEBACK_CHARACTERS
