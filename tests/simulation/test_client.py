"""Which ends of a connection a client takes for a refusal."""

from __future__ import annotations

import pytest

from .client import ABNORMAL, is_refusal


@pytest.mark.parametrize("code", [400, 401, 404, 500, 1002, 1007, 1009, 4400, 4401, 4405, 4410])
def test_a_refusal_for_good(code: int) -> None:
    """Nobody who may connect meets one."""
    assert is_refusal(code)


@pytest.mark.parametrize(
    "code", [None, 429, 503, 1000, 1001, ABNORMAL, 1011, 1012, 1013, 4501, 4531]
)
def test_an_end_after_which_a_client_comes_again(code: int | None) -> None:
    """A host that is busy or stops, a client that was lost, or read too slowly."""
    assert not is_refusal(code)
