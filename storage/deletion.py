"""Deletion of all objects of a namespace, in steps that are small enough to wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .environment import NAMESPACE_BYTES
from .keyspace import NUMBER_BYTES

if TYPE_CHECKING:
    from .environment import Environment


def delete_objects(environment: Environment, namespace: int, rows: int) -> bool:
    """Delete up to `rows` rows of the objects of a namespace, durably, in one transaction. Whether
    none is left.

    An object goes with its last entry, so that after a crash what is left is found again. Nothing
    of it may be in the commit log, or with the writer. StorageError: nothing is deleted.
    """
    prefix = namespace.to_bytes(NAMESPACE_BYTES, "big")
    done = False

    def write(transaction: Any) -> None:
        nonlocal done
        left = rows
        cursor = environment.cursor(transaction, "objects")
        while left > 0:
            if not cursor.set_range(prefix) or not cursor.key().startswith(prefix):
                done = True
                return

            number: bytes = cursor.value()
            left -= _delete_entries(environment, transaction, number, left)
            if left > 0:
                _delete_alarm(environment, transaction, number)
                environment.cursor(transaction, "records").pop(number)
                cursor.delete()
                left -= 1

    environment.write(write, deletes=True)
    return done


def _delete_entries(environment: Environment, transaction: Any, number: bytes, rows: int) -> int:
    cursor = environment.cursor(transaction, "entries")
    deleted = 0
    found = cursor.set_range(number)
    while found and deleted < rows and cursor.key()[:NUMBER_BYTES] == number:
        found = cursor.delete()
        deleted += 1
    return deleted


def _delete_alarm(environment: Environment, transaction: Any, number: bytes) -> None:
    due = environment.cursor(transaction, "alarm_of").pop(number)
    if due is not None:
        environment.cursor(transaction, "alarms").pop(due + number)
