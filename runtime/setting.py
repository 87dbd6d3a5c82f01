"""One setting: what it is, which values it takes, and how a text or a value of a file becomes one."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeGuard, Union, get_args, get_origin, get_type_hints

import msgspec

TRUE = ("true", "yes", "on", "1")
FALSE = ("false", "no", "off", "0")
KINDS = {str: "text", bool: "true or false", int: "whole number", float: "number"}
LIST = "list of texts"
MAX_SHOWN_CHARACTERS = 80  # of a value that is refused


@dataclass(frozen=True, slots=True)
class Setting:
    """What stands beside a setting's type, as `Annotated[int, Setting("the port", most=65_535)]`.

    `about`: a phrase. `unit`: of a number. `least`, `most`: the bounds, which are allowed; `above`: a
    bound that is not. `secret`: never shown. `flag`: `roomhost serve` has an option for it.
    """

    about: str
    unit: str = ""
    least: float | None = None
    most: float | None = None
    above: float | None = None
    secret: bool = False
    flag: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """A setting by its name, with the type it has in `HostSettings`.

    `kind`: str, bool, int, float or tuple, of texts. `choices`: the only values of a text, if there
    are any. `optional`: None stands for no value.
    """

    name: str
    kind: type
    choices: tuple[str, ...]
    optional: bool
    default: Any
    setting: Setting

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"ROOMHOST_{self.name.upper()}"

    @property
    def flag(self) -> str | None:
        """The option of `roomhost serve` that sets it, if there is one."""
        return f"--{self.name.replace('_', '-')}" if self.setting.flag else None

    @property
    def range(self) -> str:
        """The values that a number may have; empty: every one."""
        setting = self.setting
        if setting.least is not None and setting.most is not None:
            return f"from {setting.least} to {setting.most}"

        if setting.above is not None:
            return f"more than {setting.above}"

        return "" if setting.least is None else f"{setting.least} or more"

    @property
    def allowed(self) -> str:
        """What it may be, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"

        if self.kind is tuple:
            return "texts, comma separated or as a list"

        words = KINDS[self.kind] if self.kind is bool else f"a {KINDS[self.kind]}"
        return f"{words} {self.range}".rstrip()

    def convert(self, value: Any) -> Any:
        """The value of this setting, from one of TOML, or from the text of a variable or a flag.

        ValueError: it is none; the message names the setting and what is allowed, and no secret.
        """
        if value is None and self.optional:
            return None

        converted = CONVERT[self.kind](value)
        if converted is None or (self.choices and converted not in self.choices):
            raise ValueError(f"{self.name}: {self.allowed}, not {self.shown(value)}")

        self.check(converted)
        return converted

    def check(self, value: Any) -> None:
        """ValueError: a number is outside of the range."""
        setting = self.setting
        if value is None or self.kind not in (int, float):
            return

        # Not a number is in no range.
        good = (
            (setting.least is None or value >= setting.least)
            and (setting.most is None or value <= setting.most)
            and (setting.above is None or value > setting.above)
            and value == value
        )
        if not good:
            raise ValueError(f"{self.name}: {self.range}, not {value}")

    def shown(self, value: Any) -> str:
        """A value for people: a secret is counted at most, and nothing takes more than a line."""
        if self.setting.secret:
            return f"{len(value)} secrets" if _is_list(value) else "what was given (a secret)"

        if self.kind is tuple and _is_list(value):
            return ", ".join(map(str, value)) or "none"

        text = repr(value)
        if len(text) > MAX_SHOWN_CHARACTERS:
            text = f"{text[:MAX_SHOWN_CHARACTERS]}..."
        return text


def fields_of(settings: type[msgspec.Struct]) -> dict[str, Field]:
    """The settings of a class, by name, in their order."""
    hints = get_type_hints(settings, include_extras=True)
    return {
        field.name: _field(field.name, hints[field.name], field.default)
        for field in msgspec.structs.fields(settings)
    }


def closest(name: str, known: list[str]) -> str:
    """`; did you mean ...?` where a name is nearly one that is known; else nothing."""
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return f"; did you mean {found[0]}?" if found else ""


def _field(name: str, hint: Any, default: Any) -> Field:
    setting = Setting("")
    if get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)
        setting = next((extra for extra in extras if isinstance(extra, Setting)), setting)
    optional = False
    if get_origin(hint) in (Union, UnionType):
        optional = NoneType in get_args(hint)
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
    choices: tuple[str, ...] = ()
    if get_origin(hint) is Literal:
        choices, hint = get_args(hint), str
    return Field(name, get_origin(hint) or hint, choices, optional, default, setting)


def _is_list(value: Any) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    return isinstance(value, (list, tuple))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _bool(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value

    word = value.strip().lower() if isinstance(value, str) else None
    return True if word in TRUE else False if word in FALSE else None


def _int(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None

    try:
        return int(value)
    except ValueError:
        return None


def _float(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None

    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _texts(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())

    if not _is_list(value):
        return None

    items = tuple(value)
    return items if all(isinstance(item, str) for item in items) else None


CONVERT: dict[type, Any] = {str: _text, bool: _bool, int: _int, float: _float, tuple: _texts}
