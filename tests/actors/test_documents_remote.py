"""Documents from outside of the host's process: over HTTP, and over `connect`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
from pycrdt import Text

from roomhost.actors import (
    DocumentEpochChanged,
    InvalidArgument,
    PayloadTooLarge,
    RealtimeInstance,
    RoomDestroyed,
    limits,
)
from roomhost.bindings import connect

from ..helpers.collab import KEY
from ..helpers.pens import EMPTY, NOTHING, Pen, text_of
from ..helpers.realtime_app import app
from ..helpers.served import served

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "asyncio+uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """A server has asyncio alone."""
    return ("asyncio", {"use_uvloop": request.param})


@pytest.fixture
async def url() -> AsyncGenerator[str]:
    """Of a host that is served."""
    async with served(app) as (url, _):
        yield url


class Http:
    """A trusted back-end that knows HTTP alone, and the room `a b/é`."""

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client = client
        self._base = f"{url}/realtime/collab/crdt/a%20b%2F%C3%A9"

    async def ask(self, name: str, **fields: Any) -> Any:
        """The result of an operation."""
        response = await self.send(name, **fields)
        assert response.status_code == 200, response.text
        return response.json()

    async def send(self, name: str, **fields: Any) -> httpx.Response:
        """The answer to an operation."""
        url = f"{self._base}/{name}"
        if name == "document":
            return await self._client.get(url, params=fields, headers=KEY)

        return await self._client.post(url, json=fields, headers=KEY)


@pytest.fixture
async def http(url: str) -> AsyncGenerator[Http]:
    """That back-end."""
    async with httpx.AsyncClient() as client:
        yield Http(client, url)


@pytest.fixture
async def collab(url: str) -> AsyncGenerator[RealtimeInstance]:
    """The binding, as another process has it."""
    async with connect(url, api_key="key") as env:
        yield env.COLLAB


async def test_every_operation_over_http(http: Http) -> None:
    """With the types of the API reference as JSON; it is the room of its name."""
    pen = Pen()
    actor = {"kind": "user", "userId": "ann"}
    recorded = await http.ask("apply-update", update=None, clientId="c", clock=0, actor=actor)
    assert (recorded["room"], recorded["actor"]["id"]) == ("a b/é", "ann")
    again = await http.ask("apply-update", update=None, clientId="c", clock=0)
    assert again == recorded
    applied = await http.ask("apply-yjs-update", updateBase64=pen.write("hi"))
    assert applied["stateVectorBase64"] == pen.vector
    aware = await http.ask("awareness", clientId="c", state={"x": 1})
    page = await http.ask("document", limit=1)
    assert [one["update"] for one in page["updates"]] == [None]
    assert page["awareness"] == [aware]
    rest = await http.ask("document", cursor=page["cursor"], sinceClock=0)
    assert [one["updateId"] for one in rest["updates"]] == [applied["updateId"]]
    assert "cursor" not in rest
    whole = await http.ask("sync-yjs", stateVectorBase64=NOTHING, limit=0)
    assert text_of(whole["updateBase64"]) == "hi"
    assert whole["updates"] == []
    assert (await http.ask("sync-yjs", stateVectorBase64=pen.vector))["updateBase64"] == EMPTY
    assert (await http.ask("authorize"))["documentEpoch"] == whole["documentEpoch"]
    assert (await http.ask("compact"))["updatesCompacted"] == 1
    assert (await http.ask("compact"))["updatesCompacted"] == 0
    ended = await http.ask("destroy", deleteCrdtUpdates=True)
    assert ended["deletedCrdtUpdates"]
    assert (await http.ask("document"))["updates"] == []
    refused = await http.send("apply-yjs-update", updateBase64=pen.whole)
    assert (refused.status_code, refused.json()["code"]) == (410, "room_destroyed")


@pytest.mark.parametrize(
    ("name", "fields", "status", "code"),
    [
        ("apply-yjs-update", {"updateBase64": "AAAA"}, 400, "invalid_update"),
        ("apply-yjs-update", {"updateBase64": "AAA"}, 400, "invalid_argument"),
        ("apply-yjs-update", {}, 400, "invalid_argument"),
        ("sync-yjs", {"stateVectorBase64": "AQ=="}, 400, "invalid_update"),
        ("apply-update", {"update": "x" * limits.MAX_DATA_BYTES}, 413, "payload_too_large"),
        ("document", {"cursor": "c"}, 400, "invalid_cursor"),
    ],
)
async def test_what_is_refused_over_http(
    http: Http, name: str, fields: dict[str, Any], status: int, code: str
) -> None:
    """With the field."""
    response = await http.send(name, **fields)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.json()["field"] == next(iter(fields), "updateBase64")


async def test_a_body_has_a_bound(http: Http) -> None:
    """An update over HTTP has less than a MiB in base64."""
    response = await http.send("apply-yjs-update", updateBase64="A" * limits.MAX_BODY_BYTES)
    assert (response.status_code, response.json()["code"]) == (413, "payload_too_large")


async def test_a_document_in_another_process(collab: RealtimeInstance) -> None:
    """Every call of the handle is there, and `edit` too."""
    room = collab.crdt_room("lobby")
    async with room.edit() as doc:
        doc.get("text", type=Text).insert(0, "héllo")
    assert (await room.apply_update(update=[1], client_id="c", clock=1)).room == "lobby"
    assert (await room.awareness(client_id="c", state={"x": 1})).state == {"x": 1}
    page = await room.document()
    assert [one.update_id for one in page.updates] != []
    assert [one.client_id for one in page.awareness] == ["c"]
    synced = await room.sync_yjs(limit=1)
    assert text_of(synced.update_base64 or "") == "héllo"
    assert synced.document_epoch is not None
    assert (await room.compact()).updates_compacted == 1
    copy = collab.crdt_room("copy")
    await copy.import_update(await room.export_update())
    async with copy.edit() as doc:
        assert str(doc.get("text", type=Text)) == "héllo"
    assert [found.name for found in await collab.rooms()] == ["copy", "lobby"]


async def test_a_large_document_is_imported(url: str) -> None:
    """More than a body may be."""
    size = 3 * limits.MAX_UPDATE_BYTES
    async with connect(url, api_key="key") as env:
        room = env.COLLAB.crdt_room("large")
        async with room.edit() as doc:
            doc.get("text", type=Text).insert(0, "x" * size)
        copy = env.COLLAB.crdt_room("copy of large")
        await copy.import_update(await room.export_update())
        async with copy.edit() as doc:
            assert len(str(doc.get("text", type=Text))) == size


async def test_errors_have_class_code_and_field(url: str) -> None:
    """As within the host."""
    async with connect(url, api_key="key") as env:
        room = env.AGAIN.crdt_room("lobby")
        with pytest.raises(InvalidArgument) as refused:
            await room.import_update(b"\x00\x00\x00")
        assert (refused.value.code, refused.value.field) == ("invalid_update", "data")
        with pytest.raises(PayloadTooLarge):
            await room.apply_update(update="x" * limits.MAX_DATA_BYTES)
        pen = Pen()
        await room.apply_yjs_update(update_base64=pen.write("a"))
        await room.destroy()
        await room.apply_update(update="anew")
        with pytest.raises(DocumentEpochChanged) as changed:
            await room.apply_yjs_update(update_base64=pen.whole)
        assert (changed.value.code, changed.value.status) == ("document_epoch_changed", 409)
        ended = env.COLLAB.crdt_room("lobby")
        await ended.apply_update(update=1)
        await ended.destroy()
        with pytest.raises(RoomDestroyed):
            await ended.apply_update(update=2)
