"""What an HTTP client is told of a failure: problem details (RFC 9457), nothing of our insides."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from ..runtime import DurableObjectError
from ..runtime.problems import problem
from ..storage import StorageError
from .errors import RealtimeError, Unavailable

if TYPE_CHECKING:
    from ..runtime import Response

logger = logging.getLogger("roomhost.actors")

RETRY_MS = 1_000
UNAVAILABLE = "the room cannot answer just now: whether the call was done is not known; ask again"


class MethodNotAllowed(RealtimeError):
    """The path answers other methods."""

    code = "method_not_allowed"
    status = 405
    close_code = 4400


class UnsupportedMediaType(RealtimeError):
    """The body is not JSON, or not plainly."""

    code = "unsupported_media_type"
    status = 415
    close_code = 4400


class UpgradeRequired(RealtimeError):
    """The path is a WebSocket."""

    code = "upgrade_required"
    status = 426
    close_code = 4400


def failure_of(error: Exception) -> RealtimeError:
    """An error as the caller hears of it. What the host refuses, so that the call may be made again,
    is `overloaded`; that the disk refused it, or the object was reset, is `unavailable`; what nobody
    foresaw is `internal`, and in the log."""
    if isinstance(error, RealtimeError):
        return error

    if getattr(error, "retryable", False) or getattr(error, "overloaded", False):
        return Unavailable(str(error), retry_after_ms=RETRY_MS)

    if isinstance(error, StorageError):  # which is in the log already, once for all
        return Unavailable(UNAVAILABLE, code="unavailable", retry_after_ms=RETRY_MS)

    if _is_reset(error):
        # Every client that comes meets it, again and again: a line, and no traceback.
        logger.warning("a request failed: %s", error)
        return Unavailable(UNAVAILABLE, code="unavailable", retry_after_ms=RETRY_MS)

    logger.error("a request failed", exc_info=error)
    return RealtimeError("the request could not be answered; the host's log says why")


def _is_reset(error: Exception) -> bool:
    """Whether the object was reset by its host, not by an error of its own code."""
    return isinstance(error, DurableObjectError) and error.durable_object_reset


def response_of(failure: RealtimeError) -> Response:
    """A failure as a response."""
    return problem(
        failure.status,
        failure.code,
        # Texts of ours quote those of clients, which may hold half of a surrogate pair.
        json.loads(json.dumps(failure.message).encode("ascii", "replace")),
        retryable=failure.retryable,
        field=failure.field,
        retry_after_ms=failure.retry_after_ms,
    )
