"""Each broken decoder is found, by what CI runs: a search that finds none of them is worth nothing."""

from __future__ import annotations

import pytest

from .broken import BROKEN, Break
from .search import first_failure
from .table import TARGETS

EXAMPLES = 300


@pytest.mark.parametrize("damage", BROKEN, ids=lambda damage: damage.__name__.strip("_"))
def test_it_is_found(damage: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the target that reads what it reads."""
    target = TARGETS[BROKEN[damage]]
    damage(monkeypatch)

    assert first_failure(target, EXAMPLES) is not None
