"""What is shown of one object."""

from __future__ import annotations

import pytest

from roomhost.admin import limits
from roomhost.runtime.testing import ManualClock, host_for
from roomhost.storage import Batch

from ..helpers.admin_app import app
from ..helpers.admin_calls import locally
from .test_objects import open_socket

VALUES = {"b": b"\0\1", "empty": "", "n": 12, "set": {1}, "text": "hi\n"}


async def test_entries_are_shown_as_literals_with_their_types_and_sizes() -> None:
    """In the order of their keys."""
    async with host_for(app) as host:
        stub = host.env.COUNTER.get_by_name("a")
        await stub.store(VALUES)
        found = await locally(host, "inspect", binding="COUNTER", name="a")
    assert found["id"] == str(stub.id)
    assert (found["namespace"], found["name"]) == ("COUNTER", "a")
    assert found["class_name"] == "Counter"
    assert [(each["key"], each["type"], each["value"]) for each in found["entries"]] == [
        ("b", "bytes", r"b'\x00\x01'"),
        ("empty", "str", "''"),
        ("n", "int", "12"),
        ("set", "set", "{1}"),
        ("text", "str", r"'hi\n'"),
    ]
    assert (found["keys"], found["bytes"]) == (5, 28)
    assert "after" not in found and "alarm" not in found


async def test_pages_of_keys_go_on_behind_the_last_one() -> None:
    """With a prefix too; over as many pages as it takes."""
    async with host_for(app) as host:
        stub = host.env.COUNTER.get_by_name("a")
        await stub.store({f"m:{number:02}": number for number in range(40)} | {"other": 0})
        keys: list[str] = []
        after: str | None = None
        while True:
            page = await locally(
                host, "inspect", binding="COUNTER", name="a", prefix="m:", after=after, limit=20
            )
            keys += [each["key"] for each in page["entries"]]
            after = page.get("after")
            if after is None:
                break
        assert keys == [f"m:{number:02}" for number in range(40)]
        page = await locally(host, "inspect", binding="COUNTER", name="a", prefix="z")
        assert (page["entries"], page["keys"]) == ([], 41)
        page = await locally(host, "inspect", binding="COUNTER", name="a", prefix="m:", after="n")
        assert page["entries"] == []


async def test_a_page_is_bounded_in_bytes_and_a_value_in_characters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What does not fit is for the next page; a long value is cut, and says so."""
    monkeypatch.setattr(limits, "MAX_PAGE_BYTES", 10_000)
    async with host_for(app) as host:
        await host.env.COUNTER.get_by_name("a").store({"1": "x" * 9_000, "2": "y" * 9_000, "3": 1})
        page = await locally(host, "inspect", binding="COUNTER", name="a")
    assert [each["key"] for each in page["entries"]] == ["1", "2"]
    assert page["after"] == "2"
    first = page["entries"][0]
    assert (first["bytes"], len(first["value"]), first["cut"]) == (9_003, 4_096, True)


async def test_a_damaged_value_is_shown_as_one() -> None:
    """The others are shown all the same."""
    async with host_for(app) as host:
        await host.env.COUNTER.get_by_name("a").store({"1": 1, "2": 2})
        number = host.engine.partition.find(1, bytes(host.env.COUNTER.id_from_name("a")))
        assert number is not None
        batch = Batch(number, None, False, {b"1": b"\xc1"}, None)
        host.engine.partition.submit(batch, lambda error: None)
        await host.settle()
        page = await locally(host, "inspect", binding="COUNTER", name="a")
    assert [each["type"] for each in page["entries"]] == ["damaged", "int"]


async def test_looking_starts_nothing() -> None:
    """An object that is not in memory stays so."""
    async with host_for(app) as host:
        stub = host.env.COUNTER.get_by_name("a")
        await stub.increment()
        await host.evict(stub)
        page = await locally(host, "inspect", binding="COUNTER", name="a")
        assert (page["resident"], page["keys"]) == (False, 1)
        assert host.statistics().activations == 0


async def test_sockets_are_shown_with_what_the_object_keeps_of_them() -> None:
    """Hibernating or not; an object that stores nothing is shown too."""
    async with host_for(app) as host:
        ws = await open_socket(host, "a")
        page = await locally(host, "inspect", binding="COUNTER", name="a")
        assert page["sockets"] == [
            {
                "tags": ["red"],
                "attachment": "{'user': 'ada'}",
                "url": "http://host/a",
                "hibernating": False,
                "waiting": 0,
            }
        ]
        assert (page["socket_count"], page["keys"]) == (1, 0)
        await host.evict(host.env.COUNTER.get_by_name("a"))
        page = await locally(host, "inspect", binding="COUNTER", name="a")
        assert page["sockets"][0]["hibernating"] is True
        ws.close()


async def test_an_alarm_is_shown_with_its_retries() -> None:
    """When it is due, and after a failure when it is tried again."""
    clock = ManualClock()
    due_ms = clock.now_ms() + 60_000
    async with host_for(app, clock=clock) as host:
        stub = host.env.COUNTER.get_by_name("a")
        await stub.store({"fails": True})
        await stub.wake_at(due_ms)
        page = await locally(host, "inspect", binding="COUNTER", name="a")
        assert page["alarm"] == {"at_ms": due_ms}
        await clock.advance(60)
        page = await locally(host, "inspect", binding="COUNTER", name="a")
        assert page["alarm"]["at_ms"] == due_ms
        assert page["alarm"]["retry_count"] == 1
        assert page["alarm"]["retry_at_ms"] > clock.now_ms()
