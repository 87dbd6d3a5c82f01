"""Restart and crash.

semantics.md 3.5, 6.4 and 7.9: a host is stopped or dropped, and started again on the same data.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from roomhost.bindings import App
from roomhost.runtime import (
    AlarmInfo,
    DataDirectoryError,
    DurableObject,
    DurableObjectError,
    WebSocket,
    WebSocketRequestResponsePair,
)
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.disk import Disk
from ..helpers.scripted import script
from .alarms import START_MS, Alarmed, Stage, at, stage
from .feature import Feature, mistake, shows
from .sockets import Room, close_of, connect, hall

pytestmark = pytest.mark.anyio

STORED = Feature("restart: storage stays, memory does not", "3.5, 9.7")
CRASH = Feature("crash: what was acknowledged is there", "3.5, 4.4")
WHOLE = Feature("crash: no half of a batch", "4.6")
CALLERS = Feature("crash: callers in flight", "2.4, 3.5")
IDS = Feature("restart: ids and unique keys stay", "1.1, 9.7")
LISTED = Feature(
    "restart: which objects there are",
    "3.5",
    differs="`host.list_objects`; workerd has no such list",
)
OVERDUE = Feature("restart: overdue alarms run at once", "6.4")
LATER = Feature("restart: alarms run at their time", "6.4")
NAMES = Feature("restart: ctx.id.name is restored with the alarm", "1.3, 6.4")
RUNNING = Feature("crash: an alarm that was running runs again", "6.2, 6.4")
RETRIES = Feature("restart: the count of retries begins anew", "6.5")
DONE = Feature("restart: alarms that ran, were deleted or given up stay gone", "6.2, 6.4")
SOCKETS = Feature("crash: sockets are gone", "3.5, 7.9")
DRAIN = Feature(
    "a clean stop: sockets",
    "3.5",
    differs="they close with 1012, so that clients know to come back; Cloudflare drops them",
)
ALONE = Feature(
    "one host for a data directory", "3.5", differs="a second one is refused; an operator's matter"
)


async def stop(s: Any, crashes: bool) -> None:
    """End the host as a test says: dropped now, or drained when its block is left."""
    if crashes:
        await s.host.crash()


either = pytest.mark.parametrize("crashes", [False, True], ids=["stopped", "crashed"])


@either
@shows(STORED, CRASH)
async def test_what_a_caller_was_told_is_there_after_a_restart(
    tmp_path: Path, crashes: bool
) -> None:
    """Every acknowledged write and delete of every object; nothing of their memory."""

    @script
    async def work(actor: Alarmed, number: int) -> None:
        actor.memory = "lost"  # type: ignore[attr-defined]
        await actor.ctx.storage.put({"kept": [number, b"x", {"a": 1}], "gone": number})
        await actor.ctx.storage.delete("gone")

    @script
    async def look(actor: Alarmed) -> list[Any]:
        return [await actor.ctx.storage.list(), hasattr(actor, "memory")]

    async with stage(data_dir=tmp_path) as s:
        for number in range(3):
            await s.object(f"{number}").run("work", number)
        await stop(s, crashes)
    async with stage(data_dir=tmp_path) as s:
        for number in range(3):
            found = await s.object(f"{number}").run("look")
            assert found == [{"kept": [number, b"x", {"a": 1}]}, False]


@shows(STORED)
async def test_what_delete_all_deleted_does_not_come_back(tmp_path: Path) -> None:
    """Neither entries nor alarm."""

    @script
    async def wipe(actor: Alarmed) -> None:
        await actor.ctx.storage.delete_all()

    async with stage(data_dir=tmp_path) as s:
        await s.object().put("k", 1)
        await s.object().set_alarm(at(10))
        await s.object().run("wipe")
        await s.host.crash()
    async with stage(data_dir=tmp_path) as s:
        assert await s.object().get("k") is None
        await s.clock.advance(100)
        assert s.seconds == []


@shows(WHOLE)
async def test_a_crash_leaves_no_half_of_a_turn(tmp_path: Path) -> None:
    """The turn whose commit was torn away is not there at all, its alarm included."""

    @script
    async def turn(actor: Alarmed, number: int) -> None:
        await actor.ctx.storage.put("a", number)
        await actor.ctx.storage.put("b", number)
        await actor.ctx.storage.set_alarm(at(1_000 + number))

    disk = Disk()
    async with stage(data_dir=tmp_path, wrap_commit=disk.wrap) as s:
        await s.object().run("turn", 1)
        disk.hold()
        async with anyio.create_task_group() as group:

            async def lost() -> None:
                with pytest.raises(DurableObjectError) as error:
                    await s.object().run("turn", 2)
                assert error.value.retryable

            group.start_soon(lost)
            await disk.reached()
            disk.failing = True
            disk.release()
            await s.host.crash()
    async with stage(data_dir=tmp_path) as s:
        assert [await s.object().get(key) for key in "ab"] == [1, 1]
        assert await s.object().get_alarm() == at(1_001)


@shows(CALLERS)
async def test_a_crash_fails_callers_in_flight_with_a_retryable_error() -> None:
    """And those that come after it."""

    @script
    async def hang(actor: Alarmed) -> None:
        await anyio.sleep_forever()

    errors: list[DurableObjectError] = []
    async with stage() as s:

        async def call() -> None:
            with pytest.raises(DurableObjectError) as error:
                await stub.run("hang")
            errors.append(error.value)

        stub = s.object()
        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await anyio.wait_all_tasks_blocked()
            await s.host.crash()
        await call()
        assert [error.retryable for error in errors] == [True, True]


class Renamed(DurableObject):
    """Another class for the same objects."""

    async def get(self, key: str) -> Any:
        return await self.ctx.storage.get(key)


@either
@shows(IDS)
async def test_ids_find_the_same_objects_after_a_restart(tmp_path: Path, crashes: bool) -> None:
    """By name, by string and unique ones, under another class; another binding has its own."""
    app = App(name="ids", bindings={"OBJECT": Alarmed})
    async with host_for(app, clock=ManualClock(), data_dir=tmp_path) as host:
        named = host.env.OBJECT.id_from_name("ann")
        unique = host.env.OBJECT.new_unique_id()
        for each in (named, unique):
            await host.env.OBJECT.get(each).put("k", str(each))
        if crashes:
            await host.crash()
    app = App(name="renamed", bindings={"OTHER": Renamed, "OBJECT": Renamed})
    async with host_for(app, clock=ManualClock(), data_dir=tmp_path) as host:
        space = host.env.OBJECT
        assert space.id_from_name("ann").equals(named)
        for each in (named, unique):
            again = space.id_from_string(str(each))
            assert await space.get(again).get("k") == str(each)
            with pytest.raises(TypeError, match="not valid for this namespace"):
                host.env.OTHER.id_from_string(str(each))
        assert await host.env.OTHER.get_by_name("ann").get("k") is None


@shows(LISTED)
async def test_the_objects_and_their_names_are_known_after_a_crash(tmp_path: Path) -> None:
    """Those with anything stored, in the order of their ids."""
    async with stage(data_dir=tmp_path) as s:
        await s.object("ann").put("k", 1)
        await s.object("bob").put("k", 1)
        unique = s.host.env.OBJECT.new_unique_id()
        await s.host.env.OBJECT.get(unique).put("k", 1)
        await s.object("reader").get("k")
        await s.host.crash()
    async with stage(data_dir=tmp_path) as s:
        ids = s.host.list_objects("OBJECT")
        assert {each.name for each in ids} == {"ann", "bob", None}
        assert [str(each) for each in ids] == sorted(str(each) for each in ids)
        assert str(unique) in map(str, ids)


@either
@mistake(31)
@shows(OVERDUE, LATER, NAMES)
async def test_mistake_31_alarms_are_found_again_after_a_restart(
    tmp_path: Path, crashes: bool
) -> None:
    """Overdue ones run at once, the others at their time, each with the name of its object."""
    clock = ManualClock(START_MS)
    async with stage(clock, data_dir=tmp_path) as s:
        for name, seconds in (("overdue", 10), ("too", 20), ("later", 90)):
            await s.object(name).set_alarm(at(seconds))
        await stop(s, crashes)
    await clock.advance(60)
    ran: list[tuple[str | None, int]] = []
    async with stage(clock, data_dir=tmp_path) as s:

        @script
        def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            ran.append((actor.ctx.id.name, info.scheduled_time))

        await clock.advance(0)
        assert sorted(ran, key=repr) == [("overdue", at(10)), ("too", at(20))]
        await clock.advance(29)
        assert len(ran) == 2
        await clock.advance(1)
        assert ran[2] == ("later", at(90))
        assert [info.is_retry for info in s.infos] == [False, False, False]


@mistake(30)
@shows(RUNNING)
async def test_mistake_30_an_alarm_is_not_deleted_before_its_handler_has_succeeded(
    tmp_path: Path,
) -> None:
    """A crash during the handler: the alarm runs again, and finds what was committed before."""
    clock = ManualClock(START_MS)
    async with stage(clock, data_dir=tmp_path) as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            await actor.put("steps", 1)
            await anyio.sleep_forever()

        await s.object().set_alarm(at(10))
        await clock.advance(10)
        assert await s.object().get_alarm() is None
        await s.host.crash()
    async with stage(clock, data_dir=tmp_path) as s:
        await clock.advance(0)
        assert s.infos == [AlarmInfo(at(10), 0, is_retry=False)]
        assert await s.object().get("steps") == 1
        assert await s.object().get_alarm() is None


@mistake(30)
@shows(RUNNING, WHOLE)
async def test_mistake_30_the_deletion_is_in_the_handlers_last_commit(tmp_path: Path) -> None:
    """A crash between the two is a crash before both: the run is made again from the start."""
    clock = ManualClock(START_MS)
    disk = Disk()

    def counting(s: Stage) -> None:
        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            await actor.put("runs", (await actor.get("runs") or 0) + 1)

    async with stage(clock, data_dir=tmp_path, wrap_commit=disk.wrap) as s:
        counting(s)
        await s.object().set_alarm(at(10))
        disk.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(clock.advance, 10)
            await disk.reached()
            assert s.seconds == [10]
            disk.failing = True
            disk.release()
            await s.host.crash()
    for _ in range(2):
        async with stage(clock, data_dir=tmp_path) as s:
            counting(s)
            await clock.advance(0)
            assert await s.object().get("runs") == 1
            assert await s.object().get_alarm() is None
            await s.host.crash()


@either
@shows(RETRIES)
async def test_the_count_of_retries_begins_anew(tmp_path: Path, crashes: bool) -> None:
    """It is kept in memory: after a restart a failed alarm runs at once, as for the first time."""
    clock = ManualClock(START_MS)
    for _ in range(2):
        async with stage(clock, data_dir=tmp_path) as s:

            @script
            def alarm(actor: Alarmed, info: AlarmInfo, s: Stage = s) -> None:
                s.note(info)
                raise ValueError

            if await s.object().get_alarm() is None:
                await s.object().set_alarm(at(0))
            for _ in range(3):
                await s.host.run_due_alarms()
            assert await s.object().get_alarm() == at(0)
            assert [info.retry_count for info in s.infos][:3] == [0, 1, 2]
            await stop(s, crashes)


@either
@shows(DONE)
async def test_alarms_that_are_over_do_not_come_back(tmp_path: Path, crashes: bool) -> None:
    """One that ran, one that was deleted, one that failed seven times."""
    clock = ManualClock(START_MS)
    async with stage(clock, data_dir=tmp_path) as s:

        @script
        def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            if actor.ctx.id.name == "failed":
                raise ValueError

        for name in ("ran", "deleted", "failed"):
            await s.object(name).set_alarm(at(10))
        await s.object("deleted").delete_alarm()
        await clock.advance(200)
        assert len(s.seconds) == 8
        await stop(s, crashes)
    async with stage(clock, data_dir=tmp_path) as s:
        await clock.advance(200)
        assert s.seconds == []


@mistake(39)
@shows(SOCKETS)
async def test_mistake_39_a_crash_costs_every_socket_and_a_new_one_works(tmp_path: Path) -> None:
    """The client sees 1006; the next host knows no socket and no auto-response, but all that is
    stored."""

    @script
    def message(actor: Room, ws: WebSocket, data: str) -> None:
        ws.send(f"handled {data}")

    @script
    def auto(actor: Room) -> None:
        pair = WebSocketRequestResponsePair("ping", "pong")
        actor.ctx.set_web_socket_auto_response(pair)

    async with hall(data_dir=tmp_path) as h:
        await h.room().run("auto")
        await h.room().put("k", "stored")
        awake = await connect(h.room())
        asleep = await connect(h.room("b"))
        await h.host.evict(h.room("b"))
        await h.host.crash()
        for client in (awake, asleep):
            code, _, was_clean = await close_of(client)
            assert (code, was_clean) == (1_006, False)
    async with hall(data_dir=tmp_path) as h:
        assert await h.room().listed() == await h.room("b").listed() == []
        assert await h.room().get("k") == "stored"
        client = await connect(h.room())
        client.send("ping")
        assert await client.receive() == "handled ping"


@shows(DRAIN)
async def test_a_clean_stop_closes_sockets_with_1012() -> None:
    """Of objects in memory and of those that sleep; no handler runs for it."""
    async with hall() as h:

        @script
        def close(actor: Room, ws: WebSocket, *how: Any) -> None:
            h.heard.append(how)

        awake = await connect(h.room())
        asleep = await connect(h.room("b"))
        await h.host.evict(h.room("b"))
    for client in (awake, asleep):
        assert await close_of(client) == (1_012, "Service Restart", True)
    assert h.heard == []


@shows(DRAIN, CALLERS)
async def test_a_clean_stop_lets_calls_in_flight_end(tmp_path: Path) -> None:
    """Their writes are on disk, their callers get their results."""
    go_on = anyio.Event()
    results: list[Any] = []

    @script
    async def slow(actor: Alarmed) -> str:
        await go_on.wait()
        await actor.put("k", "written while stopping")
        return "done"

    async with anyio.create_task_group() as group:
        async with stage(data_dir=tmp_path) as s:

            async def call() -> None:
                results.append(await s.object().run("slow"))

            group.start_soon(call)
            await anyio.wait_all_tasks_blocked()
            go_on.set()
        assert results == ["done"]
    async with stage(data_dir=tmp_path) as s:
        assert await s.object().get("k") == "written while stopping"


@either
@shows(ALONE)
async def test_a_data_directory_belongs_to_one_host_at_a_time(
    tmp_path: Path, crashes: bool
) -> None:
    """A second one is refused while the first runs, and welcome afterwards."""
    async with stage(data_dir=tmp_path) as s:
        with pytest.raises(DataDirectoryError):
            async with stage(data_dir=tmp_path):
                raise AssertionError("two hosts on one directory")
        await s.object().put("k", 1)
        await stop(s, crashes)
    async with stage(data_dir=tmp_path) as s:
        assert await s.object().get("k") == 1


@shows(STORED, CRASH)
async def test_many_crashes_lose_nothing(tmp_path: Path) -> None:
    """Each life goes on from the last acknowledged write."""
    for life in range(5):
        async with stage(data_dir=tmp_path) as s:
            count = await s.object().get("count") or 0
            assert count == life * 10
            for number in range(count, count + 10):
                await s.object().put("count", number + 1)
            await s.host.crash()
