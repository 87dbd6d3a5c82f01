"""What a realtime call can fail with: the same code in Python, over HTTP and in an error frame.

Each class is one thing a caller can do about it; `code` is the word on the wire (contract: 400
`invalid_argument` and so on). They cross a stub as they are, with their attributes.
"""

from __future__ import annotations

from typing import ClassVar

from ..runtime.intake import Reason


class RealtimeError(Exception):
    """A realtime operation was refused, and left nothing behind.

    `code`: a stable word. `status`: of HTTP. `field`: the path of the input's field that is wrong,
    `message.data` say, or None. `retryable`: the same call may succeed later. `retry_after_ms`: how
    much later, milliseconds, or None.
    """

    code: str = "internal"
    other_codes: ClassVar[tuple[str, ...]] = ()
    status: ClassVar[int] = 500
    retryable: bool = False
    close_code: ClassVar[int] = 1011

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        field: str | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.retry_after_ms = retry_after_ms
        if code is not None:
            self.code = code


class InvalidArgument(RealtimeError, ValueError):
    """The input is wrong, and stays so: `field` says where. Codes: `invalid_argument`,
    `invalid_cursor`, `invalid_update` (of Yjs), `unsupported_for_channel`."""

    code = "invalid_argument"
    other_codes = ("invalid_cursor", "invalid_update", "unsupported_for_channel")
    status = 400
    close_code = 4400


class Unauthenticated(RealtimeError):
    """Nobody vouches for the caller: no credential, or one that is not good here; `reason`: the value of
    the `Reason` why."""

    code = "unauthenticated"
    status = 401
    close_code = 4401

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        field: str | None = None,
        retry_after_ms: int | None = None,
        reason: Reason = Reason.NO_CREDENTIAL,
    ) -> None:
        super().__init__(message, code=code, field=field, retry_after_ms=retry_after_ms)
        self.reason = reason.value


class Forbidden(RealtimeError):
    """The caller is known, and may not do this."""

    code = "forbidden"
    status = 403
    close_code = 4403


class NotFound(RealtimeError):
    """There is no such thing in this room."""

    code = "not_found"
    status = 404
    close_code = 4404


class IdempotencyConflict(RealtimeError):
    """The idempotency key was used for another message: use a new key for a new message."""

    code = "idempotency_conflict"
    status = 409
    close_code = 4400


class NotAMember(RealtimeError):
    """The member never joined, or has left: call `join` first."""

    code = "not_a_member"
    status = 409
    close_code = 4400


class DocumentEpochChanged(RealtimeError):
    """The document was replaced: what the client has of the old one would be merged into it. Discard
    the local copy, then connect again."""

    code = "document_epoch_changed"
    status = 409
    close_code = 4405


class RoomDestroyed(RealtimeError):
    """The room was destroyed, and its module does not recreate rooms."""

    code = "room_destroyed"
    status = 410
    close_code = 4410


class PayloadTooLarge(RealtimeError):
    """A part of the input, or all of it, has more bytes than may be."""

    code = "payload_too_large"
    status = 413
    close_code = 1009


class RateLimited(RealtimeError):
    """Too much in too short a time: wait for `retry_after_ms`."""

    code = "rate_limited"
    status = 429
    retryable = True
    close_code = 4529


class Unavailable(RealtimeError):
    """The room cannot answer now. Codes: `overloaded`, too much waits for it; `unavailable`, its
    state cannot be loaded, and the next attempt is in `retry_after_ms`, or the disk takes nothing, or
    the room was reset: what it was about to do may have been done."""

    code = "overloaded"
    other_codes = ("unavailable",)
    status = 503
    retryable = True
    close_code = 4501


def error_of(code: str, message: str) -> RealtimeError:
    """The error of a code, as an error frame or a problem names it."""
    for kind in RealtimeError.__subclasses__():
        if code == kind.code or code in kind.other_codes:
            return kind(message, code=code)

    return RealtimeError(message, code=code or None)
