"""Data directories with something in them, and what is in one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from roomhost.storage import UNCHANGED, Batch, DataDirectory, ObjectRecord, Partition

NAMESPACE = "ROOM"
SECRETS = "token_secrets"
Put = Callable[[str, bytes, bytes], None]
Delete = Callable[[str, bytes], None]
State = dict[int, tuple[dict[bytes, bytes], int | None]]


def record(number: int) -> ObjectRecord:
    """Who the object of a number is."""
    return ObjectRecord(1, b"%032d" % number, f"name-{number}")


def put(partition: Partition, batch: Batch) -> None:
    """Commit a batch."""
    heard = threading.Event()
    errors: list[Any] = []

    def done(error: object) -> None:
        errors.append(error)
        heard.set()

    partition.submit(batch, done)
    assert heard.wait(20)
    assert errors == [None]


def open_partition(directory: DataDirectory, **options: Any) -> Partition:
    """The partition of a directory; answers come in the writer's thread."""
    options = {"sync": False, "map_bytes": 1 << 20, **options}
    return Partition.open(directory.partition, deliver=lambda answer: answer(), **options)


def make_state(path: Path, numbers: Iterable[int] = range(1, 4), *, mark: bytes = b"one") -> Path:
    """A directory that no host serves, with some objects; `mark` is in each of them."""
    directory = DataDirectory.open(path)
    (path / SECRETS).write_text(f"k1:{'s' * 40}\n")
    (path / SECRETS).chmod(0o600)
    partition = open_partition(directory)
    partition.namespace(NAMESPACE, "key")
    for number in numbers:
        writes: dict[bytes, bytes | None] = {b"mark": mark, b"p" * 600: b"long", b"v": bytes(5_000)}
        due = UNCHANGED if number % 2 else 1_000 + number
        put(partition, Batch(number, record(number), True, writes, due))
    partition.close()
    directory.close()
    return path


def read_state(path: Path, numbers: Iterable[int] = range(1, 4)) -> State:
    """What a host would find there: entries and alarm of each object."""
    directory = DataDirectory.open(path)
    partition = open_partition(directory)
    alarms = {number: due for due, number in partition.alarms.due(2**62, limit=10_000)}
    found: State = {
        number: (dict(partition.store(number).scan(None, None)), alarms.get(number))
        for number in numbers
    }
    partition.abandon()
    directory.close()
    return found


def back_up_options() -> dict[str, Any]:
    """What every backup of a test is given."""
    return {"version": "1.2.3", "made_at": "2026-11-27T12:00:00+00:00", "files": (SECRETS,)}


def damage(path: Path, change: Callable[[Put, Delete], object]) -> None:
    """Change rows of a map past everything that keeps them together."""
    directory = DataDirectory.open(path)
    partition = open_partition(directory)
    environment = partition._environment

    def put_row(table: str, key: bytes, value: bytes) -> None:
        environment.write(lambda t: t.put(key, value, db=environment._tables[table]))

    def delete_row(table: str, key: bytes) -> None:
        environment.write(lambda t: t.delete(key, db=environment._tables[table]))

    change(put_row, delete_row)
    partition.close()
    directory.close()
