"""What of an update a document can take at once, where the rest builds upon what it has not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .varints import write_varuint
from .yjs_deletes import up_to, written
from .yjs_guard import SKIP
from .yjs_structs import causal, read_deletes, read_sections

if TYPE_CHECKING:
    from .yjs_structs import Struct


def without_gaps(update: bytes, clocks: dict[int, int]) -> bytes | None:
    """The structs of an update that a document with these clocks can take, of each client up to the
    first that refers to what the document has not, and what of these and of the document the update
    deletes; None: that is nothing. InvalidArgument: structs of the update wait for each other."""
    taken: dict[int, tuple[int, int]] = {}  # by client: how many, and the byte after them
    running = dict(clocks)
    stopped: set[int] = set()
    for client, struct in causal(update):
        if client in stopped or not _builds_upon(client, struct, running):
            stopped.add(client)
            continue

        running[client] = max(running.get(client, 0), struct.clock + struct.length)
        taken[client] = taken.get(client, (0, 0))[0] + 1, struct.end
    sections, deletes_at = read_sections(update)
    deletes = up_to(read_deletes(update, deletes_at), running)
    if not taken and not deletes:
        return None

    parts = [write_varuint(len(taken))]
    for section in sections:
        if section.client in taken:
            count, end = taken[section.client]
            parts.append(write_varuint(count) + write_varuint(section.client))
            parts.append(write_varuint(section.clock) + update[section.at : end])
    return b"".join(parts) + written(deletes)


def _builds_upon(client: int, struct: Struct, clocks: dict[int, int]) -> bool:
    known = clocks.get(client, 0)
    if struct.kind == SKIP:
        return struct.clock + struct.length <= known

    return struct.clock <= known and all(
        reference is None or reference[1] < clocks.get(reference[0], 0)
        for reference in struct.references()
    )
