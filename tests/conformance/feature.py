"""What a conformance test shows: a feature of Durable Objects, or a mistake that is not made here.

Each module of the suite declares its features at the top and says with `@shows` which test shows
which. `python -m tests.conformance` makes `docs/conformance.md` of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing that Durable Objects do, by the name a reader of Cloudflare's documentation searches.

    `section` is where semantics.md says what it does. `differs`: in what this host differs on
    purpose, and why. `missing`: it is not offered; what a user gets instead. With neither it is as
    in workerd.
    """

    name: str
    section: str
    differs: str = ""
    missing: str = ""

    @property
    def verdict(self) -> str:
        """`yes`, `differs` or `no`."""
        if self.missing:
            return "no"

        return "differs" if self.differs else "yes"


def shows(*features: Feature) -> Callable[[Test], Test]:
    """The test fails if one of these features is not as declared."""

    def mark(test: Test) -> Test:
        test.__dict__["shown_features"] = features
        return test

    return mark


def mistake(*numbers: int) -> Callable[[Test], Test]:
    """The test fails where one of these mistakes of emulators is made (`mistakes.py`); its name
    says so: `test_mistake_16_...`."""

    def mark(test: Test) -> Test:
        test.__dict__["excluded_mistakes"] = numbers
        return test

    return mark
