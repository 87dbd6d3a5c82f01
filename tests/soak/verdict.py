"""The verdict on a run: a row for each figure, from its files to a table, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from roomhost.storage.limits import MAX_LOG_BYTES

from . import limits
from .chores import BACKUP, DEPLOY, schedule
from .findings import Findings
from .judges import (
    Judgement,
    Mark,
    judge_bound,
    judge_complaints,
    judge_errors,
    judge_happened,
    judge_latency,
    judge_map,
    judge_memory,
    judge_number,
    judge_queue,
    judge_samples,
)
from .plan import Places
from .sampling import missing_fields
from .tally import Count, Kind

KIB_PER_MIB = 1_024
CHECKS = ("settled", "rooms", "counters", "tickers")


class Row(msgspec.Struct, frozen=True):
    """A judgement, as it is written."""

    what: str
    mark: str
    found: str
    allowed: str


class Verdict(msgspec.Struct, frozen=True):
    """`facts`: what there was, beside what is judged."""

    rows: list[Row]
    facts: dict[str, float | int | str]

    @property
    def is_good(self) -> bool:
        """Whether nothing failed."""
        return not any(row.mark == Mark.FAILED.value for row in self.rows)


def judge_files(places: Places) -> Verdict:
    """Judge what is there, and write it down. OSError: no run was there."""
    found = Findings(places)
    rows = [
        Row(judged.what, judged.mark.value, judged.found, judged.allowed)
        for judged in judgements(found)
    ]
    verdict = Verdict(rows, facts(found))
    places.verdict.write_bytes(msgspec.json.format(msgspec.json.encode(verdict)))
    places.report.write_text(table(verdict))
    return verdict


def judgements(found: Findings) -> Iterator[Judgement]:
    """Row by row."""
    yield from correctness(found)
    yield from memory(found)
    yield from queues(found)
    for kind in Kind:
        for percentile in ("p50", "p99"):
            yield judge_latency(kind.value, percentile, found.latency(kind, percentile))
    waits = [(at, value * 1_000) for at, value in found.rates(*of("event_queue_seconds"))]
    yield judge_latency("wait of events that waited", "mean", waits)
    syncs = [(at, value * 1_000) for at, value in found.rates(*of("fsync_seconds"))]
    yield judge_latency("fsync, which is the disk's", "mean", syncs)


def of(histogram: str) -> tuple[str, str]:
    """The counters that its mean is made of."""
    return f"{histogram}_sum", f"{histogram}_count"


def correctness(found: Findings) -> Iterator[Judgement]:
    """What must be so in every run, however short."""
    told, total = found.errors()
    yield judge_errors(told, total, found.deploys())
    for name in CHECKS:
        yield judge_complaints(f"check: {name}", found.checks(name))
    yield judge_complaints("doctor", doctor_complaints(found))
    yield judge_complaints("errors in the host's log", found.log_errors)
    stopped = found.event("stopped")
    status = None if stopped is None else stopped["status"]
    ended = [] if status == 0 else [f"it ended with {status}"]
    yield judge_complaints("end of the host", None if stopped is None else ended)
    todo = schedule(found.plan)
    for kind in (BACKUP, DEPLOY):
        failed = [chore["error"] for chore in found.chores(kind) if "error" in chore]
        missing = sum(chore.kind == kind for chore in todo) - len(found.chores(kind))
        failed += ["it did not come to this"] * missing
        yield judge_complaints(f"{kind}s", failed)
    for counter in ("resets_total", "failed_batches_total", "slow_readers_closed_total"):
        yield judge_bound(counter, found.figure(counter), 0)
    yield judge_bound("alarm_retries_total", found.figure("alarm_retries_total"), 0)
    for counter in ("activations_total", "evictions_total", "alarms_fired_total"):
        yield judge_happened(counter, found.gained(counter))
    counts = found.counts()
    for count in (Count.DELIVERIES, Count.EDITS, Count.RETURNED, Count.RESUMED):
        yield judge_happened(count.value, counts[count.value])
    missing_figures = sorted({name for line in found.all_host for name in missing_fields(line)})
    times = [line["at"] for line in found.all_host]
    yield judge_samples(times, found.plan.sample_seconds, missing_figures)


def doctor_complaints(found: Findings) -> list[str] | None:
    """What `roomhost doctor` found, but for notes, as of alarms that are due while no host runs."""
    told = found.event("doctor")
    if told is None:
        return None

    return [
        f"{finding['level']}: {finding['what']}"
        for finding in told["findings"]
        if finding["level"] not in ("ok", "note")
    ]


def memory(found: Findings) -> Iterator[Judgement]:
    """What must not grow: memory, descriptors, threads, objects; files, in what is live in them."""
    own = found.series(lambda line: line["own_kib"] / KIB_PER_MIB)
    yield judge_memory("memory of the host, its own", own)
    blocks = found.figure("allocated_blocks")
    yield judge_number("blocks that Python has allocated", blocks)
    for name, what in (
        ("descriptors", "file descriptors"),
        ("threads", "threads"),
        ("resident_objects", "resident objects"),
        ("instances", "instances"),
        ("alarms_pending", "alarms that are set"),
    ):
        yield judge_number(what, found.figure(name))
    uncollectable = found.figure("gc_uncollectable")
    yield judge_bound("objects that no collection can free", uncollectable, 0)
    yield judge_map(found.figure("map_used_bytes"), found.live_bytes())
    most = limits.MAX_LOG_TIMES * MAX_LOG_BYTES
    yield judge_bound("commit log", found.figure("log_size_bytes"), most, "bytes")


def queues(found: Findings) -> Iterator[Judgement]:
    """What waits."""
    for name, floor in (
        ("queue_length", limits.EVENTS_FLOOR),
        ("events_in_flight", limits.EVENTS_FLOOR),
        ("log_unapplied_writes", limits.EVENTS_FLOOR * 10),
        ("log_unapplied_bytes", limits.BYTES_FLOOR),
        ("outgoing_bytes", limits.BYTES_FLOOR),
        ("incoming_bytes", limits.BYTES_FLOOR),
    ):
        yield judge_queue(name, found.figure(name), floor)


def facts(found: Findings) -> dict[str, float | int | str]:
    """The size of the run."""
    told: dict[str, float | int | str] = {
        "minutes of traffic": round(found.seconds / 60, 2),
        "sockets": found.plan.sockets,
        "rooms": found.plan.rooms,
        "actions a second": found.plan.rate,
        "share of a core, the host": round(share_of_core(found), 3),
    }
    for end in found.ends:
        for name, number in end["checked"].items():
            told[f"checked {name}"] = int(told.get(f"checked {name}", 0)) + number
    told |= {name: number for name, number in found.counts().items() if number}
    for counter in ("evictions_total", "activations_total", "alarms_fired_total", "commits_total"):
        told[counter] = int(found.gained(counter))
    rss = found.series(lambda line: line["rss_kib"] / KIB_PER_MIB)
    if rss:
        told["resident MiB at the end"] = round(rss[-1][1], 1)
    for kind in (BACKUP, DEPLOY):
        told[f"{kind}s"] = sum("result" in chore for chore in found.chores(kind))
    return told


def share_of_core(found: Findings) -> float:
    """Of CPU that the host took, while there was traffic."""
    series = found.figure("cpu_seconds")
    seconds = series[-1][0] - series[0][0] if series else 0.0
    return (series[-1][1] - series[0][1]) / seconds if seconds else 0.0


def table(verdict: Verdict) -> str:
    """Markdown."""
    header = ("figure", "verdict", "found", "allowed")
    lines = [f"# Long run: {'good' if verdict.is_good else 'FAILED'}", ""]
    rows = [(row.what, row.mark, row.found.replace("|", "/"), row.allowed) for row in verdict.rows]
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(3)]
    for row in (header, tuple("-" * width for width in (*widths, 7)), *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, (*widths, 0), strict=True)]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *(f"* {name}: {number}" for name, number in verdict.facts.items()), ""]
    return "\n".join(lines)
