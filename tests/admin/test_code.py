"""An application's code, imported anew in this process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from roomhost.admin.code import import_anew
from roomhost.runtime import HostError

APPLICATION = """
from roomhost.bindings import App
from {package}.helper import NUMBER
app = App(name="number", bindings={{}}, vars={{"NUMBER": NUMBER}})
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of two modules in the working directory, which nothing of this process knows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    directory = tmp_path / "anew_package"
    directory.mkdir()
    (directory / "__init__.py").touch()
    (directory / "main.py").write_text(APPLICATION.format(package="anew_package"))
    (directory / "helper.py").write_text("NUMBER = 1\n")
    yield directory
    for name in list(sys.modules):
        if name.startswith("anew_package"):
            del sys.modules[name]


def number() -> int:
    """What the code on the disk says."""
    app = import_anew("anew_package.main:app").app
    return int(app.vars["NUMBER"])  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def test_what_a_module_imports_is_new_too(package: Path) -> None:
    """However quickly it was changed: nothing of the size or the second differs. What is installed
    stays."""
    kept = {name: module for name, module in sys.modules.items() if "anew" not in name}
    for expected in range(1, 6):
        (package / "helper.py").write_text(f"NUMBER = {expected}\n")
        assert number() == expected
    assert all(sys.modules.get(name) is module for name, module in kept.items())


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("NUMBER = (\n", r"SyntaxError: '\(' was never closed \(.*helper.py, line 1\)"),
        ("\nNUMBER = 1 / 0\n", r"ZeroDivisionError: division by zero \(.*helper.py, line 2\)"),
        (
            "raise ImportError('no such thing')",
            r"ImportError: no such thing \(.*helper.py, line 1\)",
        ),
        ("import missing_module_x", r"cannot import anew_package.main: No module named 'missing"),
    ],
)
def test_code_that_cannot_be_imported_says_where_and_changes_nothing(
    package: Path, code: str, message: str
) -> None:
    """The modules are those that were there."""
    assert number() == 1
    before = {name: module for name, module in sys.modules.items() if "anew" in name}
    (package / "helper.py").write_text(code)
    with pytest.raises(HostError, match=message):
        number()
    assert {name: module for name, module in sys.modules.items() if "anew" in name} == before
    (package / "helper.py").write_text("NUMBER = 2\n")
    assert number() == 2


def test_code_that_does_not_come_to_run_leaves_no_trace(package: Path) -> None:
    """What runs finds the modules that it came from."""
    assert number() == 1
    before = {name: module for name, module in sys.modules.items() if "anew" in name}
    (package / "helper.py").write_text("NUMBER = 2\n")
    import_anew("anew_package.main:app").restore()
    assert {name: module for name, module in sys.modules.items() if "anew" in name} == before


def test_what_names_no_application_is_refused(package: Path) -> None:
    """As `roomhost serve` would."""
    for reference in ("anew_package.main", "anew_package.main:other", "anew_package.none:app"):
        with pytest.raises(HostError, match=r"is not MODULE:APP|no roomhost App|cannot import"):
            import_anew(reference)
