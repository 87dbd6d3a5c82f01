"""What `roomhost inspect` changes, and what it says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import click

from ..runtime import HostError
from .options import confirm
from .parse_literal import parse_literal
from .tables import note, printable, show_json, shown_name, shown_time

if TYPE_CHECKING:
    from .client import Target

ACTIONS = ("put", "delete", "run_alarm", "evict")


@dataclass(frozen=True, slots=True)
class Edit:
    """One change: the operation, what it is given beside the object, and the question before it."""

    operation: str
    given: dict[str, Any]
    question: str

    @classmethod
    def of(cls, options: dict[str, Any]) -> Self | None:
        """The change that the options ask for, if any. HostError: they ask for several, or for a
        value that is none."""
        asked = [name for name in ACTIONS if options[name]]
        if len(asked) > 1:
            named = " and ".join(f"--{name.replace('_', '-')}" for name in asked)
            raise HostError(f"one change at a time: {named} are several")

        if options["create"] and asked != ["put"]:
            raise HostError("--create goes with --put")

        match asked:
            case ["put"]:
                key, value = options["put"]
                return cls.put(key, value, options["create"])
            case ["delete"]:
                key = options["delete"]
                return cls("delete-key", {"key": key}, f"Delete the key {key!r} of")
            case ["run_alarm"]:
                return cls("run-alarm", {}, "Run now the alarm of")
            case ["evict"]:
                return cls("evict", {}, "Drop from memory the instance of")
            case _:
                return None

    @classmethod
    def put(cls, key: str, value: str, create: bool) -> Self:
        """A value for a key."""
        try:
            kind = type(parse_literal(value)).__name__
        except ValueError as error:
            raise HostError(f"--put: the value of {key!r} is {error}") from None

        return cls(
            "put",
            {"key": key, "value": value, "create": create or None},
            f"Store {value} ({kind}) under the key {key!r} of",
        )


def apply_edit(
    target: Target, binding: str, name: str, edit: Edit, *, yes: bool, as_json: bool
) -> None:
    """Ask, make the change, and say what was done."""
    if not (edit.given.get("create")):
        target.call("inspect", binding=binding, name=name, limit=1)  # before anybody is asked
    confirm(printable(f"{edit.question} {binding} {name!r}?"), yes)
    done = target.call(edit.operation, binding=binding, name=name, **edit.given)
    if as_json:
        show_json(done)
    else:
        click.echo(printable(_said(edit, done)))
        if edit.operation in ("put", "delete-key") and not done["evicted"]:
            note("its instance is busy, and remembers what was before until it is evicted")


def _said(edit: Edit, done: dict[str, Any]) -> str:
    what = f"{done['namespace']} {shown_name(done.get('name'), done['id'])}"
    match edit.operation:
        case "put":
            return f"{what}: {edit.given['key']!r} {'replaced' if done['existed'] else 'stored'}"
        case "delete-key":
            return f"{what}: {edit.given['key']!r} deleted"
        case "evict":
            if not done["resident"]:
                return f"{what}: not resident, nothing to evict"
            return f"{what}: {'evicted' if done['evicted'] else 'busy, evicted once it is idle'}"
        case _:
            return f"{what}: {_ran(done)}"


def _ran(done: dict[str, Any]) -> str:
    match done["outcome"]:
        case "ok":
            return "the alarm ran"
        case "running":
            return "the alarm runs still"
        case "moved":
            return "the object moved or deleted its alarm first"
        case failure:
            again = done.get("retry_at_ms")
            after = "given up" if again is None else f"again {shown_time(again)}"
            return f"the alarm failed ({failure}), {after}"
