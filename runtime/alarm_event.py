"""The run of an alarm handler: armed at its start, its alarm deleted with its last commit."""

from __future__ import annotations

import inspect
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import limits
from .alarm_info import AlarmInfo
from .errors import DurableObjectError
from .events import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from .alarm_retry import Retries
    from .object_id import DurableObjectId

logger = logging.getLogger("roomhost.runtime")


@dataclass(frozen=True, slots=True)
class AlarmOutcome:
    """How a run ended. `ran`: the handler was called; else the alarm had been moved or deleted.
    `error`: what it raised. `retries`: whether another run follows an error
    (`ctx.abort(retry_alarm=False)`: none)."""

    ran: bool
    error: BaseException | None = None
    retries: bool = True


class AlarmEvent(Event):
    """`alarm(info)`. `finished(outcome)` is called once, when its outcome is durable."""

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
        self._ran = False
        self._finished = finished

    @property
    def object_id(self) -> DurableObjectId:
        return self._id

    def invoke(self) -> Any:
        overlay = self.activation.commits.use()
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
        timer = activation.call_later(limits.ALARM_TIMEOUT_SECONDS, self._expire)
        retries = self._retries
        info = AlarmInfo(self._due_ms, retries.counted, retries.total > 0)
        try:
            result = activation.instance.alarm(info)
            if inspect.isawaitable(result):
                await result
        except BaseException:
            activation.commits.overlay.finish_alarm(succeeded=False)
            raise
        finally:
            timer.cancel()

        commits = activation.commits
        commits.overlay.finish_alarm(succeeded=True)
        if commits.overlay.open:
            # The deletion is durable together with what the handler wrote last, or not at all.
            commits.wrote(True)

    def _expire(self) -> None:
        self.activation.reset(DurableObjectError("Alarm exceeded its allowed execution time"))

    def succeed(self, result: Any) -> None:
        self._finish(AlarmOutcome(self._ran))

    def fail(self, error: BaseException) -> None:
        if not self.finished:
            logger.warning("an alarm of %s failed: %r", self._id, error, exc_info=error)
        self._finish(AlarmOutcome(True, error, not getattr(error, "abandons_alarm", False)))

    def _finish(self, outcome: AlarmOutcome) -> None:
        if not self.finished:
            self.finished = True
            self._finished(outcome)
