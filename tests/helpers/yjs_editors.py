"""Editors of one document, who make up their edits, and see those of the others when told to."""

from __future__ import annotations

from random import Random
from typing import Any

from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

WORDS = ("a", "bc", "déf", "😀", "g h i", "\n", "日本語")
KEYS = ("k", "l", "ä")


class Editor:
    """A replica with the roots `text`, `list`, `map` and `xml`, and a client id of its own."""

    def __init__(self, client: int, random: Random) -> None:
        self.doc: Doc[Any] = Doc(client_id=client)
        self.random = random
        self.text = self.doc.get("text", type=Text)
        self.list: Any = self.doc.get("list", type=Array)
        self.map: Any = self.doc.get("map", type=Map)
        self.xml = self.doc.get("xml", type=XmlFragment)

    def edit(self, times: int = 1) -> None:
        """Makes up so many edits."""
        for _ in range(times):
            self.random.choice((self._edit_text, self._edit_list, self._edit_map, self._edit_xml))()

    def see(self, other: Editor) -> None:
        """Takes all that the other has."""
        self.doc.apply_update(other.doc.get_update(self.doc.get_state()))

    def state(self) -> bytes:
        """All of it, as an update."""
        return self.doc.get_update()

    def _edit_text(self) -> None:
        self._write(self.text)

    def _write(self, text: Any) -> None:
        marks = [0]  # where characters begin, in bytes
        for piece, _ in text.diff():
            for size in map(len, map(str.encode, piece)) if isinstance(piece, str) else (1,):
                marks.append(marks[-1] + size)
        start, end = sorted((self.random.choice(marks), self.random.choice(marks)))
        match self.random.randrange(5):
            case 0 if start < end:
                del text[start:end]
            case 1 if start < end:
                value = self.random.choice((True, None, "red"))
                text.format(start, end, {self.random.choice(("bold", "colour")): value})
            case 2:
                text.insert_embed(start, {"image": self.random.randrange(9)})
            case _:
                text.insert(start, self.random.choice(WORDS))

    def _edit_list(self) -> None:
        at = self.random.randint(0, len(self.list))
        match self.random.randrange(3):
            case 0 if at < len(self.list):
                del self.list[at : self.random.randint(at, len(self.list))]
            case 1 if at < len(self.list) and isinstance(self.list[at], Array):
                self.list[at].append(self._value())
            case _:
                self.list.insert(at, self._value())

    def _edit_map(self) -> None:
        key = self.random.choice(KEYS)
        inner = self.map.get(key)
        match self.random.randrange(4):
            case 0 if key in self.map:
                del self.map[key]
            case 1 if isinstance(inner, Map):
                inner[self.random.choice(KEYS)] = self._value()
            case 2 if isinstance(inner, Text):
                inner.insert(0, self.random.choice(WORDS))
            case _:
                self.map[key] = self._value()

    def _edit_xml(self) -> None:
        children: Any = self.xml.children
        at = self.random.randint(0, len(children))
        child = children[at] if at < len(children) else None
        match self.random.randrange(4):
            case 0 if child is not None:
                del children[at]
            case 1 if isinstance(child, XmlElement):
                child.attributes["class"] = self.random.choice(WORDS)
            case 2 if isinstance(child, XmlElement):
                child.children.append(XmlText(self.random.choice(WORDS)))
            case _:
                children.insert(at, XmlElement(self.random.choice(("p", "h1"))))

    def _value(self) -> Any:
        match self.random.randrange(8):
            case 0:
                return Map({"x": self.random.randrange(9), "y": Text(self.random.choice(WORDS))})
            case 1:
                return Array([1, Array(["inner"]), Map({"z": None})])
            case 2:
                return Text(self.random.choice(WORDS))
            case 3:
                return {"json": [1, True, {"deep": self.random.choice(WORDS)}]}
            case 4:
                return b"bytes"
            case _:
                return self.random.choice((1, -7, 0.5, "word", None, True, 2**40))


def converge(*editors: Editor) -> None:
    """Everybody sees everything."""
    for editor in editors:
        for other in editors:
            if other is not editor:
                editor.see(other)
