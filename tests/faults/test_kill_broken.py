"""A host that loses something to `kill -9` is found out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from .kill_broken import BROKEN
from .kill_client import Promise, Record
from .kill_life import Life
from .kill_moments import Blow, Moment, Victim

SEED = 20_261_127
SOON = 2.0  # seconds that something gets to happen in a broken host
SOME = Blow(Moment.COUNT, count=60)
FEW = Blow(Moment.COUNT, count=5)
LONG = Blow(Moment.APPEND, seconds=10, seam="pwritev.after:9999")  # it kills itself before that


class Case(NamedTuple):
    """How a host is `broken`, when it is killed, and of which promises somebody must complain then. Some
    promises have nothing to do with each other, and are broken together."""

    broken: tuple[str, ...]
    blows: Sequence[Blow]
    promises: set[Promise]


CASES = (
    Case(("answers_early",), [SOME], {Promise.DURABLE}),
    Case(("forgets_the_log",), [SOME], {Promise.DURABLE, Promise.KEPT}),
    Case(("splits_turns",), [LONG], {Promise.WHOLE}),
    Case(("lets_out_early",), [SOME], {Promise.KEPT}),
    Case(("forgets_keys",), [LONG, SOME], {Promise.ONCE}),
    Case(("resumes_behind",), [FEW, SOME], {Promise.GAPLESS}),
    Case(("resumes_in_disorder",), [FEW, SOME], {Promise.ORDER}),
    Case(
        ("forgets_presence", "forgets_updates", "rings_early"),
        [SOME],
        {Promise.PRESENCE, Promise.DOCUMENT, Promise.NOT_EARLY},
    ),
    Case(("forgets_overdue",), [SOME], {Promise.RINGS}),
    Case(
        ("forgets_secrets", "keeps_its_socket", "leaves_alarms", "logs_errors"),
        [SOME],
        {Promise.TOKENS, Promise.STARTS, Promise.SOUND, Promise.QUIET},
    ),
    Case(("trusts_the_lock",), [FEW], {Promise.STARTS}),
    Case(
        ("backs_up_in_place",),
        [Blow(Moment.BACKUP, count=2, victim=Victim.COPY)],
        {Promise.BACKUP},
    ),
    Case(("backs_up_early",), [Blow(Moment.BACKUP, seconds=0.5, count=99)], {Promise.BACKUP}),
    Case(
        ("migrates_in_two",),
        [Blow(Moment.DEPLOY, seam="record.after:1")],
        {Promise.DEPLOY},
    ),
)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("case", CASES, ids=lambda case: "+".join(case.broken))
def test_a_broken_host_is_found_out(tmp_path: Path, case: Case) -> None:
    """By the complaints that are about what it breaks."""
    record = Record(patience=SOON)
    life = Life(tmp_path, Random(SEED), record, ",".join(case.broken))
    asyncio.run(life.live(case.blows))
    assert case.promises <= {complaint.promise for complaint in record.complaints}


def test_every_promise_is_broken_by_somebody() -> None:
    """And every way to break one is tried."""
    assert {name for case in CASES for name in case.broken} == set(BROKEN)
    assert set().union(*(case.promises for case in CASES)) == set(Promise)
