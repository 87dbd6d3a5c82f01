"""The identity of an object: 32 bytes, derived as in workerd (semantics.md 1.1)."""

from __future__ import annotations

import hashlib
import hmac
import os
from functools import lru_cache
from typing import TYPE_CHECKING

from . import limits

if TYPE_CHECKING:
    from collections.abc import Callable

BODY_BYTES = 16
ID_BYTES = 32
JURISDICTIONS = ("eu", "fedramp", "us")


class DurableObjectId:
    """A stable reference to one object of one namespace; made by a `DurableObjectNamespace`.

    `str(id)` is its 64 lowercase hex digits. `name` is set for ids made from a name, `jurisdiction`
    for ids made under one. Two ids are equal when their bytes are, whatever their names.
    """

    __slots__ = ("_bytes", "_jurisdiction", "_maker", "_name")

    def __init__(
        self,
        data: bytes,
        name: str | None = None,
        jurisdiction: str | None = None,
        maker: IdFactory | None = None,
    ) -> None:
        self._bytes = data
        self._name = name
        self._jurisdiction = jurisdiction
        self._maker = maker  # who knows that it is one of theirs

    @property
    def name(self) -> str | None:
        """The name this id was made from; None for unique ids and ids made from a string."""
        return self._name

    @property
    def jurisdiction(self) -> str | None:
        """The jurisdiction this id was made under, if any."""
        return self._jurisdiction

    @property
    def maker(self) -> IdFactory | None:
        """Whoever made it, or checked it."""
        return self._maker

    def equals(self, other: DurableObjectId) -> bool:
        """Whether both name the same object. TypeError: `other` is not an id (semantics.md 1.3)."""
        if not isinstance(other, DurableObjectId):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"equals() takes a DurableObjectId, not {type(other).__name__}")

        return self._bytes == other._bytes

    def __bytes__(self) -> bytes:
        return self._bytes

    def __str__(self) -> str:
        return self._bytes.hex()

    def __repr__(self) -> str:
        return f"<DurableObjectId {self} name={self._name!r}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DurableObjectId) and self._bytes == other._bytes

    def __hash__(self) -> int:
        return hash(self._bytes)


class RecordedId(DurableObjectId):
    """The id of an object that is stored. What it was made under is looked for when somebody asks:
    that takes a signature, which would be much of what starting the object costs."""

    __slots__ = ("_ids_of",)

    def __init__(
        self, data: bytes, name: str | None, ids_of: Callable[[str | None], IdFactory]
    ) -> None:
        super().__init__(data, name)
        self._ids_of = ids_of

    @property
    def jurisdiction(self) -> str | None:
        """See DurableObjectId."""
        return maker_of(self._bytes, self._ids_of).jurisdiction


class IdFactory:
    """Makes and checks the ids of one namespace, from its unique key. Pure: no I/O but randomness."""

    __slots__ = ("_jurisdiction", "_key", "_remembered")

    def __init__(self, unique_key: str, jurisdiction: str | None = None) -> None:
        # A jurisdiction is part of the key, so that ids of two jurisdictions never meet.
        secret = unique_key if jurisdiction is None else f"{unique_key}\0{jurisdiction}"
        self._key = hashlib.sha256(secret.encode()).digest()
        self._jurisdiction = jurisdiction
        # Two signatures are a good part of what a request to an object in memory costs.
        self._remembered = lru_cache(limits.MAX_REMEMBERED_IDS)(self._named)

    @property
    def jurisdiction(self) -> str | None:
        """The jurisdiction of every id made here."""
        return self._jurisdiction

    def from_name(self, name: str) -> DurableObjectId:
        """The id of `name`, always the same one. ValueError: a lone surrogate, no UTF-8 has it."""
        if len(name) > limits.MAX_REMEMBERED_NAME:
            return self._named(name)

        return self._remembered(name)

    def _named(self, name: str) -> DurableObjectId:
        body = self._mac(name.encode())
        return DurableObjectId(body + self._mac(body), name, self._jurisdiction, self)

    def from_bytes(self, data: bytes, name: str | None = None) -> DurableObjectId:
        """The id of these bytes. TypeError: they are none of this namespace."""
        self.check(data)
        return DurableObjectId(data, name, self._jurisdiction, self)

    def from_string(self, digits: str) -> DurableObjectId:
        """The id printed as `digits`, without a name. TypeError as in semantics.md 1.2."""
        return self.from_bytes(bytes_of(digits))

    def unique(self) -> DurableObjectId:
        """A new random id."""
        body = os.urandom(BODY_BYTES)
        return DurableObjectId(body + self._mac(body), None, self._jurisdiction, self)

    def owns(self, data: bytes) -> bool:
        """Whether these bytes are an id of this namespace: its second half signs the first."""
        return hmac.compare_digest(self._mac(data[:BODY_BYTES]), data[BODY_BYTES:])

    def check(self, data: bytes) -> None:
        """TypeError when the bytes are no id of this namespace (a typo, or another namespace's)."""
        if not self.owns(data):
            raise TypeError("Durable Object ID is not valid for this namespace.")

    def _mac(self, data: bytes) -> bytes:
        return hmac.digest(self._key, data, "sha256")[:BODY_BYTES]


@lru_cache(limits.MAX_ID_FACTORIES)
def id_factory(unique_key: str, jurisdiction: str | None = None) -> IdFactory:
    """The factory of a namespace, the same one for everybody: what it remembers is of use, and what
    refers to itself is not made for each call."""
    return IdFactory(unique_key, jurisdiction)


def bytes_of(digits: str) -> bytes:
    """The bytes that `str(id)` printed. TypeError: not 64 hex digits."""
    if not isinstance(digits, str) or len(digits) != 2 * ID_BYTES:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError("Invalid Durable Object ID: must be 64 hex digits")

    try:
        data = bytes.fromhex(digits)
    except ValueError:
        data = b""
    if len(data) != ID_BYTES:  # fromhex() passes over white space
        raise TypeError("Invalid Durable Object ID: must be 64 hex digits")

    return data


def maker_of(data: bytes, ids_of: Callable[[str | None], IdFactory]) -> IdFactory:
    """Which of a namespace's factories, by jurisdiction, makes the id of these bytes: an id does not
    say in its digits what it was made under. The one without a jurisdiction if none does."""
    plain = ids_of(None)
    if plain.owns(data):
        return plain

    return next((ids for ids in map(ids_of, JURISDICTIONS) if ids.owns(data)), plain)


def visible_name(name: str | None) -> str | None:
    """The name an object sees as `ctx.id.name`: one over 1,024 bytes is dropped (semantics.md 1.3)."""
    if name is None or len(name.encode()) > limits.MAX_OBJECT_NAME_BYTES:
        return None

    return name
