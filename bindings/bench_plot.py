"""The rows of `roomhost bench` as a picture, by matplotlib, which the extra `bench` installs."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..runtime import HostError
from .bench_rows import PERCENTILES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .bench_rows import Row

INCHES = (11.0, 0.5)  # the width, and the height of a row
MARGIN_INCHES = 1.5


def check_plot(path: Path) -> None:
    """HostError: there is nothing to draw with, or no folder to draw into."""
    if find_spec("matplotlib") is None:
        raise HostError("--plot needs matplotlib: pip install 'roomhost[bench]'")

    if path.suffix.lower() != ".png":
        raise HostError(f"--plot writes a PNG: name a file that ends in .png, not {path.name}")

    if not path.parent.is_dir():
        raise HostError(f"--plot: there is no directory {path.parent}; make it first")


def plot(title: str, rows: Sequence[Row], path: Path) -> None:
    """Draw rates and latencies, on logarithmic scales, into a PNG."""
    matplotlib: Any = import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot: Any = import_module("matplotlib.pyplot")
    rates = [row for row in rows if row.per_second is not None][::-1]
    names = [row.name for row in rates]
    size = (INCHES[0], MARGIN_INCHES + INCHES[1] * len(rates))
    figure, (left, right) = pyplot.subplots(1, 2, sharey=True, figsize=size, layout="constrained")
    bars = left.barh(names, [row.per_second for row in rates])
    left.bar_label(bars, [f"{row.per_second:,.0f}" for row in rates], padding=3)
    left.set(xscale="log", xlabel="per second", title=title)
    left.margins(x=0.2)
    for name in PERCENTILES:
        known = [(row.percentile(name), row.name) for row in rates]
        points = [(value, label) for value, label in known if value]
        right.plot(*zip(*points, strict=True), "o", label=name)
    right.set(xscale="log", xlabel="microseconds")
    right.legend()
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
