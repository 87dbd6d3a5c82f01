"""The application's own source files as this process has read them.

The system tells of a change a moment later, and the process that has read the file before then still
answers. It must not answer as if nothing had happened to a file that cannot even be parsed: so it looks,
before each answer. That costs tens of microseconds, in `roomhost dev` alone.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from .dev_failure import is_own
from .dev_files import stamp_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .dev_files import Stamp


class Sources:
    """Those of the modules that are imported, below `roots`."""

    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = roots
        self._modules = 0  # that were looked at
        self._stamps: dict[str, Stamp | None] = {}

    def broken(self) -> SyntaxError | None:
        """What is wrong with a file that has changed since it was read; None: nothing that can be
        seen without running it."""
        self.note()
        for path, stamp in self._stamps.items():
            now = stamp_of(path)
            if now != stamp and now is not None:
                error = syntax_error(path)
                if error is not None:
                    return error

                self._stamps[path] = now
        return None

    def note(self) -> None:
        """Look at the modules that were imported since."""
        if len(sys.modules) == self._modules:
            return

        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None)
            if isinstance(path, str) and path not in self._stamps and path.endswith(".py"):
                if is_own(path, self._roots):
                    self._stamps[path] = stamp_of(path)
        self._modules = len(sys.modules)


def syntax_error(path: str) -> SyntaxError | None:
    """Why a file cannot be parsed; None: it can, or it cannot be read."""
    try:
        source = Path(path).read_bytes()
    except OSError:
        return None

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        error.filename = error.filename or path  # not said of a zero byte
        return error
    except ValueError as error:  # what it was, before Python 3.11.4
        return SyntaxError(str(error), (path, 1, 1, None))

    return None
