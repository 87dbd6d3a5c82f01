"""The families of metrics of a host, made from its figures."""

from __future__ import annotations

from importlib.metadata import version
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from .event_kind import EventKind, ResetCause
from .intake import Reason
from .process import memory_bytes, tasks
from .survey import Presence
from .tally import OTHER, TALLIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ..storage import Histogram
    from .host import Host
    from .intake import Intake
    from .meter import Meter

    Labelled = dict[tuple[str, ...], float]

PREFIX = "roomhost_"


def event_families(meters: Sequence[Meter]) -> Iterator[Metric]:
    """Of events, by the kinds that there were."""
    kinds = [
        (meter.binding, kind, figures)
        for meter in meters
        for kind, figures in meter.events.items()
        if kind is not EventKind.TASK and (figures.durations.count or figures.refused)
    ]
    yield counter(
        "events",
        "Events of objects that have ended, by kind and by how they ended.",
        ("binding", "kind", "outcome"),
        {
            (binding, kind.value, outcome.value): number
            for binding, kind, figures in kinds
            for outcome, number in figures.outcomes.items()
        },
    )
    labels = ("binding", "kind")
    yield histogram(
        "event_duration_seconds",
        "Time from the begin of an event's handler until its outcome has left the object, on the disk "
        "what it depends on; of every event.",
        labels,
        {(binding, kind.value): figures.durations for binding, kind, figures in kinds},
    )
    yield histogram(
        "event_queue_seconds",
        "Time that events waited that found others before them, or the input gate closed; the rest "
        "did not wait, and is not in it.",
        labels,
        {(binding, kind.value): figures.waits for binding, kind, figures in kinds},
    )


COUNTERS: tuple[tuple[str, str, Callable[[Meter], float]], ...] = (
    ("activations", "Instances that were started.", lambda meter: meter.activations),
    (
        "evictions",
        "Instances that left memory because nothing was in them.",
        lambda meter: meter.evictions,
    ),
    (
        "websocket_messages_received",
        "Messages of clients over WebSockets.",
        lambda meter: meter.traffic.messages_in,
    ),
    (
        "websocket_received_bytes",
        "Bytes of clients over WebSockets.",
        lambda meter: meter.traffic.bytes_in,
    ),
    (
        "websocket_messages_sent",
        "Messages to clients over WebSockets.",
        lambda meter: meter.traffic.messages_out,
    ),
    (
        "websocket_sent_bytes",
        "Bytes to clients over WebSockets.",
        lambda meter: meter.traffic.bytes_out,
    ),
    (
        "slow_readers_closed",
        "WebSockets that were closed because their client did not read.",
        lambda meter: meter.slow_readers,
    ),
    (
        "alarms_fired",
        "Alarms that came due and were run, retries apart.",
        lambda meter: meter.alarms_fired,
    ),
    ("alarm_retries", "Runs of alarms that had failed before.", lambda meter: meter.alarm_retries),
    (
        "alarms_given_up",
        "Alarms that were deleted because they failed too often.",
        lambda meter: meter.alarms_given_up,
    ),
)


def binding_families(
    meters: Mapping[int, Meter], present: Mapping[int, Presence]
) -> Iterator[Metric]:
    """Of each set of objects as a whole."""
    every = list(meters.values())
    for name, help, read in COUNTERS:
        yield counter(name, help, ("binding",), {(meter.binding,): read(meter) for meter in every})
    yield counter(
        "resets",
        "Objects that were reset: their memory was dropped, their callers got an error.",
        ("binding", "cause"),
        {
            (meter.binding, cause.value): number
            for meter in every
            for cause in ResetCause
            for number in (meter.resets[cause],)
        },
    )
    yield histogram(
        "alarm_lateness_seconds",
        "How long after they were due alarms were run, retries apart.",
        ("binding",),
        {(meter.binding,): meter.lateness for meter in every if meter.alarms_fired},
    )
    yield from _gauges(meters, present)
    info = GaugeMetricFamily(
        PREFIX + "binding_info", "One for each set of objects, with its class and its own labels."
    )
    for meter in every:
        labels = {"binding": meter.binding, "class": meter.class_name}
        info.add_sample(info.name, {**meter.observability.labels, **labels}, 1)
    yield info


PRESENCE: tuple[tuple[str, str, Callable[[Presence], int]], ...] = (
    ("resident_objects", "Objects of which anything is in memory.", attrgetter("resident")),
    ("instances", "Objects with an instance in memory.", attrgetter("instances")),
    ("queue_length", "Events that wait before their handler begins.", attrgetter("queued")),
    (
        "events_in_flight",
        "Events whose handler has begun and whose outcome has not left yet.",
        attrgetter("in_flight"),
    ),
)


def _gauges(meters: Mapping[int, Meter], present: Mapping[int, Presence]) -> Iterator[Metric]:
    there = [(meter, present.get(number, Presence())) for number, meter in meters.items()]
    for name, help_text, figure in PRESENCE:
        yield gauge(
            name,
            help_text,
            ("binding",),
            {(meter.binding,): figure(presence) for meter, presence in there},
        )
    sockets: Labelled = {}
    for meter, presence in there:
        sockets[meter.binding, "awake"] = meter.sockets - presence.hibernated
        sockets[meter.binding, "hibernated"] = presence.hibernated
    yield gauge(
        "websockets",
        "Open WebSockets of objects that are awake, and of those that hibernate.",
        ("binding", "state"),
        sockets,
    )


def loop_families(host: Host) -> Iterator[Metric]:
    """Of code that let nothing else run, by the binding of its object, "" where none was found."""
    watchdog = host.observer.watchdog
    if watchdog is None:
        return

    holds: Labelled = {(binding,): number for binding, number in list(watchdog.holds.items())}
    seconds: Labelled = {(binding,): held for binding, held in list(watchdog.held_seconds.items())}
    yield counter(
        "loop_holds",
        "How often one object's code let nothing else run for longer than held_loop_seconds.",
        ("binding",),
        holds,
    )
    yield counter("loop_held_seconds", "For how long, together.", ("binding",), seconds)


def tally_families(meters: Sequence[Meter]) -> Iterator[Metric]:
    """What is counted above the runtime, of each set of objects that has counted anything there."""
    counting = [meter for meter in meters if meter.tallies]
    for tally in TALLIES.values():
        values = ("",) if tally.label is None else (*sorted(tally.values), OTHER)
        counts: Labelled = {
            (meter.binding, value)[: 2 if tally.label else 1]: meter.tallies[tally.name, value]
            for meter in counting
            for value in values
        }
        labels = ("binding",) if tally.label is None else ("binding", tally.label)
        yield counter(tally.name, tally.help, labels, counts)


def host_families(host: Host) -> Iterator[Metric]:
    """Of the host as a whole. StorageError: storage is closed, or broken."""
    figures = host.engine.partition.figures()
    writer = figures.writer
    for name, help, number in (
        (
            "commits",
            "Groups of batches that were made durable, with one sync each.",
            writer.commits,
        ),
        ("batches", "Batches, of one turn each, that were made durable.", writer.batches),
        ("failed_batches", "Batches that could not be stored.", writer.failed_batches),
    ):
        yield counter(name, help, (), {(): number})
    yield histogram("commit_group_batches", "Batches of one commit.", (), {(): figures.group_sizes})
    yield histogram(
        "fsync_seconds",
        "Time of the one synced write to the log that makes a group durable.",
        (),
        {(): figures.sync_seconds},
    )
    for name, help, value in (
        ("map_size_bytes", "What LMDB may use before its map grows.", figures.map_bytes),
        ("map_used_bytes", "What of LMDB's map has been used.", figures.used_bytes),
        ("log_size_bytes", "The files of the commit log.", figures.log_bytes),
        (
            "log_unapplied_bytes",
            "What of the commit log LMDB does not have yet, at most.",
            figures.unapplied_bytes,
        ),
        ("log_unapplied_writes", "Writes that LMDB does not have yet.", figures.pending_writes),
        ("alarms_pending", "Alarms that are set, as LMDB has them.", figures.alarms),
        ("alarms_running", "Alarms whose handler runs.", host.engine.alarms.running),
        ("followers", "Who follows events and logs live.", host.observer.followers),
        ("tasks", "Tasks of asyncio's loop, those too that actors have started.", tasks()),
        ("process_memory_bytes", "Memory of the process.", memory_bytes()),
        ("start_time_seconds", "When the host started, since the epoch.", host.started_ms / 1_000),
    ):
        yield gauge(name, help, (), {(): value})
    yield from _intake_families(host.intake)
    yield gauge(
        "info",
        "One, with the version of the host and the name of the application.",
        ("version", "application"),
        {(version("roomhost"), host.app.name): 1},
    )


def _intake_families(intake: Intake) -> Iterator[Metric]:
    """Of what came over the network."""
    yield counter(
        "refusals",
        "Connections, requests and WebSockets of clients that were turned away, by the reason.",
        ("reason",),
        {(reason.value,): intake.refusals[reason] for reason in Reason},
    )
    for name, help, value in (
        ("connections", "Open connections of clients.", len(intake.connections)),
        ("tls_handshakes", "TLS handshakes that are under way.", intake.handshakes),
        (
            "incoming_bytes",
            "Of messages and bodies that have begun to come and are not whole.",
            intake.incoming_bytes,
        ),
    ):
        yield gauge(name, help, (), {(): value})


def counter(name: str, help: str, labels: Sequence[str], counts: Labelled) -> Metric:
    """A counter, whose samples end in `_total`."""
    family = CounterMetricFamily(PREFIX + name, help, labels=labels)
    for values, number in counts.items():
        family.add_metric(values, number)
    return family


def gauge(name: str, help: str, labels: Sequence[str], values: Labelled) -> Metric:
    """A figure that goes up and down."""
    family = GaugeMetricFamily(PREFIX + name, help, labels=labels)
    for named, number in values.items():
        family.add_metric(named, number)
    return family


def histogram(
    name: str,
    help: str,
    labels: Sequence[str],
    histograms: Mapping[tuple[str, ...], Histogram],
) -> Metric:
    """A distribution."""
    family = HistogramMetricFamily(PREFIX + name, help, labels=labels)
    for values, figures in histograms.items():
        total, below = 0, list[tuple[str, float]]()
        counts = figures.counts
        for bound, count in zip((*figures.bounds, inf), counts, strict=True):
            total += count
            below.append(("+Inf" if bound == inf else repr(float(bound)), total))
        family.add_metric(values, below, figures.total)
    return family
