"""`ctx.storage.transaction(callback)`: a savepoint inside a critical section (semantics.md 5.7)."""

from __future__ import annotations

import inspect
from enum import Enum
from typing import TYPE_CHECKING, Any, NoReturn, Self

from .durable_storage import Operations
from .sections import run_section

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from .activation import Activation
    from .commits import Commits


class TransactionState(Enum):
    """Where a transaction is in its life."""

    OPEN = "open"  # Next: ROLLED_BACK, COMMITTED.
    ROLLED_BACK = "rolled back"  # By `rollback()`, or because the callback raised. No next.
    COMMITTED = "committed"  # No next.


class DurableObjectTransaction(Operations):
    """What the callback of `transaction` gets: the storage calls, and `rollback()`.

    RuntimeError from any call after `rollback()` or after the callback has ended.
    """

    __slots__ = ("_commits", "_depth", "_state")

    def __init__(self, activation: Activation, commits: Commits) -> None:
        super().__init__(activation)
        self._commits = commits
        self._depth = commits.begin()
        self._state = TransactionState.OPEN

    def _use(self, operation: str) -> Commits:
        if self._state is TransactionState.ROLLED_BACK:
            raise RuntimeError(f"Cannot {operation}() on rolled back transaction")

        if self._state is TransactionState.COMMITTED:
            raise RuntimeError(
                f"Cannot call {operation}() on transaction that has already committed: did you move "
                "`txn` outside of the closure?"
            )

        return self._commits

    def delete_all(self) -> NoReturn:
        """Not allowed in a transaction: always a RuntimeError (semantics.md 5.6)."""
        raise RuntimeError("Cannot call deleteAll() within a transaction")

    def rollback(self) -> None:
        """Undo all the transaction wrote; its callback goes on and its result is still returned.

        A second call does nothing. RuntimeError: a nested transaction is still running, or this
        one has committed.
        """
        if self._state is TransactionState.ROLLED_BACK:
            return

        self._use("rollback")
        if self._commits.depth != self._depth:
            raise RuntimeError(
                "Cannot roll back an outer transaction while a nested transaction is still running."
            )

        self._commits.rollback()
        self._state = TransactionState.ROLLED_BACK

    def __enter__(self) -> Self:
        """The callback runs in a `with` block, which `transact` alone opens."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """It ended: keep the writes, or undo them when it raised."""
        if self._state is not TransactionState.OPEN:
            return

        if error is None:
            self._commits.release()
            self._state = TransactionState.COMMITTED
        else:
            self._commits.rollback()
            self._state = TransactionState.ROLLED_BACK


def transact(
    activation: Activation, commits: Commits, callback: Callable[[DurableObjectTransaction], Any]
) -> Awaitable[Any]:
    """Run `callback` in a transaction; what `DurableObjectStorage.transaction` does."""

    async def run() -> Any:
        # Writes made before the transaction are a unit of their own.
        commits.use()
        commits.flush()
        with DurableObjectTransaction(activation, commits) as transaction:
            result = callback(transaction)
            return await result if inspect.isawaitable(result) else result

    return run_section(activation, run, resets=False)
