"""`roomhost backup`, `restore`, `compact` and `doctor`, as sessions on a terminal."""

from __future__ import annotations

import io
import json
import os
import pty
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from roomhost.runtime import commands
from roomhost.storage import DataDirectory

from ..helpers.doc_console import matches, plain, read_steps
from ..helpers.host_process import COMMAND
from ..storage.states import damage, make_state

SESSION = """
$ roomhost doctor
ok       .../state is for this user alone
ok       its format is 2
ok       every page of the map is sound
ok       3 objects, 9 entries and 1 alarm agree with one another
note     1 alarm is due, the first since ... s
         they run when the host is started
ok       the commit log has nothing that the map lacks
ok       the map has ... bytes, ... of them in use; the disk has ... free
roomhost: 1 note
$ roomhost backup backups/monday
applying
copying ... bytes
verifying
finishing
roomhost: 3 objects, 9 entries and 1 alarm in backups/monday, ... bytes, verified
$ roomhost backup backups/monday
...
roomhost: .../backups/monday is there already: name a new directory
[2]
$ roomhost backup nowhere/monday
...
roomhost: .../nowhere does not exist: make it, or name another place
[2]
$ roomhost restore backups/monday
checking ... bytes
roomhost: the data directory .../state is not empty: name another one, or give --force, which moves...
[2]
$ roomhost restore backups/monday --force
checking ... bytes
copying ... bytes
...
roomhost: 3 objects restored to .../state, as of 20...
roomhost: what was there is in .../state/replaced-20...
$ roomhost restore backups/monday --data-dir other --json
...
{"data_dir":".../other","made_at":"20...","objects":3,"bytes":...,"replaced":null}
$ roomhost restore state
roomhost: state is no backup: it has no backup.json that can be read (...); name a directory that...
[2]
$ roomhost serve tests.helpers.ledger_app:app --data-dir backups/monday
roomhost: .../backups/monday is a backup: `roomhost restore` makes a data directory of it
[2]
$ roomhost compact
copying ... bytes
verifying
finishing
roomhost: the map had ... bytes and has ...
$ roomhost compact --data-dir other --json
...
{"before":...,"after":...}
$ roomhost compact --data-dir nowhere
roomhost: there is no data directory at nowhere: name it by --data-dir
[2]
$ roomhost doctor tests.helpers.ledger_app:app --data-dir other
...
warning  3 objects of ROOM without a class in the application
         say in its migrations what became of the class, or deploy the code that has it
...
roomhost: 1 warning, 1 note
$ roomhost doctor --data-dir nowhere
error    .../nowhere is no directory
         name the data directory of a host (--data-dir), or start one: it makes it
roomhost: 1 error
[2]
"""


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory: with a data directory, and one for backups."""
    make_state(tmp_path / "state")
    (tmp_path / "backups").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(
    command: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> tuple[str, str, int]:
    """Standard output, standard error and exit status of a command, in this process."""
    monkeypatch.setattr(sys, "argv", shlex.split(command))
    with pytest.raises(SystemExit) as ended:
        commands.main()
    printed = capfd.readouterr()
    assert isinstance(ended.value.code, int)
    return printed.out, printed.err, ended.value.code


def test_a_session(
    work: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each command says what it did; each mistake is a line with a cure, and status 2."""
    for step in read_steps(SESSION.strip()):
        assert step.command is not None
        out, err, status = run(step.command, monkeypatch, capfd)
        said = err + out + (f"[{status}]\n" if status else "")
        assert matches(step.expected, said), f"$ {step.command}\n{plain(said)}"


def test_a_doctor_of_errors_says_so_in_its_status(
    work: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """For programs too; a warning alone is no failure."""
    (work / "state").chmod(0o755)
    _, _, status = run("roomhost doctor", monkeypatch, capfd)
    assert status == 0
    damage(work / "state", lambda put, _: put("alarms", bytes(16), b""))
    out, _, status = run("roomhost doctor --json", monkeypatch, capfd)
    told = json.loads(out)
    assert status == 2
    assert told["data_dir"] == str(work / "state")
    levels = [found["level"] for found in told["findings"]]
    assert "warning" in levels
    assert "error" in levels
    assert {frozenset(found) for found in told["findings"]} == {
        frozenset(("level", "what", "cure"))
    }


@pytest.mark.parametrize(
    "command", ["compact", "restore backups/monday --force", "backup backups/tuesday"]
)
def test_a_directory_that_is_held_is_refused(
    work: Path, command: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Who holds it is named."""
    run("roomhost backup backups/monday", monkeypatch, capfd)
    held = DataDirectory.open(work / "state")
    _, err, status = run(f"roomhost {command}", monkeypatch, capfd)
    held.close()
    assert status == 2
    assert f"is held by process {os.getpid()} on" in err.splitlines()[-1]


class Terminal(io.StringIO):
    """A stream of a terminal, as a program sees it."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_whoever_says_no_has_changed_nothing(
    work: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """On a terminal somebody is asked; not with --yes."""
    run("roomhost backup backups/monday", monkeypatch, capfd)
    before = sorted(work.rglob("*"))
    with monkeypatch.context() as terminal:
        terminal.setattr(sys, "stdin", Terminal("n\n"))
        terminal.setattr(sys, "stderr", Terminal())
        _, _, status = run("roomhost restore backups/monday --force", monkeypatch, capfd)
        assert status == 130
        assert sorted(work.rglob("*")) == before
        _, _, status = run("roomhost restore backups/monday --force --yes", monkeypatch, capfd)
        assert status == 0


def test_on_a_terminal_there_is_a_question_and_a_bar(
    work: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A real one; the question says what will be."""
    run("roomhost backup backups/monday", monkeypatch, capfd)
    said, status = on_terminal(work, "restore backups/monday --force", "y\n")
    assert status == 0
    assert f"Make {work / 'state'} what it was at 20" in said
    assert "copying" in said
    assert "━" in said
    assert "3 objects restored" in said


def on_terminal(work: Path, command: str, answer: str) -> tuple[str, int]:
    """What a terminal shows of a command, to which `answer` is typed; its exit status."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "120"}
    child = subprocess.Popen(
        [str(COMMAND), *shlex.split(command)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=work,
        env=environment,
    )
    os.close(theirs)
    os.write(ours, answer.encode())
    said = b""
    try:
        while data := os.read(ours, 65_536):
            said += data
    except OSError:
        pass  # the end of a terminal nobody has open any more
    os.close(ours)
    return said.decode(errors="replace"), child.wait()
