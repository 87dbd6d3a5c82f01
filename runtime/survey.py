"""What is in memory of each set of objects, looked at in slices, so that nobody waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from anyio.lowlevel import checkpoint

from . import limits

if TYPE_CHECKING:
    from .engine import Engine


@dataclass(slots=True)
class Presence:
    """Of one namespace. `resident`: objects of which anything is in memory; `instances`: of them with an
    instance; `queued`: events that wait before their handler; `in_flight`: that have begun; `hibernated`:
    open sockets of objects without an instance."""

    resident: int = 0
    instances: int = 0
    queued: int = 0
    in_flight: int = 0
    hibernated: int = 0


async def survey(engine: Engine) -> dict[int, Presence]:
    """By the number of the namespace; those without anything in memory are left out."""
    found: dict[int, Presence] = {}
    for number, slot in enumerate(engine.resident):
        if number % limits.SURVEY_OBJECTS == limits.SURVEY_OBJECTS - 1:
            await checkpoint()
        presence = found.setdefault(slot.namespace, Presence())
        presence.resident += 1
        waiting = slot.backlog.held
        presence.queued += len(slot.queue) + waiting
        activation = slot.running
        if activation is not None:
            presence.instances += 1
            presence.in_flight += len(activation.events) - waiting
        elif slot.sockets is not None:
            presence.hibernated += len(slot.sockets)
    return found
