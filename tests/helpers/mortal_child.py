"""Code that may end its process, run in one of its own, with little memory to take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent.parent
MEMORY_BYTES = 2 * 1024 * 1024 * 1024  # of addresses: the large stack is among them
SECONDS = 50

PRELUDE = f"""\
import resource
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_BYTES}, {MEMORY_BYTES}))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
import sys
sys.path.insert(0, {str(REPOSITORY)!r})
from pycrdt import *
from roomhost.actors.large_stack import run_on_large_stack
from tests.helpers.yjs_updates import *
"""


def run_in_child(code: str) -> subprocess.CompletedProcess[str]:
    """What became of the code; `returncode` is negative if a signal ended it."""
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + code],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
