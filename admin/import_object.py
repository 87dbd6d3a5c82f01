"""`import`: one object from what `export` said, in one batch: all of it, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio.to_thread import run_sync

from ..runtime.limits import MAX_ALARM_MS
from ..runtime.object_id import maker_of
from ..storage import decode
from .bindings import by_id, namespaces_of
from .edits import change_object, forget_instance
from .errors import OperationError, invalid
from .export_object import FORMAT_VERSION, check_size
from .structs import Input, ObjectResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..runtime import DurableObjectId, Host
    from ..runtime.commits import Commits
    from ..storage.limits import EntryLimits


class ImportInput(Input, kw_only=True):
    """The fields of the header, and all entries: keys and values as in `ExportedEntry`. `binding`: the
    namespace to import into. `force`: whatever the object holds is replaced."""

    roomhost_object: int
    binding: str
    id: str
    name: str | None = None
    alarm_ms: int | None = None
    entries: list[tuple[bytes, bytes]]
    force: bool = False


class Imported(ObjectResult, kw_only=True):
    """What is durable now. `replaced`: whether something was there. `evicted`: see `edits`."""

    entries: int
    bytes: int
    replaced: bool
    evicted: bool


async def import_object(host: Host, given: ImportInput) -> Imported:
    """Make an object what the input says, its alarm too: one that is overdue runs at once.

    OperationError: the object has entries or an alarm, and `force` is not set; an entry is too large,
    or no encoded value; the id is none of this namespace, and there is no name to make one from.
    """
    space, object_id = target_of(host, given)
    size = sum(len(key) + len(value) for key, value in given.entries)
    check_size(len(given.entries), size)
    if given.alarm_ms is not None and not 0 < given.alarm_ms < MAX_ALARM_MS:
        raise invalid("alarm_ms", f"milliseconds since the epoch, up to {MAX_ALARM_MS}")

    await run_sync(check_entries, given.entries, host.engine.entry_limits)
    replaced = await change_object(host, space, object_id, replacement(given))
    return Imported(
        namespace=space,
        id=str(object_id),
        name=object_id.name,
        entries=len(given.entries),
        bytes=size,
        replaced=replaced,
        evicted=await forget_instance(host, space, object_id),
    )


def target_of(host: Host, given: ImportInput) -> tuple[str, DurableObjectId]:
    """The object to import into: that of the id, where it is one of the namespace; else, in a host
    whose ids derive from another key, that of the name."""
    if given.roomhost_object != FORMAT_VERSION:
        raise invalid(
            "roomhost_object",
            f"this roomhost reads version {FORMAT_VERSION} of the format, not {given.roomhost_object}",
        )

    spaces = namespaces_of(host, given.binding)
    if len(spaces) > 1:
        raise invalid("binding", f"one of {', '.join(spaces)}: {given.binding} is several")

    space = spaces[0]
    object_id = by_id(host, space, given.id)
    try:
        if object_id is None and given.name is not None:
            return space, host.ids(space).from_name(given.name)

        if object_id is not None and given.name is not None:
            ids = maker_of(bytes(object_id), lambda place: host.ids(space, place))
            named = ids.from_name(given.name)
            if named != object_id:
                raise invalid("name", "it does not belong to the id: leave one of them out")
            return space, named
    except UnicodeError:
        raise invalid("name", "no valid Unicode") from None

    if object_id is None:
        raise invalid(
            "id", f"no id of an object of {space}, and the object has no name to make one from"
        )

    return space, object_id


def check_entries(entries: list[tuple[bytes, bytes]], most: EntryLimits) -> None:
    """OperationError: an entry that no object could have written; it is named by its number."""
    before: set[bytes] = set()
    for number, (key, value) in enumerate(entries, 1):
        try:
            key.decode()
            decode(value)
        except ValueError as error:
            raise invalid("entries", f"entry {number} is damaged: {error}") from None

        if len(key) > most.key_bytes or len(key) + len(value) > most.entry_bytes:
            raise invalid(
                "entries",
                f"entry {number} is over {most.key_bytes} bytes of key, or {most.entry_bytes} in all",
            )

        if key in before:
            raise invalid("entries", f"entry {number} has the key of one before it")

        before.add(key)


def replacement(given: ImportInput) -> Callable[[Commits], bool]:
    """The change that makes an object what the input says."""

    def change(commits: Commits) -> bool:
        overlay = commits.use()
        there = bool(overlay.list(None, None, limit=1)) or overlay.get_alarm() is not None
        if there and not given.force:
            raise OperationError(
                "the object has entries, or an alarm: say --force to replace all of it",
                code="not_empty",
            )

        if there:
            overlay.delete_all()
        for key, value in given.entries:
            overlay.put(key, value)
        if there or given.alarm_ms is not None:
            overlay.set_alarm(given.alarm_ms)
        if overlay.open:
            commits.wrote(True)
        return there

    return change
