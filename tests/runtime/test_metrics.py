"""What a busy host says of itself to Prometheus."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as open_metrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

from roomhost.runtime.event_kind import EventKind, Outcome, ResetCause
from roomhost.runtime.testing import host_for

from ..helpers.busy_host import app, busy_host

pytestmark = pytest.mark.anyio

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scrape(host: Any, **headers: str) -> httpx.Response:
    """`GET /metrics`."""
    transport = httpx.ASGITransport(app=host.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
        return await client.get("/metrics", headers=headers)


@pytest.fixture(scope="module")
async def text() -> str:
    """The figures of a busy host."""
    async with busy_host() as host:
        response = await scrape(host)
        assert response.status_code == 200
        return response.text


def samples_of(text: str) -> Samples:
    """By name and labels; each there once."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


async def test_each_figure_is_what_happened(text: str) -> None:
    """Of a host that has done a little of everything."""
    samples = samples_of(text)

    def value(name: str, **labels: str) -> float:
        return samples[f"roomhost_{name}", frozenset(labels.items())]

    room = {"binding": "ROOM"}
    call = room | {"kind": "call"}
    assert value("events_total", **call, outcome="ok") == 4
    assert value("events_total", **call, outcome="failed") == 1
    assert value("events_total", **call, outcome="reset") == 1
    assert value("events_total", **call, outcome="overloaded") == 1
    assert value("events_total", **room, kind="fetch", outcome="ok") == 2
    assert value("events_total", **room, kind="message", outcome="ok") == 1
    assert value("events_total", **room, kind="alarm", outcome="failed") == 1
    assert value("events_total", **room, kind="alarm", outcome="ok") == 1
    assert value("event_duration_seconds_count", **call) == 6
    assert value("event_duration_seconds_bucket", **call, le="+Inf") == 6
    assert value("event_duration_seconds_sum", **call) > 0
    assert value("alarms_fired_total", **room) == 1
    assert value("alarm_retries_total", **room) == 1
    assert value("alarms_given_up_total", **room) == 0
    assert value("alarm_lateness_seconds_count", **room) == 1
    assert value("resets_total", **room, cause="abort") == 1
    assert value("activations_total", **room) == 3
    assert value("evictions_total", **room) == 1
    assert value("resident_objects", **room) == 2
    assert value("instances", **room) == 1
    assert value("queue_length", **room) == 1
    assert value("events_in_flight", **room) >= 1
    assert value("websockets", **room, state="hibernated") == 1
    assert value("websockets", **room, state="awake") == 0
    assert value("realtime_publishes_total", binding="LIVE.rooms") == 1
    assert value("crdt_refusals_total", binding="LIVE.rooms", reason="truncated") == 1
    assert value("binding_info", **{"binding": "LIVE.rooms", "class": "Room"}, team="chat") == 1
    assert value("commits_total") >= 4
    assert value("commit_group_batches_sum") == value("batches_total") >= 4
    assert value("fsync_seconds_count") == value("commits_total")
    assert value("map_size_bytes") >= value("map_used_bytes") > 0
    assert value("log_size_bytes") > 0
    assert value("process_memory_bytes") > 1_000_000


async def test_names_and_labels_keep_the_rules(text: str) -> None:
    """Of Prometheus: base units, `_total` on counters alone, a sentence of help; and few values."""
    known = {
        "kind": {kind.value for kind in EventKind},
        "outcome": {outcome.value for outcome in Outcome},
        "cause": {cause.value for cause in ResetCause},
        "state": {"awake", "hibernated"},
        "binding": {"ROOM", "LIVE.rooms", "LIVE.channels", "LIVE.directory"},
    }
    for family in text_string_to_metric_families(text):
        assert re.fullmatch(r"roomhost_[a-z_]+", family.name)
        assert family.type in ("counter", "gauge", "histogram")
        assert family.documentation.endswith(".")
        assert not re.search(r"_(ms|milliseconds|kb|mb|count|sum|bucket)$", family.name)
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter")
            for label, value in sample.labels.items():
                assert label not in known or value in known[label]


async def test_buckets_only_grow(text: str) -> None:
    """In the order of their bounds, to the count at the end."""
    for family in text_string_to_metric_families(text):
        if family.type != "histogram":
            continue

        buckets: dict[Any, list[tuple[float, float]]] = {}
        for sample in family.samples:
            if sample.name.endswith("_bucket"):
                labels = dict(sample.labels)
                bound = float(labels.pop("le"))
                buckets.setdefault(tuple(labels.items()), []).append((bound, sample.value))
        for series in buckets.values():
            assert series == sorted(series)
            assert [count for _, count in series] == sorted(count for _, count in series)


async def test_hosts_of_one_process_do_not_mix() -> None:
    """Each says its own."""
    async with host_for(app) as one, host_for(app) as other:
        await one.env.ROOM.get_by_name("a").add(1)
        key = "roomhost_activations_total", frozenset({("binding", "ROOM")})
        assert samples_of((await scrape(one)).text)[key] == 1
        assert samples_of((await scrape(other)).text)[key] == 0


async def test_open_metrics_are_for_whoever_asks() -> None:
    """By the header Accept."""
    async with host_for(app) as host:
        await host.env.ROOM.get_by_name("a").add(1)
        response = await scrape(host, accept="application/openmetrics-text; version=1.0.0")
        assert response.headers["content-type"].startswith("application/openmetrics-text")
        parse: Any = open_metrics_families
        names = {family.name for family in parse(response.text)}
        assert "roomhost_events" in names


async def test_without_the_setting_the_path_is_the_applications() -> None:
    """Which here has nothing there."""
    async with host_for(app, metrics=False) as host:
        assert (await scrape(host)).status_code == 404


async def test_below_the_path_of_a_mount_they_are_served_too() -> None:
    """A host within another application."""
    from starlette.applications import Starlette
    from starlette.routing import Mount

    async with host_for(app) as host:
        outer = Starlette(routes=[Mount("/rooms", app=host.asgi)])
        transport = httpx.ASGITransport(app=outer)
        async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
            response = await client.get("/rooms/metrics")
        assert "roomhost_info" in response.text
