"""Changes to one object, and what its instance knows of them."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from roomhost.admin import limits
from roomhost.runtime import Host
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.admin_app import app
from ..helpers.admin_calls import locally
from .test_objects import open_socket


async def change(host: Host, operation: str, name: str = "a", **given: Any) -> Any:
    """Change a counter."""
    return await locally(host, operation, binding="COUNTER", name=name, **given)


async def test_a_value_is_put_and_the_instance_that_knew_another_is_gone() -> None:
    """The next event starts one that reads it."""
    async with host_for(app) as host:
        stub = host.env.COUNTER.get_by_name("a")
        assert await stub.increment() == 1
        done = await change(host, "put", key="n", value="41")
        assert (done["existed"], done["evicted"], done["name"]) == (True, True, "a")
        assert await stub.increment() == 42
        done = await change(host, "put", key="who", value="{'ada', 'bob'}")
        assert done["existed"] is False
        assert await stub.read("who") == {"ada", "bob"}


async def test_a_key_is_deleted() -> None:
    """One that is not there is refused, and nothing is evicted for it."""
    async with host_for(app) as host:
        stub = host.env.COUNTER.get_by_name("a")
        await stub.increment()
        assert (await change(host, "delete-key", key="n"))["existed"] is True
        assert await stub.increment() == 1
        refused = await change(host, "delete-key", key="m")
        assert (refused["code"], refused["message"]) == ("not_found", "the object has no key 'm'")
        assert host.statistics().activations == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"key": "n", "value": "open('x')"}, "value: neither a Python literal nor JSON (open()"),
        ({"key": "n", "value": ""}, "value: neither"),
        ({"key": "n", "value": "1j"}, 'value: Could not serialize object of type "complex"'),
        ({"key": "n", "value": r"'\ud800'"}, "value: "),
        ({"key": "k" * 2_049, "value": "1"}, "key: Keys cannot be larger than 2048 bytes"),
        ({"key": "n", "value": f"'{'x' * 262_144}'"}, "value: at most 262144 characters"),
        ({"key": "n", "value": "datetime(2026, 1, 1)"}, "value: "),
        ({"key": "n", "value": "[" * 150 + "]" * 150}, "value: "),
    ],
    ids=range(8),
)
async def test_what_cannot_be_stored_is_refused(given: dict[str, str], told: str) -> None:
    """By the field's name; the object is as it was, and its instance too."""
    async with host_for(app) as host:
        stub = host.env.COUNTER.get_by_name("a")
        await stub.increment()
        refused = await change(host, "put", **given)
        assert refused["code"] == "invalid_argument"
        assert refused["message"].startswith(told)
        assert host.statistics().activations == 1
        assert await stub.read("n") == 1


async def test_a_new_object_is_made_only_when_it_is_asked_for() -> None:
    """A name that was mistyped makes none."""
    async with host_for(app) as host:
        refused = await change(host, "put", key="n", value="1")
        assert refused["code"] == "not_found"
        await change(host, "put", key="n", value="1", create=True)
        assert [each.name for each in host.list_objects("COUNTER")] == ["a"]
        assert await host.env.COUNTER.get_by_name("a").increment() == 2


async def test_an_object_that_cannot_start_can_be_mended() -> None:
    """No instance is needed, so its constructor does not run."""
    async with host_for(app) as host:
        stub = host.env.COUNTER.get_by_name("a")
        await stub.store({"broken": True})
        await host.evict(stub)
        with pytest.raises(ValueError, match="cannot start"):
            await host.env.COUNTER.get_by_name("a").increment()
        await change(host, "delete-key", key="broken")
        assert await host.env.COUNTER.get_by_name("a").increment() == 1


async def test_a_change_and_calls_do_not_overtake_each_other() -> None:
    """Whatever comes at the same time, everything acknowledged is there in the end."""
    async with host_for(app) as host:
        results: list[int] = []

        async def call() -> None:
            for number in range(20):
                await host.env.COUNTER.get_by_name("a").store({f"call:{number}": number})

        async def put() -> None:
            for number in range(20):
                done = await change(host, "put", key=f"put:{number}", value="1", create=True)
                results.append(done["existed"])

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            group.start_soon(put)
        page = await locally(host, "inspect", binding="COUNTER", name="a", limit=100)
        assert page["keys"] == 40
        assert results == [False] * 20


async def test_a_busy_instance_is_evicted_later() -> None:
    """The change is durable at once; the answer says that it was not dropped yet."""
    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        stub = host.env.COUNTER.get_by_name("a")
        await stub.increment()
        ws = await open_socket(host, "a")
        slot = host.engine.resident_slot(1, bytes(stub.id))
        assert slot is not None and slot.activation is not None
        slot.activation.pin(1)
        answers: list[Any] = []

        async def put() -> None:
            answers.append(await change(host, "put", key="n", value="7"))
            answers.append(await change(host, "evict"))

        async with anyio.create_task_group() as group:
            group.start_soon(put)
            while len(answers) < 2:
                await clock.advance(limits.EVICT_SECONDS)
        assert [each["evicted"] for each in answers] == [False, False]
        assert answers[1]["resident"] is True
        slot.activation.pin(-1)
        assert slot.activation is None
        assert await stub.increment() == 8
        ws.close()


async def test_evicting_keeps_what_is_stored_and_what_is_connected() -> None:
    """An object that is not in memory has nothing to evict."""
    async with host_for(app) as host:
        ws = await open_socket(host, "a")
        done = await change(host, "evict")
        assert (done["resident"], done["evicted"]) == (True, True)
        done = await change(host, "evict")
        assert (done["resident"], done["evicted"]) == (False, False)
        assert host.statistics().web_sockets == 1
        ws.close()


async def test_an_alarm_runs_when_it_is_told_to() -> None:
    """Long before it is due; it is over then."""
    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        stub = host.env.COUNTER.get_by_name("a")
        await stub.wake_at(clock.now_ms() + 3_600_000)
        done = await change(host, "run-alarm")
        assert done["outcome"] == "ok"
        assert await stub.read("runs") == 1
        refused = await change(host, "run-alarm")
        assert (refused["code"], refused["message"]) == ("not_found", "the object has no alarm")


async def test_an_alarm_that_fails_is_tried_again_as_ever_and_at_once_when_told_to() -> None:
    """Its failures count on."""
    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        stub = host.env.COUNTER.get_by_name("a")
        await stub.store({"fails": True})
        await stub.wake_at(clock.now_ms() + 3_600_000)
        for failures in (1, 2):
            done = await change(host, "run-alarm")
            assert done["outcome"] == "ValueError: told to fail"
            assert done["retry_at_ms"] > clock.now_ms()
            page = await locally(host, "inspect", binding="COUNTER", name="a")
            assert page["alarm"]["retry_count"] == failures
        await change(host, "put", key="fails", value="false")
        assert (await change(host, "run-alarm"))["outcome"] == "ok"


async def test_a_host_that_stops_takes_no_change() -> None:
    """It may be asked again."""
    async with host_for(app) as host:
        await host.env.COUNTER.get_by_name("a").increment()
        host.refuse()
        refused = await change(host, "put", key="n", value="1")
        assert (refused["code"], refused["status"]) == ("unavailable", 503)
