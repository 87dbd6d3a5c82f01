"""The judges: each holds one kind of figure against its bound. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from statistics import median
from typing import Any

from . import limits
from .trends import Series, last_half, quarters, trend

MIB = 2**20
HOUR = 3_600.0
RESTARTING = 1_012


class Mark(Enum):
    """What a judge says. UNDECIDED: there is too little, or too much noise, to say anything."""

    GOOD = "good"
    UNDECIDED = "undecided"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One row of the verdict: of what, what was found, what was allowed."""

    what: str
    mark: Mark
    found: str
    allowed: str


def judge_memory(what: str, mib: Series) -> Judgement:
    """It may grow by so many MiB in an hour, or by a share of what it is: seen over the last half."""
    half = last_half(mib)
    hours = (half[-1][0] - half[0][0]) / HOUR if half else 0.0
    level = median(value for _, value in half) if half else 0.0
    by_time, by_size = limits.MAX_MEMORY_MIB_PER_HOUR * hours, limits.MAX_MEMORY_SHARE * level
    allowed = max(by_time, by_size, limits.MEMORY_FLOOR_MIB)
    return judge_growth(what, half, allowed, "MiB")


def judge_number(what: str, numbers: Series) -> Judgement:
    """Descriptors, threads, objects: they may grow by a share, or by a few, over the last half."""
    half = last_half(numbers)
    level = median(value for _, value in half) if half else 0.0
    allowed = max(limits.COUNT_FLOOR, limits.MAX_COUNT_SHARE * level)
    return judge_growth(what, half, allowed, "")


def judge_growth(what: str, series: Series, allowed: float, unit: str) -> Judgement:
    """A series may gain so much over its time. One that seems to gain more, and may as well gain
    nothing, is undecided."""
    bound = f"gains at most {allowed:.1f} {unit}".rstrip()
    found = trend(series)
    if found is None:
        return Judgement(what, Mark.UNDECIDED, f"{len(series)} samples", bound)

    text = (
        f"{median(value for _, value in series):,.1f} {unit} gains {found.gain:+.2f} in "
        f"{found.seconds / 60:.0f} min ({found.low * HOUR:+.1f} to {found.high * HOUR:+.1f} an hour)"
    )
    mark = Mark.GOOD
    if found.gain > allowed:
        mark = Mark.FAILED if found.least_gain > 0 else Mark.UNDECIDED
    return Judgement(what, mark, text, bound)


def judge_map(used_bytes: Series, live_bytes: Series) -> Judgement:
    """What the map has in use, in what is live in it: the size of a backup, made at the same time."""
    what = "map of the data directory"
    bound = f"at most {limits.MAX_MAP_TIMES_LIVE:g} times what a backup has"
    if not live_bytes or not used_bytes:
        return Judgement(what, Mark.UNDECIDED, "no backup", bound)

    at, live = live_bytes[-1]
    used = min(used_bytes, key=lambda point: abs(point[0] - at))[1]
    text = f"{used / MIB:.1f} MiB, {live / MIB:.1f} MiB in a backup"
    good = used <= max(limits.MAX_MAP_TIMES_LIVE * live, limits.MAP_FLOOR_BYTES)
    return Judgement(what, Mark.GOOD if good else Mark.FAILED, text, bound)


def judge_bound(what: str, values: Series, most: float, unit: str = "") -> Judgement:
    """It is never more."""
    bound = f"at most {most:,.0f} {unit}".rstrip()
    if not values:
        return Judgement(what, Mark.UNDECIDED, "no samples", bound)

    largest = max(value for _, value in values)
    mark = Mark.GOOD if largest <= most else Mark.FAILED
    return Judgement(what, mark, f"at most {largest:,.0f} {unit}".rstrip(), bound)


def judge_queue(what: str, lengths: Series, floor: float) -> Judgement:
    """What waits in the last quarter is not much more than in the second, unless it is next to nothing."""
    return _judge_quarters(what, lengths, limits.MAX_QUEUE_TIMES, floor, "")


def judge_latency(what: str, percentile: str, milliseconds: Series) -> Judgement:
    """A percentile of each interval is not much larger in the last quarter than in the second."""
    times, floor = (
        (limits.MAX_P50_TIMES, limits.P50_FLOOR_MS)
        if percentile == "p50"
        else (limits.MAX_P99_TIMES, limits.P99_FLOOR_MS)
    )
    return _judge_quarters(f"{what}, {percentile}", milliseconds, times, floor, " ms")


def _judge_quarters(what: str, series: Series, times: float, floor: float, unit: str) -> Judgement:
    bound = f"at most {times:g} times, or {floor:,.0f}{unit}"
    found = quarters(series)
    if found is None or len(series) < limits.LEAST_BINS:
        return Judgement(what, Mark.UNDECIDED, f"{len(series)} samples", bound)

    second, last = found
    mark = Mark.GOOD if last <= max(times * second, floor) else Mark.FAILED
    return Judgement(what, mark, f"{second:,.2f}{unit}, then {last:,.2f}{unit}", bound)


def judge_errors(
    errors: Sequence[Mapping[str, Any]], total: int, deploys: Iterable[float]
) -> Judgement:
    """None but what was announced: closes with 1012 soon after a deploy. `total`: with those that were
    only counted. `deploys`: when they began."""
    begun = list(deploys)
    unexpected = [error for error in errors if not is_announced(error, begun)]
    number = total - len(errors) + len(unexpected)
    text = f"{number}"
    if unexpected:
        first = unexpected[0]
        text += f", the first: {first['what']} {first['text']} {first['code'] or ''}".rstrip()
    mark = Mark.GOOD if number == 0 else Mark.FAILED
    return Judgement("errors of clients", mark, text, "none but announced closes")


def is_announced(error: Mapping[str, Any], deploys: Iterable[float]) -> bool:
    """Whether an error is a close that a deploy explains."""
    soon = any(0 <= error["at"] - began <= limits.ANNOUNCED_SECONDS for began in deploys)
    return soon and error["what"] == "close" and error["code"] == RESTARTING


def judge_complaints(what: str, complaints: Sequence[str] | None) -> Judgement:
    """There are none, and it was looked."""
    if complaints is None:
        return Judgement(what, Mark.FAILED, "was not looked at", "no complaint")

    mark = Mark.FAILED if complaints else Mark.GOOD
    text = f"{len(complaints)}: {complaints[0]}" if complaints else "no complaint"
    return Judgement(what, mark, text, "no complaint")


def judge_happened(what: str, number: float, least: float = 1) -> Judgement:
    """What the run is for did happen."""
    mark = Mark.GOOD if number >= least else Mark.FAILED
    return Judgement(what, mark, f"{number:,.0f}", f"at least {least:,.0f}")


def judge_samples(times: Sequence[float], distance: float, missing: Sequence[str]) -> Judgement:
    """Every figure was sampled, and without a hole."""
    gaps = [later - earlier for earlier, later in pairwise(times)]
    widest = max(gaps, default=0.0)
    bound = f"every figure, at least each {limits.MAX_SAMPLE_GAPS * distance:g} s"
    if missing or not times:
        return Judgement("samples", Mark.FAILED, f"missing {', '.join(missing) or 'all'}", bound)

    mark = Mark.GOOD if widest <= limits.MAX_SAMPLE_GAPS * distance else Mark.UNDECIDED
    return Judgement("samples", mark, f"{len(times)}, at most {widest:.1f} s apart", bound)
