"""Life in memory: construction, background work, errors of handlers."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.bindings import App
from roomhost.runtime import DurableObject, DurableObjectState, Request, Response
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.in_flight import in_flight
from ..helpers.scripted import Scripted, script
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

STARTS = Feature("constructor: when it runs", "3.1")
QUEUE = Feature("constructor: events queue behind it", "3.1")
START_UP = Feature("constructor: asynchronous start-up", "3.1")
RAISES = Feature("constructor: an error resets the object", "3.1, 2.4, 9.7")
STORAGE = Feature("constructor: storage calls", "3.1")
ALARM = Feature("constructor: setAlarm does not look for a handler", "3.1, 6.1")
WAIT_UNTIL = Feature("ctx.waitUntil", "3.3")
LOGGED = Feature("ctx.waitUntil: errors are logged only", "3.3")
FLOATING = Feature(
    "floating promises and timers",
    "3.3",
    differs="Python has no floating awaitable: `ctx.wait_until` takes it, and timers are sleeps",
)
DISCONNECT = Feature("a caller that gives up does not stop the handler", "3.3")
EXCEPTION = Feature("an exception of a handler resets nothing", "2.6")


class Built(Scripted):
    """Its constructor is the script `constructor`, if there is one."""

    def __init__(self, ctx: DurableObjectState, env: Any) -> None:
        super().__init__(ctx, env)
        self.memory: list[Any] = []
        if "constructor" in Scripted.scripts:
            Scripted.scripts["constructor"](self)

    async def fetch(self, request: Request) -> Response:
        return Response("fetched")


class WithoutAlarm(DurableObject):
    """Sets an alarm that it has no handler for."""

    def __init__(self, ctx: DurableObjectState, env: Any) -> None:
        super().__init__(ctx, env)
        ctx.storage.set_alarm(2_000_000_000_000)

    async def get(self) -> int | None:
        return await self.ctx.storage.get_alarm()

    async def set(self) -> None:
        await self.ctx.storage.set_alarm(2_000_000_000_000)


app = App(name="lifecycle", bindings={"OBJECT": Built, "WITHOUT_ALARM": WithoutAlarm})


@shows(STARTS)
async def test_a_stub_alone_starts_nothing() -> None:
    """An id, a stub and its name are no event."""
    built: list[str] = []

    @script
    def constructor(actor: Built) -> None:
        built.append(str(actor.ctx.id))

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get(host.env.OBJECT.id_from_name("a"))
        assert (stub.name, built) == ("a", [])
        assert host.statistics().activations == 0
        await stub.fetch("http://x/")
        assert built == [str(stub.id)]


@shows(STARTS)
async def test_the_instance_stays_for_later_calls() -> None:
    """One constructor, and what it left in memory."""

    @script
    def note(actor: Built, value: int) -> list[Any]:
        actor.memory.append(value)
        return actor.memory

    async with host_for(app, clock=ManualClock()) as host:
        assert await host.env.OBJECT.get_by_name("a").run("note", 1) == [1]
        assert await host.env.OBJECT.get_by_name("a").run("note", 2) == [1, 2]
        assert await host.env.OBJECT.get_by_name("b").run("note", 3) == [3]


@shows(QUEUE, START_UP)
async def test_events_wait_for_the_constructors_section() -> None:
    """What `block_concurrency_while` prepares is there when the first call runs, whatever came."""
    log: list[str] = []
    ready = anyio.Event()

    @script
    def constructor(actor: Built) -> None:
        async def start_up() -> None:
            await ready.wait()
            log.append("ready")

        actor.ctx.block_concurrency_while(start_up)
        log.append("constructed")

    @script
    def visit(actor: Built, name: str) -> None:
        log.append(name)

    async with host_for(app, clock=ManualClock()) as host, in_flight() as calls:
        first, second = host.env.OBJECT.get_by_name("a"), host.env.OBJECT.get_by_name("a")
        await calls.start("first", first.run("visit", "first"))
        await calls.start("second", second.run("visit", "second"))
        assert log == ["constructed"]
        ready.set()
    assert log == ["constructed", "ready", "first", "second"]


@shows(START_UP)
async def test_background_work_of_the_constructor_does_not_hold_the_first_event() -> None:
    """Without `block_concurrency_while` it races with it."""
    ready = anyio.Event()

    async def start_up(actor: Built) -> None:
        await ready.wait()
        actor.memory.append("ready")

    @script
    def constructor(actor: Built) -> None:
        actor.ctx.wait_until(start_up(actor))

    @script
    def look(actor: Built) -> list[Any]:
        return actor.memory

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        assert await stub.run("look") == []
        ready.set()
        await anyio.wait_all_tasks_blocked()
        assert await stub.run("look") == ["ready"]


@shows(RAISES)
@pytest.mark.parametrize("way", ["rpc", "fetch"])
async def test_an_error_of_the_constructor_reaches_every_waiting_call(way: str) -> None:
    """Its own class and message, marked as a reset; over `fetch` as a remote one too."""

    @script
    def constructor(actor: Built) -> None:
        raise LookupError("no configuration")

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        sent = [stub.run("x") if way == "rpc" else stub.fetch("http://x/") for _ in range(3)]
        for call in sent:
            with pytest.raises(LookupError, match="no configuration") as caught:
                await call
            assert getattr(caught.value, "durable_object_reset", False)
            if way == "fetch":
                assert getattr(caught.value, "remote", False)


@shows(RAISES)
@mistake(4)
async def test_mistake_4_a_failed_constructor_runs_again_for_a_new_stub_only() -> None:
    """The old stub stays broken; two runs fail and the third one serves."""
    runs: list[int] = []

    @script
    def constructor(actor: Built) -> None:
        runs.append(len(runs) + 1)
        if len(runs) < 3:
            raise LookupError(f"run {len(runs)}")

    @script
    def visit(actor: Built) -> str:
        return "served"

    async with host_for(app, clock=ManualClock()) as host:
        stubs = [host.env.OBJECT.get_by_name("a") for _ in range(2)]
        for _ in range(2):
            with pytest.raises(LookupError, match="run 1"):
                await stubs[0].run("visit")
        second = host.env.OBJECT.get_by_name("a")
        with pytest.raises(LookupError, match="run 2"):
            await second.run("visit")
        assert await host.env.OBJECT.get_by_name("a").run("visit") == "served"
        with pytest.raises(LookupError, match="run 2"):
            await second.run("visit")
    assert runs == [1, 2, 3]


@shows(RAISES)
async def test_a_section_of_the_constructor_that_fails_breaks_like_the_constructor() -> None:
    """Also for calls that came before it failed."""
    ready = anyio.Event()

    @script
    def constructor(actor: Built) -> None:
        async def start_up() -> None:
            await ready.wait()
            raise LookupError("no configuration")

        actor.ctx.block_concurrency_while(start_up)

    async with host_for(app, clock=ManualClock()) as host, in_flight() as calls:
        stub = host.env.OBJECT.get_by_name("a")
        await calls.start("rpc", stub.run("x"))
        await calls.start("fetch", stub.fetch("http://x/"))
        ready.set()
    assert {label: type(error) for label, error in calls.ended.items()} == {
        "rpc": LookupError,
        "fetch": LookupError,
    }


@shows(RAISES)
async def test_a_web_socket_upgrade_of_a_failing_constructor_gives_no_socket() -> None:
    """The upgrade raises the constructor's error."""

    @script
    def constructor(actor: Built) -> None:
        raise LookupError("no configuration")

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        with pytest.raises(LookupError, match="no configuration"):
            await stub.fetch("http://x/", headers={"upgrade": "websocket"})
        assert host.statistics().web_sockets == 0


@shows(STORAGE)
async def test_storage_can_be_used_in_the_constructor() -> None:
    """It reads what an earlier life wrote, and what it writes is kept."""

    @script
    def constructor(actor: Built) -> None:
        actor.ctx.storage.kv.put("lives", actor.ctx.storage.kv.get("lives", 0) + 1)

    @script
    async def lives(actor: Built) -> Any:
        return await actor.ctx.storage.get("lives")

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        assert await stub.run("lives") == 1
        assert await host.evict(stub)
        assert await stub.run("lives") == 2


@shows(ALARM)
async def test_set_alarm_in_the_constructor_does_not_look_for_a_handler() -> None:
    """In a method of the same class it is a TypeError."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.WITHOUT_ALARM.get_by_name("a")
        assert await stub.get() == 2_000_000_000_000
        with pytest.raises(TypeError, match=r"must have an alarm\(\) handler"):
            await stub.set()


@shows(WAIT_UNTIL)
@mistake(15)
async def test_mistake_15_wait_until_goes_on_after_the_reply() -> None:
    """It holds no reply, runs to its end, and until then the instance stays in memory."""
    clock = ManualClock()
    go, done = anyio.Event(), anyio.Event()

    @script
    def story(actor: Built) -> str:
        async def later() -> None:
            await go.wait()
            actor.memory.append("later")
            await actor.ctx.storage.put("later", True)
            done.set()

        actor.ctx.wait_until(later())
        return "reply"

    @script
    async def look(actor: Built) -> tuple[list[Any], Any]:
        return actor.memory, await actor.ctx.storage.get("later")

    async with host_for(app, clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("a")
        assert await stub.run("story") == "reply"
        await clock.advance(14)
        assert (host.statistics().activations, done.is_set()) == (1, False)
        go.set()
        await done.wait()
        assert await stub.run("look") == (["later"], True)
        await clock.advance(10)
        assert host.statistics().activations == 0


@shows(FLOATING)
async def test_tasks_of_the_objects_own_live_as_long_as_the_wait_until_around_them() -> None:
    """A task group in `wait_until` is the place for work that no call waits for."""
    clock = ManualClock()
    go = anyio.Event()
    done: list[int] = []

    async def work(number: int) -> None:
        await go.wait()
        done.append(number)

    async def background() -> None:
        async with anyio.create_task_group() as group:
            for number in range(3):
                group.start_soon(work, number)

    @script
    def story(actor: Built) -> None:
        actor.ctx.wait_until(background())

    async with host_for(app, clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.run("story")
        await clock.advance(60)
        assert host.statistics().activations == 1
        go.set()
        await clock.advance(10)
        assert (host.statistics().activations, sorted(done)) == (0, [0, 1, 2])


@shows(FLOATING)
async def test_a_call_that_is_not_awaited_is_made_and_can_be_awaited_later() -> None:
    """It left when it was made; its answer waits."""
    log: list[str] = []

    @script
    def visit(actor: Built) -> str:
        log.append("visited")
        return "answer"

    @script
    async def story(actor: Built) -> Any:
        call = actor.env.OBJECT.get_by_name("other").run("visit")
        await anyio.wait_all_tasks_blocked()
        log.append("awaits")
        return await call

    async with host_for(app, clock=ManualClock()) as host:
        assert await host.env.OBJECT.get_by_name("a").run("story") == "answer"
    assert log == ["visited", "awaits"]


@shows(LOGGED)
@pytest.mark.parametrize("wait", [False, True])
async def test_an_error_in_wait_until_is_logged_and_nothing_else(
    wait: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """At once or later: the reply is the handler's, the instance lives on."""

    async def fails() -> None:
        if wait:
            await anyio.lowlevel.checkpoint()
        raise LookupError("in the background")

    @script
    def story(actor: Built) -> str:
        actor.memory.append("kept")
        actor.ctx.wait_until(fails())
        return "reply"

    @script
    def look(actor: Built) -> list[Any]:
        return actor.memory

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        assert await stub.run("story") == "reply"
        await anyio.wait_all_tasks_blocked()
        assert await stub.run("look") == ["kept"]
    assert "in the background" in caplog.text


@shows(WAIT_UNTIL)
async def test_wait_until_takes_awaitables_only() -> None:
    """Anything else is a TypeError where it is called."""

    @script
    def story(actor: Built) -> None:
        actor.ctx.wait_until(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    async with host_for(app, clock=ManualClock()) as host:
        with pytest.raises(TypeError, match="awaitable"):
            await host.env.OBJECT.get_by_name("a").run("story")


@shows(DISCONNECT)
async def test_a_caller_that_gives_up_does_not_stop_the_handler() -> None:
    """It runs to its end and its writes are kept."""
    go, done = anyio.Event(), anyio.Event()

    @script
    async def story(actor: Built) -> None:
        await go.wait()
        await actor.ctx.storage.put("done", True)
        done.set()

    @script
    async def look(actor: Built) -> Any:
        return await actor.ctx.storage.get("done")

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        async with anyio.create_task_group() as group:
            group.start_soon(stub.run, "story")
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        go.set()
        await done.wait()
        assert await stub.run("look") is True


@shows(EXCEPTION)
@mistake(3)
@pytest.mark.parametrize("writes", [False, True])
async def test_mistake_3_an_exception_of_a_handler_resets_nothing(writes: bool) -> None:
    """The same stub reaches the same instance, its memory and what it wrote before it raised."""

    @script
    async def story(actor: Built) -> None:
        actor.memory.append("kept")
        if writes:
            await actor.ctx.storage.put("written", True)
        raise LookupError("ordinary")

    @script
    async def look(actor: Built) -> tuple[list[Any], Any]:
        return actor.memory, await actor.ctx.storage.get("written", False)

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        with pytest.raises(LookupError, match="ordinary") as caught:
            await stub.run("story")
        assert not getattr(caught.value, "durable_object_reset", True)
        assert await stub.run("look") == (["kept"], writes)
