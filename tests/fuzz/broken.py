"""Decoders that are broken on purpose, each at one place: a search that lets one pass is worth nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from roomhost.actors import (
    awareness,
    json_values,
    packed_values,
    tokens,
    yjs_protocol,
)
from roomhost.actors.errors import InvalidArgument
from roomhost.actors.varints import read_var_bytes
from roomhost.runtime import direct_protocol, http_protocol, message_frames, remote_frames
from roomhost.storage import codec, log_record
from roomhost.storage.messagepack import unpack

from .targets import remote, storage, yjs

Patch = pytest.MonkeyPatch
Break = Callable[[Patch], None]


def _codec_lets_errors_out(patch: Patch) -> None:
    """Bytes of a date that is none raise what `datetime` raises."""
    patch.setattr(storage, "decode", lambda data: unpack(data, codec._RESTORE_AT[0]))


def _codec_reads_integers_unsigned(patch: Patch) -> None:
    """Which is right for every positive one."""
    restore = {**codec._RESTORE, codec.Extension.INTEGER: lambda data: int.from_bytes(data, "big")}
    patch.setattr(codec, "_RESTORE", restore)


def _log_ignores_the_order(patch: Patch) -> None:
    """What an earlier use of the segment left is read."""
    real = log_record.records_in

    def records_in(data: bytes) -> Any:
        at = 0
        while found := next(real(data[at:]), None):
            sequence, end, payload = found
            at += end
            yield sequence, at, payload

    patch.setattr(storage, "records_in", records_in)


def _varints_may_be_long(patch: Patch) -> None:
    """A number has several spellings."""

    def read(data: bytes, at: int) -> tuple[int, int]:
        value = shift = 0
        for place in range(at, min(len(data), at + 8)):
            value |= (data[place] & 0x7F) << shift
            shift += 7
            if data[place] < 0x80:
                return value, place + 1
        raise InvalidArgument("too long")

    patch.setattr(yjs, "read_varuint", read)


def _frames_may_go_on(patch: Patch) -> None:
    """What follows the end of a frame is passed over."""

    def read(data: bytes) -> yjs_protocol.YjsFrame:
        kind = yjs_protocol._OF_TWO_BYTES.get(data[:2])
        if kind is None:
            raise InvalidArgument("no kind")
        return yjs_protocol.YjsFrame(kind, read_var_bytes(data, 2)[0])

    patch.setattr(yjs, "read_frame", read)


def _awareness_keeps_who_has_left(patch: Patch) -> None:
    """The bytes of a state are counted for ever."""

    def forget(self: Any, key: int | str) -> Any:
        return self._aware.pop(key, None)

    patch.setattr(awareness.Awareness, "_forget", forget)


def _cursors_are_not_signed(patch: Patch) -> None:
    """One is good in every room."""
    patch.setattr("roomhost.actors.cursors.hmac.compare_digest", lambda one, other: True)


def _tokens_are_for_everybody(patch: Patch) -> None:
    """Their audience, time and bounds are not looked at."""
    patch.setattr(tokens, "check_claims", lambda claims, audience, now_ms: None)


def _names_may_be_dots(patch: Patch) -> None:
    """Which a browser takes out of a path."""
    patch.setattr("roomhost.actors.names.DOTS", ())


def _packed_frames_have_anything(patch: Patch) -> None:
    """What JSON has not becomes something else in it."""
    patch.setattr(packed_values, "decode", msgspec.msgpack.decode)


def _errors_are_ours(patch: Patch) -> None:
    """A refusal has no code of its own."""
    patch.setattr(InvalidArgument, "code", "internal")


def _parts_are_kept(patch: Patch) -> None:
    """The next frame begins with the one before."""

    class Kept(remote_frames.Assembler):
        def feed(self, message: object) -> bytes | None:
            before = list(self._parts)
            whole = super().feed(message)
            if whole is not None:
                self._parts = before
            return whole

    patch.setattr(remote, "Assembler", Kept)


def _messages_may_be_one_byte_larger(patch: Patch) -> None:
    """Than the bound of a server."""
    real = message_frames.FrameReader
    patch.setattr(direct_protocol, "FrameReader", lambda size: real(size + 1))


def _text_may_be_anything(patch: Patch) -> None:
    """What is no UTF-8 is replaced."""

    def message(self: Any, text: bool, payload: bytes) -> None:
        shown = payload.decode(errors="replace").encode() if text else payload
        real(self, text, shown)

    real = direct_protocol.DirectProtocol._message
    patch.setattr(direct_protocol.DirectProtocol, "_message", message)


def _headers_are_not_counted(patch: Patch) -> None:
    """Any number of lines is taken."""

    def start(self: Any, cycle: Any, app: Any) -> None:
        self._max_headers = 10**9
        real(self, cycle, app)

    real = http_protocol.HttpProtocol._start_asgi_task
    patch.setattr(http_protocol.HttpProtocol, "_start_asgi_task", start)


def _pieces_are_dropped(patch: Patch) -> None:
    """A body that comes in two pieces has only the first."""

    def on_body(self: Any, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes == len(body):
            HttpToolsProtocol.on_body(self, body)

    patch.setattr(http_protocol.HttpProtocol, "on_body", on_body)


# The target that must find it.
BROKEN: dict[Break, str] = {
    _codec_lets_errors_out: "codec",
    _codec_reads_integers_unsigned: "codec",
    _log_ignores_the_order: "log-records",
    _varints_may_be_long: "varints",
    _frames_may_go_on: "yjs-frames",
    _awareness_keeps_who_has_left: "awareness",
    _cursors_are_not_signed: "cursors",
    _tokens_are_for_everybody: "tokens",
    _names_may_be_dots: "names",
    _packed_frames_have_anything: "msgpack-frames",
    _errors_are_ours: "json-frames",
    _parts_are_kept: "frame-parts",
    _messages_may_be_one_byte_larger: "web-socket-frames",
    _text_may_be_anything: "web-socket-frames",
    _headers_are_not_counted: "http",
    _pieces_are_dropped: "http",
}


def _brackets(patch: Patch) -> None:
    """The patterns go back over what they have seen."""
    patch.setattr(json_values, "AT", re.compile(r" - at `(?P<path>[^`]*)`$"))
    patch.setattr(json_values, "BRACKETS", re.compile(r"\[(?P<index>[^\]]*)\]"))


def _any_keys(patch: Patch) -> None:
    """Keys are hashed before they are looked at."""
    patch.setattr(packed_values, "decode", msgspec.msgpack.decode)


WORK: dict[str, Break] = {"brackets": _brackets, "keys": _any_keys}
# What the process of the worst inputs says last.
BROKEN_WORK = {"brackets": "bodies: brackets in a name", "keys": "msgpack-frames: keys of one hash"}
