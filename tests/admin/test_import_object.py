"""One object, out of a host and into another."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from roomhost.admin import limits
from roomhost.bindings import App
from roomhost.runtime import Host
from roomhost.runtime.testing import ManualClock, host_for
from roomhost.storage import encode
from roomhost.storage.limits import MAX_SEGMENT_BYTES

from ..helpers.admin_app import Counter, app
from ..helpers.admin_calls import locally

OTHER = App(name="other", bindings={"COUNTER": Counter})
HOUR_MS = 3_600_000


def packed(header: dict[str, Any], entries: list[dict[str, str]]) -> dict[str, Any]:
    """The input of `import`, from what `export` said."""
    given = {name: value for name, value in header.items() if name not in ("bytes", "entries")}
    given["binding"] = given.pop("namespace")
    return given | {"entries": [(entry["key"], entry["value"]) for entry in entries]}


async def exported(host: Host, name: str = "a") -> dict[str, Any]:
    """What `export` says of a counter, as an input of `import`."""
    lines = await locally(host, "export", binding="COUNTER", name=name)
    assert list(lines[0]) == ["header"] and list(lines[-1]) == ["result"]
    assert lines[-1]["result"] == lines[0]["header"]
    assert lines[0]["header"]["entries"] == len(lines) - 2
    return packed(lines[0]["header"], [line["entry"] for line in lines[1:-1]])


def made(**changes: Any) -> dict[str, Any]:
    """An input that is right, but for some changes."""
    key, value = (base64.b64encode(data).decode() for data in (b"n", encode(1)))
    return {
        "roomhost_object": 1,
        "binding": "COUNTER",
        "id": "ab" * 32,
        "name": "a",
        "entries": [(key, value)],
    } | changes


async def test_an_object_comes_back_as_it_was() -> None:
    """Every entry by its bytes, and the alarm; in a host of the same application under the same id."""
    clock = ManualClock()
    values = {"n": 1, "blob": bytes(range(256)), "k" * 2_000: {"deep": [(1,), {2}]}}
    async with host_for(app, clock=clock) as host:
        stub = host.env.COUNTER.get_by_name("a")
        await stub.store(values)
        await stub.wake_at(clock.now_ms() + HOUR_MS)
        given = await exported(host)
    async with host_for(app, clock=clock) as host:
        done = await locally(host, "import", **given)
        assert (done["entries"], done["replaced"]) == (3, False)
        assert done["id"] == str(stub.id)
        assert await exported(host) == given
        stub = host.env.COUNTER.get_by_name("a")
        assert [await stub.read(key) for key in values] == list(values.values())
        await clock.advance(HOUR_MS / 1000)
        assert await stub.read("runs") == 1


async def test_where_ids_derive_from_another_key_the_name_says_which_object() -> None:
    """Without a name there is no way in."""
    async with host_for(app) as host:
        await host.env.COUNTER.get_by_name("a").increment()
        given = await exported(host)
    async with host_for(OTHER) as host:
        done = await locally(host, "import", **given)
        assert done["id"] == str(host.env.COUNTER.id_from_name("a")) != given["id"]
        assert await host.env.COUNTER.get_by_name("a").increment() == 2
        refused = await locally(host, "import", **(given | {"name": None}))
        assert "no id of an object of COUNTER" in refused["message"]


async def test_what_is_there_is_replaced_only_by_force_and_as_a_whole() -> None:
    """Its entries and its alarm; the instance that knew it is gone."""
    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        stub = host.env.COUNTER.get_by_name("a")
        await stub.increment()
        given = await exported(host)
        await stub.store({"other": 1})
        await stub.wake_at(clock.now_ms() + HOUR_MS)
        await stub.increment(9)
        refused = await locally(host, "import", **given)
        assert (refused["code"], refused["status"]) == ("not_empty", 409)
        assert await stub.read("other") == 1
        done = await locally(host, "import", **given, force=True)
        assert (done["replaced"], done["evicted"]) == (True, True)
        assert await stub.read("other") is None
        assert await stub.increment() == 2
        page = await locally(host, "inspect", binding="COUNTER", name="a")
        assert "alarm" not in page


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"roomhost_object": 2}, "roomhost_object: this roomhost reads version 1"),
        ({"binding": "COLLAB"}, "binding: one of COLLAB.rooms"),
        ({"binding": "NO"}, "no binding 'NO'"),
        ({"id": "zz", "name": None}, "id: no id of an object"),
        ({"alarm_ms": 0}, "alarm_ms: milliseconds"),
        ({"alarm_ms": 1 << 60}, "alarm_ms: milliseconds"),
        ({"alarm_ms": "soon"}, "alarm_ms: Expected `int | null`"),
        ({"entries": [["bg==", "wQ=="]]}, "entries: entry 1 is damaged"),
        ({"entries": [["/w==", "AQ=="]]}, "entries: entry 1 is damaged"),
        ({"entries": [["bg==", "AQ=="], ["bg==", "Ag=="]]}, "entries: entry 2 has the key"),
        ({"entries": [["!!", "AQ=="]]}, "Invalid base64"),
        ({"entries": [["bg=="]]}, "Expected `array` of length 2"),
        ({"entries": [["bg==", {"a": 1}]]}, "Expected `bytes`"),
        ({"entries": [["bg==", [[[[[[[[]]]]]]]]]]}, "Expected `bytes`"),
        (
            {"entries": [[base64.b64encode(b"k" * 2_049).decode(), "AQ=="]]},
            "over 2048 bytes of key",
        ),
        ({"entries": "bg=="}, "Expected `array`"),
    ],
    ids=range(16),
)
async def test_what_no_object_could_have_written_is_refused(
    changes: dict[str, Any], told: str
) -> None:
    """Before anything of it is stored."""
    async with host_for(app) as host:
        refused = await locally(host, "import", **made(**changes))
        assert told in refused["message"]
        assert host.list_objects("COUNTER") == []


async def test_an_id_and_a_name_that_do_not_belong_together_are_refused() -> None:
    """Or an object would be found under another's name."""
    async with host_for(app) as host:
        given = made(id=str(host.env.COUNTER.id_from_name("b")), name="a")
        refused = await locally(host, "import", **given)
        assert "name: it does not belong to the id" in refused["message"]
        eu = host.env.COUNTER.jurisdiction("eu").id_from_name("a")
        done = await locally(host, "import", **(given | {"id": str(eu)}))
        assert done["id"] == str(eu)


async def test_an_object_has_a_greatest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """For both ways; the error says what takes a larger one."""
    async with host_for(app) as host:
        await host.env.COUNTER.get_by_name("a").store({str(number): 0 for number in range(3)})
        given = await exported(host)
        monkeypatch.setattr(limits, "MAX_TRANSFER_ENTRIES", 2)
        for name, asked in (("import", given), ("export", {"binding": "COUNTER", "name": "a"})):
            refused = await locally(host, name, **asked)
            assert refused["status"] == 413
            assert "use roomhost backup" in refused["message"]


async def test_a_large_object_is_one_batch() -> None:
    """Larger than the commit log takes: past it, and durable all the same."""
    value = base64.b64encode(encode(b"x" * 1_000_000)).decode()
    keys = [base64.b64encode(b"%d" % number).decode() for number in range(6)]
    async with host_for(app) as host:
        given = made(entries=[(key, value) for key in keys])
        given["id"] = str(host.env.COUNTER.id_from_name("a"))
        done = await locally(host, "import", **given)
        assert done["bytes"] > MAX_SEGMENT_BYTES
        assert host.statistics().batches == 1
        assert await exported(host) == given


async def test_what_is_in_memory_alone_is_not_exported() -> None:
    """There is nothing to write."""
    async with host_for(app) as host:
        assert await host.env.COUNTER.get_by_name("a").read("n") is None
        refused = await locally(host, "export", binding="COUNTER", name="a")
    assert "in memory alone" in refused["message"]
