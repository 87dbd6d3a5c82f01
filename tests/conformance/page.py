"""The page made of the suite: every feature with its verdict and the tests that show it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from .feature import Feature
from .mistakes import MISTAKES

PAGE = Path(__file__).parent.parent.parent / "docs" / "conformance.md"
HEAD = """# Conformance

What this host does of Cloudflare's Durable Objects, made from `tests/conformance` by
`python -m tests.conformance`; do not edit it. *Yes*: as workerd does it. *Differs*: on purpose, and
how. *No*: not offered, and what happens instead. *Section* is that of the description the suite was
written from; every test named here runs on asyncio, on uvloop and on trio.
"""


@dataclass(slots=True)
class Area:
    """One module of the suite: its title, its features and the tests that show each."""

    title: str
    tests: list[str] = field(default_factory=list[str])
    shown: dict[Feature, list[str]] = field(default_factory=dict[Feature, list[str]])
    mistakes: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    unmarked: list[str] = field(default_factory=list[str])


def areas() -> list[Area]:
    """Every module of the suite, read by importing it."""
    package = importlib.import_module(__package__ or "")
    names = [module.name for module in pkgutil.iter_modules(package.__path__)]
    modules = [
        importlib.import_module(f"{__package__}.{name}")
        for name in sorted(names)
        if name.startswith("test_") and name != "test_page"
    ]
    return [read(module) for module in modules]


def read(module: ModuleType) -> Area:
    """One module."""
    title = (inspect.getdoc(module) or "").split("\n", 1)[0].rstrip(".")
    area = Area(title)
    for value in vars(module).values():
        if isinstance(value, Feature):
            area.shown[value] = []
    for name, test in tests_of(module):
        features = test.__dict__.get("shown_features", ())
        numbers = test.__dict__.get("excluded_mistakes", ())
        area.tests.append(name)
        for feature in features:
            area.shown.setdefault(feature, []).append(name)
        for number in numbers:
            area.mistakes[number].append(name)
        if not features and not numbers:
            area.unmarked.append(name)
    return area


def tests_of(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Its test functions, in order."""
    for name, value in vars(module).items():
        if name.startswith("test_") and inspect.isfunction(value):
            yield name, value


def page() -> str:
    """The whole page."""
    found = areas()
    rows = [
        row for area in found for row in (*heading(area), *map(feature_row, area.shown.items()))
    ]
    return "\n".join((HEAD, *counts(found), *rows, "", *mistake_rows(found), ""))


def counts(found: list[Area]) -> Iterator[str]:
    """How many of what."""
    features = [feature for area in found for feature in area.shown]
    tests = sum(len(area.tests) for area in found)
    verdicts = [feature.verdict for feature in features]
    by_verdict = ", ".join(f"{verdicts.count(each)} {each}" for each in ("yes", "differs", "no"))
    yield f"{len(features)} features ({by_verdict}), shown by {tests} tests."


def heading(area: Area) -> tuple[str, ...]:
    """The head of an area's table."""
    return (
        "",
        f"## {area.title}",
        "",
        "| feature | section | | shown by |",
        "| --- | --- | --- | --- |",
    )


def feature_row(shown: tuple[Feature, list[str]]) -> str:
    """One feature."""
    feature, tests = shown
    remark = feature.missing or feature.differs
    verdict = f"**{feature.verdict}**" + (f": {remark}" if remark else "")
    return f"| {feature.name} | {feature.section} | {verdict} | {listed(tests)} |"


def mistake_rows(found: list[Area]) -> Iterator[str]:
    """What is not got wrong here."""
    yield from ("## Mistakes that emulators make, and the tests that none is made here", "")
    yield from ("| | mistake | excluded by |", "| --- | --- | --- |")
    for number, text in MISTAKES.items():
        tests = [test for area in found for test in area.mistakes.get(number, ())]
        yield f"| {number} | {text} | {listed(tests)} |"


def listed(tests: list[str]) -> str:
    """Names of tests, for a cell."""
    return "<br>".join(f"`{test}`" for test in tests)
