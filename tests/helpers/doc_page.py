"""A page of the documentation as blocks of code, each with where it stands and what it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent.parent
DOCS = REPOSITORY / "docs"
FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>[^`\n]*)$")
# `# demo.py`, `// client.mjs`, `<!-- index.html -->`: what the file is called that a block is.
TITLE = re.compile(r"(?:#|//|<!--) (?P<path>(?:[\w.@-]*/)*[\w@-]*\.?[\w-]+)(?: -->)?")
NAMES = re.compile(r".+\.\w+|Dockerfile|Caddyfile")
OPTION = re.compile(r'(\w+)=(?:"([^"]*)"|(\S+))')


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: `title` is the file it is, `options` stand behind its language."""

    page: str
    line: int
    language: str
    title: str | None
    options: dict[str, str]
    text: str

    @property
    def where(self) -> str:
        """Page and line, for whoever has to mend it."""
        return f"{self.page}:{self.line}"


class BlockError(AssertionError):
    """A block that does not do what the page says; the message begins with where it stands."""

    def __init__(self, block: Block, message: str) -> None:
        super().__init__(f"{block.where}: {message}")


def pages() -> list[Path]:
    """Every page that has blocks, the front door first."""
    return [
        path
        for path in (REPOSITORY / "README.md", *sorted(DOCS.glob("*.md")))
        if any(read_blocks(path.read_text(encoding="utf-8"), path.name))
    ]


def read_blocks(text: str, page: str) -> Iterator[Block]:
    """The fenced blocks of a page. ValueError: one that does not end."""
    lines = iter(enumerate(text.splitlines(), start=1))
    for number, line in lines:
        opening = FENCE.match(line)
        if opening is None:
            continue

        indent, closing = len(opening["indent"]), f"{opening['indent']}{opening['fence']}"
        body: list[str] = []
        for _, inner in lines:
            if inner.rstrip() == closing:
                break
            body.append(inner[indent:])
        else:
            raise ValueError(f"{page}:{number}: the block does not end")

        yield _block(page, number, opening["info"].strip(), body)


def _block(page: str, line: int, info: str, body: list[str]) -> Block:
    language, _, rest = info.partition(" ")
    options = {name: quoted or plain for name, quoted, plain in OPTION.findall(rest)}
    title = options.pop("title", None)
    if title is None and body and (named := TITLE.fullmatch(body[0])):
        if NAMES.fullmatch(named["path"].rpartition("/")[2]):
            title = named["path"]
    return Block(page, line, language, title, options, "\n".join(body) + "\n")
