"""Text of clients in headers, redirects, lines of the log, labels of metrics: it stays text."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from prometheus_client.parser import text_string_to_metric_families

from roomhost.runtime import Response
from roomhost.runtime.logs import handler_for
from roomhost.runtime.settings import make_settings

from ..helpers.served import served
from . import raw
from .app import app
from .beside import beside

pytestmark = pytest.mark.anyio

SPLIT = [
    "a\r\nSet-Cookie: b=c",
    "a\nb: c",
    "a\rb: c",
    "a\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    "a\u0000b",
]
CLOSE = b"Connection: close\r\n"
FORGED = "x\n2026-01-02T03:04:05.678Z ERROR roomhost.runtime [ROOM a] forged\x1b[31m\r\nY"


@pytest.mark.parametrize("text", SPLIT)
@pytest.mark.parametrize("where", ["header", "redirect"])
async def test_no_answer_is_split(where: str, text: str) -> None:
    """What an actor puts into a header from its input is one header, or no answer at all."""
    async with served(app) as (url, _), beside(url), await raw.connect(url) as client:
        await client.send(raw.get(f"/mirror/a/{where}?x={quote(text)}", CLOSE))
        answer = await client.rest()
        assert b"Set-Cookie" not in answer
        assert b"\nb: c" not in answer and b"\rb: c" not in answer
        assert answer.count(b"HTTP/1.1") <= 1


@pytest.mark.parametrize("text", SPLIT)
def test_a_header_is_refused_when_it_is_made(text: str) -> None:
    """With its name in the error."""
    with pytest.raises(ValueError, match="line break"):
        Response("", headers={"x-mirror": text})


@pytest.mark.parametrize("text", SPLIT)
async def test_an_upgrade_selects_no_text_of_the_client(text: str) -> None:
    """A subprotocol of ours is selected or none; and a token that is none is not sent back."""
    offer = quote(text).encode()
    head = raw.UPGRADE + b"Sec-WebSocket-Protocol: " + offer + b", roomhost.json.v1\r\n"
    path = f"/realtime/collab/rooms/{quote(text, safe='')}/ws"
    async with served(app) as (url, _), beside(url), await raw.connect(url) as client:
        answer = await client.ask(raw.get(path, head))
        assert answer.status in (101, 400, 401)
        assert offer.decode() not in answer.headers.get("sec-websocket-protocol", "")
        assert "set-cookie" not in answer.headers


@pytest.fixture(params=["text", "json"])
def log(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What `roomhost serve` would log."""
    stream = io.StringIO()
    handler = handler_for(make_settings({"log_format": request.param}), stream)
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


async def test_no_line_of_the_log_is_forged(log: io.StringIO) -> None:
    """By a message, or by the name of the object that says it; nor does a terminal get a command."""
    async with served(app) as (url, _), beside(url), await raw.connect(url) as client:
        path = f"/mirror/{quote(FORGED, safe='')}/log?x={quote(FORGED)}"
        assert (await client.ask(raw.get(path))).status == 200
        text = log.getvalue()
        lines = [line for line in text.splitlines() if "forged" in line]
        assert lines
        assert not [line for line in lines if line.startswith("2026-01-02")]
        assert "\x1b" not in text and "\r" not in text
        for line in lines:
            if line.startswith("{"):
                assert json.loads(line)["object_name"] == FORGED


async def test_no_metric_has_a_name_of_a_client() -> None:
    """Labels have few values, all of ours."""
    async with served(app) as (url, _), beside(url), await raw.connect(url) as client:
        for name in ('forged"} 1', "forged\n# HELP", "forged\\"):
            await client.ask(raw.get(f"/mirror/{quote(name, safe='')}/count"))
        text = (await client.ask(raw.get("/metrics"))).body.decode()
        assert "forged" not in text
        assert list(text_string_to_metric_families(text))
