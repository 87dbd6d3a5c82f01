"""What `roomhost bench` measures of a realtime module: messages, published and on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bindings.bench_target import ModuleBench

if TYPE_CHECKING:
    from ..bindings import DurableObjectStub
    from .instance import RealtimeInstance

DATA = {"text": "x" * 100}


async def publish(bound: RealtimeInstance, room: str) -> None:
    """One message of 100 characters; returns once it is durable."""
    await bound.room(room).publish(type="bench", data=DATA)


def stub(bound: RealtimeInstance, room: str) -> DurableObjectStub:
    """The room's object."""
    return bound.stub("room", room)


bench = ModuleBench("publish", publish, stub)
