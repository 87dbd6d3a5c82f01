"""An application with one realtime module, as the tests of its routes have it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from roomhost.actors import realtime
from roomhost.bindings import App
from roomhost.runtime import Host
from roomhost.runtime.testing import ManualClock, host_for

KEY = {"authorization": "Bearer key"}
BASE = "http://test/realtime/collab"


def collab(**options: Any) -> App:
    """Its module is bound as COLLAB, and named `collab`."""
    return App(name="demo", bindings={"COLLAB": realtime(name="collab", **options)})


@asynccontextmanager
async def routes(
    *,
    client: tuple[str, int] = ("127.0.0.1", 9),
    options: dict[str, Any] | None = None,
    **settings: Any,
) -> AsyncGenerator[tuple[httpx.AsyncClient, Host]]:
    """A client without a network, with no credential, and the host; `client`: its address."""
    settings.setdefault("api_keys", ("key", "other"))
    async with host_for(collab(**options or {}), clock=ManualClock(), **settings) as host:
        transport = httpx.ASGITransport(host.asgi, client=client)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
            yield http, host


async def bearer(host: Host, room: str = "r", **options: Any) -> dict[str, str]:
    """The headers of somebody with a token."""
    options.setdefault("member_id", "ann")
    grant = await host.env.COLLAB.room(room).authorize(**options)
    return {"authorization": f"Bearer {grant.token}"}
