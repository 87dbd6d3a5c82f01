"""Pages in a real browser, driven from Python by a Node script that speaks JSON lines."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
CHROMIUM = Path("/usr/bin/chromium")
DRIVER = Path(__file__).with_name("browser.mjs")


def require_browser() -> None:
    """Skip the test, with the reason, where Node, playwright-core or Chromium is missing."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if not (REPOSITORY / "node_modules" / "playwright-core").exists():
        pytest.skip("playwright-core is not installed: make clients")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed: apt-get install chromium")


class Browser:
    """One headless Chromium; pages are named."""

    def __init__(self) -> None:
        require_browser()
        self._node = subprocess.Popen(
            ["node", str(DRIVER), str(CHROMIUM)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def open(self, page: str, url: str, **storage: str) -> None:
        """Open `url` in a page of its own, with what its local storage holds."""
        self._call(op="open", page=page, url=url, storage=storage)

    def evaluate(self, page: str, script: str) -> Any:
        """The value of a JavaScript expression in a page, as JSON has it."""
        return self._call(op="evaluate", page=page, script=script)

    def wait_for(self, page: str, script: str) -> None:
        """Return once a JavaScript expression is true in a page; an error after 30 s."""
        self._call(op="wait", page=page, script=script)

    def fill_and_send(self, page: str, field: str, text: str) -> None:
        """Type into a field, found by its label, and press Enter, as a person would."""
        self._call(op="type", page=page, field=field, text=text)

    def press(self, page: str, field: str, *keys: str) -> None:
        """Press keys in a field, found by its label: characters, and keys by name ("Enter")."""
        self._call(op="keys", page=page, field=field, keys=keys)

    def screenshot(self, page: str, path: Path, *, width: int, height: int, dark: bool) -> None:
        """A picture of a page."""
        self._call(op="shot", page=page, path=str(path), width=width, height=height, dark=dark)

    def _call(self, **command: Any) -> Any:
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        self._node.stdin.write(json.dumps(command) + "\n")
        self._node.stdin.flush()
        line = self._node.stdout.readline()
        assert line, "the browser has ended"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer.get("value")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        self._node.stdin.close()
        self._node.wait(timeout=30)
        self._node.stdout.close()
