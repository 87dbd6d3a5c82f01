"""What the supervisor of `roomhost dev` and its child tell each other: JSON, a line each."""

from __future__ import annotations

from typing import Any

import msgspec

from .dev_failure import Failure  # noqa: TC001, its fields are decoded


class Start(msgspec.Struct, frozen=True, tag="start"):
    """To the child, first of all: what to serve. `application` is MODULE:APP; `flags`: settings by
    name; `api_key`: when the settings have none; `roots`: the directories of its code, absolute, the
    current one first; `failure`: serve only the page about that; `first`: no child has begun before."""

    application: str
    flags: dict[str, Any]
    api_key: str
    roots: tuple[str, ...]
    failure: Failure | None = None
    first: bool = False


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """From the child: it serves. `name` of the application, `url`, `data_dir`, and a key that opens
    the inspector."""

    name: str
    url: str
    data_dir: str
    api_key: str


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """From the child: the application does not start, and it serves the page about that."""

    failure: Failure


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """From the child, before it ends: nothing in the sources can help. `message` is one line."""

    message: str


Said = Ready | Failed | Refused
said_decoder = msgspec.json.Decoder(Said)
start_decoder = msgspec.json.Decoder(Start)


def line_of(message: msgspec.Struct) -> bytes:
    """A message, as it is sent."""
    return msgspec.json.encode(message) + b"\n"
