"""`python -m benchmarks crdt`: that it runs, not how fast."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import anyio
import pytest

REPOSITORY = Path(__file__).parent.parent
OURS = (("ours", "as a log"), ("ours", "compacted"))


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The package, with one case of each kind; its data in a directory of its own."""
    monkeypatch.syspath_prepend(REPOSITORY)
    monkeypatch.chdir(tmp_path)
    package = importlib.import_module("benchmarks.__main__")
    crdt = package.bench_crdt
    monkeypatch.setattr(crdt, "CASES", ((64, 2),))
    monkeypatch.setattr(crdt, "LOGS", (100_000,))
    monkeypatch.setattr(crdt, "WARM_DOCUMENTS", 1)
    monkeypatch.setattr(crdt.crdt_cold, "STORES", dict.fromkeys(OURS, crdt.crdt_cold.ours))
    absent = crdt.Peer("absent", "/", lambda: "it is not installed", list)
    monkeypatch.setattr(crdt, "PEERS", (crdt.PEERS[0], absent))
    return package


@pytest.mark.timeout(120)
def test_documents_are_measured_over_sockets_and_cold(benchmarks: Any) -> None:
    """Every figure is there, and what cannot be measured is named with the reason."""
    results = anyio.run(benchmarks.bench_crdt.run, 1, 0.01)

    rows = {(row["name"], row["unit"]): row for row in map(benchmarks.fields, results)}
    speed = rows.pop(("ours, 2 reader(s), 64 in flight", "updates/s"))
    assert speed["median"] > 0
    assert "busy" in speed["note"]
    assert rows.pop(("ours, 2 reader(s), 64 in flight, p99", "µs"))["median"] > 0
    assert rows.pop(("ours as a log, cold load of 1,000", "µs"))["median"] > 0
    assert rows.pop(("ours compacted, cold load of 1,000", "µs"))["median"] > 0
    assert rows.pop(("absent", "skipped"))["note"] == "it is not installed"
    assert {unit for _, unit in rows} == {"µs/update", "KiB each"}
    assert "absent (skipped): it is not installed" in benchmarks.table(results)
