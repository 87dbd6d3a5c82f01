"""What of the requests for rooms is counted as turned away, for whoever watches over the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..runtime.intake import Reason
from .errors import Forbidden, RateLimited, Unauthenticated

if TYPE_CHECKING:
    from ..runtime.intake import Intake


def count_refusal(intake: Intake, error: Exception) -> None:
    """Count one that was refused for who asks, from where or how often; other errors are the input's."""
    if isinstance(error, RateLimited):
        intake.count(Reason.RATE_LIMITED)
    elif isinstance(error, Unauthenticated):
        intake.count(Reason(error.reason))
    elif isinstance(error, Forbidden) and error.field == "origin":
        intake.count(Reason.WRONG_ORIGIN)
