"""The `observability` option of a module."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from roomhost.actors import InvalidArgument, realtime
from roomhost.actors.observability import observability_of
from roomhost.bindings import App
from roomhost.runtime.event_kind import EventKind
from roomhost.runtime.observability import Observability, Sampler
from roomhost.runtime.testing import host_for


def test_it_says_level_share_and_labels() -> None:
    """And what it leaves out is as the host has it."""
    assert observability_of(None) == observability_of({}) == Observability(None, 1.0, {})
    option = {"level": "debug", "sampling": 0, "labels": {"team": "chat"}, "vendor": 1}
    assert observability_of(option) == Observability("debug", 0.0, {"team": "chat"})


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ({"level": "loud"}, "level"),
        ({"level": 10}, "level"),
        ({"sampling": 1.1}, "sampling"),
        ({"sampling": -1}, "sampling"),
        ({"sampling": True}, "sampling"),
        ({"sampling": "all"}, "sampling"),
        ({"labels": ["team"]}, "labels"),
        ({"labels": {str(number): "" for number in range(9)}}, "labels"),
        ({"labels": {"a-b": "x"}}, "labels.a-b"),
        ({"labels": {"__a": "x"}}, "labels.__a"),
        ({"labels": {"binding": "x"}}, "labels.binding"),
        ({"labels": {"a": 1}}, "labels.a"),
        ({"labels": {"a": "x" * 129}}, "labels.a"),
    ],
)
def test_what_it_cannot_mean_is_refused(option: dict[str, Any], field: str) -> None:
    """When the module is made, by the field."""
    with pytest.raises(InvalidArgument) as caught:
        realtime(name="live", observability=option)
    assert caught.value.field == f"observability.{field}"
    assert str(caught.value).startswith(f"observability.{field} ")


@pytest.mark.anyio
async def test_keys_that_do_nothing_are_named_when_the_host_starts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They are kept."""
    module = realtime(name="live", observability={"vendor": 1, "level": "info"})
    async with host_for(App(name="app", bindings={"LIVE": module})) as host:
        assert host.env.LIVE.options.observability == {"vendor": 1, "level": "info"}
    (warning,) = [r.getMessage() for r in caplog.records if "no such keys" in r.getMessage()]
    assert "'vendor'" in warning


def module_app(**option: Any) -> App:
    """An application whose module has that option."""
    return App(name="app", bindings={"LIVE": realtime(name="live", observability=option)})


@pytest.mark.anyio
async def test_a_level_of_debug_logs_a_line_for_each_event(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of this module, though the host's level is higher."""
    logging.getLogger("roomhost.events").setLevel(logging.WARNING)
    try:
        async with host_for(module_app(level="debug")) as host:
            await host.env.LIVE.room("a").publish(type="note")
    finally:
        logging.getLogger("roomhost.events").setLevel(logging.NOTSET)
    rooms = [r for r in caplog.records if vars(r).get("binding") == "LIVE.rooms"]
    assert [vars(r)["object_name"] for r in rooms] == ["a"]


@pytest.mark.anyio
async def test_a_level_of_error_leaves_out_what_is_slow(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of this module."""
    async with host_for(module_app(level="error"), slow_handler_seconds=1e-9) as host:
        await host.env.LIVE.room("a").publish(type="note")
    assert not [r for r in caplog.records if r.name == "roomhost.events"]


@pytest.mark.anyio
async def test_a_share_of_the_events_is_recorded_and_all_are_counted() -> None:
    """And of those that fail, each."""
    async with host_for(module_app(sampling=0.25), inspector=True) as host:
        room = host.env.LIVE.room("a")
        for _ in range(8):
            await room.publish(type="note")
        rooms = [meter for meter in host.observer.meters.values() if meter.binding == "LIVE.rooms"]
        counted = rooms[0].events[EventKind.CALL].durations.count
        assert counted >= 8
        assert len(host.observer.recent("LIVE.rooms")) == -(-counted // 4)
        with pytest.raises(InvalidArgument):
            await host.env.LIVE.crdt_room("a").apply_yjs_update(update_base64="/w==")
        assert host.observer.recent("LIVE.rooms")[0].outcome == "InvalidArgument"


def test_a_sampler_is_even() -> None:
    """It picks the first, then one of each so many."""
    sampler = Sampler(0.25)
    assert [number for number in range(10) if sampler.picks()] == [0, 4, 8]
    assert not any(Sampler(0.0).picks() for _ in range(8))
    assert all(Sampler(1.0).picks() for _ in range(8))
