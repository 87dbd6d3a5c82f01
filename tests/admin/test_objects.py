"""The list of objects: pages, filters, and what is in memory alone."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.admin import limits
from roomhost.runtime import Host, Request
from roomhost.runtime.testing import host_for

from ..helpers.admin_app import app
from ..helpers.admin_calls import locally


async def names(host: Host, **given: Any) -> list[str | None]:
    """Every name that pages of two list, in the order of their ids."""
    found: list[str | None] = []
    after: str | None = None
    while True:
        page = await locally(host, "objects", binding="COUNTER", after=after, limit=2, **given)
        found += [each.get("name") for each in page["objects"]]
        after = page.get("after")
        if after is None:
            return found


async def open_socket(host: Host, name: str) -> Any:
    """A socket that the object accepted; only in memory."""
    request = Request(f"http://host/{name}", headers={"upgrade": "websocket"})
    response = await host.env.COUNTER.get_by_name(name).fetch(request)
    response.web_socket.accept()
    return response.web_socket


async def test_pages_list_everything_once() -> None:
    """In the order of ids, with what an object holds."""
    async with host_for(app) as host:
        assert await locally(host, "objects", binding="COUNTER") == {"objects": []}
        expected: dict[str, str] = {}
        for number in range(5):
            stub = host.env.COUNTER.get_by_name(f"user:{number}")
            await stub.store({"key": b"12345", "other": number})
            expected[str(stub.id)] = f"user:{number}"
        assert await names(host) == [expected[digits] for digits in sorted(expected)]
        page = await locally(host, "objects", binding="COUNTER", limit=1)
        first = page["objects"][0]
        assert (first["namespace"], first["keys"], first["bytes"]) == ("COUNTER", 2, 16)
        assert first["resident"] is True
        assert "alarm_ms" not in first


async def test_filters_tell_objects_apart() -> None:
    """By name, and by what is there of them; of both stored and unstored ones."""
    async with host_for(app) as host:
        for name in ("user:1", "user:2", "room:1"):
            await host.env.COUNTER.get_by_name(name).increment()
        await host.env.COUNTER.get_by_name("user:2").wake_at(4_000_000_000_000)
        assert await host.evict(host.env.COUNTER.get_by_name("room:1"))
        ws = await open_socket(host, "user:9")
        assert set(await names(host)) == {"user:1", "user:2", "room:1", "user:9"}
        assert set(await names(host, prefix="user:")) == {"user:1", "user:2", "user:9"}
        assert set(await names(host, contains=":1")) == {"user:1", "room:1"}
        assert await names(host, resident=False) == ["room:1"]
        assert await names(host, alarm=True) == ["user:2"]
        assert await names(host, sockets=True) == ["user:9"]
        assert set(await names(host, sockets=False, alarm=False)) == {"user:1", "room:1"}
        assert await names(host, prefix="user:", contains="2", resident=False) == []
        ws.close()


async def test_a_module_lists_its_rooms_then_its_channels() -> None:
    """Page by page across both, each with its namespace."""
    async with host_for(app) as host:
        for name in ("lobby", "hall"):
            await host.env.COLLAB.room(name).publish(type="chat")
        await host.env.COLLAB.channel("news").publish(type="chat")
        found: list[tuple[str, str]] = []
        after: str | None = None
        while True:
            page = await locally(host, "objects", binding="COLLAB", after=after, limit=1)
            found += [(each["namespace"], each["name"]) for each in page["objects"]]
            after = page.get("after")
            if after is None:
                break
    assert {name for _, name in found[:2]} == {"lobby", "hall"}
    assert found[2:] == [("COLLAB.channels", "news")]


async def test_one_call_looks_at_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has not looked at is for the next page, also when nothing passed the filter."""
    monkeypatch.setattr(limits, "MAX_SCANNED_OBJECTS", 3)
    monkeypatch.setattr(limits, "SCAN_OBJECTS", 2)
    async with host_for(app) as host:
        for number in range(7):
            await host.env.COUNTER.get_by_name(f"user:{number}").increment()
        page = await locally(host, "objects", binding="COUNTER", prefix="none")
        assert page["objects"] == []
        assert page["after"].startswith("COUNTER/")
        assert await names(host, prefix="none") == []
        assert len(await names(host)) == 7


async def test_keys_of_a_listed_object_are_counted_up_to_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Then there are more."""
    monkeypatch.setattr(limits, "MAX_LISTED_ENTRIES", 3)
    async with host_for(app) as host:
        for name, count in (("three", 3), ("four", 4)):
            stub = host.env.COUNTER.get_by_name(name)
            await stub.store({str(number): number for number in range(count)})
        page = await locally(host, "objects", binding="COUNTER")
        counted = {each["name"]: (each["keys"], "more_keys" in each) for each in page["objects"]}
    assert counted == {"three": (3, False), "four": (3, True)}
