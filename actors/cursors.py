"""Cursors: where a page ended, as a text that only this host can have written (realtime.md 5.4)."""

from __future__ import annotations

import hmac
import struct
from copy import copy
from hashlib import sha256
from typing import TYPE_CHECKING, NoReturn

from . import base64url
from .errors import InvalidArgument
from .limits import MAX_CURSOR_BYTES

if TYPE_CHECKING:
    from .tokens import Keyring

MAC_BYTES = 16
SEQ = struct.Struct(">Q")
HIGHEST_SEQ = 2**63 - 1
LENGTH = struct.Struct(">I")


class Cursors:
    """Writes and reads the cursors of one instance, for one purpose. A cursor is the id of its key,
    a sequence number and a MAC of them, of the room and of its generation; none of it is secret."""

    __slots__ = ("_keys", "_scope", "_signs")

    def __init__(self, keyring: Keyring, instance: str = "", purpose: str = "history") -> None:
        self._keys = keyring.derived("cursor")
        self._signs = keyring.signs
        self._scope = (instance, purpose)

    def of(self, purpose: str) -> Cursors:
        """Those of the same instance for another purpose: neither reads the other's."""
        cursors = copy(self)
        cursors._scope = (self._scope[0], purpose)
        return cursors

    def encode(self, kind: str, room: str, generation: int, seq: int) -> str:
        """A cursor at `seq`. ValueError: it is negative, or has more than 63 bits."""
        if not 0 <= seq <= HIGHEST_SEQ:
            raise ValueError(f"a sequence number has 63 bits: {seq}")

        kid, number = self._signs.encode(), SEQ.pack(seq)
        mac = self._mac(self._signs, kind, room, generation, number)
        return base64url.encode(bytes((len(kid),)) + kid + number + mac)

    def decode(self, text: str, kind: str, room: str, generation: int) -> int:
        """The sequence number of a cursor. InvalidArgument `invalid_cursor`: it is damaged, or of
        another room, another life of this one, or another instance."""
        if len(text) > MAX_CURSOR_BYTES:
            _refuse()

        try:
            data = base64url.decode(text)
            size = data[0]
            kid = data[1 : 1 + size].decode("ascii")
        except (ValueError, IndexError):
            _refuse()

        number, mac = data[1 + size : 1 + size + SEQ.size], data[1 + size + SEQ.size :]
        if len(number) != SEQ.size or len(mac) != MAC_BYTES or kid not in self._keys:
            _refuse()

        if not hmac.compare_digest(mac, self._mac(kid, kind, room, generation, number)):
            _refuse()

        seq: int = SEQ.unpack(number)[0]
        return seq

    def _mac(self, kid: str, kind: str, room: str, generation: int, number: bytes) -> bytes:
        # Each with its length, so that no two lists of parts are the same bytes.
        parts = (*self._scope, kid, kind, room, str(generation))
        encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
        message = b"".join(LENGTH.pack(len(part)) + part for part in encoded) + number
        return hmac.new(self._keys[kid], message, sha256).digest()[:MAC_BYTES]


def _refuse() -> NoReturn:
    raise InvalidArgument(
        "cursor: not one that an earlier page of this room has returned; start without a cursor",
        code="invalid_cursor",
        field="cursor",
    )
