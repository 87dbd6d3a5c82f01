"""The input of every operation: its type, and what of it is refused before anything happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import msgspec

from . import limits
from .base64_text import decode_base64
from .crdt_types import (
    RealtimeCrdtAwarenessOptions,
    RealtimeCrdtDocumentOptions,
    RealtimeCrdtUpdateOptions,
    RealtimeYjsSyncOptions,
    RealtimeYjsUpdateOptions,
)
from .errors import InvalidArgument, PayloadTooLarge
from .json_values import check, decoder, encode, encode_within, is_shallow, parse
from .members import check_member_fields
from .messages import check_message
from .principals import check_id, check_principal
from .types import (
    RealtimeAuthorizeOptions,
    RealtimeDestroyOptions,
    RealtimeHistoryOptions,
    RealtimeJoinOptions,
    RealtimeLeaveOptions,
    RealtimeMembersOptions,
    RealtimeMessageInput,
    RealtimeMetadataOptions,
    RealtimePresenceOptions,
    RealtimeRestoreOptions,
    RealtimeResumeOptions,
)

Check = Callable[[Any, str], None]


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The input of an operation that takes none."""


class Refresh(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The input of `auth.refresh`: the token of a new grant."""

    token: str


@dataclass(frozen=True, slots=True)
class Input:
    """A type and its check; `check(value, root)` raises a RealtimeError that names the field.
    `max_bytes`: of its JSON, where nothing else bounds it, as bodies and frames are."""

    kind: type[Any]
    check: Check
    max_bytes: int = limits.MAX_BODY_BYTES

    def parse(self, data: bytes | str, root: str = "") -> Any:
        """The input from JSON, checked. PayloadTooLarge: over `max_bytes`. InvalidArgument."""
        if len(data) > self.max_bytes:
            raise PayloadTooLarge(f"an input is at most {self.max_bytes} bytes")

        value = parse(data, self.kind, root)
        self.check(value, f"{root}." if root else "")
        return value

    def take(self, given: msgspec.Struct) -> tuple[bytes, Any]:
        """An input that code gives: as JSON, and what is read there, checked. InvalidArgument, also of
        a value that JSON has not, which would become another. PayloadTooLarge."""
        try:
            body = encode(given)
            value = decoder(cast("Any", self.kind)).decode(body)
        except Exception:
            body, value = b"", None  # what is wrong is said below
        # What is read back as it was given has nothing that JSON has not.
        if value == given and is_shallow(body) and len(body) <= self.max_bytes:
            self.check(value, "")
            return body, value

        body = plain_json(given)
        return body, self.parse(body)

    def decode(self, data: bytes) -> Any:
        """The input from JSON that `parse` has seen before."""
        return parse(data, self.kind)


def check_publish(message: RealtimeMessageInput, root: str) -> None:
    """Of publish and broadcast."""
    check_message(message, root)
    check_principal(message.actor, f"{root}actor")


def check_join(options: RealtimeJoinOptions, root: str) -> None:
    """Of join."""
    _check_id(options.member_id, f"{root}memberId")
    check_principal(options.actor, f"{root}actor")
    check_member_fields(options.metadata, options.presence, root)


def check_leave(options: RealtimeLeaveOptions, root: str) -> None:
    """Of leave."""
    _check_id(options.member_id, f"{root}memberId")


def check_presence(options: RealtimePresenceOptions, root: str) -> None:
    """Of presence."""
    _check_id(options.member_id, f"{root}memberId")
    check_member_fields(None, options.presence, root)


def check_metadata(options: RealtimeMetadataOptions, root: str) -> None:
    """Of metadata."""
    if options.metadata is not None:
        encode_within(options.metadata, f"{root}metadata", limits.MAX_ROOM_METADATA_BYTES)


def check_history(options: RealtimeHistoryOptions, root: str) -> None:
    """Of history: what the cursor means is the room's to say."""
    _check_cursor(options.cursor, f"{root}cursor")


def check_restore(options: RealtimeRestoreOptions, root: str) -> None:
    """Of restore."""
    _check_id(options.snapshot_id, f"{root}snapshotId")


def check_resume(options: RealtimeResumeOptions, root: str) -> None:
    """Of resume."""
    _check_id(options.epoch, f"{root}epoch")


def check_authorize(options: RealtimeAuthorizeOptions, root: str) -> None:
    """Of authorize; which capabilities there are, the token's own check says."""
    _check_id(options.member_id, f"{root}memberId")
    _check_id(options.client_id, f"{root}clientId")
    check_principal(options.actor, f"{root}actor")
    if options.presence is not None:
        encode_within(options.presence, f"{root}presence", limits.MAX_TOKEN_PRESENCE_BYTES)
    ttl_seconds = options.ttl_seconds
    if ttl_seconds is not None and ttl_seconds > limits.MAX_TOKEN_TTL_SECONDS:
        raise InvalidArgument(
            f"{root}ttlSeconds is at most {limits.MAX_TOKEN_TTL_SECONDS} seconds",
            field=f"{root}ttlSeconds",
        )


def check_crdt_update(options: RealtimeCrdtUpdateOptions, root: str) -> None:
    """Of apply_update: any JSON, as much as a message may have."""
    encode_within(options.update, f"{root}update", limits.MAX_DATA_BYTES)
    _check_id(options.client_id, f"{root}clientId")
    check_principal(options.actor, f"{root}actor")


def check_awareness(options: RealtimeCrdtAwarenessOptions, root: str) -> None:
    """Of awareness; whose id it is, is the room's to say."""
    _check_id(options.client_id, f"{root}clientId")
    check_principal(options.actor, f"{root}actor")
    if options.state is not None:
        encode_within(options.state, f"{root}state", limits.MAX_AWARENESS_BYTES)


def check_document(options: RealtimeCrdtDocumentOptions, root: str) -> None:
    """Of document."""
    _check_cursor(options.cursor, f"{root}cursor")


def check_yjs_update(options: RealtimeYjsUpdateOptions, root: str) -> None:
    """Of apply_yjs_update: that it is base64. Whether it is an update, the document says."""
    decode_base64(options.update_base64, f"{root}updateBase64", limits.MAX_UPDATE_BYTES)
    _check_id(options.client_id, f"{root}clientId")
    check_principal(options.actor, f"{root}actor")


def check_yjs_sync(options: RealtimeYjsSyncOptions, root: str) -> None:
    """Of sync_yjs: likewise of a state vector."""
    vector = options.state_vector_base64
    if vector is not None:
        decode_base64(vector, f"{root}stateVectorBase64", limits.MAX_STATE_VECTOR_BYTES)


def check_nothing(_value: object, _root: str) -> None:
    """The type says it all."""


def _check_id(text: str | None, field: str) -> None:
    if text is not None:
        check_id(text, field)


def _check_cursor(cursor: str | None, field: str) -> None:
    if cursor is not None and len(cursor) > limits.MAX_CURSOR_BYTES:
        raise InvalidArgument(
            f"{field} is what an earlier page returned", code="invalid_cursor", field=field
        )


MESSAGE = Input(RealtimeMessageInput, check_publish)
JOIN = Input(RealtimeJoinOptions, check_join)
LEAVE = Input(RealtimeLeaveOptions, check_leave)
PRESENCE = Input(RealtimePresenceOptions, check_presence)
METADATA = Input(RealtimeMetadataOptions, check_metadata)
MEMBERS = Input(RealtimeMembersOptions, check_nothing)
HISTORY = Input(RealtimeHistoryOptions, check_history)
SNAPSHOT = Input(Nothing, check_nothing)
RESTORE = Input(RealtimeRestoreOptions, check_restore)
AUTHORIZE = Input(RealtimeAuthorizeOptions, check_authorize)
LIFECYCLE = Input(Nothing, check_nothing)
DESTROY = Input(RealtimeDestroyOptions, check_nothing)
RESUME = Input(RealtimeResumeOptions, check_resume)
REFRESH = Input(Refresh, check_nothing)
CRDT_UPDATE = Input(RealtimeCrdtUpdateOptions, check_crdt_update)
AWARENESS = Input(RealtimeCrdtAwarenessOptions, check_awareness)
DOCUMENT = Input(RealtimeCrdtDocumentOptions, check_document)
YJS_UPDATE = Input(RealtimeYjsUpdateOptions, check_yjs_update, limits.MAX_UPDATE_INPUT_BYTES)
YJS_SYNC = Input(RealtimeYjsSyncOptions, check_yjs_sync, limits.MAX_UPDATE_INPUT_BYTES)
COMPACT = Input(Nothing, check_nothing)
NOTHING = Nothing()


def plain_json(given: msgspec.Struct) -> bytes:
    """An input as JSON. InvalidArgument: a value that JSON has not, which would become another."""
    _check_plain(given, "")
    return encode(given)


def _check_plain(given: msgspec.Struct, root: str) -> None:
    for name, encoded in _names(type(given)):
        value = getattr(given, name)
        path = f"{root}{encoded}"
        if isinstance(value, msgspec.Struct):
            _check_plain(value, f"{path}.")
        elif value is not msgspec.UNSET:
            check(value, path)


@cache
def _names(kind: type[msgspec.Struct]) -> list[tuple[str, str]]:
    """The fields of a type, in Python and in JSON; msgspec looks at every annotation to tell."""
    return [(field.name, field.encode_name) for field in msgspec.structs.fields(kind)]
