"""What a doctor finds, and that it changes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from roomhost.storage import Batch, DataDirectory
from roomhost.storage.compaction import DRAFT
from roomhost.storage.data_directory import FORMAT_FILE, PARTITION, RESTORE_DRAFT
from roomhost.storage.doctor import Circumstances, examine
from roomhost.storage.finding import Finding, Level
from roomhost.storage.map_reader import DATA_FILE

from .states import SECRETS, damage, make_state, open_partition, put

NOW_MS = 900
TOLD = Circumstances(
    now_ms=NOW_MS, secret_files=(SECRETS,), drafts=("token_secrets.draft",), socket="admin.sock"
)
EXAMINE = """
import sys
from pathlib import Path
from roomhost.storage.doctor import Circumstances, examine
for found in examine(Path(sys.argv[1]), Circumstances(now_ms=int(sys.argv[2]))):
    print(found.level.value, found.what)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound directory, to be copied before use."""
    return make_state(tmp_path_factory.mktemp("made") / "state")


@pytest.fixture
def state(made: Path, tmp_path: Path) -> Path:
    """A sound directory."""
    shutil.copytree(made, tmp_path / "state")
    return tmp_path / "state"


def snapshot(path: Path) -> dict[str, tuple[int, int, bytes]]:
    """All that is in a directory."""
    return {
        str(entry): (
            entry.stat().st_mode,
            entry.stat().st_mtime_ns,
            entry.read_bytes() if entry.is_file() else b"",
        )
        for entry in path.rglob("*")
    }


def worst(findings: list[Finding]) -> Level:
    """The level that matters most."""
    return max((found.level for found in findings), key=list(Level).index)


def test_a_sound_directory_is_fine(state: Path) -> None:
    """Each line says what was looked at, and nothing is changed."""
    before = snapshot(state)
    findings = examine(state, TOLD)
    assert {found.level for found in findings} == {Level.FINE}
    assert "3 objects, 9 entries and 1 alarm agree with one another" in [f.what for f in findings]
    assert snapshot(state) == before


def zero_leaf(state: Path) -> None:
    """A page of entries is lost."""
    file = state / PARTITION / DATA_FILE
    data = bytearray(file.read_bytes())
    for page in range(2, len(data) // 4_096):
        data[page * 4_096 : (page + 1) * 4_096] = bytes(4_096)
    file.write_bytes(data)


def lose_objects(state: Path) -> None:
    """A row is missing."""
    damage(state, lambda put_row, _: put_row("alarms", bytes(16), b""))


def log_alone(state: Path) -> None:
    """A host was killed before LMDB had what it acknowledged."""
    directory = DataDirectory.open(state)
    partition = open_partition(directory, apply_delay_seconds=None)
    put(partition, Batch(1, None, False, {b"more": b"1"}, None))
    put(partition, Batch(1, None, False, {b"more": b"2"}, None))
    partition.abandon()
    directory.close()


def damage_log(state: Path) -> None:
    """The first of two acknowledged groups cannot be read."""
    log_alone(state)
    for path in (state / PARTITION).glob("log-*"):
        data = bytearray(path.read_bytes())
        at = data.find(b"\xc4\x04more\xc4\x011")
        if at >= 0:
            data[at + 3] ^= 1
            path.write_bytes(data)


def write(name: str, text: str = "") -> Callable[[Path], None]:
    """A file more, or another."""

    def written(state: Path) -> None:
        (state / name).write_text(text)

    return written


@pytest.mark.parametrize(
    ("change", "level", "says", "cure"),
    [
        pytest.param(
            lambda s: s.chmod(0o755), Level.WARNING, "others may look into", "chmod 700", id="mode"
        ),
        pytest.param(
            lambda s: (s / SECRETS).chmod(0o640),
            Level.WARNING,
            "others may read the secrets",
            "chmod 600",
            id="secrets",
        ),
        pytest.param(
            write(FORMAT_FILE, '{"format": 1}'), Level.NOTE, "format is 1", "raises it", id="older"
        ),
        pytest.param(
            write(FORMAT_FILE, '{"format": 3}'),
            Level.ERROR,
            "format is 3, this roomhost reads 2",
            "use the version that wrote it",
            id="newer",
        ),
        pytest.param(
            write(FORMAT_FILE, "?"), Level.ERROR, "of an unknown kind", "use the", id="no format"
        ),
        pytest.param(
            lambda s: (s / FORMAT_FILE).unlink(),
            Level.ERROR,
            "no roomhost data directory, or it is damaged",
            "name another",
            id="without format",
        ),
        pytest.param(
            write("FORMAT.draft"), Level.NOTE, "FORMAT.draft was left", "nothing", id="draft"
        ),
        pytest.param(
            write("admin.sock"), Level.NOTE, "admin.sock was left", "nothing", id="socket"
        ),
        pytest.param(
            lambda s: (s / PARTITION / DRAFT).mkdir(),
            Level.NOTE,
            "compact.partial was left",
            "compaction",
            id="compaction",
        ),
        pytest.param(
            lambda s: (s / RESTORE_DRAFT).mkdir(),
            Level.NOTE,
            "what was there before is in place",
            "restore again",
            id="restore that changed nothing",
        ),
        pytest.param(
            lambda s: ((s / RESTORE_DRAFT).mkdir(), (s / FORMAT_FILE).unlink()),
            Level.ERROR,
            "no host opens it",
            "run `roomhost restore` again",
            id="half a restore",
        ),
        pytest.param(
            lambda s: (s / "replaced-x").mkdir(), Level.NOTE, "before a restore", "delete", id="old"
        ),
        pytest.param(
            lambda s: shutil.rmtree(s / PARTITION), Level.NOTE, "nothing is stored", "", id="new"
        ),
        pytest.param(
            lambda s: (s / PARTITION / DATA_FILE).unlink(),
            Level.ERROR,
            "has no data.mdb",
            "restore a backup",
            id="no map",
        ),
        pytest.param(
            zero_leaf, Level.ERROR, "the map is damaged", "restore a backup", id="damaged pages"
        ),
        pytest.param(
            lose_objects, Level.ERROR, "2 alarms are in order", "restore a backup", id="rows"
        ),
        pytest.param(log_alone, Level.NOTE, "2 groups of writes are", "start the host", id="log"),
        pytest.param(
            damage_log, Level.ERROR, "the commit log is damaged", "restore a backup", id="bad log"
        ),
    ],
)
def test_what_is_found_is_told_with_what_to_do(
    state: Path, change: Callable[[Path], object], level: Level, says: str, cure: str
) -> None:
    """At its level, and nothing else is worse; nothing is changed."""
    change(state)
    before = snapshot(state)
    findings = examine(state, TOLD)
    (found,) = [found for found in findings if says in found.what][:1]
    assert found.level is level
    assert cure in found.cure
    assert worst(findings) is level
    assert all("\n" not in found.what + found.cure for found in findings)
    assert snapshot(state) == before


@pytest.mark.parametrize("name", ["missing", "empty", "file"])
def test_what_is_no_data_directory_is_told(tmp_path: Path, name: str) -> None:
    """An empty one is a beginning."""
    (tmp_path / "empty").mkdir(mode=0o700)
    (tmp_path / "file").touch()
    (found,) = [f for f in examine(tmp_path / name, TOLD) if f.level is not Level.FINE]
    assert found.level is (Level.NOTE if name == "empty" else Level.ERROR)


def test_objects_without_a_class_are_told_where_the_application_is_known(state: Path) -> None:
    """By the names of its namespaces."""

    def level(*declared: str) -> Level:
        return worst(examine(state, Circumstances(now_ms=NOW_MS, declared=declared)))

    assert level("OTHER") is Level.WARNING
    assert level("OTHER", "ROOM") is Level.FINE


def test_a_directory_that_is_served_is_looked_at_beside_its_host(state: Path) -> None:
    """Who holds it is said, an alarm that should have run too; and what cannot be verified."""
    directory = DataDirectory.open(state)
    partition = open_partition(directory)
    (state / "FORMAT.draft").touch()  # not left over: something is at it
    command = [sys.executable, "-c", EXAMINE, str(state), str(1_002 + 120_000)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    partition.close()
    directory.close()
    assert f"note it is held by process {os.getpid()} on" in said
    assert "note pages and commit log are a running host's" in said
    assert "warning 1 alarm is due, the first since 120 s" in said
    assert "ok 3 objects, 9 entries and 1 alarm agree" in said
    assert "draft" not in said


def test_no_host_starts_while_a_directory_is_looked_at(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is verified stays as it is; another doctor may look."""
    refused: list[str] = []

    def try_to_open(*_: object, **__: object) -> list[Finding]:
        try:
            DataDirectory.open(state).close()
        except Exception as error:
            refused.append(str(error))
        return []

    monkeypatch.setattr("roomhost.storage.doctor.check_map", try_to_open)
    examine(state, TOLD)
    assert len(refused) == 1
    assert "is held by" in refused[0]
    DataDirectory.open(state).close()
