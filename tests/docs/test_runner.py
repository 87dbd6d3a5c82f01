"""What runs the documentation fails where a block is wrong, and says where it stands."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ..helpers.doc_console import Step, begins, matches, read_steps
from ..helpers.doc_node import missing
from ..helpers.doc_page import BlockError, read_blocks
from ..helpers.doc_session import DocSession

COMMANDS = Path(sys.executable).parent


def run(page: str, directory: Path) -> None:
    """Run a page as the documentation's are."""
    with DocSession(directory, COMMANDS) as session:
        for block in read_blocks(page, "page.md"):
            session.run(block)


BROKEN = {
    "a language nobody runs": ("```basic\nPRINT 1\n```\n", "basic is not one that runs"),
    "no language": ("```\nwhat is this\n```\n", "no language is not one"),
    "python that fails": ("```python\nassert 1 == 2\n```\n", "AssertionError"),
    "python that is none": ("```python\nif:\n```\n", "SyntaxError"),
    "python that awaits what fails": (
        "```python\nimport anyio\nwith anyio.fail_after(-1):\n    await anyio.sleep(9)\n```\n",
        "TimeoutError",
    ),
    "a file that cannot be imported": ("```python\n# a.py\nimport nothing_like_it\n```\n", "nothing_like"),
    "a test in a file": ("```python\n# test_a.py\ndef test_a():\n    assert not 1\n```\n", "assert not 1"),
    "an asynchronous test": (
        "```python\n# test_a.py\nasync def test_a(tmp_path):\n    tmp_path.nothing\n```\n",
        "nothing",
    ),
    "python that should fail": ("```python error=ValueError\n1\n```\n", "should fail with ValueError"),
    "python that fails otherwise": ("```python error=ValueError\n[][0]\n```\n", "IndexError"),
    "a command that prints something else": ("```console\n$ echo a\nb\n```\n", "echo a prints\na"),
    "a command that prints more": ("```console\n$ echo a; echo b\na\n```\n", "prints\na\nb"),
    "a command that fails": ("```console\n$ false\n```\n", "false exits 1"),
    "a command that should fail": ("```console exit=2\n$ true\n```\n", "true exits 0"),
    "a host that does not start": ("```console\n$ roomhost serve nothing:app\n...\n```\n", "nothing"),
    "output of no host": ("```console\nlines\n```\n", "none runs"),
    "toml": ("```toml\na = \n```\n", "TOMLDecodeError"),
    "an unknown setting": ("```toml\n# roomhost.toml\nprot = 1\n```\n", "prot"),
    "json": ("```json\n{,}\n```\n", "JSONDecodeError"),
    "yaml": ("```yaml\na: [\n```\n", "ParserError"),
    "a service whose command is none": (
        '```yaml\nservices:\n  a:\n    command: ["roomhost", "serve"]\n```\n',
        "Missing parameter",
    ),
    "a unit that starts something else": (
        "```ini\n# a.service\n[Service]\nExecStart=/usr/bin/hostroom serve a:app\n```\n",
        "hostroom",
    ),
    "a unit with a shell that starts nothing": (
        "```ini\n# a.service\n[Service]\nExecStart=/bin/sh -c '/a/roomhost save $$(date)'\n```\n",
        "save",
    ),
    "a unit with a flag that is none": (
        "```ini\n# a.service\n[Service]\nExecStart=/a/roomhost serve a:app --prot 1\n```\n",
        "--prot",
    ),
    "a Dockerfile that copies nothing": ("```dockerfile\nFROM a\nCOPY a.py .\n```\n", "COPY a.py"),
    "a Dockerfile that starts nothing": ('```dockerfile\nFROM a\nCMD ["roomhost", "x"]\n```\n', "x"),
    "nginx with a brace too few": ("```nginx\nserver {\nproxy_pass http://a:8787;\n```\n", "braces"),
    "nginx with an open line": ("```nginx\nlisten 80\n```\n", "does not end"),
    "html": ("```html\n<p><b>a</p>\n```\n", "closes what is not open"),
    "an installation of something else": ("```console\n$ pip install nothing\n```\n", "not ours"),
    "an extra that is none": ("```console\n$ pip install 'roomhost[nothing]'\n```\n", "extras"),
    "a unit that is not there": ("```console\n$ sudo systemctl start other\n```\n", "no unit other"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_block_fails(name: str, tmp_path: Path) -> None:
    """With what is wrong, behind the page and the line."""
    page, message = BROKEN[name]
    with pytest.raises((BlockError, ValueError)) as failure:
        run(f"# A page\n\n{page}", tmp_path)

    assert str(failure.value).startswith("page.md:3: ")
    assert message in str(failure.value)


def test_javascript_that_fails_is_a_failure(tmp_path: Path) -> None:
    """At its top, and in a promise that nobody waits for."""
    if (reason := missing()) is not None:
        pytest.skip(reason)

    for source in (
        "throw new Error('no')",
        "Promise.reject(new Error('no'));await new Promise(setTimeout)",
    ):
        with pytest.raises(BlockError, match="Error: no"):
            run(f"```js\n{source}\n```\n", tmp_path)


def test_a_page_is_one_session(tmp_path: Path) -> None:
    """Names and files stay; a file that comes again takes the place of the first."""
    run(
        "```python\n# a.py\nN = 1\n```\n"
        "```python\nimport a\nn = a.N\n```\n"
        "1. In a list:\n\n   ```python\n   assert n == 1\n   ```\n"
        "```python title=a.py\nN = 2\n```\n"
        "```python error=ValueError\nint('a')\n```\n"
        "```python\nimport a\nassert a.N == 2 and n == 1\n```\n"
        "```console\n$ cat a.py \\\n  | wc -l\n1\n$ A=5; echo $A 6\n5 ...\n```\n",
        tmp_path,
    )
    assert "a" not in sys.modules


def test_a_block_that_does_not_end_is_an_error() -> None:
    """It would swallow the rest of the page."""
    with pytest.raises(ValueError, match="p:1: the block does not end"):
        list(read_blocks("```python\n", "p"))


def test_a_session_is_read_as_commands_and_output() -> None:
    """A command goes on after a backslash; what stands before the first one is a host's output."""
    assert list(read_steps("more\n$ a \\\n  b\nout\n\nput\n$ c\nd\n^C\nbye\n")) == [
        Step(None, "more"),
        Step("a \\\n  b", "out\n\nput"),
        Step("c", "d", "bye"),
    ]


@pytest.mark.parametrize(
    ("expected", "output", "whole"),
    [
        ("a", "a\n", True),
        ("a", "a  \n\n", True),
        ("a", "\x1b[1ma\x1b[0m\n", True),
        ("a...", "abc\n", True),
        ("...", "", True),
        ("...\nb", "x\ny\nb\n", True),
        ("a\n...", "a\n", True),
        ("a", "ab\n", False),
        ("", "a\n", False),
        ("a...c", "a\nc\n", False),
        ("a.c", "abc\n", False),
    ],
)
def test_dots_stand_for_text(expected: str, output: str, whole: bool) -> None:
    """Three of them within a line for any text of it, alone for any lines; nothing else is a pattern."""
    assert matches(expected, output) is whole


def test_a_host_may_have_said_more() -> None:
    """It still runs: what the page shows is the beginning."""
    assert begins("a", "a\nb\n")
    assert not begins("b", "a\nb\n")
    assert begins("...\nb", "a\nb\n")
