"""Something that ends, or fails, at one of its calls to the system, at each in turn."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

CALLS = ("open", "mkdir", "fsync", "rename", "rmdir", "unlink")


class KilledError(BaseException):
    """What nobody handles, so that what was begun stays as it is."""


class Step:
    """The call that ends it. `reached`: it came to that; `name`: of the call."""

    def __init__(self, number: int, error: Callable[[], BaseException], *, lasting: bool) -> None:
        self.reached = False
        self.name = ""
        self._left = number
        self._error = error
        self._lasting = lasting

    def wrap(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The system's `call`, until it is this one."""

        def stepped(*args: Any, **options: Any) -> Any:
            if self.reached and self._lasting:
                raise self._error()

            self._left -= 1
            if self._left == 0:
                self.reached = True
                self.name = name
                raise self._error()

            # What a test of ordering needs no disk for takes most of its time.
            return None if name == "fsync" else call(*args, **options)

        return stepped


@contextmanager
def ending(step: Step) -> Generator[None]:
    """Within the block the system's calls are counted."""
    with ExitStack() as stack:
        for name in CALLS:
            wrapped = step.wrap(name, getattr(os, name))
            stack.enter_context(mock.patch.object(os, name, wrapped))
        yield


def killed() -> Iterator[Step]:
    """A step for each call, at which the process ends: from then on nothing is called any more."""
    return _steps(KilledError, lasting=True)


def failed(number: int) -> Iterator[Step]:
    """A step for each call, which fails with an error of the system; those after it do not."""
    return _steps(lambda: OSError(number, os.strerror(number)), lasting=False)


def _steps(error: Callable[[], BaseException], *, lasting: bool) -> Iterator[Step]:
    """Ends after the first that was not reached, once the caller has used it."""
    for number in itertools.count(1):
        step = Step(number, error, lasting=lasting)
        yield step
        if not step.reached:
            return
