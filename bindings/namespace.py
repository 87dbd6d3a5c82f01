"""A namespace: the objects of one binding, by name or id (semantics.md 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..runtime import DurableObjectId
from ..runtime.object_id import JURISDICTIONS, bytes_of, maker_of
from .stub import DurableObjectStub

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..runtime.channel import Channel
    from ..runtime.object_id import IdFactory


class DurableObjectNamespace:
    """Makes ids, and stubs for them. Nothing here starts an object."""

    __slots__ = ("_connect", "_ids", "_ids_of")

    def __init__(
        self,
        ids_of: Callable[[str | None], IdFactory],
        connect: Callable[[DurableObjectId], Channel],
        jurisdiction: str | None = None,
    ) -> None:
        self._ids_of = ids_of
        self._connect = connect
        self._ids = ids_of(jurisdiction)

    def id_from_name(self, name: str) -> DurableObjectId:
        """The id of `name`: the same one always and everywhere. Names are exact, "" is one."""
        return self._ids.from_name(_text(name, "name"))

    def id_from_string(self, digits: str) -> DurableObjectId:
        """The id that `str(id)` printed, without its name but under its jurisdiction. TypeError: not
        64 hex digits, or not an id of this namespace, or of another jurisdiction than this one's."""
        data = bytes_of(digits)
        ids = self._ids if self._ids.jurisdiction is not None else maker_of(data, self._ids_of)
        return ids.from_bytes(data)

    def new_unique_id(self, jurisdiction: str | None = None) -> DurableObjectId:
        """A new random id. TypeError: an unknown jurisdiction."""
        if jurisdiction is not None:
            return self.jurisdiction(jurisdiction).new_unique_id()

        return self._ids.unique()

    def get(
        self, object_id: DurableObjectId, location_hint: str | None = None
    ) -> DurableObjectStub:
        """A stub for an object; `location_hint` is accepted and ignored.

        TypeError: not an id, or an id of another namespace or jurisdiction.
        """
        if not isinstance(object_id, DurableObjectId):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"get() takes a DurableObjectId, not {type(object_id).__name__}")

        if object_id.maker is not self._ids:
            self._check(object_id)
        return DurableObjectStub(self._connect(object_id))

    def get_by_name(self, name: str, location_hint: str | None = None) -> DurableObjectStub:
        """A stub for the object of that name."""
        return DurableObjectStub(self._connect(self.id_from_name(name)))

    def jurisdiction(self, name: str | None) -> DurableObjectNamespace:
        """The objects of this namespace under a jurisdiction, `eu`, `fedramp` or `us`: other objects
        than without one, for the same names. TypeError: an unknown one."""
        if name is not None and name not in JURISDICTIONS:
            raise TypeError(f"jurisdiction is one of {', '.join(JURISDICTIONS)}, not {name!r}")

        return DurableObjectNamespace(self._ids_of, self._connect, name)

    def _check(self, object_id: DurableObjectId) -> None:
        """Whether another's id is one of this namespace; its signature costs more than a call."""
        if object_id.jurisdiction != self._ids.jurisdiction and self._ids.jurisdiction is not None:
            raise TypeError(
                "get called on jurisdictional subnamespace with an ID from a different jurisdiction"
            )

        ids = self._ids if object_id.jurisdiction is None else self._ids_of(object_id.jurisdiction)
        ids.check(bytes(object_id))


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a {what} is a string, not {type(value).__name__}")

    return value
