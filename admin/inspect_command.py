"""`roomhost inspect`: one object, and changes to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from . import limits
from .edit_command import Edit, apply_edit
from .options import json_option, target_options, yes_option
from .tables import (
    NONE,
    note,
    show_fields,
    show_json,
    show_table,
    shown_bytes,
    shown_count,
    shown_time,
)
from .target import open_target

if TYPE_CHECKING:
    from .client import Target


@click.command("inspect")
@click.argument("binding")
@click.argument("name")
@click.option("--prefix", help="Only keys that begin so.")
@click.option("--after", metavar="KEY", help="Only keys behind this one.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=limits.DEFAULT_LIMIT,
    show_default=True,
    help="At most so many keys.",
)
@click.option("--put", nargs=2, metavar="KEY VALUE", help="Store a value under a key.")
@click.option("--create", is_flag=True, help="With --put: the object need not exist.")
@click.option("--delete", metavar="KEY", help="Delete a key.")
@click.option("--run-alarm", is_flag=True, help="Run its alarm now, not when it is due.")
@click.option("--evict", is_flag=True, help="Drop its instance from memory, once it is idle.")
@yes_option
@json_option
@target_options
def inspect(binding: str, name: str, yes: bool, as_json: bool, **given: Any) -> None:
    """Show one object, or change it.

    What is stored of it, its alarm, its sockets, and whether it is in memory. Recent events are
    shown where the host records them: with the inspector on, or at debug.

    NAME is its exact name, or its id of 64 hex digits. With a module's binding it is the name of a
    room or of a channel; where both are there, COLLAB.rooms and COLLAB.channels say which. Values are
    shown as Python literals, and VALUE is one, or JSON.

    \b
      roomhost inspect COUNTER a
      roomhost inspect COUNTER a --put n 5
      roomhost inspect COUNTER a --put tags "{'red', 'blue'}" --yes
      roomhost inspect COLLAB lobby --prefix m: --limit 10

    A change asks first, unless --yes is given. It enters the object like an event of its own, and is
    on disk when the command ends. The instance in memory does not see it: it is dropped as soon as
    it is idle, and the next event starts another. Without its host a directory is changed as it
    stands.
    """
    edit = Edit.of(given)
    with open_target(given["data_dir"], given["url"], given["api_key"]) as target:
        if edit is not None:
            apply_edit(target, binding, name, edit, yes=yes, as_json=as_json)
            return

        found = _read(target, binding, name, given)
    if as_json:
        show_json(found)
    else:
        _show(found)
        if "after" in found:
            note(f"there are more keys: --after {found['after']!r}")


def _read(target: Target, binding: str, name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The object, with as many entries as were asked for."""
    found: dict[str, Any] | None = None
    after: str | None = given["after"]
    left: int = given["limit"]
    while True:
        page = target.call(
            "inspect",
            binding=binding,
            name=name,
            prefix=given["prefix"],
            after=after,
            limit=min(left, limits.MAX_LIMIT),
        )
        entries: list[Any] = [] if found is None else found["entries"]
        found = page | {"entries": entries + page["entries"]}
        left -= len(page["entries"])
        after = page.get("after")
        if after is None or left <= 0:
            return found


def _show(found: dict[str, Any]) -> None:
    shown: list[tuple[str, str]] = [
        ("object", found["namespace"] + (f" {found['name']!r}" if "name" in found else "")),
        ("id", found["id"]),
        ("class", found.get("class_name", NONE)),
        ("memory", _memory(found)),
        ("stored", _stored(found)),
        ("alarm", _alarm(found.get("alarm"))),
        ("sockets", str(found["socket_count"])),
    ]
    show_fields(shown)
    if found["sockets"]:
        click.echo()
        columns: tuple[str, ...] = ("SOCKET", "TAGS", "ATTACHMENT", "PROTOCOL", "#WAITING")
        show_table(columns, [_socket(number, ws) for number, ws in enumerate(found["sockets"], 1)])
    if found["events"]:
        click.echo()
        columns = ("AT", "EVENT", "WHAT", "#WAITED", "#TOOK", "OUTCOME")
        show_table(columns, [_event(each) for each in found["events"]])
    if found["entries"]:
        click.echo()
        show_table(("KEY", "TYPE", "#SIZE", "VALUE"), [_entry(each) for each in found["entries"]])


def _memory(found: dict[str, Any]) -> str:
    if not found["resident"]:
        return "hibernating" if found["socket_count"] else "not resident"

    running, waiting = found.get("in_flight", 0), found.get("queued", 0)
    return f"resident, {running} events in it, {waiting} wait" if running or waiting else "resident"


def _stored(found: dict[str, Any]) -> str:
    keys = shown_count(found["keys"], found.get("more_keys", False))
    return f"{keys} {'key' if keys == '1' else 'keys'}, {shown_bytes(found['bytes'])}"


def _alarm(alarm: dict[str, Any] | None) -> str:
    if alarm is None:
        return NONE

    shown = shown_time(alarm["at_ms"])
    if alarm.get("running"):
        shown += ", running"
    if "retry_at_ms" in alarm:
        failed = "once" if alarm["retry_count"] == 1 else f"{alarm['retry_count']} times"
        shown += f", failed {failed}, again {shown_time(alarm['retry_at_ms'])}"
    return shown


def _socket(number: int, ws: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(number),
        ", ".join(ws["tags"]) or NONE,
        ws.get("attachment", NONE),
        ws.get("protocol", NONE),
        str(ws["waiting"]),
    )


def _entry(entry: dict[str, Any]) -> tuple[str, ...]:
    value = entry["value"] + ("..." if entry.get("cut") else "")
    return (entry["key"], entry["type"], shown_bytes(entry["bytes"]), value)


def _event(event: dict[str, Any]) -> tuple[str, ...]:
    return (
        shown_time(event["at_ms"]),
        event["kind"],
        event["what"],
        f"{event['queued_ms']:.1f} ms",
        f"{event['duration_ms']:.1f} ms",
        event["outcome"],
    )
