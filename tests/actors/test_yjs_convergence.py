"""Clients of every kind edit one document at random, while connections, instances and the host end."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from pycrdt import Map

from roomhost.actors.yjs_guard import check_state_vector

from ..helpers.host_process import HostProcess
from ..helpers.yjs_clients import yjs_clients
from ..helpers.yjs_members import Crowd, Member, NodeMember, PythonMember
from ..helpers.yjs_rooms import YjsRoom

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]
SEED = int(os.environ.get("CONVERGENCE_SEED", "20261127"))
ROUNDS = 200
ROUNDS_OF_A_LIFE = 50  # then the host is killed, one way and the other in turn
ENVIRONMENT = {"ROOMHOST_API_KEYS": "key", "ROOMHOST_IDLE_EVICTION_SECONDS": "0.01"}


@pytest.fixture(scope="module")
def anyio_backend() -> Any:
    """Node's clients are driven from here, on asyncio as elsewhere."""
    return ("asyncio", {"use_uvloop": True})


async def test_whatever_ends_all_clients_converge_and_nothing_acknowledged_is_lost(
    tmp_path: Path,
) -> None:
    """Equal texts, maps and state vectors at the end, the host's too."""
    print(f"CONVERGENCE_SEED={SEED}")  # which pytest shows where this fails
    with HostProcess("tests.helpers.realtime_app:app", tmp_path, ENVIRONMENT) as host:
        room = YjsRoom(host.url)
        async with crowd_in(room) as crowd:
            for number in range(1, ROUNDS):
                await play(crowd)
                if number % ROUNDS_OF_A_LIFE:
                    continue
                if number // ROUNDS_OF_A_LIFE % 2:
                    await kill(host, crowd)
                else:
                    await kill_and_look(host, room, crowd)
            for member in crowd.members:
                if member.name in crowd.gone:
                    await crowd.return_(member)
            await crowd.settle()
            await check(room, crowd)


@asynccontextmanager
async def crowd_in(room: YjsRoom) -> AsyncGenerator[Crowd]:
    """Five members: three y-websocket providers, one of Hocuspocus, one of pycrdt."""
    async with yjs_clients() as node, anyio.create_task_group() as group:
        members: list[Member] = [
            NodeMember(await room.open(node, name)) for name in ("ana", "bea", "cyd")
        ]
        members.append(NodeMember(await room.open(node, "hoc", "hocuspocus")))
        python = PythonMember("pia", room, group)
        await python.back()
        yield Crowd(random.Random(SEED), [*members, python])
        await python.away()


async def play(crowd: Crowd) -> None:
    """A round: some edit, and perhaps somebody leaves, returns or is cut off, or all catch up."""
    rng = crowd.rng
    for member in rng.sample(crowd.members, rng.randint(1, 3)):
        await crowd.edit(member)
    member = rng.choice(crowd.members)
    chance = rng.random()
    if member.name in crowd.gone:
        if chance < 0.5:
            await crowd.return_(member)
    elif chance < 0.1:
        await crowd.leave(member)
    elif chance < 0.2:
        await member.lose()
    elif chance < 0.35:
        await crowd.settle()  # which gives the room the time to sleep


async def kill(host: HostProcess, crowd: Crowd) -> None:
    """`kill -9` amid edits; the clients come back by themselves, where they do that."""
    host.kill()
    python = crowd.members[-1]
    await python.away()
    for member in crowd.members:
        await crowd.edit(member)
    await anyio.to_thread.run_sync(host.start)
    await python.back()
    crowd.gone.discard(python.name)


async def kill_and_look(host: HostProcess, room: YjsRoom, crowd: Crowd) -> None:
    """`kill -9` amid edits; then what the host has while nobody could bring it back."""
    await crowd.settle()
    await acknowledged(crowd)
    for member in crowd.members:
        await crowd.edit(member)
    host.kill()
    here = crowd.present
    for member in here:
        await crowd.leave(member)
    await anyio.to_thread.run_sync(host.start)
    document = await room.document()
    assert crowd.seen
    assert crowd.seen <= set(document.get("map", type=Map).keys())
    for member in here:
        await crowd.return_(member)


async def acknowledged(crowd: Crowd) -> None:
    """Have the Hocuspocus provider's edits acknowledged, those too that nobody was there to see."""
    hoc = crowd.members[3]
    assert isinstance(hoc, NodeMember)
    if hoc.name not in crowd.gone:
        await crowd.edit(hoc)
        await hoc.client.wait("it.unsynced === 0")
        crowd.seen |= {mark for mark in crowd.marks if mark.startswith(f"{hoc.name} ")}


async def check(room: YjsRoom, crowd: Crowd) -> None:
    """Everybody has the same, the host too, and every mark is there."""
    document = await room.document()
    clocks = check_state_vector(document.get_state())
    text, entries = await room.text(), document.get("map", type=Map).to_py() or {}
    assert crowd.marks == entries.keys() - {"shared"}
    for member in crowd.members:
        assert await member.clocks() == clocks, member.name
        assert await member.content() == (text, entries), member.name
