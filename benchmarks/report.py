"""Rows of the scoreboard, as data and as text."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from .measure import Figure, Results, Row

PEERS = (
    "FileYStore",
    "LMDB alone",
    "SQLiteYStore",
    "Socket.IO",
    "bare hand-over",
    "durable-actors",
    "pycrdt-websocket",
    "raw uvicorn",
    "workerd",
    "y-websocket",
)
FIELDS = (
    "letter",
    "name",
    "unit",
    "median",
    "slowest",
    "fastest",
    "ratio",
    "beside",
    "bar",
    "met",
    "note",
)


def by_letter(results: Results) -> dict[str, Results]:
    """The rows of each letter, in the order of the letters; within one as they came."""
    ordered = sorted(results, key=lambda row: row.letter)
    return {letter: list(rows) for letter, rows in groupby(ordered, lambda row: row.letter)}


def is_peer(figure: Figure) -> bool:
    """Whether it is of something else than ours."""
    return figure.name.startswith(PEERS)


def fields(row: Row) -> dict[str, Any]:
    """One row; without rounds, why there are none."""
    figure = row.figure
    found = dict.fromkeys(FIELDS) | {
        "letter": row.letter,
        "name": figure.name,
        "unit": figure.unit,
        "note": figure.notes[-1] if figure.notes else "",
    }
    if not figure.rates:
        return found

    low, high = figure.spread
    compared = row.ratio
    return found | {
        "median": rounded(figure.median),
        "slowest": rounded(low),
        "fastest": rounded(high),
        "ratio": None if compared is None else round(compared, 3),
        "beside": None if row.beside is None else row.beside.name,
        "bar": row.bar,
        "met": row.met,
    }


def rounded(value: float) -> float:
    """With the digits that mean something."""
    return round(value) if abs(value) >= 100 else float(f"{value:.3g}")


def table(results: Results) -> str:
    """The figures for people."""
    lines = [f"{'':50}{'median':>10}  {'slowest - fastest':>19}  {'ratio':>6}"]
    for found in map(fields, results):
        if found["median"] is None:
            lines.append(f"{found['name']} ({found['unit']}): {found['note']}")
            continue

        spread = f"{found['slowest']:,} - {found['fastest']:,}"
        beside = "" if found["ratio"] is None else f"{found['ratio']:.2f}"
        name = f"{found['name']} ({found['unit']})"
        lines.append(f"{name:50}{found['median']:>10,}  {spread:>19}  {beside:>6}  {found['note']}")
    return "\n".join(lines)
