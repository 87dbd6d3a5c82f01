"""What a command makes of answers, whoever gives them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from roomhost.admin.client import AdminClient
from roomhost.admin.errors import OperationError
from roomhost.runtime import HostError

HEAD = "HTTP/1.1 {}\r\nconnection: close\r\n\r\n"


def read_request(connection: socket.socket) -> None:
    """All of a request: a connection that is closed with something unread is reset."""
    with connection.makefile("rb") as stream:
        size = 0
        while (line := stream.readline()).strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)
        stream.read(size)


@contextmanager
def answering(status: str, body: bytes) -> Generator[str]:
    """A server that says one thing, and its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                read_request(connection)
                connection.sendall(HEAD.format(status).encode() + body)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/base/"
        finally:
            thread.join()


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        ("200 OK", b"<html>", "no JSON object: it is no roomhost"),
        ("200 OK", b"[1]", "no JSON object"),
        ("200 OK", b"{" * 50_000, "no JSON object"),
        ("404 Not Found", b"nothing here", "answers 404 Not Found: it is no roomhost"),
        ("404 Not Found", b'{"detail": "x"}', "answers 404 Not Found"),
        ("302 Found", b"", "answers 302 Found"),
        ("500 Oops", b"\xff", "answers 500 Oops"),
        ("no status", b"", "cannot reach"),
    ],
    ids=range(8),
)
def test_what_is_no_host_is_told_so(status: str, body: bytes, told: str) -> None:
    """In one line."""
    with answering(status, body) as url:
        with pytest.raises(HostError, match=told) as caught:
            AdminClient.remote(url, "key").call("host")
    assert "\n" not in str(caught.value)


def test_a_problem_is_raised_with_its_code() -> None:
    """And its message, as the host wrote it."""
    body = b'{"code": "not_found", "message": "no such thing", "field": "name"}'
    with answering("404 Not Found", body) as url:
        with pytest.raises(OperationError, match=r"^no such thing$") as caught:
            AdminClient.remote(url, None).call("inspect", name="x")
    assert (caught.value.code, caught.value.field) == ("not_found", "name")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"event": 1}\n', "ended before the operation did"),
        (b'{"event": 1}\n{"error": {"code": "c", "message": "stopped"}}\n', "^stopped$"),
        (b'{"event": 1}\n{"even', "no JSON object"),
    ],
)
def test_a_stream_that_is_cut_is_no_success(body: bytes, told: str) -> None:
    """What came before is there."""
    with answering("200 OK", body) as url:
        lines = AdminClient.remote(url, None).stream("follow")
        assert next(lines) == {"event": 1}
        with pytest.raises(HostError, match=told):
            next(lines)


@pytest.mark.parametrize(
    "url", ["localhost:8787", "ftp://host", "http://", "http://host:port", "http://host:99999", ""]
)
def test_a_url_is_one_of_http(url: str) -> None:
    """Or the option says how one looks."""
    with pytest.raises(HostError, match="--url is like"):
        AdminClient.remote(url, None)


def test_a_key_cannot_add_headers() -> None:
    """It is one line of ASCII."""
    with pytest.raises(HostError, match="printable ASCII"):
        AdminClient.remote("http://host", "key\r\nx: y")


def test_text_that_is_no_unicode_is_not_sent() -> None:
    """As a terminal hands it over when its bytes are no UTF-8."""
    with pytest.raises(HostError, match="no valid Unicode"):
        AdminClient.remote("http://host", None).call("inspect", name="\udcff")
