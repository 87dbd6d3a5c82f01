"""What belongs to one object is used by its own code alone: its storage, its sockets.

Objects of one process can reach each other by Python's own ways, a global say. Code that used another
object's storage or sockets would pass by that one's input gate, and what it emits by its own output gate.
As in workerd it is refused; each object is reached by calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import DurableObjectError
from .events import CURRENT

if TYPE_CHECKING:
    from .activation import Activation
    from .hibernation import HibernationManager
    from .slot import Slot


def check_owner(slot: Slot, what: str) -> None:
    """For code that runs in no turn of the object of `slot`. DurableObjectError: it is another object's;
    a task of the object's own may go on, and what runs for no object at all.

    Code belongs to the object whose handler it runs in, or which has started its task: what all share,
    a queue's worker say, is started where no object runs."""
    event = CURRENT.get()
    if event is None:
        return

    other = event.activation.slot
    if other is not slot and other.key != slot.key:
        raise DurableObjectError(
            f"Cannot perform I/O on behalf of a different Durable Object: {what} is "
            f"{named(slot)}'s, and {named(other)} runs; call that object instead."
        )


def check_socket(manager: HibernationManager | None, pinned: Activation | None) -> None:
    """Before code uses an end of a connection: one of the sockets of `manager`'s object, or one that the
    code of `pinned` has accepted. DurableObjectError: it is another object's."""
    if manager is not None:
        manager.gate_of_caller()
    elif pinned is not None:
        check_owner(pinned.slot, "this WebSocket")


def named(slot: Slot) -> str:
    """An object in an error."""
    return f"{slot.meter.binding} {slot.id.name or slot.id}"
