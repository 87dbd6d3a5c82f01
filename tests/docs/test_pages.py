"""Every block of code of the documentation runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ..helpers.doc_node import missing
from ..helpers.doc_page import pages, read_blocks
from ..helpers.doc_session import DocSession

COMMANDS = Path(sys.executable).parent


@pytest.mark.timeout(120)
@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_every_block_does_what_the_page_says(page: Path, tmp_path: Path) -> None:
    """From the first to the last, in one directory, as a reader would."""
    blocks = list(read_blocks(page.read_text(encoding="utf-8"), page.name))
    reason = missing() if any(block.language == "js" for block in blocks) else None
    if reason is not None:
        pytest.skip(reason)

    with DocSession(tmp_path, COMMANDS) as session:
        for block in blocks:
            session.run(block)

    assert session.ran == blocks
