"""`env`: an application's bindings and variables by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..runtime import HostError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a binding has no value in this process."""

    message: str
    cause: Exception | None = None


class Env:
    """Reads as attributes or as items: `env.COUNTER`, `env["COUNTER"]`.

    AttributeError or KeyError names what there is. HostError: the binding is there, but it cannot be
    had in this process.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._read(name)
        except KeyError:
            raise AttributeError(f"no binding {name!r}; there are {self._names()}") from None

    def __getitem__(self, name: str) -> Any:
        try:
            return self._read(name)
        except KeyError:
            raise KeyError(f"no binding {name!r}; there are {self._names()}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __repr__(self) -> str:
        return f"<Env {self._names()}>"

    def _read(self, name: str) -> Any:
        value = self._values[name]
        if isinstance(value, Unreadable):
            raise HostError(value.message) from value.cause

        return value

    def _names(self) -> str:
        return ", ".join(self._values) or "none"
