"""Maps that are read, and copied, by who does not write them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from roomhost.storage import Batch, DataDirectory, DataDirectoryError, Partition
from roomhost.storage.data_directory import PARTITION
from roomhost.storage.map_reader import DATA_FILE, MapReader

from .states import make_state, open_partition, put

# Reads in a snapshot until it is killed.
READER = """
import sys
from pathlib import Path
from roomhost.storage.map_reader import MapReader
with MapReader(Path(sys.argv[1]), shared=True).reading() as (transaction, tables):
    print(transaction.stat(tables["entries"])["entries"], flush=True)
    for line in sys.stdin:
        print(transaction.stat(tables["entries"])["entries"], flush=True)
"""


@contextmanager
def reading(partition: Path) -> Generator[subprocess.Popen[str]]:
    """Another process that reads a map."""
    command = [sys.executable, "-c", READER, str(partition)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        yield child
        child.kill()


def test_a_copy_has_what_is_stored_and_no_free_pages(tmp_path: Path) -> None:
    """Its size was known before, its checksum is that of the file."""
    state = make_state(tmp_path / "state", range(1, 30))
    directory = DataDirectory.open(state)
    partition = open_partition(directory)
    for number in range(10, 30):
        put(partition, Batch(number, None, True, {}, None))
    partition.close()
    directory.close()
    sizes: list[int] = []
    (tmp_path / "copy").mkdir()
    with MapReader(state / PARTITION, shared=False) as reader:
        figures = reader.figures()
        digest = reader.copy(tmp_path / "copy" / DATA_FILE, sizes.append)
    assert sum(sizes) == figures.live < figures.used
    assert digest == sha256((tmp_path / "copy" / DATA_FILE).read_bytes()).hexdigest()
    with MapReader(tmp_path / "copy", shared=False) as reader:
        copied = reader.figures()
    assert (copied.used, copied.live, copied.map) == (figures.live, figures.live, figures.map)
    assert copied.applied == figures.applied >= 49
    assert [path.name for path in (tmp_path / "copy").iterdir()] == [DATA_FILE]


def test_a_copy_that_is_given_up_ends(tmp_path: Path) -> None:
    """Whoever is told how far it is may raise; LMDB's thread ends with it."""
    state = make_state(tmp_path / "state", range(1, 600))

    def give_up(_: int) -> None:
        raise KeyboardInterrupt

    with MapReader(state / PARTITION, shared=False) as reader:
        with pytest.raises(KeyboardInterrupt):
            reader.copy(tmp_path / "copy", give_up)
        assert reader.figures().live > (tmp_path / "copy").stat().st_size


def test_a_snapshot_of_another_process_holds_up_no_write_and_no_growth(tmp_path: Path) -> None:
    """It sees what was there when it began. Pages that it may read are not used again until it has
    ended, or was killed and that was noticed."""
    state = make_state(tmp_path / "state", [1])
    directory = DataDirectory.open(state)
    partition = open_partition(directory)
    with reading(state / PARTITION) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "3\n"
        grown = rewrite(partition)
        assert partition._environment.map_bytes > 1 << 20
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "3\n"
        assert rewrite(partition) > grown
    partition.forget_readers()
    settled = rewrite(partition)
    assert rewrite(partition) == settled
    partition.close()
    directory.close()


def rewrite(partition: Partition) -> int:
    """Write the same half megabyte in ten commits; the bytes that the map's file uses then."""
    for number in range(10):
        value = bytes([number]) * 50_000
        put(partition, Batch(1, None, False, {b"%d" % k: value for k in range(10)}, None))
        partition.apply_now()
    information = partition._environment._lmdb.info()
    return int(information["last_pgno"])


def test_a_map_does_not_grow_for_a_reader_that_was_killed(tmp_path: Path) -> None:
    """Whoever needs pages looks first whether those are free that it held."""
    directory = DataDirectory.open(make_state(tmp_path / "state", [1]))
    partition = open_partition(directory, map_bytes=8 << 20)
    rewrite(partition)
    with reading(directory.partition) as child:
        assert child.stdout is not None
        child.stdout.readline()
    for _ in range(4):
        rewrite(partition)
    assert partition._environment.map_bytes == 8 << 20
    partition.close()
    directory.close()


@pytest.mark.parametrize("damage", ["missing", "not a map"])
def test_a_map_that_cannot_be_read_is_one_line(tmp_path: Path, damage: str) -> None:
    """It says what to do."""
    if damage == "not a map":
        (tmp_path / DATA_FILE).write_bytes(b"x" * 9_000)
    with pytest.raises(DataDirectoryError, match=r"cannot be read .* restore a backup"):
        MapReader(tmp_path, shared=False)
