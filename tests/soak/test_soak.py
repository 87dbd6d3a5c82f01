"""The long run itself, for seconds: the same code, judged for what must be so in any run."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import limits
from .application import ALARM_MS, CENSUS_TYPES, KEPT_MESSAGES
from .chores import BACKUP, DEPLOY, schedule
from .findings import Findings, logged_errors
from .judges import Mark
from .plan import Lines, Places, Plan, read_lines, write_plan
from .run import run
from .verdict import correctness, judge_files, table

SMOKE = Plan(
    minutes=8 / 60,
    sockets=60,
    rooms=12,
    rate=100,
    sample_seconds=1.0,
    backup_seconds=5.0,
    deploys=1,
    active_seconds=2.0,
    counters=5,
    tickers=5,
    alarm_ms=1_000,
)
# What the machine decides, and not the host, in a run of seconds.
OF_THE_MACHINE = ("samples", "check: tickers", "evictions_total")


@pytest.mark.timeout(240)
def test_a_run_of_seconds_loses_nothing(tmp_path: Path) -> None:
    """Messages exactly once, counters, documents, presence; a backup and a deploy; the doctor's word;
    every figure was sampled. Nothing is said of times."""
    places = Places(tmp_path / "soak", earlier=False)
    run(places, SMOKE, lambda _: None)
    found = Findings(places)
    wrong = [
        judged
        for judged in correctness(found)
        if judged.mark is not Mark.GOOD and judged.what not in OF_THE_MACHINE
    ]
    assert wrong == []
    tickers = found.checks("tickers")
    assert tickers is not None
    assert [complaint for complaint in tickers if "were due" not in complaint] == []
    assert "missing" not in {name for line in found.all_host for name in line}
    verdict = judge_files(places)
    assert verdict.facts["backups"] == verdict.facts["deploys"] == 1
    assert places.verdict.exists()
    assert places.report.read_text() == table(verdict)


def test_a_run_that_was_killed_is_judged_all_the_same(tmp_path: Path) -> None:
    """It is not good, as nothing was checked; half a line at the end is left out."""
    places = Places(tmp_path / "soak", earlier=False)
    write_plan(places, SMOKE)
    samples = Lines(places.host)
    samples.write({"at": 1.0})
    samples.close()
    with places.host.open("a") as file:
        file.write('{"at": 2')
    assert read_lines(places.host) == [{"at": 1.0}]
    verdict = judge_files(places)
    assert not verdict.is_good
    assert {row.what: row.mark for row in verdict.rows}["check: rooms"] == Mark.FAILED.value


def test_only_a_directory_of_an_earlier_run_is_cleared(tmp_path: Path) -> None:
    """Another one that has something in it is left alone."""
    (tmp_path / "thesis.txt").write_text("all of it")
    with pytest.raises(FileExistsError, match="not empty"):
        Places(tmp_path, earlier=False)
    write_plan(Places(tmp_path / "soak", earlier=False), SMOKE)
    assert not Places(tmp_path / "soak", earlier=False).plan.exists()


def test_chores_are_spread_over_the_run() -> None:
    """Backups every so often, deploys at a third and at two thirds, the second of changed code."""
    chores = schedule(Plan(minutes=60, backup_seconds=1_000, deploys=2))
    assert [(chore.at_seconds, chore.kind, chore.version) for chore in chores] == [
        (1_000.0, BACKUP, 0),
        (1_200.0, DEPLOY, 1),
        (2_000.0, BACKUP, 0),
        (2_400.0, DEPLOY, 2),
        (3_000.0, BACKUP, 0),
    ]


def test_errors_in_a_log_are_found() -> None:
    """Those that are no lines of JSON too, as a traceback of the interpreter."""
    lines = (
        '{"level": "warning", "logger": "a", "message": "slow"}',
        '{"level": "error", "logger": "a", "message": "it failed"}',
        "Fatal Python error",
    )
    assert list(logged_errors("\n".join(lines))) == ["a: it failed", "Fatal Python error"]


def test_the_application_and_its_clients_agree() -> None:
    """It is copied to where the host imports it, and can import nothing of here."""
    assert (KEPT_MESSAGES, ALARM_MS, CENSUS_TYPES) == (
        limits.KEPT_MESSAGES,
        limits.ALARM_MS,
        limits.CENSUS_TYPES,
    )
