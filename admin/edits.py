"""`put`, `delete-key`, `run-alarm`, `evict`: changes to one object, by whoever operates the host.

How they keep the object's promises is told in `runtime/edits.py`. After a change the instance that
was in memory is evicted, as soon as nothing is in it, because it does not see what changed under it;
`evicted` says whether that was done when the answer came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from anyio.to_thread import run_sync

from ..runtime import HostError
from ..runtime.durable_storage import delete_now, get_now, put_now
from ..runtime.edits import edit, evict
from . import limits
from .bindings import find_object
from .errors import OperationError, invalid, not_found
from .parse_literal import parse_literal
from .structs import ObjectInput, ObjectResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..runtime import DurableObjectId, Host
    from ..runtime.alarm_event import AlarmOutcome
    from ..runtime.commits import Commits

T = TypeVar("T")


class PutInput(ObjectInput, kw_only=True):
    """`value`: a Python literal of the stored types, or JSON. `create`: the object need not exist."""

    key: str
    value: str
    create: bool = False


class DeleteKeyInput(ObjectInput, kw_only=True):
    """A key of an object."""

    key: str


class Edited(ObjectResult, kw_only=True):
    """A change that is durable. `existed`: whether the key did. `evicted`: see above."""

    existed: bool
    evicted: bool


class AlarmRun(ObjectResult, kw_only=True):
    """A run of an alarm. `outcome`: "ok", "running" when it has not ended, "moved" when the object
    changed its alarm first, else the error's class and message; `retry_at_ms`: when it is tried
    again, since the epoch."""

    outcome: str
    retry_at_ms: int | None = None


class Evicted(ObjectResult, kw_only=True):
    """`resident`: whether an instance was there. `evicted`: whether it was dropped already."""

    resident: bool
    evicted: bool


async def put(host: Host, given: PutInput) -> Edited:
    """Store a value under a key."""
    if len(given.value) > limits.MAX_VALUE_CHARACTERS:
        raise invalid(
            "value", f"at most {limits.MAX_VALUE_CHARACTERS} characters; import the object instead"
        )

    try:
        if len(given.value) > limits.INLINE_VALUE_CHARACTERS:
            value = await run_sync(parse_literal, given.value)
        else:
            value = parse_literal(given.value)
    except ValueError as error:
        raise invalid("value", str(error)) from None

    found = find_object(host, given.binding, given.name, given.id, new=given.create)

    def change(commits: Commits) -> bool:
        existed = _has(commits, given.key)
        try:
            put_now(commits, given.key, value, confirmed=True)
        except (TypeError, ValueError) as error:
            raise invalid("value", str(error)) from None

        return existed

    return await _edited(host, *found, change)


async def delete_key(host: Host, given: DeleteKeyInput) -> Edited:
    """Delete a key. OperationError: it is not there."""
    found = find_object(host, given.binding, given.name, given.id)

    def change(commits: Commits) -> bool:
        if not _has(commits, given.key):
            raise not_found(f"the object has no key {given.key[:128]!r}")

        return bool(delete_now(commits, given.key, confirmed=True))

    return await _edited(host, *found, change)


async def run_alarm(host: Host, given: ObjectInput) -> AlarmRun:
    """Run the alarm of an object now: it becomes due now, or its retry does not wait any longer.

    Answers when the run has ended, or after half a minute. OperationError: it has no alarm.
    """
    space, object_id = find_object(host, given.binding, given.name, given.id)
    alarms = host.engine.alarms
    number = host.engine.partition.find(host.namespaces[space].number, bytes(object_id))
    if number is None or host.engine.partition.store(number).alarm() is None:
        raise not_found("the object has no alarm")

    ended: list[AlarmOutcome] = []
    event = anyio.Event()

    def end(outcome: AlarmOutcome) -> None:
        ended.append(outcome)
        event.set()

    alarms.watch(number, end)
    try:
        if not alarms.is_running(number) and not alarms.hurry(number):
            await change_object(host, space, object_id, _due_now(host))
        with anyio.move_on_after(limits.ALARM_SECONDS):
            await event.wait()
    finally:
        alarms.unwatch(number, end)
    retry = alarms.retry(number)
    return AlarmRun(
        namespace=space,
        id=str(object_id),
        name=object_id.name,
        outcome=_outcome(ended[0]) if ended else "running",
        retry_at_ms=None if retry is None or retry.timer is None else retry.timer.when_ms,
    )


async def evict_object(host: Host, given: ObjectInput) -> Evicted:
    """Drop the instance of an object from memory, once nothing is in it: its sockets hibernate, what
    is stored stays, the next event starts it anew."""
    space, object_id = find_object(host, given.binding, given.name, given.id)
    slot = host.engine.resident_slot(host.namespaces[space].number, bytes(object_id))
    resident = slot is not None and slot.running is not None
    return Evicted(
        namespace=space,
        id=str(object_id),
        name=object_id.name,
        resident=resident,
        evicted=slot is not None and await evict(slot, limits.EVICT_SECONDS),
    )


async def change_object(
    host: Host, space: str, object_id: DurableObjectId, change: Callable[[Commits], T]
) -> T:
    """Make a change as `edit`. OperationError: the object cannot take it; the message says why."""
    try:
        return await edit(host.engine, host.namespaces[space].number, object_id, change)
    except HostError:
        raise
    except Exception as error:
        raise OperationError(
            f"the object did not take it: {type(error).__name__}: {error}",
            code="unavailable",
            status=503,
        ) from error


async def _edited(
    host: Host, space: str, object_id: DurableObjectId, change: Callable[[Commits], bool]
) -> Edited:
    existed = await change_object(host, space, object_id, change)
    return Edited(
        namespace=space,
        id=str(object_id),
        name=object_id.name,
        existed=existed,
        evicted=await forget_instance(host, space, object_id),
    )


async def forget_instance(host: Host, space: str, object_id: DurableObjectId) -> bool:
    """Evict the instance that does not know of a change; whether none is left of before it."""
    slot = host.engine.resident_slot(host.namespaces[space].number, bytes(object_id))
    if slot is None or slot.activation is None:
        return True

    return await evict(slot, limits.EVICT_SECONDS)


def _has(commits: Commits, key: str) -> bool:
    missing: Any = object()
    try:
        return get_now(commits.use(), key, missing) is not missing
    except (TypeError, ValueError) as error:
        raise invalid("key", str(error)) from None


def _due_now(host: Host) -> Callable[[Commits], None]:
    def change(commits: Commits) -> None:
        overlay = commits.use()
        due_ms = overlay.get_alarm()
        now_ms = host.clock.now_ms()
        if due_ms is None:
            raise not_found("the object has no alarm")

        if due_ms > now_ms:
            overlay.set_alarm(now_ms)
            commits.wrote(True)

    return change


def _outcome(outcome: AlarmOutcome) -> str:
    if outcome.error is not None:
        return f"{type(outcome.error).__name__}: {outcome.error}"

    return "ok" if outcome.ran else "moved"
