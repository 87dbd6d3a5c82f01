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

    def click(self, page: str, role: str, name: str) -> None:
        """Click what has this role and this accessible name: the last, as a dialog's button is."""
        self._call(op="click", page=page, role=role, name=name)

    def reload(self, page: str) -> None:
        """Load a page again."""
        self._call(op="reload", page=page)

    def press_key(self, page: str, key: str) -> None:
        """Press one key, by name, where the focus is."""
        self._call(op="key", page=page, key=key)

    def complaints(self, page: str) -> list[str]:
        """The errors and warnings of a page since the last time, what its policy forbade included."""
        said: list[str] = self._call(op="complaints", page=page)
        return said

    def view(self, page: str, *, width: int, height: int, dark: bool) -> None:
        """See a page on another screen."""
        self._call(op="view", page=page, width=width, height=height, dark=dark)

    def close(self, page: str) -> None:
        """Close a page."""
        self._call(op="close", page=page)

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
