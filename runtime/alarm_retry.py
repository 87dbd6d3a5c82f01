"""When a failed alarm runs again: a pure rule (semantics.md 6.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..storage import StorageError
from . import limits


@dataclass(frozen=True, slots=True)
class Retries:
    """How often one alarm has failed. `counted`: for reasons of the handler; `backoff`: in a row
    for the same kind of reason, which is what the delay grows with."""

    counted: int = 0
    total: int = 0
    backoff: int = 0
    last_counted: bool = True


NO_RETRIES = Retries()


def is_counted(error: BaseException, own: bool) -> bool:
    """Whether a failure counts towards the seven runs. `own`: the handler raised it, and its object
    stood; that counts, whatever it raised. A reset counts too, unless a commit failed. What else
    there is, such as an object with too much waiting, is the host's."""
    if own:
        return True

    return getattr(error, "durable_object_reset", False) and not isinstance(error, StorageError)


def after_failure(retries: Retries, counted: bool) -> Retries | None:
    """The state after one more failed run; None when the alarm is given up."""
    if counted and retries.counted >= limits.MAX_ALARM_RETRIES:
        return None

    changed = retries.total > 0 and retries.last_counted is not counted
    return replace(
        retries,
        counted=retries.counted + counted,
        total=retries.total + 1,
        backoff=1 if changed else retries.backoff + 1,
        last_counted=counted,
    )


def delay_seconds(retries: Retries, jitter: float) -> float:
    """How long to wait before the next run; `jitter` is a random number from 0 to 1."""
    exponent = min(retries.backoff - 1, limits.MAX_ALARM_BACKOFF_EXPONENT)
    delay = limits.ALARM_RETRY_START_SECONDS << exponent
    return delay * (1 + limits.ALARM_RETRY_JITTER * jitter)
