"""A client in a process of its own: `python -m tests.helpers.remote_client URL`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import anyio

from roomhost.bindings import connect

from .remote_app import Strange


async def main(url: str) -> None:
    """Say what is seen, one line for each."""
    async with connect(url, api_key="key") as env:
        stub = env.STATION.get_by_name("shared")
        print(await stub.increment(by=2))
        print(await stub.echo((1, 2.5), {b"x"}, at=datetime(2026, 1, 1, tzinfo=UTC)))
        try:
            await stub.fail()
        except Strange as error:
            print(type(error).__name__, error, error.second)
        print(await (await stub.fetch("http://x/path", method="POST", body="body")).text())
        print(stub.id)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1])
