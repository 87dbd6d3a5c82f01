"""`connect`: the `env` of a host that runs in another process."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from ..runtime import HostError
from ..runtime.object_id import IdFactory
from ..runtime.remote_frames import PROTOCOL
from ..storage import decode
from .env import Env
from .namespace import DurableObjectNamespace
from .remote_channel import RemoteChannel
from .remote_dial import check_key, web_socket_url
from .remote_link import Link
from .remote_modules import build_modules

if TYPE_CHECKING:
    from types import TracebackType

    from ..runtime import DurableObjectId
    from ..runtime.remote_frames import Welcome


def connect(url: str, *, api_key: str) -> RemoteHost:
    """The `env` of a host in another process, for a trusted back-end:

        async with connect("http://127.0.0.1:8787", api_key="...") as env:
            await env.COUNTER.get_by_name("a").increment(by=2)

    `url` is that of the host, with the path it is mounted at, if any; `api_key` is one of its
    setting `api_keys`. Namespaces, ids, stubs, `fetch` with its streams and WebSockets, values and
    errors are as within the host's process; so are the variables of the application, as far as
    their values can be copied. A module's value is built by the entry point of its kind, in the group
    `roomhost.modules`, of a package that is installed here too; where there is none, reading that
    binding is a `HostError`.

    Where a `with` does not fit, `remote = connect(...)`, `env = await remote.open()` and
    `await remote.close()` do the same. Either way it needs asyncio, and one event loop.

    Everything goes over one WebSocket, in order. When it is lost, calls in flight fail with a
    `DurableObjectError` that is `retryable`: they may have run. The next call connects again; stubs
    stay good. Giving up on a call does not stop its handler.

    Who has an API key is trusted with everything: the host hands over the keys that ids derive
    from, so that `id_from_name` is the plain function it always is, and the application's variables.

    An exception is raised with its own class if it is built in, roomhost's own, or of a module
    that this process has imported already (`__main__` excepted); nothing is imported for it. Another
    becomes a `DurableObjectError` with `remote_type`. Of an error that goes to the host, in a body
    that fails, only the first two.

    ValueError: no URL of a host, or no key that a header can carry.
    """
    web_socket_url(url)
    return RemoteHost(url, check_key(api_key))


class RemoteHost:
    """A host in another process: what `connect` returns."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = url
        self._api_key = api_key
        self._link: Link | None = None
        self._open = False

    def __repr__(self) -> str:
        return f"<RemoteHost {self._url} [{'open' if self._open else 'closed'}]>"

    async def open(self) -> Env:
        """Connect, and return the host's `env`.

        HostError: the host does not take calls with this key, or this is not asyncio.
        DurableObjectError, retryable: it cannot be reached.
        """
        if self._open:
            raise HostError("this connection is open already")

        link = self._link = self._make_link()
        self._open = True
        try:
            welcome = await asyncio.shield(link.ready)
            if isinstance(welcome, Exception):
                raise welcome

            return await self._env(welcome)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Send what was called and end the connection. Calls in flight fail; `open()` begins anew."""
        self._open = False
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    async def __aenter__(self) -> Env:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _env(self, welcome: Welcome) -> Env:
        if welcome.protocol != PROTOCOL:
            raise HostError(
                f"{self._url} speaks version {welcome.protocol} of this protocol, not {PROTOCOL}: "
                "use the same roomhost on both sides"
            )

        namespaces = {
            name: self._namespace(name, unique_key)
            for name, unique_key in welcome.namespaces.items()
        }
        values: dict[str, Any] = {name: decode(data) for name, data in welcome.variables.items()}
        values |= namespaces
        for module in welcome.modules.values():
            for name in module.namespaces:
                values.pop(name, None)
        return Env(values | await build_modules(welcome.modules, namespaces))

    def _namespace(self, binding: str, unique_key: str) -> DurableObjectNamespace:
        def channel(object_id: DurableObjectId) -> RemoteChannel:
            return RemoteChannel(self._find_link, binding, object_id)

        return DurableObjectNamespace(partial(IdFactory, unique_key), channel)

    def _find_link(self) -> Link:
        """The connection to use now: a new one if the last was lost."""
        if not self._open or self._link is None:
            raise HostError(
                "the connection is closed: use its env inside `async with connect(...)`"
            )

        if self._link.lost is not None:
            self._link = self._make_link()
        elif self._link.loop is not asyncio.get_running_loop():
            raise HostError("a connection belongs to the event loop that it was opened in")

        return self._link

    def _make_link(self) -> Link:
        try:
            return Link(self._url, self._api_key)
        except RuntimeError:
            raise HostError("connect() needs asyncio: no asyncio loop is running") from None
