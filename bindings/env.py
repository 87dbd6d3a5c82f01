"""`env`: an application's bindings and variables by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Env:
    """Reads as attributes or as items: `env.COUNTER`, `env["COUNTER"]`.

    AttributeError or KeyError names what there is.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"no binding {name!r}; there are {self._names()}") from None

    def __getitem__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise KeyError(f"no binding {name!r}; there are {self._names()}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __repr__(self) -> str:
        return f"<Env {self._names()}>"

    def _names(self) -> str:
        return ", ".join(self._values) or "none"
