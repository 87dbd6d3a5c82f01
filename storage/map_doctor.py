"""What is to be said of a partition: its map, its log, and the disk they are on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .catalogue import NamespaceState
from .files import free_bytes
from .finding import Finding, Level, counted
from .limits import (
    HEAD_ROOM_BYTES,
    MAX_FREE_SHARE,
    MAX_MAP_BYTES,
    MAX_OVERDUE_SECONDS,
    MIN_COMPACT_BYTES,
    SPARE_COPY_BYTES,
)
from .log_check import check_segments, read_segments
from .map_check import MapContents, check_contents, verify_pages
from .map_reader import DATA_FILE, MapReader

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from .doctor import Circumstances
    from .map_reader import MapFigures

RESTORE = "restore a backup; what can still be read, `roomhost export` may save"


def check_map(partition: Path, circumstances: Circumstances, *, served: bool) -> list[Finding]:
    """`served`: a host writes it meanwhile, so only a snapshot is looked at. DataDirectoryError: it
    cannot be read."""
    if not (partition / DATA_FILE).exists():
        return [Finding(Level.ERROR, f"{partition} has no {DATA_FILE}", "restore a backup")]

    findings: list[Finding] = []
    if served:
        findings.append(
            Finding(
                Level.NOTE,
                "pages and commit log are a running host's: they are not verified",
                "look again when it is stopped, or make a backup, which is verified",
            )
        )
    elif problems := verify_pages(partition):
        # LMDB may end the process that opens such a file.
        return [
            Finding(Level.ERROR, f"the map is damaged: {problem}", RESTORE) for problem in problems
        ]

    else:
        findings.append(Finding(Level.FINE, "every page of the map is sound"))
    with MapReader(partition, shared=served) as reader:
        figures = reader.figures()
        late_ms = int(MAX_OVERDUE_SECONDS * 1000) if served else 0
        contents = check_contents(reader, due_before_ms=circumstances.now_ms - late_ms)
    findings += check_rows(contents)
    findings += check_alarms(contents, circumstances.now_ms, served=served)
    findings += check_namespaces(contents, circumstances.declared)
    if not served:
        findings += check_segments(read_segments(partition), figures.applied)
    return findings + check_room(figures, free_bytes(partition))


def check_rows(contents: MapContents) -> list[Finding]:
    """Whether what is stored is of a piece."""
    if not contents.problem_count:
        return [
            Finding(
                Level.FINE,
                f"{counted(contents.objects, 'object', 'objects')}, "
                f"{counted(contents.entries, 'entry', 'entries')} and "
                f"{counted(contents.alarms, 'alarm', 'alarms')} agree with one another",
            )
        ]

    findings = [Finding(Level.ERROR, problem, RESTORE) for problem in contents.problems]
    untold = contents.problem_count - len(contents.problems)
    if untold:
        findings.append(Finding(Level.ERROR, f"and {untold:,} more of that kind", RESTORE))
    return findings


def check_alarms(contents: MapContents, now_ms: int, *, served: bool) -> list[Finding]:
    """Alarms that should have run."""
    if not contents.overdue or contents.first_due_ms is None:
        return []

    seconds = (now_ms - contents.first_due_ms) // 1000
    what = (
        f"{counted(contents.overdue, 'alarm is', 'alarms are')} due, the first since {seconds:,} s"
    )
    if served:
        return [
            Finding(
                Level.WARNING, what, "see what the host logs of them: handlers fail, or it is slow"
            )
        ]

    return [Finding(Level.NOTE, what, "they run when the host is started")]


def check_namespaces(contents: MapContents, declared: Collection[str] | None) -> list[Finding]:
    """Objects that no class of the application serves. `declared`: its namespaces; None: unknown."""
    findings: list[Finding] = []
    for number, name in sorted(contents.namespaces.items()):
        count = contents.objects_of.get(number, 0)
        objects = f"{counted(count, 'object', 'objects')} of {name}"
        state = contents.states.get(number)
        if not count:
            continue
        if state == NamespaceState.PARKED.value:
            findings.append(
                Finding(
                    Level.NOTE,
                    f"{objects} are kept for code that has their class: it was rolled back",
                    "deploy that code again, or delete them by a migration",
                )
            )
        elif state == NamespaceState.DELETED.value:
            findings.append(
                Finding(
                    Level.NOTE,
                    f"{objects} are still to be deleted, as a migration says",
                    "start the host: it goes on with that",
                )
            )
        elif declared is not None and name not in declared:
            findings.append(
                Finding(
                    Level.WARNING,
                    f"{objects} without a class in the application",
                    "say in its migrations what became of the class, or deploy the code that has it",
                )
            )
    return findings


def check_room(figures: MapFigures, free: int, max_map: int = MAX_MAP_BYTES) -> list[Finding]:
    """Whether more fits, and whether less would do. `free` bytes of the disk."""
    findings: list[Finding] = []
    size = f"the map has {figures.used:,} bytes, {figures.live:,} of them in use"
    if figures.used + HEAD_ROOM_BYTES > max_map:
        findings.append(
            Finding(
                Level.WARNING,
                f"{size}, and may have {max_map:,}",
                "delete what is not needed: it is nearly full",
            )
        )
    if free < HEAD_ROOM_BYTES:
        findings.append(
            Finding(
                Level.WARNING,
                f"the disk has {free:,} bytes free: commits are slow below {HEAD_ROOM_BYTES:,}, and fail "
                "when it is full",
                "make room",
            )
        )
    unused = figures.used - figures.live
    if figures.used >= MIN_COMPACT_BYTES and unused > MAX_FREE_SHARE * figures.used:
        findings.append(
            Finding(
                Level.NOTE,
                f"{unused * 100 // figures.used} % of the map, {unused:,} bytes, are free pages",
                "they are used again; to give them back, stop the host and run `roomhost compact`",
            )
        )
    elif free < figures.live + SPARE_COPY_BYTES:
        findings.append(
            Finding(
                Level.NOTE,
                f"the disk has {free:,} bytes free, a copy of the map needs {figures.live:,}",
                "make backups on another disk; `roomhost compact` needs room first",
            )
        )
    return findings or [Finding(Level.FINE, f"{size}; the disk has {free:,} free")]
