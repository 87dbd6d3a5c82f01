"""`python -m benchmarks.durable_actors_peer DIRECTORY`: durable-actors, and a client of it.

It runs in an environment of its own, whose Python is `PYTHON`: what it needs to start does not go
with what the rest needs. It is the development server of that package, with storage in files. Its
callers are in another process than its actors, and reach them by HTTP: it has no other way.
"""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anyio

from . import children
from .work import Work

NAME = "durable-actors"
VERSION = "0.12.3"
PYTHON = children.REPOSITORY / "build/durable-actors/bin/python"
READY = re.compile(r"Ready\s+(http://\S+)")
START_SECONDS = 60.0
ACTORS = """\
from durable_actors import AsyncActor, ephemeral, persisted


class Counter(AsyncActor):
    count: int = ephemeral(0)
    value: str = persisted("")

    async def increment(self) -> int:
        self.count += 1
        return self.count

    async def store(self, value: str) -> None:
        self.value = value
"""


class DurableActors:
    """Such a process, as a benchmark sees it."""

    def __init__(self, child: children.Child) -> None:
        self._child = child

    @property
    def pid(self) -> int:
        """Of the process of its client."""
        return self._child.pid

    async def run(self, work: Work) -> int:
        """Do it; how many steps that were."""
        done: int = (await self._child.ask(**asdict(work)))["done"]
        return done


def missing() -> str:
    """Why it cannot be started here, or nothing."""
    return (
        "" if PYTHON.exists() else f"durable-actors is not installed: make {PYTHON.parents[1].name}"
    )


@asynccontextmanager
async def started(directory: Path) -> AsyncGenerator[DurableActors]:
    """It, with its storage below `directory`, until the block ends."""
    command = [str(PYTHON), "-m", __name__, str(directory)]
    async with children.started(command) as child:
        await child.answer()
        try:
            yield DurableActors(child)
        finally:
            await child.ask(do="stop")


class Runtime:
    """In the child: its native process, and those it starts."""

    def __init__(self, directory: Path) -> None:
        source = directory / "project/src/actors.py"
        source.parent.mkdir(parents=True)
        source.write_text(ACTORS)
        (directory / "project/pyproject.toml").write_text(
            '[project]\nname = "bench"\nversion = "0"\n'
        )
        arguments = ["--port", "0", "--project", str(directory / "project")]
        arguments += ["--data-dir", str(directory / "data"), "--entrypoint", "src/actors.py"]
        executable: Path = importlib.import_module("durable_actors.cli").native_executable()
        self._process = subprocess.Popen(
            [executable, "dev", *arguments],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ
            | {
                "DURABLE_ACTORS_PYTHON": sys.executable,
                "DURABLE_ACTORS_PROCESS_ROLE": "control_plane",
                "RUST_LOG": "error",
            },
        )

    def url(self) -> str:
        """Where it listens. RuntimeError: it has ended before it did."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := READY.search(line):
                threading.Thread(target=self._process.stdout.read, daemon=True).start()
                return found[1]
        raise RuntimeError("durable-actors did not start: see above")

    def stop(self) -> None:
        """End all of them. A second call does nothing."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


async def run(client: Any, work: Work) -> int:
    """Callers that each do one step after the other; how many steps that were."""
    deadline = time.perf_counter() + work.seconds
    done = 0

    async def call() -> None:
        nonlocal done
        while time.perf_counter() < deadline:
            name = str(work.first + done % work.rooms)
            arguments = [str(time.perf_counter_ns()).zfill(100)] if work.do == "store" else []
            await client.invoke("Counter", name, work.do, arguments)
            done += 1

    async with anyio.create_task_group() as group:
        for _ in range(work.callers):
            group.start_soon(call)
    return done


async def main(directory: Path) -> None:
    """Do what is told until there are no more commands."""
    runtime = Runtime(directory)
    try:
        package: Any = importlib.import_module("durable_actors")
        async with package.AsyncClient(runtime.url()) as client:

            async def answer(command: dict[str, Any]) -> dict[str, Any]:
                if command["do"] == "stop":
                    runtime.stop()
                    return {"stopped": True}

                return {"done": await run(client, Work(**command))}

            children.say({"ready": True})
            await children.serve(answer)
    finally:
        runtime.stop()


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]))
