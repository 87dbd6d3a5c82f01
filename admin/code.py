"""The code of an application, imported anew in a running process.

Python keeps a module once it has it. So the modules of the application's own directory are taken out
and imported again; what the old ones made lives on as long as somebody holds it, their classes with
it. What is installed is not the application's own, and stays.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from ..runtime import HostError
from ..runtime.commands import load_application

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    from ..runtime.application import Application

KEPT = frozenset(
    ("__main__", "__mp_main__", "roomhost")
)  # whose modules are never the application's
INSTALLED = frozenset(("site-packages", "dist-packages"))


class Imported:
    """An application whose modules were imported anew. `restore()` brings the modules back that were
    there before: for one that does not come to run."""

    def __init__(self, reference: str) -> None:
        self._root = directory_of(reference.partition(":")[0])
        self._before = own_modules(self._root)
        for name, module in self._before.items():
            del sys.modules[name]
            forget_compiled(module)
        importlib.invalidate_caches()
        try:
            self.app: Application = load_application(reference)
        except BaseException as error:
            self.restore()
            if isinstance(error, HostError) or not isinstance(error, Exception):
                raise

            text = told(error, self._root)
            raise HostError(f"{reference} cannot be imported: {text}") from error

    def restore(self) -> None:
        """Forget the new modules."""
        for name in own_modules(self._root):
            del sys.modules[name]
        sys.modules.update(self._before)


def import_anew(reference: str) -> Imported:
    """The application that `MODULE:APP` names, by the code that is on the disk now.

    HostError: it cannot be imported, where and why; then the modules are those that were there. It
    may take a while: call it in a thread.
    """
    return Imported(reference)


def directory_of(module_name: str) -> Path:
    """The directory that a module's package is imported from; the working directory, if it is not
    there yet."""
    top = sys.modules.get(module_name.partition(".")[0])
    for path in () if top is None else paths_of(top):
        return path.parent.parent if path.name == "__init__.py" else path.parent

    return Path.cwd().resolve()


def own_modules(root: Path) -> dict[str, ModuleType]:
    """The modules in memory that come from this directory, and are neither installed nor ours."""
    return {
        name: module
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] not in KEPT
        and any(is_own(path, root) for path in paths_of(module))
    }


def is_own(path: Path, root: Path) -> bool:
    """Whether a file belongs to the code in a directory, which may hold an environment too."""
    environment = Path(sys.prefix).resolve()
    return (
        path.is_relative_to(root)
        and not (environment != root and path.is_relative_to(environment))
        and INSTALLED.isdisjoint(path.parts)
    )


def paths_of(module: ModuleType) -> Iterable[Path]:
    """Where a module's code is; of a package without code, its directories."""
    file: str | None = getattr(module, "__file__", None)
    if file is not None:
        return [Path(file).resolve()]

    return [Path(path).resolve() / "__init__.py" for path in getattr(module, "__path__", ())]


def forget_compiled(module: ModuleType) -> None:
    """A compiled file is known by the second and the size of its source: two edits within one second
    may look alike."""
    cached: str | None = getattr(module, "__cached__", None)
    if cached is not None:
        with contextlib.suppress(OSError):
            os.unlink(cached)


def told(error: Exception, root: Path) -> str:
    """What is wrong, in one line, with the file and the line of the application's code."""
    text = traceback.format_exception_only(error)[-1].strip().replace("\n", " ")
    if isinstance(error, SyntaxError):
        return f"{text} ({error.filename}, line {error.lineno})" if error.filename else text

    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if is_own(Path(frame.filename).resolve(), root):
            return f"{text} ({frame.filename}, line {frame.lineno})"

    return text
