"""The wheel holds what the tree holds, and the tree keeps its order."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
ORDER = ("storage", "runtime", "bindings", "actors")  # each may import those before it
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 70

MODULES = sorted(path for package in ORDER for path in (REPOSITORY / package).rglob("*.py"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built as a release is: through the source distribution."""
    target = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target)]
    done = subprocess.run([*command, str(REPOSITORY)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(target.glob("*.whl"))


@pytest.mark.timeout(300)
def test_every_module_of_the_tree_is_in_the_wheel(wheel: Path) -> None:
    """No module is forgotten, none is left over, and every package is marked as typed."""
    expected = {f"roomhost/{path.relative_to(REPOSITORY).as_posix()}" for path in MODULES}
    expected |= {f"roomhost/{package}/py.typed" for package in ORDER}
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name for name in names if ".dist-info/" not in name} == expected


@pytest.mark.timeout(300)
def test_the_wheel_installs_the_command(wheel: Path) -> None:
    """`roomhost` is a console script."""
    with zipfile.ZipFile(wheel) as archive:
        entry_points = next(
            name for name in archive.namelist() if name.endswith("entry_points.txt")
        )
        assert "roomhost = roomhost.runtime.commands:main" in archive.read(entry_points).decode()


@pytest.mark.parametrize("package", ORDER)
def test_packages_are_flat(package: str) -> None:
    """A sub-package would have to be listed by hand to be in the wheel."""
    folders = [path for path in (REPOSITORY / package).iterdir() if path.is_dir()]
    assert [path.name for path in folders if path.name != "__pycache__"] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_imports_are_relative_and_point_down(path: Path) -> None:
    """storage <- runtime <- bindings <- actors, for type checking too."""
    package = path.parent.name
    allowed = ORDER[: ORDER.index(package)]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not any(name.name.split(".")[0] == "roomhost" for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert (node.module or "").split(".")[0] not in ("roomhost", *ORDER)
        elif isinstance(node, ast.ImportFrom) and node.level == 2:
            imported = (node.module or "").split(".")[0] or node.names[0].name
            assert imported in allowed, f"{package} imports {imported}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_files_and_functions_are_small(path: Path) -> None:
    """A file is one concept, a function fits a screen."""
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_FILE_LINES
    for function in functions(ast.parse(text)):
        lines = (function.end_lineno or function.lineno) - function.body[0].lineno + 1
        assert lines <= MAX_FUNCTION_LINES, f"{function.name} has {lines} lines"


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
