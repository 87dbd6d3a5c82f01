"""A running host, called by a command: over its local socket, or over HTTP."""

from __future__ import annotations

import ssl
from contextlib import closing, contextmanager
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import TYPE_CHECKING, Any, Protocol, Self, cast
from urllib.parse import urlsplit

import msgspec

from ..runtime import HostError
from ..runtime.local_socket import connect_locally
from . import limits
from .errors import OperationError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path
    from types import TracebackType

PATH = "/_admin/v1/"


class Target(Protocol):
    """What operations are run on: a running host, or a directory without one.

    A context. HostError, its subclass OperationError too: the operation cannot be had, was refused or
    failed; the message is a line that says what to do.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    @property
    def running(self) -> bool:
        """Whether a host runs there."""
        ...

    def call(self, operation: str, /, **given: Any) -> dict[str, Any]:
        """The result of an operation. Fields of the input that are None are left out."""
        ...

    def stream(self, operation: str, /, **given: Any) -> Iterator[dict[str, Any]]:
        """The lines of an operation, the last one its {"result": ...}; an error is raised."""
        ...


class AdminClient:
    """The admin API of one running host. Each call is a connection of its own."""

    running = True

    def __init__(
        self,
        connect: Callable[[], HTTPConnection],
        where: str,
        api_key: str | None = None,
        base: str = "",
    ) -> None:
        self._connect = connect
        self._where = where
        self._base = base
        self._headers = {"content-type": "application/json"}
        if api_key is not None:
            self._headers["authorization"] = f"Bearer {api_key}"

    @classmethod
    def local(cls, directory: Path) -> AdminClient:
        """The host that runs on a data directory."""
        return cls(lambda: LocalConnection(directory), f"the host of {directory}")

    @classmethod
    def remote(cls, url: str, api_key: str | None) -> AdminClient:
        """The host at a URL. HostError: it is none, or the key cannot be sent."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            raise HostError(f"--url is like http://127.0.0.1:8787, not {url!r}")

        if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
            raise HostError("an API key is printable ASCII")

        make: Callable[..., HTTPConnection] = HTTPConnection
        if parts.scheme == "https":
            make = partial(HTTPSConnection, context=ssl.create_default_context())
        connect = partial(make, parts.hostname, port, timeout=limits.TIMEOUT_SECONDS)
        return cls(connect, url, api_key, parts.path.rstrip("/"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing is open between calls."""

    def call(self, operation: str, /, **given: Any) -> dict[str, Any]:
        """See `Target`."""
        with self._request(operation, given, limits.TIMEOUT_SECONDS) as response:
            return as_object(response.read(limits.MAX_ANSWER_BYTES))

    def stream(self, operation: str, /, **given: Any) -> Generator[dict[str, Any]]:
        """See `Target`."""
        ended = False
        # Silence is no sign of trouble here: the host closes when it stops.
        with self._request(operation, given, None) as response:
            while data := response.readline(limits.MAX_ANSWER_BYTES):
                line = as_object(data)
                raise_error(line)
                ended = "result" in line
                yield line
        if not ended:
            raise HostError(f"{self._where} ended before the operation did: call again")

    @contextmanager
    def _request(
        self, operation: str, given: dict[str, Any], patience: float | None
    ) -> Generator[HTTPResponse]:
        """The response, its body unread, when it is a success. `patience`: seconds of silence."""
        body = encode_input(given)
        with closing(self._connect()) as connection:
            try:
                connection.connect()
                connection.sock.settimeout(patience)
                connection.request("POST", f"{self._base}{PATH}{operation}", body, self._headers)
                with closing(connection.getresponse()) as response:
                    if response.status != HTTPStatus.OK:
                        raise self._refused(response)

                    yield response
            except TimeoutError as error:
                raise HostError(
                    f"{self._where} has said nothing for {limits.TIMEOUT_SECONDS:.0f} s: look at its "
                    "log"
                ) from error
            except (OSError, HTTPException) as error:
                told = getattr(error, "strerror", None) or str(error) or type(error).__name__
                told = " ".join(told.split())  # what answered may be anything
                raise HostError(f"cannot reach {self._where}: {told}; is it running?") from error

    def _refused(self, response: HTTPResponse) -> HostError:
        try:
            told = as_object(response.read(limits.MAX_BODY_BYTES))
        except HostError:
            told = {}
        if "code" in told and "message" in told:
            return OperationError(
                str(told["message"]),
                code=str(told["code"]),
                status=response.status,
                field=told.get("field"),
            )

        return HostError(
            f"{self._where} answers {response.status} {response.reason}: it is no roomhost, or one "
            "of another version"
        )


class LocalConnection(HTTPConnection):
    """HTTP over the local socket of a data directory."""

    def __init__(self, directory: Path) -> None:
        super().__init__("localhost", timeout=limits.TIMEOUT_SECONDS)
        self._directory = directory

    def connect(self) -> None:
        """Open it."""
        self.sock: socket.socket = connect_locally(self._directory, limits.TIMEOUT_SECONDS)


def encode_input(given: dict[str, Any]) -> bytes:
    """The body of a call."""
    try:
        return msgspec.json.encode(
            {name: value for name, value in given.items() if value is not None}
        )
    except UnicodeEncodeError:
        raise HostError("the input holds text that is no valid Unicode") from None


def as_object(data: bytes) -> dict[str, Any]:
    """A JSON object. HostError: what answered is no host."""
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise HostError("the answer is no JSON object: it is no roomhost that answers") from None


def raise_error(line: dict[str, Any]) -> None:
    """OperationError: a line of a stream says that the operation failed."""
    error = line.get("error")
    if isinstance(error, dict):
        told = cast("dict[str, Any]", error)
        raise OperationError(str(told.get("message")), code=str(told.get("code")))
