"""Alarms: setting and reading.

semantics.md 6.1: one alarm for each object, what a time may be, and what the three calls return.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from ..helpers.scripted import script
from .alarms import START_MS, Alarmed, at, stage
from .feature import Feature, shows

pytestmark = pytest.mark.anyio

SET = Feature("storage.setAlarm", "6.1")
DATE = Feature(
    "storage.setAlarm: a Date",
    "6.1",
    differs="an aware `datetime` stands for a Date; a naive one is a TypeError",
)
FRACTION = Feature("storage.setAlarm: fractions are cut off", "6.1")
REFUSED = Feature("storage.setAlarm: times that are refused", "6.1")
PAST = Feature("storage.setAlarm: a time in the past is now", "6.1")
NO_HANDLER = Feature("storage.setAlarm: a class without alarm()", "6.1")
GET = Feature("storage.getAlarm", "6.1")
DELETE = Feature("storage.deleteAlarm", "6.1")
OPTIONS = Feature("storage.setAlarm, getAlarm, deleteAlarm: options", "6.1")


@shows(GET)
async def test_an_object_has_no_alarm_at_first() -> None:
    """None, not 0."""
    async with stage() as s:
        assert await s.object().get_alarm() is None


@shows(SET, GET)
async def test_an_alarm_is_read_back_in_whole_milliseconds() -> None:
    """An int since the epoch, at once and after the instance is gone."""
    async with stage() as s:
        assert await s.object().set_alarm(at(60)) is None
        due = await s.object().get_alarm()
        assert (due, type(due)) == (at(60), int)
        assert await s.host.evict(s.object())
        assert await s.object().get_alarm() == at(60)


@shows(SET)
async def test_a_new_alarm_replaces_the_old_one() -> None:
    """There is one for each object: moved later, moved earlier, it is the last one set."""
    async with stage() as s:
        for seconds in (10, 60, 5):
            await s.object().set_alarm(at(seconds))
            assert await s.object().get_alarm() == at(seconds)
        await s.clock.advance(100)
        assert s.seconds == [5]


@shows(SET)
async def test_objects_have_alarms_of_their_own() -> None:
    """Setting or deleting one leaves that of another object alone."""
    async with stage() as s:
        await s.object("a").set_alarm(at(10))
        await s.object("b").set_alarm(at(20))
        await s.object("a").delete_alarm()
        assert await s.object("b").get_alarm() == at(20)
        assert await s.object("a").get_alarm() is None


@shows(SET, GET, DELETE)
async def test_the_calls_are_done_when_they_are_made() -> None:
    """Awaited or not: what comes next in the same turn sees it."""

    @script
    async def turn(actor: Alarmed) -> list[int | None]:
        storage = actor.ctx.storage
        seen: list[int | None] = []
        storage.set_alarm(at(10))
        seen.append(await storage.get_alarm())
        storage.delete_alarm()
        seen.append(await storage.get_alarm())
        storage.set_alarm(at(20))
        seen.append(await storage.get_alarm())
        return seen

    async with stage() as s:
        assert await s.object().run("turn") == [at(10), None, at(20)]
        assert await s.object().get_alarm() == at(20)


@shows(SET)
async def test_an_alarm_is_no_entry_of_the_storage() -> None:
    """Neither list() nor get() shows it."""

    @script
    async def entries(actor: Alarmed) -> dict[str, Any]:
        await actor.ctx.storage.set_alarm(at(10))
        await actor.ctx.storage.put("k", 1)
        return await actor.ctx.storage.list()

    async with stage() as s:
        assert await s.object().run("entries") == {"k": 1}


@pytest.mark.parametrize(
    "zone", [UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=9))], ids=str
)
@shows(DATE)
async def test_a_datetime_is_the_moment_it_names(zone: timezone) -> None:
    """In whichever time zone; what is below a millisecond is cut off."""
    moment = datetime.fromtimestamp(START_MS / 1_000, zone) + timedelta(seconds=9, microseconds=250)
    async with stage() as s:
        await s.object().set_alarm(moment)
        assert await s.object().get_alarm() == at(9)


@shows(DATE)
async def test_a_datetime_without_a_zone_is_refused() -> None:
    """It could be any of a day's moments."""

    @script
    async def naive(actor: Alarmed) -> None:
        await actor.ctx.storage.set_alarm(datetime(2050, 1, 1))

    async with stage() as s:
        with pytest.raises(TypeError, match="aware"):
            await s.object().run("naive")


@pytest.mark.parametrize("fraction", [0.25, 0.5, 0.75])
@shows(FRACTION)
async def test_a_fraction_of_a_millisecond_is_cut_off(fraction: float) -> None:
    """Not rounded."""
    async with stage() as s:
        await s.object().set_alarm(at(5) + fraction)
        assert await s.object().get_alarm() == at(5)


@pytest.mark.parametrize(
    ("when", "message"),
    [
        (math.nan, "valid Date"),
        (math.inf, "valid Date"),
        (-math.inf, "valid Date"),
        (None, "valid Date"),
        ("2050-01-01", "valid Date"),
        (True, "valid Date"),
        ([], "valid Date"),
        (0, "alarm time <= 0"),
        (-1, "alarm time <= 0"),
        (0.5, "alarm time <= 0"),
        (datetime(1969, 12, 31, tzinfo=UTC), "alarm time <= 0"),
        (datetime(2190, 1, 1, tzinfo=UTC), "after 2189"),
        (1e300, "after 2189"),
    ],
    ids=repr,
)
@shows(REFUSED)
async def test_what_is_no_time_is_refused(when: Any, message: str) -> None:
    """A TypeError; the alarm that was set stays."""

    @script
    async def attempt(actor: Alarmed) -> None:
        await actor.ctx.storage.set_alarm(when)

    async with stage() as s:
        await s.object().set_alarm(at(60))
        with pytest.raises(TypeError, match=message):
            await s.object().run("attempt")
        assert await s.object().get_alarm() == at(60)


@shows(REFUSED)
async def test_a_time_is_needed() -> None:
    """A call without one is a TypeError."""

    @script
    async def bare(actor: Alarmed) -> None:
        storage: Any = actor.ctx.storage
        await storage.set_alarm()

    async with stage() as s:
        with pytest.raises(TypeError):
            await s.object().run("bare")


@shows(REFUSED)
async def test_times_up_to_the_year_2189_are_taken() -> None:
    """More than a hundred and sixty years ahead."""
    last = datetime(2188, 12, 31, 23, 59, 59, tzinfo=UTC)
    async with stage() as s:
        await s.object().set_alarm(last)
        assert await s.object().get_alarm() == last.timestamp() * 1_000


@pytest.mark.parametrize("when", [1, at(-60), at(-0.001), at(0)])
@shows(PAST)
async def test_a_time_in_the_past_becomes_now(when: int) -> None:
    """`get_alarm` shows the present."""

    @script
    async def set_and_get(actor: Alarmed) -> int | None:
        await actor.ctx.storage.set_alarm(when)
        return await actor.ctx.storage.get_alarm()

    async with stage() as s:
        assert await s.object().run("set_and_get") == START_MS


@shows(NO_HANDLER)
async def test_a_class_without_a_handler_cannot_set_an_alarm() -> None:
    """A TypeError, and none is set."""
    async with stage() as s:
        stub = s.host.env.MUTE.get_by_name("a")
        with pytest.raises(TypeError, match=r"must have an alarm\(\) handler"):
            await stub.set_alarm()
        assert await stub.get_alarm() is None


@shows(NO_HANDLER)
async def test_a_constructor_may_set_one_unchecked() -> None:
    """As in workerd, which looks for the handler only later."""
    async with stage() as s:
        assert await s.host.env.MUTE.get_by_name("early").get_alarm() == at(1)


@shows(DELETE)
async def test_delete_alarm_leaves_none_however_often() -> None:
    """It returns nothing, and nothing runs."""
    async with stage() as s:
        await s.object().delete_alarm()
        await s.object().set_alarm(at(5))
        assert await s.object().delete_alarm() is None
        await s.object().delete_alarm()
        assert await s.object().get_alarm() is None
        await s.clock.advance(10)
        assert s.seconds == []


@shows(OPTIONS)
async def test_the_options_of_writes_and_reads_are_taken() -> None:
    """`allow_concurrency` and `allow_unconfirmed` change no result."""

    @script
    async def with_options(actor: Alarmed) -> list[int | None]:
        storage = actor.ctx.storage
        await storage.set_alarm(at(5), allow_concurrency=True, allow_unconfirmed=True)
        first = await storage.get_alarm(allow_concurrency=True)
        await storage.delete_alarm(allow_concurrency=True, allow_unconfirmed=True)
        return [first, await storage.get_alarm(allow_concurrency=True)]

    async with stage() as s:
        assert await s.object().run("with_options") == [at(5), None]
