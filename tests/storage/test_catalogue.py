"""What is recorded of the sets of objects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from roomhost.storage import (
    AppliedTag,
    Catalogue,
    Move,
    NamespaceRecord,
    NamespaceState,
    StorageError,
)
from roomhost.storage.catalogue import CatalogueTable
from roomhost.storage.environment import Environment
from roomhost.storage.messagepack import pack

MAP_BYTES = 1 << 24


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    """An empty one."""
    environment = Environment(tmp_path / "partition", MAP_BYTES, sync=False)
    yield environment
    environment.close()


BEFORE = Catalogue((NamespaceRecord(1, "COUNTER", "demo/COUNTER", "demo", "Counter"),))
AFTER = Catalogue(
    (
        NamespaceRecord(1, "TALLY", "demo/COUNTER", "demo", "Tally"),
        NamespaceRecord(2, "COUNTER", "demo/2", "demo", "Counter", NamespaceState.PARKED, "v0"),
    ),
    (
        AppliedTag("demo", "v0", 4, "", ("Old",)),
        AppliedTag(
            "demo", "v1", 5, "says", (), (("A", "B"),), (Move(1, "x", "Counter", "v"),), True
        ),
    ),
)


def test_it_is_read_as_it_was_written(environment: Environment) -> None:
    """Names that went, and came back, included."""
    table = CatalogueTable(environment)
    assert table.read() == Catalogue()
    for catalogue in (BEFORE, AFTER, BEFORE):
        table.write(catalogue)
        assert table.read() == catalogue
    assert AFTER.next_number() == 3


def test_what_an_older_version_wrote_says_nothing_of_classes(environment: Environment) -> None:
    """And what is written is read by it."""
    table = CatalogueTable(environment)
    environment.write(
        lambda transaction: environment.cursor(transaction, "namespaces").put(
            b"ROOM", pack((3, "demo/ROOM"))
        )
    )
    assert table.read() == Catalogue((NamespaceRecord(3, "ROOM", "demo/ROOM"),))
    table.write(BEFORE)
    assert environment.get("namespaces", b"COUNTER") == pack((1, "demo/COUNTER"))
    assert environment.get("namespaces", b"ROOM") is None


def test_a_write_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    """Not half of it: it is one transaction."""
    environment = Environment(tmp_path / "small", 1 << 16, sync=False, max_map_bytes=1 << 16)
    table = CatalogueTable(environment)
    table.write(BEFORE)
    too_much = Catalogue(
        (NamespaceRecord(1, "OTHER", "x"),), (AppliedTag("demo", "v", 1, "x" * 100_000),)
    )
    with pytest.raises(StorageError, match="limit of 65536 bytes"):
        table.write(too_much)
    assert table.read() == BEFORE
    environment.close()
