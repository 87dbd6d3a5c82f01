"""The rows of a letter as a picture: a bar for each figure, with its spread."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .measure import Figure, Results
from .report import by_letter, is_peer
from .scoreboard import HERE, TITLES, number

PLOTS = HERE / "plots"
OURS, PEERS, INK = "#1f6feb", "#b8bec7", "#3d444d"
WIDTH_INCHES = 9.0
BAR_INCHES = 0.26
AXES_INCHES = 0.75  # above and below the bars of one unit
DOTS_PER_INCH = 110
LOG_RATIO = 30.0  # between the largest and the smallest of a unit: then the scale is logarithmic
ROOM = (
    1.25  # for the number at the end of the longest bar; of a logarithmic scale, to the power of 3
)


def missing() -> str:
    """Why nothing can be drawn here, or nothing."""
    return (
        "" if find_spec("matplotlib") else "matplotlib is not installed: pip install --group bench"
    )


def draw(results: Results, directory: Path = PLOTS) -> list[str]:
    """A picture of each letter, in files of that directory; which letters have one."""
    directory.mkdir(exist_ok=True)
    drawn: list[str] = []
    for letter, rows in by_letter(results).items():
        figures = {id(row.figure): row.figure for row in rows if row.figure.rates}
        if figures:
            draw_letter(letter, list(figures.values()), directory / f"{letter}.png")
            drawn.append(letter)
    return drawn


def draw_letter(letter: str, figures: Sequence[Figure], path: Path) -> None:
    """One picture, with axes for each unit."""
    import_module("matplotlib").use("Agg")
    pyplot: Any = import_module("matplotlib.pyplot")
    units = list(dict.fromkeys(figure.unit for figure in figures))
    groups = [[figure for figure in figures if figure.unit == unit] for unit in units]
    heights = [len(group) * BAR_INCHES + AXES_INCHES for group in groups]
    picture, axes = pyplot.subplots(
        len(groups),
        1,
        figsize=(WIDTH_INCHES, sum(heights) + 0.3),
        gridspec_kw={"height_ratios": [len(group) for group in groups]},
        squeeze=False,
        layout="constrained",
    )
    picture.suptitle(f"({letter}) {TITLES[letter]}", x=0.01, ha="left", color=INK, weight="bold")
    for unit, group, (axis,) in zip(units, groups, axes, strict=True):
        draw_unit(axis, unit, group)
    picture.savefig(path, dpi=DOTS_PER_INCH, facecolor="white")
    pyplot.close(picture)


def draw_unit(axis: Any, unit: str, figures: Sequence[Figure]) -> None:
    """The bars of one unit, from above to below."""
    medians = [figure.median for figure in figures]
    spreads = [figure.spread for figure in figures]
    places = range(len(figures))
    axis.barh(
        places,
        medians,
        height=0.72,
        color=[PEERS if is_peer(figure) else OURS for figure in figures],
        xerr=[
            [median - low for median, (low, _) in zip(medians, spreads, strict=True)],
            [high - median for median, (_, high) in zip(medians, spreads, strict=True)],
        ],
        error_kw={"ecolor": INK, "elinewidth": 0.8, "capsize": 2},
    )
    axis.set_yticks(places, [figure.name for figure in figures], fontsize=8, color=INK)
    axis.set_ylim(len(figures) - 0.5, -0.5)
    greatest = max(high for _, high in spreads)
    scale(axis, medians, greatest)
    for place, (figure, (_, high)) in enumerate(zip(figures, spreads, strict=True)):
        text = f"  {number(figure.median)}"
        axis.text(high, place, text, va="center", fontsize=8, color=INK)
    axis.set_title(unit, loc="right", fontsize=8, color=INK)
    axis.xaxis.set_major_formatter(tick)
    axis.tick_params(length=0, labelsize=8, colors=INK)
    axis.grid(axis="x", color="#e6e8eb", linewidth=0.6)
    axis.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.spines["bottom"].set_color("#d0d4d9")


def tick(value: float, place: int) -> str:
    """What stands below a line of the grid."""
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def scale(axis: Any, medians: Sequence[float], greatest: float) -> None:
    """Logarithmic where small bars would not be seen otherwise."""
    positive = [median for median in medians if median > 0]
    if positive and max(positive) > LOG_RATIO * min(positive):
        axis.set_xscale("log")
        axis.set_xlim(min(positive) / 2, greatest * ROOM**3)
    else:
        axis.set_xlim(min(0, *medians), greatest * ROOM)
