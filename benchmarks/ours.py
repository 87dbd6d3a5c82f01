"""Our host in a process of its own, as a benchmark sees it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import children
from .loops import loop_name
from .work import Work

NAME = "ours"


class Ours:
    """A process of it, which runs `workloads.py`; `port` where it is reached by HTTP."""

    def __init__(self, child: children.Child, port: int | None) -> None:
        self.child = child
        self.port = port

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.child.pid

    async def ask(self, **command: Any) -> dict[str, Any]:
        """Its answer to a command."""
        return await self.child.ask(**command)

    async def run(self, work: Work) -> int:
        """Do it; how many steps that were."""
        done: int = (await self.ask(**asdict(work)))["done"]
        return done

    async def commits(self) -> int:
        """How many there were."""
        commits: int = (await self.ask(do="commits"))["commits"]
        return commits

    async def evict(self) -> None:
        """Have no instance in memory. The sockets stay."""
        left: int = (await self.ask(do="evict"))["left"]
        assert not left, f"{left} objects are still in memory"


@asynccontextmanager
async def started(
    directory: Path, *, serve: bool = False, shift_ms: int = 0, prefix: Sequence[str] = ()
) -> AsyncGenerator[Ours]:
    """It, with this data directory, until the block ends. `serve`: it is reached by HTTP too.
    `shift_ms`: its clock is so much ahead. `prefix`: a command that runs the command."""
    loop = "uvloop" if serve else loop_name()
    arguments = [loop, str(directory), str(shift_ms), *(["serve"] if serve else [])]
    command = [*prefix, *children.module("host_child", *arguments)]
    async with children.started(command) as child:
        yield Ours(child, (await child.answer())["port"])
