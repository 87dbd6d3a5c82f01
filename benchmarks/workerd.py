"""workerd, Cloudflare's runtime: how it is started, and told what to do.

Its objects are as it makes them unless told otherwise: backed by SQLite, a file of each in a
directory on the disk.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from . import children
from .work import Work

NAME = "workerd"
HERE = Path(__file__).parent
BINARIES = HERE / "node_modules/@cloudflare"  # of one platform, that npm has chosen
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
class Script:
    """What it runs: a file of this directory, and the classes of its actors by their bindings."""

    file: str
    actors: dict[str, str]

    def config(self, data: Path) -> str:
        """The configuration, with the storage of all actors in a directory."""
        actors = [{"binding": name, "class": actor} for name, actor in self.actors.items()]
        return CONFIG % {
            "data": json.dumps(str(data.absolute())),
            "namespaces": ", ".join(NAMESPACE % actor for actor in actors),
            "bindings": ", ".join(BINDING % actor for actor in actors),
        }


COUNTERS = Script("workerd.js", {"COUNTER": "Counter"})


class Workerd:
    """A process of it, told what `COUNTERS` are told."""

    def __init__(self, child: children.Child, port: int) -> None:
        self.child = child
        self.port = port

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.child.pid

    async def ask(self, **query: Any) -> dict[str, Any]:
        """What its worker answers."""
        return await anyio.to_thread.run_sync(partial(self._post, query))

    async def run(self, work: Work) -> int:
        """Do it; how many steps that were."""
        done: int = (await self.ask(**asdict(work)))["done"]
        return done

    def _post(self, query: dict[str, Any]) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.port}/"
        body = json.dumps(query).encode()
        with urllib.request.urlopen(url, data=body, timeout=ANSWER_SECONDS) as response:
            answer: dict[str, Any] = json.load(response)
        return answer


def binary() -> Path | None:
    """Its executable, where it is installed."""
    return next(BINARIES.glob("workerd-*/bin/workerd"), None)


def missing() -> str:
    """Why it cannot be started here, or nothing."""
    return "workerd is not installed: npm install --prefix benchmarks" if binary() is None else ""


@asynccontextmanager
async def started(
    directory: Path, prefix: Sequence[str] = (), script: Script = COUNTERS
) -> AsyncGenerator[Workerd]:
    """It, with its storage below `directory`, until the block ends. `prefix`: a command that runs
    the command."""
    data = directory / "data"
    data.mkdir(parents=True, exist_ok=True)
    (directory / "worker.js").write_bytes((HERE / script.file).read_bytes())
    config = directory / "workerd.capnp"
    config.write_text(script.config(data))
    command = [*prefix, str(binary()), "serve", "--control-fd=1", str(config)]
    async with children.started(command) as child:
        yield Workerd(child, (await child.answer())["port"])
