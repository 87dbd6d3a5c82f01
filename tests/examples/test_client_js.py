"""The reference client in Node, against a host that follows a script and a clock that stands."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
CLIENT = REPOSITORY / "examples" / "roomhost.js"
SCRIPT = Path(__file__).with_name("client_js.mjs")
SCENARIOS = re.findall(r"^  async (\w+)\(stage\)", SCRIPT.read_text(), re.MULTILINE)
MAX_CLIENT_LINES = 300


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_client(scenario: str) -> None:
    """What the name of the scenario says is true."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (REPOSITORY / "node_modules" / "ws").exists():
        pytest.skip("ws is not installed: make clients")
    command = [node, str(SCRIPT), scenario]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


def test_the_client_stays_short() -> None:
    """It is the document for other languages: one sitting, and no dependency to look up."""
    text = CLIENT.read_text()
    assert len(text.splitlines()) <= MAX_CLIENT_LINES
    assert not re.search(r"^import ", text, re.MULTILINE)
