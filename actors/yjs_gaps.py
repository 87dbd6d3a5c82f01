"""What of an update a document can take at once, where the rest builds upon what it has not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .varints import write_varuint
from .yjs_guard import SKIP
from .yjs_structs import read_sections, structs_of

if TYPE_CHECKING:
    from .yjs_structs import Section


def without_gaps(update: bytes, clocks: dict[int, int]) -> bytes | None:
    """The structs of an update that follow those of a document with these clocks, without a gap in
    what their client wrote, and all that it deletes; None: there are no such structs."""
    sections, deletes_at = read_sections(update)
    parts = [
        _until_gap(update, section)
        for section in sections
        if section.clock <= clocks.get(section.client, 0)
    ]
    found = [part for part in parts if part]
    if not found:
        return None

    return write_varuint(len(found)) + b"".join(found) + update[deletes_at:]


def _until_gap(update: bytes, section: Section) -> bytes:
    count, end = 0, section.at
    for struct in structs_of(update, section):
        if struct.kind == SKIP:
            break
        count, end = count + 1, struct.end
    if not count:
        return b""

    start = write_varuint(count) + write_varuint(section.client) + write_varuint(section.clock)
    return start + update[section.at : end]
