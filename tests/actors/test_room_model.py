"""A room on a real host does what a plain model of it does, whatever happens in whatever order.

`ROOM_MODEL_EXAMPLES=5000` tries more than 200 lists of events, `ROOM_MODEL_SEED=` and hex digits the
same ones again.
"""

from __future__ import annotations

import logging
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

from ..helpers.room_broken import VARIANTS, Broken
from ..helpers.room_driver import Event, check

EXAMPLES = int(os.environ.get("ROOM_MODEL_EXAMPLES", "200"))
UVLOOP = {"use_uvloop": True}


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """What a room logs whose host crashes, or is broken, is no news."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


MEMBERS = st.sampled_from(["a", "b"])
STATES: st.SearchStrategy[dict[str, Any]] = st.sampled_from([{}, {"x": 1}, {"y": "é"}])
DATA = st.sampled_from([1, None, "é"])
SMALL = st.integers(0, 3)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.tuples(st.just("publish"), DATA, st.none() | st.sampled_from(["k", "l"]), st.booleans()),
    st.tuples(st.just("connect"), st.none() | MEMBERS, st.none() | SMALL, st.booleans()),
    st.tuples(st.just("join"), MEMBERS, st.none() | STATES),
    st.tuples(st.just("presence"), MEMBERS, st.none() | STATES),
    st.tuples(st.just("leave"), MEMBERS),
    st.tuples(st.just("send"), SMALL, DATA, st.booleans()),
    st.tuples(st.just("close"), SMALL, st.booleans()),
    st.tuples(st.just("advance"), st.sampled_from([1, 9, 10, 50, 59, 60, 300])),
    st.tuples(st.just("metadata"), STATES),
    st.tuples(st.just("restore"), SMALL),
    st.sampled_from(
        [("evict",), ("crash",), ("cancelled",), ("failed",), ("snapshot",), ("stats",)]
    ),
    st.tuples(st.just("destroy"), st.booleans()),
)


def chosen_seed() -> int:
    """`ROOM_MODEL_SEED`; in CI the commit, so that a red run is red again; else a new one."""
    given_seed = os.environ.get("ROOM_MODEL_SEED")
    if given_seed is None and os.environ.get("CI"):
        command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
        given_seed = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return int(given_seed, 16) if given_seed else secrets.randbits(64)


@pytest.mark.timeout(900)
def test_a_room_does_what_its_model_does() -> None:
    """Results, history, members, lifecycle, sums, and all that every socket hears, in order."""

    @seed(chosen_seed())
    @settings(max_examples=EXAMPLES, phases=(Phase.generate, Phase.shrink))
    @given(st.booleans(), st.lists(EVENTS, min_size=5, max_size=40))
    def compare(recreates: bool, events: list[Event]) -> None:
        anyio.run(check, recreates, events, backend_options=UVLOOP)

    compare()


@pytest.mark.parametrize(
    ("broken", "events"), VARIANTS, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_broken_room_is_noticed(broken: Broken, events: list[Event]) -> None:
    """The same events are good on a sound room, and are not on one that breaks a promise."""
    anyio.run(check, True, events, backend_options=UVLOOP)
    with broken(), pytest.raises(BaseException) as caught:
        anyio.run(check, True, events, backend_options=UVLOOP)
    assert caught.group_contains(AssertionError) or caught.errisinstance(AssertionError)
