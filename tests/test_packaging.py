"""The distributions hold what the tree holds, and the tree keeps its order."""

from __future__ import annotations

import ast
import configparser
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from .helpers.doc_page import read_blocks
from .helpers.doc_session import DocSession

REPOSITORY = Path(__file__).parent.parent
ORDER = ("storage", "runtime", "bindings", "actors", "admin")  # each may import those before it
BESIDE = ("benchmarks", "deploy", "docs", "examples", "inspector", "tests")
ROOT_FILES = (
    "CHANGELOG.md",
    "MANIFEST.in",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "mkdocs.yml",
    "package.json",
    "pyproject.toml",
)
OUR_NAMES = {"roomhost", *ORDER}
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 70
NO_CACHES = shutil.ignore_patterns("__pycache__", "*.py[cod]", "node_modules")

MODULES = sorted(path for package in ORDER for path in (REPOSITORY / package).rglob("*.py"))

each_module = pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}"
)


class Built(NamedTuple):
    """What is in a release, by path, the tree it was built from, and the wheel itself."""

    tree: Path
    file: Path
    sdist: set[str]
    wheel: set[str]
    entry_points: str


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A release of a copy of the tree, the wheel made through the source distribution.

    A copy, because setuptools keeps to the file list that an earlier build left in the tree.
    """
    tree = tmp_path_factory.mktemp("tree")
    for folder in (*ORDER, *BESIDE):
        shutil.copytree(REPOSITORY / folder, tree / folder, ignore=NO_CACHES)

    for name in ROOT_FILES:
        shutil.copy(REPOSITORY / name, tree)

    dist = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(tree)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        sdist = {member.name.partition("/")[2] for member in archive if member.isfile()}

    file = next(dist.glob("*.whl"))
    with zipfile.ZipFile(file) as wheel:
        names = set(wheel.namelist())
        listed = next(name for name in names if name.endswith(".dist-info/entry_points.txt"))
        return Built(tree, file, sdist, names, wheel.read(listed).decode())


@pytest.mark.timeout(300)
def test_every_module_of_the_tree_is_in_the_wheel(built: Built) -> None:
    """No module is forgotten, none is left over, and every package is marked as typed."""
    expected = {
        f"roomhost/{path.relative_to(built.tree).as_posix()}"
        for package in ORDER
        for path in (built.tree / package).rglob("*.py")
    }
    expected |= {f"roomhost/{package}/py.typed" for package in ORDER}
    page = (built.tree / "admin").glob("inspector*.[!p]*")  # which npm has built, where it is
    expected |= {f"roomhost/admin/{path.name}" for path in page}
    assert {name for name in built.wheel if ".dist-info/" not in name} == expected


@pytest.mark.timeout(300)
def test_the_wheel_takes_one_name(built: Built) -> None:
    """Nothing named `runtime` or `tests` lands in anybody's environment."""
    tops = {name.partition("/")[0] for name in built.wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"roomhost"}


@pytest.mark.timeout(300)
def test_the_wheel_installs_the_command(built: Built) -> None:
    """`roomhost` is a console script, and what it names is there to call."""
    parser = configparser.ConfigParser()
    parser.read_string(built.entry_points)
    scripts = dict(parser["console_scripts"])
    assert list(scripts) == ["roomhost"]
    assert callable(EntryPoint("roomhost", scripts["roomhost"], "console_scripts").load())


@pytest.mark.timeout(300)
def test_the_wheel_installs_what_is_made_above_the_runtime(built: Built) -> None:
    """`roomhost bench` and what measures and builds modules are entry points, and there to load."""
    parser = configparser.ConfigParser()
    parser.read_string(built.entry_points)
    groups = [name for name in parser.sections() if name.startswith("roomhost.")]
    assert sorted(groups) == [
        "roomhost.bench",
        "roomhost.commands",
        "roomhost.modules",
        "roomhost.routes",
    ]
    for group in groups:
        assert dict(parser[group])
        for name, value in parser[group].items():
            assert EntryPoint(name, value, group).load() is not None


@pytest.mark.timeout(300)
def test_the_wheel_runs_the_quick_start_word_for_word(built: Built, tmp_path: Path) -> None:
    """In an empty environment, from `pip install roomhost` on: the page's commands print what it says,
    and the link of `roomhost dev` leads to the inspector, where npm has built it."""
    directory = tmp_path / "page"
    directory.mkdir()
    page = built.tree / "docs" / "quick-start.md"
    blocks = list(read_blocks(page.read_text(encoding="utf-8"), page.name))
    with DocSession(directory, empty_environment(tmp_path), wheel=built.file) as session:
        inspectors: list[int] = []
        for block in blocks:
            session.run(block)
            if "roomhost dev" in block.text and session.url is not None:
                inspectors.append(httpx.get(f"{session.url}/_inspector/").status_code)

    assert session.ran == blocks
    assert inspectors == [200 if "roomhost/admin/inspector.html" in built.wheel else 503]


def empty_environment(directory: Path) -> Path:
    """Where the commands of a new environment are. Its `pip` is ours, to unpack none takes seconds."""
    venv.create(directory / "environment", symlinks=True)
    commands = directory / "environment" / "bin"
    pip = commands / "pip"
    pip.write_text(f'#!/bin/sh\nexec {sys.executable} -m pip --python {commands}/python "$@"\n')
    pip.chmod(0o755)
    return commands


@pytest.mark.timeout(300)
def test_the_source_distribution_is_the_tree(built: Built) -> None:
    """Whoever has it can build, run the examples and run the tests."""
    files = {
        path.relative_to(built.tree).as_posix()
        for folder in (*ORDER, *BESIDE)
        for path in (built.tree / folder).rglob("*")
        if path.is_file()
    }
    assert files | set(ROOT_FILES) <= built.sdist


@pytest.mark.parametrize("package", ORDER)
def test_packages_are_flat(package: str) -> None:
    """A sub-package would have to be listed by hand to be in the wheel."""
    folders = [path for path in (REPOSITORY / package).iterdir() if path.is_dir()]
    assert [path.name for path in folders if path.name != "__pycache__"] == []


@each_module
def test_imports_are_relative_and_point_down(path: Path) -> None:
    """storage <- runtime <- bindings <- actors <- admin, for type checking too."""
    assert list(wrong_imports(path.parent.name, path.read_text())) == []


@each_module
def test_files_and_functions_are_small(path: Path) -> None:
    """A file is one concept, a function fits a screen."""
    source = path.read_text()
    assert len(source.splitlines()) <= MAX_FILE_LINES
    assert list(long_functions(source)) == []


def wrong_imports(package: str, source: str) -> Iterator[str]:
    """The imports that climb, or that call one of ours by its absolute name."""
    below = ORDER[: ORDER.index(package)]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            absolute = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            absolute = [node.module or ""]
        else:
            absolute = []

        yield from (name for name in absolute if name.partition(".")[0] in OUR_NAMES)
        if isinstance(node, ast.ImportFrom) and node.level > 1:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            for name in names:
                if node.level > 2 or name.partition(".")[0] not in below:
                    yield "." * node.level + name


def long_functions(source: str) -> Iterator[str]:
    """The functions and methods whose body, docstring included, is too long."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.body[0].lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield f"{node.name} has {lines} lines"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import json, anyio.abc\nfrom json import loads", []),
        ("from .gate import Gate\nfrom . import limits", []),
        ("from ..storage import Store\nfrom ..storage.limits import MAX", []),
        ("from .. import storage", []),
        ("from .. import storage, bindings", ["..bindings"]),
        ("from ..bindings import App", ["..bindings"]),
        ("from ..runtime.gate import Gate", ["..runtime.gate"]),
        ("from ... import anything", ["...anything"]),
        ("if TYPE_CHECKING:\n    from ..actors.room import Room", ["..actors.room"]),
        ("def late():\n    from ..actors import Room", ["..actors"]),
        ("import roomhost.storage", ["roomhost.storage"]),
        ("from roomhost import storage", ["roomhost"]),
        ("import json, storage.codec", ["storage.codec"]),
        ("from runtime.gate import Gate", ["runtime.gate"]),
    ],
)
def test_the_guard_sees_imports(source: str, expected: list[str]) -> None:
    """What a module of the runtime may import, and what it may not."""
    assert list(wrong_imports("runtime", source)) == expected


def test_the_guard_sees_long_functions() -> None:
    """Seventy lines of body are allowed, in a method and in a nested function too."""
    body = "\n".join(["        pass"] * MAX_FUNCTION_LINES)
    source = f"class A:\n    async def step(\n        self,\n    ):\n{body}\n"
    assert list(long_functions(source)) == []
    assert list(long_functions(f"{source}        pass\n")) == ["step has 71 lines"]
