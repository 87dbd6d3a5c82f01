"""Python blocks: files are imported, the rest runs as one session of the page."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
import tempfile
from collections.abc import Awaitable, Callable, Generator
from contextlib import chdir, contextmanager
from pathlib import Path
from types import CodeType
from typing import Any, cast

import anyio

Names = dict[str, Any]


@contextmanager
def importing_from(directory: Path) -> Generator[None]:
    """Run in `directory`, whose modules can be imported, and are forgotten at the end."""
    sys.path.insert(0, str(directory))
    with chdir(directory):
        try:
            yield
        finally:
            sys.path.remove(str(directory))
            forget(directory)


def forget(directory: Path, name: str | None = None) -> None:
    """Forget the modules of a directory, or the one of that name."""
    for found, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if path and Path(path).is_relative_to(directory) and name in (None, found):
            del sys.modules[found]
    importlib.invalidate_caches()


def run_snippet(source: str, where: str, names: Names) -> None:
    """Run lines of a session; `await`, `async with` and `async for` may stand at its top."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(source, where, "exec", flags=flags, dont_inherit=True)
    anyio.run(_run, code, names)


async def _run(code: CodeType, names: Names) -> None:
    result = eval(code, names)
    if inspect.isawaitable(result):
        await result


def run_module(name: str, directory: Path) -> None:
    """Import a file of the page anew, and call the tests in it."""
    forget(directory, name)
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        module = importlib.import_module(name)
    finally:
        sys.dont_write_bytecode = before
    if name.startswith("test_"):
        for attribute, value in vars(module).items():
            if attribute.startswith("test_") and callable(value):
                _call(value)


def _call(test: Callable[..., Any]) -> None:
    takes_path = "tmp_path" in inspect.signature(test).parameters
    with tempfile.TemporaryDirectory() as directory:
        arguments = (Path(directory),) if takes_path else ()
        if inspect.iscoroutinefunction(test):
            anyio.run(cast("Callable[..., Awaitable[Any]]", test), *arguments)
        else:
            test(*arguments)
