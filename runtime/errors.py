"""What a caller of an object can catch, and how an error crosses a stub.

Wrong arguments are the language's own `TypeError` and `ValueError` (JavaScript's `RangeError`).
Everything else that the host itself raises is a `DurableObjectError`, whose flags say what to do next.
"""

from __future__ import annotations

import os
import sys
from types import WrapperDescriptorType
from typing import TYPE_CHECKING, Any, NoReturn, cast

from ..storage import DataCloneError, clone

if TYPE_CHECKING:
    from collections.abc import Iterator


class DurableObjectError(Exception):
    """A call to an object failed for a reason of the host, not of the handler's own code.

    The flags are set on every error that crosses a stub, whatever its class (semantics.md 2.4):

    * `remote`: it was raised inside the object, not on the way there.
    * `retryable`: the call may be made again over a new stub; it is not known to have run.
    * `overloaded`: the object has too much to do; back off before calling again.
    * `durable_object_reset`: the object's memory is gone and this stub stays broken: get a new one.
    * `durable_object_id`: the 64 hex digits of the object, when known.
    * `remote_type`: the name of the class raised there, when that class cannot be rebuilt here.
    """

    remote: bool = False
    retryable: bool = False
    overloaded: bool = False
    durable_object_reset: bool = False
    durable_object_id: str | None = None
    remote_type: str | None = None


class OverloadedError(DurableObjectError):
    """The object has more waiting than it may hold (semantics.md 3.6); nothing of the call has run."""

    overloaded = True


class LimitError(DurableObjectError, ValueError):
    """A limit of the object's own API was passed; the message names the limit and what came."""


class WebSocketClosed(DurableObjectError):
    """`WebSocket.receive()` met the end of the connection.

    `code` is 1005 for a close without a code and 1006 for a lost connection (RFC 6455, 7.4.1).
    """

    def __init__(self, code: int, reason: str, was_clean: bool) -> None:
        super().__init__(f"the WebSocket is closed: {code} {reason}".rstrip())
        self.code = code
        self.reason = reason
        self.was_clean = was_clean


class HostError(Exception):
    """The host cannot start or be used; the message is one line that says what to do."""


class Aborted(BaseException):
    """Unwinds a handler whose object was reset under it.

    A `BaseException`, so that a handler's `except Exception` cannot keep a dead instance running
    (semantics.md 3.4). It never reaches a caller: callers get the reset's cause.
    """


FLAGS = ("remote", "retryable", "overloaded", "durable_object_reset")


def reset_error(cause: BaseException) -> BaseException:
    """Mark the cause of a reset as one: class and message stay, `durable_object_reset` is set."""
    annotate(cause, durable_object_reset=True)
    return cause


def annotate(error: BaseException, **flags: object) -> None:
    """Set flags on an error of any class; a class that refuses attributes keeps its own."""
    for name, value in flags.items():
        try:
            setattr(error, name, value)
        except (AttributeError, TypeError):
            return


def cross(error: BaseException, *, remote: bool, object_id: str) -> BaseException:
    """The error a caller gets for `error`: its own copy, same class and message, with the flags set.

    A class that cannot be imported by its name, or not be rebuilt, crosses as `DurableObjectError`
    with `remote_type` (semantics.md, decisions). Use it for every error that leaves an object.
    """
    copy = _rebuild(error)
    copy.__traceback__ = error.__traceback__
    for flag in FLAGS:
        annotate(copy, **{flag: bool(getattr(error, flag, False))})
    if remote:
        annotate(copy, remote=True)
    annotate(copy, durable_object_id=getattr(error, "durable_object_id", None) or object_id)
    return copy


def arguments_of(error: BaseException) -> tuple[Any, ...]:
    """What the class of an error makes it from: its `args`, and of an `OSError` its file names."""
    if not isinstance(error, OSError) or error.filename is None or len(error.args) != 2:
        return error.args

    name: Any = error.filename
    names: list[Any] = [os.fspath(name) if hasattr(name, "__fspath__") else name]
    if error.filename2 is not None:
        names += [None, error.filename2]
    return (*error.args, *names)


def make_error(kind: type[Exception], arguments: tuple[Any, ...]) -> Exception:
    """An error of a class that was raised elsewhere, from its `args`. Any error: the class refuses."""
    if isinstance(kind.__init__, WrapperDescriptorType):  # that of a built-in class
        return kind(*arguments)

    # A class with an initializer of its own is not called again: it may want other arguments.
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    return error


def _rebuild(error: BaseException) -> Exception:
    copy: Exception
    try:
        copy = _same_class(error)
    except Exception:
        copy = _stand_in(error)
    for name, value in _attributes(error):
        try:
            setattr(copy, name, clone(value))
        except (DataCloneError, AttributeError):
            continue
    return copy


def _same_class(error: BaseException) -> Exception:
    """An error of the class of `error`, without its attributes. Raises when there can be none."""
    kind = type(error)
    if not issubclass(kind, Exception) or not _can_be_imported(kind):
        raise TypeError("the other side cannot have this class")

    if isinstance(error, ExceptionGroup):
        group = cast("ExceptionGroup[Exception]", error)
        return group.derive([_rebuild(member) for member in group.exceptions])

    try:
        arguments = clone(arguments_of(error))
    except DataCloneError:
        arguments = (str(error),)
    return make_error(kind, arguments)


def _attributes(error: BaseException) -> Iterator[tuple[str, Any]]:
    """What an error says besides its arguments."""
    yield from vars(error).items()
    for kind, names in _MEMBERS.items():
        if isinstance(error, kind):
            for name in names:
                value = getattr(error, name, None)
                if value is not None:
                    yield name, value


def _can_be_imported(kind: type) -> bool:
    """Whether another process that has the application finds this class by its name."""
    found: Any = sys.modules.get(kind.__module__)
    for name in kind.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is kind


def _stand_in(error: BaseException) -> DurableObjectError:
    stand_in = DurableObjectError(str(error) or type(error).__name__)
    stand_in.remote_type = f"{type(error).__module__}.{type(error).__qualname__}"
    return stand_in


# Kept by Python itself, outside of the attributes that an application has set.
_MEMBERS: dict[type[Exception], tuple[str, ...]] = {
    ImportError: ("name", "path"),
    NameError: ("name",),
    AttributeError: ("name",),
}


def unserved(class_name: str) -> DurableObjectError:
    """Why an object of a class that a deploy took away cannot be called."""
    return DurableObjectError(
        f"the class {class_name} is not part of the application any more, since its code was updated"
    )


def unsupported(what: str, instead: str) -> NoReturn:
    """Refuse, at once and by name, a Durable Object feature that this host does not offer."""
    raise DurableObjectError(f"{what} is not offered by roomhost: {instead}")
