"""To bring a document back to what it was once, as an edit that every peer can merge.

A document of Yjs only grows. So what it shows now is deleted, and what it showed once is inserted
again: the same structs under client ids that nobody has used (realtime.md 5.5). They are renamed in
the order of the old ids, by which Yjs places what was inserted at the same place, so they come to
lie as they lay; and they are greater than all others, so they come last, which for the entries of a
map is to win.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .errors import InvalidArgument
from .limits import MAX_YJS_ID
from .varints import write_varuint
from .yjs_deletes import written
from .yjs_guard import GC, SKIP
from .yjs_reader import CODE
from .yjs_structs import merged, read_deletes, read_sections, structs_of

if TYPE_CHECKING:
    from typing import Final

    from .yjs_structs import Id, Section, Struct

# yjs draws client ids of 32 bits: one above is never that of a client who has yet to write. One of
# the 53 bits that yrs draws can be, as it can be that of another client.
FIRST_ID: Final = 2**32

Deletes = dict[int, list[tuple[int, int]]]


def forward(live: bytes, wanted: bytes) -> bytes:
    """An update that makes a document show `wanted`, which it showed once, instead of `live`.

    `live`, `wanted`: whole documents, as `Doc.get_update()` gives them. The result is for every
    document that has at least `live`: what it has more was done at the same time as the restore,
    and is merged. Clients of `wanted` of which nothing is seen any more, nor needed for the place
    of something, are left out; else each restore of a restored document would double them.

    ValueError (InvalidArgument): a document is malformed, refers to what it does not hold, or there
    are not enough client ids left up to MAX_YJS_ID; then start a new document.
    """
    now, once = _read(live), _read(wanted)
    kept = _needed(once)
    first = max(FIRST_ID, 1 + max((*now.clients(), *once.clients()), default=0))
    names = {client: first + n for n, client in enumerate(sorted(kept))}
    if first + len(names) - 1 > MAX_YJS_ID:
        raise InvalidArgument(
            f"no client ids are left: {len(names)} above {first - 1}, up to {MAX_YJS_ID}", code=CODE
        )

    sections = [section for section in once.sections if section.client in kept]
    deletes = {client: pairs for client, pairs in once.deletes.items() if client in kept}
    out = bytearray()
    # A gap of `wanted` will not be filled under the new ids, and nothing waits for it.
    _write_sections(out, wanted, sections, names, gap=GC)
    out += written({**now.known, **{names[client]: deletes[client] for client in deletes}})
    return bytes(out)


def renamed(update: bytes, names: dict[int, int]) -> bytes:
    """The same update with other client ids, `names` by the old one: of its structs, of what they
    refer to, and of what it deletes. Its contents are the same bytes, the names of roots too.
    ValueError (InvalidArgument): it is malformed, or an id has no name."""
    sections, at = read_sections(update)
    deletes = read_deletes(update, at)
    out = bytearray()
    _write_sections(out, update, sections, names, gap=SKIP)
    out += written({_name(names, client): deletes[client] for client in deletes})
    return bytes(out)


class _Document(NamedTuple):
    """A whole document: `known` are the clocks of each client that it holds, `uses` the clients
    that structs of a client refer to."""

    sections: list[Section]
    known: Deletes
    deletes: Deletes
    uses: dict[int, set[int]]

    def clients(self) -> set[int]:
        """All client ids that occur."""
        return self.known.keys() | self.deletes.keys()


def _read(data: bytes) -> _Document:
    sections, at = read_sections(data)
    known: Deletes = {}
    uses: dict[int, set[int]] = {}
    for section in sections:
        pairs: list[tuple[int, int]] = []
        used = uses.setdefault(section.client, set())
        for struct in structs_of(data, section):
            if struct.kind != SKIP:
                pairs.append((struct.clock, struct.clock + struct.length))
            used.update(id_[0] for id_ in struct.references() if id_ is not None)
        known[section.client] = merged(pairs)
        if section.clock:
            raise InvalidArgument("a document lacks the first clocks of a client", code=CODE)

    for used in uses.values():
        if not used <= known.keys():
            raise InvalidArgument("a document refers to what it does not hold", code=CODE)

    return _Document(sections, known, read_deletes(data, at), uses)


def _needed(document: _Document) -> set[int]:
    """The clients that have something which is not deleted, and those these refer to."""
    left = [
        client
        for client, pairs in document.known.items()
        if merged(pairs + document.deletes.get(client, [])) != document.deletes.get(client)
    ]
    needed = set(left)
    while left:
        more = document.uses[left.pop()] - needed
        needed |= more
        left.extend(more)

    return needed


def _name(names: dict[int, int], client: int) -> int:
    name = names.get(client)
    if name is None:
        raise InvalidArgument(f"no name for the client {client}", code=CODE)

    return name


def _write_sections(
    out: bytearray, data: bytes, sections: list[Section], names: dict[int, int], gap: int
) -> None:
    """Structs under other ids; `gap` is the kind of struct that stands for a gap."""
    out += write_varuint(len(sections))
    for section in sections:
        out += write_varuint(section.structs)
        out += write_varuint(_name(names, section.client))
        out += write_varuint(section.clock)
        for struct in structs_of(data, section):
            out.append(gap if struct.kind == SKIP else data[struct.start])
            _write_rest(out, data, struct, names)


def _write_rest(out: bytearray, data: bytes, struct: Struct, names: dict[int, int]) -> None:
    for reference in (struct.origin, struct.right_origin):
        if reference is not None:
            _write_id(out, reference, names)
    if struct.parent is not None:
        out += write_varuint(0)
        _write_id(out, struct.parent, names)

    out += data[struct.body : struct.end]


def _write_id(out: bytearray, id_: Id, names: dict[int, int]) -> None:
    out += write_varuint(_name(names, id_[0]))
    out += write_varuint(id_[1])
