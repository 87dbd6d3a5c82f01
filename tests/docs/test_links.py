"""Every link of the documentation leads somewhere, and every page is in the navigation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from ..helpers.doc_page import DOCS, REPOSITORY

PAGES = (REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *sorted(DOCS.glob("*.md")))
LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCED = re.compile(r"^ *(`{3,}|~{3,}).*?^ *\1 *$", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and mkdocs make them."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-") for name in HEADING.findall(text)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files_and_headings_that_are_there(page: Path) -> None:
    """A page that is renamed takes those that lead to it along."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    for link in LINK.findall(text):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {link}"


def test_every_page_is_in_the_navigation() -> None:
    """Once, and nothing else is."""
    navigation = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text())["nav"]
    listed = sorted(files_of(navigation))
    assert listed == sorted(path.name for path in DOCS.glob("*.md"))


def files_of(entry: Any) -> Iterator[str]:
    """The files that a navigation names, in whatever depth."""
    match entry:
        case str():
            yield entry
        case dict():
            for value in entry.values():
                yield from files_of(value)
        case _:
            for value in entry:
                yield from files_of(value)


@pytest.mark.parametrize("image", sorted(DOCS.glob("images/*.svg")), ids=lambda image: image.stem)
def test_a_picture_is_for_everybody(image: Path) -> None:
    """It says in words what it shows, and has colours for the dark."""
    root = ElementTree.parse(image).getroot()
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert {"title", "desc"} <= tags
    assert "prefers-color-scheme: dark" in image.read_text()


def test_a_page_says_one_thing() -> None:
    """It has one title, and is no longer than a reader's patience."""
    for path in DOCS.glob("*.md"):
        if path.name not in {"conformance.md", "settings.md"}:
            text = FENCED.sub("", path.read_text(encoding="utf-8"))
            assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1, path.name
            assert len(text.splitlines()) < 250, path.name
