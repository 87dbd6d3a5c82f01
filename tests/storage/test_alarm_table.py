"""The alarms of a partition."""

from __future__ import annotations

from pathlib import Path

from roomhost.storage import AlarmTable, Batch, ObjectStore
from roomhost.storage.environment import Environment


def test_alarms_stand_in_the_order_they_are_due(tmp_path: Path) -> None:
    """Set, moved and deleted; a position is passed over."""
    environment = Environment(tmp_path / "partition", 1 << 20)
    table = AlarmTable(environment)
    dues: dict[int, int | None] = {1: 300, 2: 100, 3: 200, 4: 100}
    environment.apply([Batch(number, None, False, {}, due) for number, due in dues.items()])
    assert table.due(200, limit=9) == [(100, 2), (100, 4), (200, 3)]
    assert table.due(200, after=(100, 2), limit=1) == [(100, 4)]
    assert table.first() == (100, 2)
    environment.apply([Batch(2, None, False, {}, 400), Batch(4, None, False, {}, None)])
    assert table.due(999, limit=9) == [(200, 3), (300, 1), (400, 2)]
    assert table.first(after=(400, 2)) is None
    assert ObjectStore(environment, 2).alarm() == 400
    assert ObjectStore(environment, 4).alarm() is None
    environment.close()
