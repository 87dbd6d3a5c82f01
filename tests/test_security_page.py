"""What SECURITY.md says is defended has the tests that it names."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
NAMED = re.compile(r"`(tests/[a-z_/]+\.py)::(test_\w+)`")


def test_every_test_that_is_named_exists() -> None:
    """In the file that it is said to be in."""
    named = NAMED.findall((REPOSITORY / "SECURITY.md").read_text())
    assert len(named) > 30
    missing = [
        f"{file}::{name}"
        for file, name in named
        if f"def {name}(" not in (REPOSITORY / file).read_text()
    ]
    assert missing == []
