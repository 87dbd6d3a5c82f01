"""How many connections the system lets a host have."""

from __future__ import annotations

import resource

import pytest

from roomhost.runtime.descriptors import connection_limit
from roomhost.runtime.limits import FEW_CONNECTIONS, RESERVED_FILES

ANY = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "allowed", "raised"),
    [
        (1_256, 1_256, 1_000, 1_256),
        (256, 1_256, 1_000, 1_256),  # the system gives more to whoever asks
        (256, ANY, 5_000, 5_000 + RESERVED_FILES),
        (9_000, 9_000, 5_000, None),
        (ANY, ANY, 5_000, None),
        (32, 32, 1, 32),
    ],
)
def test_some_descriptors_are_left_to_storage(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    soft: int,
    hard: int,
    allowed: int,
    raised: int | None,
) -> None:
    """Of 5,000 connections as many as there are files beyond those; few are said in a line."""
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, given: limits.append(given))
    assert connection_limit(5_000) == allowed
    assert limits == ([] if raised is None else [(raised, hard)])
    assert ("ulimit -n" in caplog.text) == (allowed < FEW_CONNECTIONS)
