"""Names of objects that try to be another object's, a file's, or a path of the host."""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest

from ..helpers.served import served
from . import raw
from .app import app
from .beside import beside

pytestmark = pytest.mark.anyio

# Each is another object, whatever a path, a file system or a reader of text makes of it.
NAMES = [
    "a", "A", "a ", " a", "a.", ".a", "a\u0000", "a\n", "a\r", "a\t", "a/b", "a%2fb", "a%2Fb", "a%252fb",
    "a\\b", "..a", "...", "../a", "a/../b", "/etc/passwd", "a?b", "a#b", "a;b", "a&b", "a=b", "a+b",
    "a%20b", "a b", "\u00e9", "e\u0301", "\u00c5", "\u212b", "A\u030a", "\ufb01", "fi", "\u00df", "ss",
    "\u0131", "i", "I", "\u0130", "\u202ea", "\ufeffa", "a\u200b", "\U0001f600", "%", "%%", "%41", "~",
    "con", "nul", "_admin", "-", "\u007f", "x" * 1_024, "x" * 1_025, "x" * 5_000, "x" * 4_999 + "y",
    "\u00e9" * 513,
]  # fmt: skip
NO_TEXT = [b"%ff", b"%c0%af", b"%c0%80", b"%e0%80%af", b"%ed%a0%80", b"%f5%80%80%80", b"%80"]
HIDDEN = [
    "/_admin/v1/statistics", "/%5fadmin/v1/statistics", "/_%61dmin/v1/statistics", "//_admin/v1/statistics",
    "/./_admin/v1/statistics", "/mirror/../_admin/v1/statistics", "/mirror/%2e%2e/_admin/v1/statistics",
    "/_admin%2fv1%2fstatistics", "/_ADMIN/v1/statistics", "/_rpc/v1", "/%5frpc/v1", "/_inspector/",
    "http://localhost/_admin/v1/statistics", "/_admin/v1/statistics?x=/", "/_admin/v1/statistics;a",
    "/_inspector/../../etc/passwd", "/_inspector/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/_inspector/..%5c..%5cx",
]  # fmt: skip


def segment(name: str) -> str:
    """A name as one segment of a path."""
    return quote_from_bytes(name.encode(), safe="")


async def test_two_names_are_two_objects_by_every_way() -> None:
    """Over HTTP, over a WebSocket and from code the same name is the same object, and none another's."""
    async with served(app, max_header_bytes=100_000) as (url, host), beside(url):
        ids: dict[str, str] = {}
        async with await raw.connect(url) as client:
            for name in NAMES:
                answer = await client.ask(raw.get(f"/mirror/{segment(name)}/name"))
                found = json.loads(answer.body)
                assert found["name"] == (name if len(name.encode()) <= 1_024 else None)
                ids[name] = found["id"]
                counted = await client.ask(raw.get(f"/mirror/{segment(name)}/count"))
                assert json.loads(counted.body) == {"count": 1}, name
        assert len(set(ids.values())) == len(NAMES)
        for name in NAMES:
            assert str(host.env.MIRROR.id_from_name(name)) == ids[name]
            async with raw.web_socket(url, f"/mirror/{segment(name)}/ws") as socket:
                await socket.send(raw.frame(raw.TEXT, b"x"))
                assert await socket.frame() == (raw.TEXT, b"x")
        _nothing_but_its_own(host.directory)


def _nothing_but_its_own(directory: Path) -> None:
    """No file of the data directory has a name that a client chose."""
    names = {name for _, folders, files in os.walk(directory) for name in (*folders, *files)}
    assert not [name for name in names if not name.isascii() or set(name) & set("%\\ \n?#")]
    assert not names & {"a", "A", "passwd", "con", "etc"}


async def test_what_is_no_text_names_nothing() -> None:
    """Overlong UTF-8, halves of surrogate pairs, bytes: 404 and no object, for a room 400."""
    async with served(app) as (url, host), beside(url) as good, await raw.connect(url) as client:
        await good.ask()
        before = host.statistics().objects_in_memory
        for name in NO_TEXT:
            assert (await client.ask(raw.get(b"/mirror/%s/name" % name))).status == 404
            path = b"/realtime/collab/rooms/%s/history" % name
            answer = await client.ask(raw.get(path, b"Authorization: Bearer key\r\n"))
            assert answer.status in (400, 404), name
        assert host.statistics().objects_in_memory == before


async def test_a_room_is_named_as_it_is_written() -> None:
    """Text with control characters, `.` and `..`, and more than 255 bytes are refused; other names are
    a room each."""
    names = [name for name in NAMES if len(name.encode()) <= 255 and name.isprintable()]
    bad = ["a\n", "a\u0000", "\u007f", "..", ".", "x" * 256]
    key = b"Authorization: Bearer key\r\n"
    head = key + b"Content-Type: application/json\r\n"
    async with served(app) as (url, _), beside(url), await raw.connect(url) as client:
        for name in names:
            path = f"/realtime/collab/rooms/{segment(name)}/publish"
            body = json.dumps({"type": "said", "data": name}).encode()
            assert (await client.ask(raw.post(path, body, head))).status == 200, name
        for name in names:
            path = f"/realtime/collab/rooms/{segment(name)}/history"
            found = json.loads((await client.ask(raw.get(path, key))).body)
            assert name in json.dumps(found, ensure_ascii=False) or '"' in name or "\\" in name
            assert len(found["items"]) == 1
        for name in bad:
            path = f"/realtime/collab/rooms/{segment(name)}/history"
            assert (await client.ask(raw.get(path, key))).status in (400, 404)
        path = "/realtime/collab/rooms?limit=1000"
        listed = json.loads((await client.ask(raw.get(path, key))).body)
        assert sorted(room["name"] for room in listed) == sorted(names)


@pytest.mark.parametrize("path", HIDDEN)
async def test_no_way_to_write_a_path_opens_the_host(path: str) -> None:
    """What is the host's own asks for a key however it is written; the rest is nothing, or an object of
    that name; no file is served."""
    async with served(app) as (url, _), beside(url), await raw.connect(url) as client:
        answer = await client.ask(raw.get(path))
        assert answer.status in (200, 400, 401, 404), answer
        assert answer.status != 200 or json.loads(answer.body)["name"] == ".."
        assert b"root:" not in answer.body
