"""workerd, Cloudflare's runtime: how it is started, and told what to do.

Its objects are as it makes them unless told otherwise: backed by SQLite, a file of each in a
directory on the disk.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from . import children

NAME = "workerd"
HERE = Path(__file__).parent
BINARY = HERE / "node_modules/.bin/workerd"
ANSWER_SECONDS = 120.0
NAMESPACE = '(className = "%(class)s", uniqueKey = "%(class)s", enableSql = true)'
BINDING = '(name = "%(binding)s", durableObjectNamespace = "%(class)s")'
CONFIG = """\
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "disk", disk = (path = %(data)s, writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-01-01",
  durableObjectNamespaces = [%(namespaces)s],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [%(bindings)s],
);
"""


@dataclass(frozen=True, slots=True)
class Worker:
    """What it runs: a script of this directory, and the classes of its actors by their bindings."""

    script: str
    actors: dict[str, str]

    def config(self, data: Path) -> str:
        """The configuration, with the storage of all actors in a directory."""
        actors = [{"binding": name, "class": actor} for name, actor in self.actors.items()]
        return CONFIG % {
            "data": json.dumps(str(data.absolute())),
            "namespaces": ", ".join(NAMESPACE % actor for actor in actors),
            "bindings": ", ".join(BINDING % actor for actor in actors),
        }


COUNTERS = Worker("workerd.js", {"COUNTER": "Counter"})


class Workerd:
    """A process of it, with what a worker of `COUNTERS` is told."""

    def __init__(self, child: children.Child, port: int) -> None:
        self.child = child
        self.port = port

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.child.pid

    async def ask(self, do: str, **query: Any) -> dict[str, Any]:
        """What its worker answers."""
        return await anyio.to_thread.run_sync(partial(self._post, {"do": do, **query}))

    async def run(
        self,
        do: str,
        *,
        callers: int = 1,
        rooms: int = 1,
        seconds: float = 0.0,
        count: int = 0,
        first: int = 0,
        **query: Any,
    ) -> int:
        """How many steps of this kind its callers did, over `rooms` objects beginning with the one
        numbered `first`: for so many seconds or, where it is given, this count."""
        query |= {"callers": callers, "rooms": rooms, "seconds": seconds, "count": count}
        done: int = (await self.ask(do, first=first, **query))["done"]
        return done

    def _post(self, query: dict[str, Any]) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.port}/"
        body = json.dumps(query).encode()
        with urllib.request.urlopen(url, data=body, timeout=ANSWER_SECONDS) as response:
            answer: dict[str, Any] = json.load(response)
        return answer


def missing() -> str:
    """Why it cannot be started here, or nothing."""
    return "" if BINARY.exists() else "workerd is not installed: npm install --prefix benchmarks"


@asynccontextmanager
async def started(
    directory: Path, prefix: Sequence[str] = (), worker: Worker = COUNTERS
) -> AsyncGenerator[Workerd]:
    """It, with its storage below `directory`, until the block ends. `prefix`: a command that runs
    the command."""
    data = directory / "data"
    data.mkdir(parents=True, exist_ok=True)
    (directory / "worker.js").write_bytes((HERE / worker.script).read_bytes())
    config = directory / "workerd.capnp"
    config.write_text(worker.config(data))
    command = [*prefix, str(BINARY), "serve", "--control-fd=1", str(config)]
    async with children.started(command) as child:
        yield Workerd(child, (await child.answer())["port"])
