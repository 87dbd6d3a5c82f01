"""What the events of a method are called in logs, spans and the inspector, where its name says too
little: one that takes the name of what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    NameOf = Callable[[Sequence[Any]], str]

Method = TypeVar("Method", bound="Callable[..., Any]")
ATTRIBUTE = "__event_name__"


def events_named(name_of: NameOf) -> Callable[[Method], Method]:
    """Have the calls of a method called `name_of(arguments)`, by its positional arguments. It must
    give few different names, and one for whatever a caller may send: it must not raise."""

    def mark(method: Method) -> Method:
        setattr(method, ATTRIBUTE, name_of)
        return method

    return mark


def name_of_call(method: Callable[..., Any] | None, name: str, arguments: Sequence[Any]) -> str:
    """What a call of `method`, by its `name`, is called."""
    name_of: NameOf | None = getattr(method, ATTRIBUTE, None)
    return name if name_of is None else name_of(arguments)
