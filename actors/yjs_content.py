"""What a document shows, to compare it with another one.

The roots of a document that was only loaded have no type yet: whoever looks decides. Here it is what
is in a root that decides, so that nothing of it is overlooked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from .errors import InvalidArgument
from .tallies import REFUSALS
from .yjs_containers import NOWHERE, UNKNOWN, Containers
from .yjs_guard import SKIP, TYPE
from .yjs_reader import CODE
from .yjs_structs import causal

if TYPE_CHECKING:
    from typing import Final

# Content of texts alone, by number: text, embedded objects, formats.
TEXTUAL: Final = frozenset((4, 5, 6))
TEXT_TYPES: Final = frozenset((2, 6))  # a text, and one within XML
MAP_TYPE: Final = 1


def content(update: bytes) -> dict[str, Any]:
    """What is visible of the document that an update makes, by root that shows anything; equal, by
    ==, for two that show the same. A root is `(sequence, entries)`: its text as pieces with their
    formats, or its values, in order; and what it has by key. Client ids play no role, the order
    of keys neither.

    Values are told apart by their kind too: true is not 1, and a number is itself even if it is none.

    ValueError: it is no update, pycrdt cannot apply it, or a list or XML holds text without a text
    around it: no client writes that, and pycrdt may read it for ever. Panics of pycrdt come through;
    the document must nest no deeper than MAX_TYPE_DEPTH, since it is walked by recursion."""
    doc: Doc[Any] = Doc()
    doc.apply_update(update)
    texts = _texts(doc.get_update())
    shown: dict[str, Any] = {}
    for name in sorted(doc.keys()):
        sequence = doc.get(name, type=Text if name in texts else Array)
        root = (_sequence(sequence), _entries(doc.get(name, type=Map)))
        if root != ([], {}):
            shown[name] = root

    return shown


def _texts(update: bytes) -> set[str]:
    """The names of the roots that are texts."""
    numbers: dict[str, int] = {}
    kinds: list[int | None] = []  # of each container: of its type, None for a root

    def number_of(name: str) -> int:
        if name not in numbers:
            numbers[name] = len(kinds)
            kinds.append(None)
        return numbers[name]

    def next_number(number: int) -> int:
        kinds.append(kind_of_type)
        return len(kinds) - 1

    kind_of_type = 0
    textual: set[int] = set()
    containers = Containers(number_of, next_number)
    for client, struct in causal(update):
        if struct.kind == TYPE:
            kind_of_type = update[struct.content]
        number = containers.place(client, struct)
        if number == UNKNOWN and struct.kind != SKIP:
            REFUSALS.count("unresolved")
            raise InvalidArgument("a document refers to what it does not hold", code=CODE)
        if struct.kind in TEXTUAL and number != NOWHERE:
            textual.add(number)

    for number in textual:
        kind = kinds[number]
        if kind is not None and kind != MAP_TYPE and kind not in TEXT_TYPES:
            raise InvalidArgument("a list or XML holds text as if it were one", code=CODE)

    return {name for name, number in numbers.items() if number in textual}


def _sequence(shared: Any) -> list[Any]:
    if isinstance(shared, (Text, XmlText)):
        return [(_shown(value), _shown(formats)) for value, formats in shared.diff()]
    if isinstance(shared, Array):
        return [_shown(value) for value in shared]

    return [_shown(child) for child in shared.children]


def _entries(shared: Any) -> dict[str, Any]:
    return {key: _shown(value) for key, value in shared.items()}


def _shown(value: Any) -> Any:
    """A value as something that compares: a shared type with its name in front."""
    kind: type[Any] = value.__class__
    if kind is Text or kind is Array:
        return (kind.__name__, _sequence(value))
    if kind is Map:
        return ("Map", _entries(value))
    if kind in (XmlElement, XmlText, XmlFragment):
        tag = value.tag if kind is XmlElement else kind.__name__
        pairs = () if kind is XmlFragment else value.attributes
        return (tag, {key: _shown(entry) for key, entry in pairs}, _sequence(value))

    if kind is Doc:
        return ("Doc", value.guid)
    if kind is dict:
        return _entries(value)
    if kind is list:
        return [_shown(entry) for entry in value]

    return repr(value) if kind in (bool, float) else value
