"""How an operation says no."""

from __future__ import annotations

from ..runtime import HostError


class OperationError(HostError):
    """An operation of the admin API was refused, or failed; the message says what to do.

    `code`: a stable word; `status`: of the HTTP answer; `field`: of the input, where one is wrong.
    """

    def __init__(
        self, message: str, *, code: str = "failed", status: int = 409, field: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.field = field


def invalid(field: str, message: str) -> OperationError:
    """A field of the input is wrong."""
    return OperationError(f"{field}: {message}", code="invalid_argument", status=400, field=field)


def not_found(message: str) -> OperationError:
    """What the input names is not there."""
    return OperationError(message, code="not_found", status=404)
