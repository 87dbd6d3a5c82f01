"""`roomhost objects`: what exists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from . import limits
from .options import json_option, target_options
from .tables import (
    NONE,
    note,
    show_json,
    show_table,
    shown_bytes,
    shown_count,
    shown_name,
    shown_time,
)
from .target import open_target

if TYPE_CHECKING:
    from .client import Target

FILTERS = ("prefix", "contains", "resident", "alarm", "sockets")


@click.command("objects")
@click.argument("binding", required=False)
@click.option("--prefix", help="Only names that begin so.")
@click.option("--contains", help="Only names with this text in them.")
@click.option("--resident/--not-resident", default=None, help="In memory or not.")
@click.option("--alarm/--no-alarm", default=None, help="With an alarm or without.")
@click.option("--sockets/--no-sockets", default=None, help="With open WebSockets or without.")
@click.option("--after", help="Go on where a page ended, as it said.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=limits.DEFAULT_LIMIT,
    show_default=True,
    help="At most so many.",
)
@json_option
@target_options
def objects(binding: str | None, as_json: bool, **given: Any) -> None:
    """List the objects of BINDING; without it, the bindings.

    The host may run or not. A module's binding, COLLAB say, lists its rooms and channels; so do
    COLLAB.rooms and COLLAB.channels alone. Where an object has no name its id stands for it. Keys
    are counted up to a thousand.

    \b
      roomhost objects
      roomhost objects COUNTER --prefix user: --alarm
      roomhost objects COLLAB --resident --json
    """
    with open_target(given["data_dir"], given["url"], given["api_key"]) as target:
        if binding is None:
            _show_bindings(target, as_json)
            return

        found, after = _collect(target, binding, given)
    if as_json:
        show_json({"objects": found} | ({} if after is None else {"after": after}))
        return

    if found:
        _show_objects(found)
    else:
        note(
            f"{binding} has no objects"
            + (", or none that pass the filters" if _filters(given) else "")
        )
    if after is not None:
        note(f"there may be more: --after {after}")


def _show_bindings(target: Target, as_json: bool) -> None:
    host = target.call("host")
    if as_json:
        show_json(host)
        return

    rows = [
        (
            each["binding"],
            each["kind"],
            each.get("class_name", NONE),
            shown_count(each["objects"], each.get("more_objects", False)),
            str(each["resident"]),
            str(each["sockets"]),
        )
        for each in host["bindings"]
    ]
    show_table(("BINDING", "KIND", "CLASS", "#OBJECTS", "#RESIDENT", "#SOCKETS"), rows)


def _collect(
    target: Target, binding: str, given: dict[str, Any]
) -> tuple[list[dict[str, Any]], str | None]:
    """As many as were asked for, page by page; and where the next ones begin."""
    found: list[dict[str, Any]] = []
    after: str | None = given["after"]
    while True:
        wanted = min(given["limit"] - len(found), limits.MAX_LIMIT)
        page = target.call("objects", binding=binding, after=after, limit=wanted, **_filters(given))
        found += page["objects"]
        after = page.get("after")
        if after is None or len(found) >= given["limit"]:
            return found, after


def _filters(given: dict[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in FILTERS if given[name] is not None}


def _show_objects(found: list[dict[str, Any]]) -> None:
    several = len({each["namespace"] for each in found}) > 1
    columns: tuple[str, ...] = ("NAME", "#KEYS", "#SIZE", "RESIDENT", "#SOCKETS", "ALARM")
    rows: list[tuple[str, ...]] = [
        (
            shown_name(each.get("name"), each["id"]),
            shown_count(each["keys"], each.get("more_keys", False)),
            shown_bytes(each["bytes"]),
            "yes" if each["resident"] else NONE,
            str(each["sockets"]),
            shown_time(each.get("alarm_ms")),
        )
        for each in found
    ]
    if several:
        columns = ("NAMESPACE", *columns)
        rows = [(each["namespace"], *row) for each, row in zip(found, rows, strict=True)]
    show_table(columns, rows)
