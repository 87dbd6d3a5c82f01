"""The names that the simulation takes the place of, and that they are the product's again afterwards."""

from __future__ import annotations

import threading
import time
from random import Random
from typing import Any

import anyio.to_thread
import lmdb
from anyio._backends import _asyncio as anyio_asyncio

from roomhost.runtime import limits
from roomhost.storage import Partition, applier, commit_log, environment, log_segment, writer

from .run import simulate
from .seams import Bounds, Ordered
from .workloads.tallies import Tallies


def names() -> list[object]:
    """What stands where."""
    write: Any = writer
    apply: Any = applier
    lmdb_side: Any = environment
    segments: Any = log_segment
    log: Any = commit_log.CommitLog.__init__
    opening: Any = Partition.open
    return [
        *(write.threading, apply.threading, lmdb_side.threading, apply.time),
        *(segments.os, lmdb_side.os, lmdb_side.lmdb, write.monotonic),
        *(anyio.to_thread.run_sync, environment.Environment._commit),
        *(anyio_asyncio.CancelScope.__init__, log.__kwdefaults__),
        *(opening.__func__.__kwdefaults__, limits.MAX_EVENTS_AT_ONCE),
        *(apply.APPLY_AT_WRITES, write.MAX_GROUP_BATCHES),
    ]


def test_everything_is_put_back() -> None:
    """After a run nothing is simulated."""
    before = names()
    assert before[:4] == [threading, threading, threading, time]
    assert before[6] is lmdb
    simulate(Tallies, 1)
    assert names() == before


def test_bounds_are_small_and_drawn() -> None:
    """A few dozen writes reach each of them; what a log holds LMDB has room for."""
    drawn = {Bounds.drawn(Random(seed)) for seed in range(100)}
    assert len(drawn) > 50
    for bounds in drawn:
        assert bounds.apply_at_writes < bounds.max_pending_writes <= 512
        assert bounds.segment_bytes <= 16_384


def test_an_ordered_set_is_a_set() -> None:
    """As far as a cancel scope needs one."""
    items = Ordered()
    for item in (3, 1, 2, 1):
        items.add(item)
    items.discard(9)
    items.remove(1)
    assert list(items) == [3, 2]
