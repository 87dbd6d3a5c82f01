"""`roomhost check`: what it says, and that nothing of it starts a host."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner, Result

from roomhost.admin.check_command import check
from roomhost.admin.check_machine import check_directory_of
from roomhost.admin.check_migrations import check_migrations
from roomhost.admin.finding import ok, warning
from roomhost.bindings import App
from roomhost.runtime import DurableObject
from roomhost.runtime.plan import Action, Plan, Step
from roomhost.runtime.settings import make_settings
from roomhost.runtime.testing import host_for
from roomhost.storage import Catalogue, DataDirectory

from ..helpers.certificates import make_certificates

APP = """
from roomhost.bindings import App
from roomhost.runtime import DurableObject
class Counter(DurableObject):
    def __init__(self, *arguments): raise AssertionError("an object was made")
app = App(name="demo", bindings={"COUNTER": Counter})
"""


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with an application; no setting is in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("ROOMHOST_"):
            monkeypatch.delenv(name)
    (tmp_path / "checked_app.py").write_text(APP)
    return tmp_path


def run(*arguments: str, **environment: str) -> Result:
    """The command, on a free port."""
    return CliRunner().invoke(check, ["--port", "0", *arguments], env=environment)


def listed(result: Result) -> list[tuple[str, str, str]]:
    """Its findings: level, topic, message."""
    found = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
    return [(level, *rest.split(": ", 1)) for level, rest in found]  # type: ignore[misc]


def test_a_good_host_is_said_to_be_one(directory: Path) -> None:
    """A line each, and status 0; nothing is made, no object is."""
    result = run("checked_app:app")
    assert result.exit_code == 0, result.output
    assert listed(result) == [
        ("ok", "port", "0 (the flag --port)"),
        ("ok", "api_keys", "none: to have one, set api_keys_file"),
        ("ok", "token_secrets", "none: one is kept in the data directory"),
        ("ok", "tls", "none: a proxy may end it"),
        ("ok", "data_dir", f"{directory / 'state'} is made when the host starts"),
        ("ok", "host", "127.0.0.1:0 is free"),
        ("ok", "application", "demo from checked_app:app, with the objects COUNTER"),
        ("ok", "migrations", "planned when the host has opened the directory for the first time"),
    ]
    assert not (directory / "state").exists()


def test_where_each_value_comes_from_is_said(directory: Path) -> None:
    """A flag, a variable, the file, a file of secrets; no secret is."""
    (directory / "roomhost.toml").write_text(
        'log_level = "debug"\ntoken_secrets = ["k:hidden-1"]\n'
    )
    (directory / "roomhost.toml").chmod(0o644)
    (directory / "keys").write_text(
        "hidden-2-which-is-long-enough\nhidden-3-which-is-long-enough\n"
    )
    (directory / "keys").chmod(0o600)
    result = run(
        "--public-url", "https://a.example", ROOMHOST_API_KEYS_FILE="keys", ROOMHOST_HOST="::1"
    )
    found = listed(result)
    assert result.exit_code == 0
    assert ("ok", "public_url", "https://a.example (the flag --public-url)") in found
    assert ("ok", "host", "::1 (the variable ROOMHOST_HOST)") in found
    assert ("ok", "log_level", "debug (roomhost.toml)") in found
    assert ("ok", "api_keys", "2 in keys") in found
    assert ("ok", "token_secrets", "1 (roomhost.toml)") in found
    assert [(level, topic) for level, topic, _ in found if level == "warning"] == [
        ("warning", "roomhost.toml")
    ]
    assert "hidden" not in result.output


@pytest.mark.parametrize(
    ("arguments", "environment", "topic", "message"),
    [
        (["--host", "192.0.2.77"], {}, "host", "cannot listen on 192.0.2.77"),
        ([], {"ROOMHOST_PORTT": "1"}, "settings", "ROOMHOST_PORTT is unknown"),
        ([], {"ROOMHOST_MAX_HEADERS": "1"}, "max_headers", "from 16 to 65536, not 1 (the variable"),
        ([], {"ROOMHOST_TOKEN_SECRETS": "hidden"}, "settings", "entry 1 is not kid:secret"),
        (["--api-keys-file", "none"], {}, "settings", "none cannot be read"),
        (["--ssl-certfile", "x"], {}, "settings", "ssl_keyfile: needed beside ssl_certfile"),
        (["--ssl-certfile", "x", "--ssl-keyfile", "y"], {}, "ssl_certfile", "x cannot be read"),
        (["--data-dir", "checked_app.py"], {}, "data_dir", "is no directory"),
        (["--data-dir", "other"], {}, "data_dir", "is no roomhost data directory"),
        (["--data-dir", "newer"], {}, "data_dir", "has format 99"),
        (["--data-dir", "damaged"], {}, "token_secrets", "is damaged"),
        (["nonsense"], {}, "application", "'nonsense' is not MODULE:APP"),
        (["absent:app"], {}, "application", "cannot import absent"),
        (["checked_app:Counter"], {}, "application", "is no roomhost App"),
        (["wrong:app"], {}, "application", "SyntaxError: "),
        (["raises:app"], {}, "application", "ZeroDivisionError: division by zero ("),
        (["unbound:app"], {}, "application", "cannot be bound: KeyError: 'DATABASE'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_wrong_is_an_error_with_status_2(
    directory: Path, arguments: list[str], environment: dict[str, str], topic: str, message: str
) -> None:
    """In one line, with the file and the line where it is code; no secret is shown."""
    (directory / "other").mkdir()
    (directory / "other" / "photo").touch()
    for name, number in (("newer", 99), ("damaged", 2)):
        (directory / name).mkdir(0o700)
        (directory / name / "FORMAT").write_text(json.dumps({"format": number}))
    (directory / "damaged" / "token_secrets").write_text("k:hidden")
    (directory / "wrong.py").write_text("x = 1\ndef broken(:\n")
    (directory / "raises.py").write_text("x = 1\n1 / 0\n")
    (directory / "unbound.py").write_text(
        APP + "class Bad(App):\n    def make_env(self, host): return {}['DATABASE']\n"
        "app = Bad(name='demo', bindings={})\n"
    )
    result = run(*arguments, **environment)
    errors = [(topic, text) for level, topic, text in listed(result) if level == "error"]
    assert result.exit_code == 2
    assert [topic for topic, _ in errors] == [topic]
    assert message in errors[0][1]
    assert "hidden" not in result.output
    if topic == "application" and "(" in message:
        assert "raises.py, line 2)" in errors[0][1]


def test_every_error_of_the_settings_is_said_at_once() -> None:
    """So that one need not mend one to hear of the next; the application is looked at too."""
    result = run("absent:app", ROOMHOST_LOG_LEVEL="loud", ROOMHOST_INSPECTOR="maybe")
    errors = [topic for level, topic, _ in listed(result) if level == "error"]
    assert errors == ["log_level", "inspector", "application"]


def test_what_becomes_of_stored_objects_is_said(directory: Path) -> None:
    """Those of a class that is gone are an error with its cure, also when it is asked again."""
    filled = App(name="demo", bindings={"COUNTER": Tally})
    anyio.run(fill, filled, directory / "state")
    (directory / "gone_app.py").write_text(APP.replace("COUNTER", "OTHER"))
    for _ in range(2):
        result = run("gone_app:app")
        assert result.exit_code == 2
        assert "error   migrations: " in result.stdout
        assert "add Migration(" in result.stdout
    held = DataDirectory.open(directory / "state")
    assert "roomhost deploy --dry-run" in run("gone_app:app").stdout
    held.close()


def test_what_a_migration_deletes_is_a_warning(directory: Path) -> None:
    """What it makes is not; an application that changes nothing has one line."""
    app = Planned(name="demo", bindings={})
    anyio.run(fill, App(name="demo", bindings={"COUNTER": Tally}), directory / "state")
    app.steps = (
        Step(Action.NEW, "Counter", "Counter is new"),
        Step(Action.DELETED, "Old", "the 3 objects of Old are deleted", 3),
    )
    assert check_migrations(app, "state", held=False) == [
        ok("migrations", "Counter is new"),
        warning("migrations", "the 3 objects of Old are deleted"),
    ]
    app.steps = ()
    assert check_migrations(app, "state", held=False) == [
        ok("migrations", "none: every stored object has its class")
    ]


class Planned(App):
    """Its plan is what the test says."""

    steps: tuple[Step, ...] = ()

    def plan(self, recorded: Catalogue, count: Callable[[int], int], at_ms: int) -> Plan:
        """Nothing is recorded anew."""
        assert [record.name for record in recorded.namespaces] == ["COUNTER"]
        assert count(recorded.namespaces[0].number) == 1
        return Plan(recorded, {}, self.steps)


class Tally(DurableObject):
    """Has something stored."""

    async def put(self) -> None:
        """Store it."""
        self.ctx.storage.put("n", 1)


async def fill(app: App, path: Path) -> None:
    """One object of a directory."""
    async with host_for(app, data_dir=path) as host:
        await host.env.COUNTER.get_by_name("a").put()


def test_programs_get_json() -> None:
    """The same findings, and whether all is well."""
    good = json.loads(run("--json").stdout)
    assert good["ok"] is True
    assert {"level": "ok", "topic": "host", "message": "127.0.0.1:0 is free"} in good["findings"]
    result = run("--json", "nonsense")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["ok"] is False


def test_tls_that_is_good_is_said_to_be(directory: Path) -> None:
    """Its key is asked to be kept from others."""
    files = make_certificates(directory).settings
    Path(files["ssl_keyfile"]).chmod(0o644)
    result = run("--ssl-certfile", files["ssl_certfile"], "--ssl-keyfile", files["ssl_keyfile"])
    found = {topic: (level, message) for level, topic, message in listed(result)}
    assert result.exit_code == 0
    assert found["tls"][0] == "ok"
    assert found["ssl_keyfile"][0] == "warning"


def test_a_directory_that_is_held_is_a_warning_and_so_is_its_address(directory: Path) -> None:
    """It says by whom: a host that runs is what one checks the next deployment beside."""
    held = DataDirectory.open(directory / "state")
    held.path.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("--port", str(taken.getsockname()[1]))
    held.close()
    levels = [(level, topic, message) for level, topic, message in listed(result)]
    warnings = [(topic, message) for level, topic, message in levels if level == "warning"]
    assert result.exit_code == 0
    assert [topic for topic, _ in warnings] == ["data_dir", "data_dir", "host"]
    assert "chmod 700" in warnings[0][1]
    assert f"is held by process {os.getpid()}" in warnings[1][1]
    assert "by the host that runs?" in warnings[2][1]
    assert run().exit_code == 0


def test_an_address_that_is_taken_is_an_error() -> None:
    """When no host of the directory runs."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("--port", str(taken.getsockname()[1]))
    assert result.exit_code == 2
    assert "error   host: cannot listen on 127.0.0.1" in result.stdout


def test_a_directory_of_somebody_else_is_an_error(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that this user may not write, and one that could not be made."""
    (directory / "mine").mkdir()
    monkeypatch.setattr(os, "access", refuse_access)
    for path, message in (("mine", "this user may not write there"), ("a/b", "cannot be made")):
        _, found = check_directory_of(make_settings({"data_dir": path}))
        assert [(level, topic) for level, topic, _ in found] == [("error", "data_dir")]
        assert message in found[0].message


def refuse_access(*_: Any) -> bool:
    """As for a user without rights, which whoever runs the tests may not be."""
    return False
