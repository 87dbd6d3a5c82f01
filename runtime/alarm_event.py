"""The run of an alarm handler: armed at its start, its alarm deleted with its last commit."""

from __future__ import annotations

import inspect
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anyio import get_cancelled_exc_class

from . import limits
from .alarm_info import AlarmInfo
from .errors import DurableObjectError
from .event_kind import EventKind, ResetCause
from .events import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from .alarm_retry import Retries
    from .object_id import DurableObjectId
    from .timers import Timer

logger = logging.getLogger("roomhost.runtime")


@dataclass(frozen=True, slots=True)
class AlarmOutcome:
    """How a run ended. `ran`: the handler was called; else the alarm had been moved or deleted.
    `error`: why it failed. `own`: the handler raised that itself, and its object stood. `retries`:
    whether another run follows an error (`ctx.abort(retry_alarm=False)`: none). `replaced`: the alarm
    there is now was set during the run, though perhaps for the same time."""

    ran: bool
    error: BaseException | None = None
    own: bool = False
    retries: bool = True
    replaced: bool = False


RAN = AlarmOutcome(ran=True)
PASSED_OVER = AlarmOutcome(ran=False)


class AlarmEvent(Event):
    """`alarm(info)`. `finished(outcome)` is called once, when its outcome is durable."""

    kind = EventKind.ALARM

    def __init__(
        self,
        object_id: DurableObjectId,
        due_ms: int,
        retries: Retries,
        finished: Callable[[AlarmOutcome], object],
    ) -> None:
        self._id = object_id
        self._due_ms = due_ms
        self._retries = retries
        self._raised: BaseException | None = None
        self._ran = False
        self._replaced = False
        self._ended = False
        self._timer: Timer | None = None
        self._finished = finished

    @property
    def object_id(self) -> DurableObjectId:
        return self._id

    def invoke(self) -> Any:
        activation = self.activation
        overlay = activation.commits.use()
        overlay.know_alarm(activation.engine.alarms.committed(activation.commits.number))
        if overlay.get_alarm() != self._due_ms or self._due_ms > self.activation.now_ms():
            # Moved or deleted since it was found due: a wake-up for nothing (semantics.md 6.4).
            return None

        if not self.activation.actor_class.has_alarm:
            logger.warning(
                "Attempted to run a scheduled alarm without a handler, did you remember to export "
                "an alarm() function? %r",
                self.activation,
            )
            overlay.set_alarm(None)
            self.activation.commits.wrote(True)
            return None

        overlay.arm_alarm(self._due_ms)
        self._ran = True
        return self._run()

    async def _run(self) -> None:
        activation = self.activation
        self.after_turn = self._limit_time
        retries = self._retries
        info = AlarmInfo(self._due_ms, retries.counted, retries.total > 0)
        try:
            result = activation.instance.alarm(info)
            if inspect.isawaitable(result):
                await result
        except BaseException as error:
            hidden = activation.commits.overlay.finish_alarm(succeeded=False)
            if not isinstance(error, get_cancelled_exc_class()) and activation.broken is None:
                self._raised = error
                self._replaced = not hidden
            raise
        finally:
            self._ended = True
            if self._timer is not None:
                self._timer.cancel()

        commits = activation.commits
        commits.overlay.finish_alarm(succeeded=True)
        if commits.overlay.open:
            # The deletion is durable together with what the handler wrote last, or not at all.
            commits.wrote(True)

    def _limit_time(self) -> None:
        """The first turn is over: what has not ended in it may take too long."""
        if not self._ended:
            self._timer = self.activation.call_later(limits.ALARM_TIMEOUT_SECONDS, self._expire)

    def _expire(self) -> None:
        self.activation.reset(
            DurableObjectError("Alarm exceeded its allowed execution time"),
            ResetCause.ALARM_TIMEOUT,
        )

    def succeed(self, result: Any) -> None:
        self._finish(RAN if self._ran else PASSED_OVER)

    def fail(self, error: BaseException) -> None:
        if not self.finished:
            logger.warning("an alarm of %s failed: %r", self._id, error, exc_info=error)
        # Another error than the handler's took its place when a commit failed before it left.
        own, self._raised = error is self._raised, None
        retries = own or not getattr(error, "abandons_alarm", False)
        self._finish(AlarmOutcome(True, error, own, retries, own and self._replaced))

    def _finish(self, outcome: AlarmOutcome) -> None:
        if not self.finished:
            self.finished = True
            self._finished(outcome)
