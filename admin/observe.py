"""`events`, `follow`, `sample`: what happens in a running host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..runtime.records import EventRecord, Sample
from . import limits
from .bindings import find_object, namespaces_of
from .errors import invalid
from .structs import Input, ObjectInput, Result, check_limit

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ..runtime import Host
    from .operations import Line


class EventsInput(Input, kw_only=True):
    """Of a binding, of one object by its name or its id, or of all."""

    binding: str | None = None
    name: str | None = None
    id: str | None = None
    limit: int = limits.DEFAULT_LIMIT

    def __post_init__(self) -> None:
        check_limit(self.limit, limits.MAX_LIMIT)


class Events(Result, kw_only=True):
    """The newest events, the newest first. `recording`: whether every event is recorded; else only
    those are that were slow."""

    events: list[EventRecord]
    recording: bool


class FollowInput(ObjectInput, kw_only=True):
    """One object, by its name or its id; it need not be there yet. Or a whole binding."""


class SampleInput(Input, kw_only=True):
    """Nothing."""


async def events(host: Host, given: EventsInput) -> Events:
    """The newest events."""
    observer = host.observer
    limit = check_limit(given.limit, limits.MAX_LIMIT)
    recording = observer.recording
    if given.binding is None:
        if given.name is not None or given.id is not None:
            raise invalid("binding", "an object is named with its binding")

        return Events(events=observer.recent(limit=limit), recording=recording)

    namespaces, object_id = _chosen(host, given.binding, given.name, given.id)
    found = [
        record
        for namespace in namespaces
        for record in observer.recent(namespace, object_id, limit)
    ]
    found.sort(key=_at_ms, reverse=True)
    return Events(events=found[:limit], recording=recording)


async def follow(host: Host, given: FollowInput) -> AsyncGenerator[Line]:
    """What happens from now on, without an end: {"event": ...}, {"log": ...}; the first line says that
    it has begun, later ones of its kind how many lines were left out because the caller is slow."""
    namespaces, object_id = _chosen(host, given.binding, given.name, given.id)
    dropped = 0
    async with host.observer.follow(namespaces, object_id) as follower:
        yield {"progress": {"following": namespaces, "dropped": 0}}
        async for item in follower:
            if follower.dropped != dropped:
                dropped = follower.dropped
                yield {"progress": {"following": namespaces, "dropped": dropped}}
            yield {"event" if isinstance(item, EventRecord) else "log": item}


async def sample(host: Host, given: SampleInput) -> Sample:
    """Throughput, latency and memory of the last second or two."""
    return host.observer.sample()


def _chosen(
    host: Host, binding: str, name: str | None, object_id: str | None
) -> tuple[list[str], str | None]:
    """The namespaces that are meant, and the id of the one object that is, if one is."""
    if name is None and object_id is None:
        return namespaces_of(host, binding), None

    namespace, found = find_object(host, binding, name, object_id, new=True)
    return [namespace], str(found)


def _at_ms(record: EventRecord) -> int:
    return record.at_ms
