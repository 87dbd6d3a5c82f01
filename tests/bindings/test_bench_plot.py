"""`--plot`: a picture where matplotlib is installed, one line where it is not."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from roomhost.bindings import bench_plot
from roomhost.bindings.bench_rows import Row
from roomhost.bindings.latencies import Latencies
from roomhost.runtime import HostError


@pytest.mark.parametrize(
    ("installed", "path", "message"),
    [
        (None, "rows.png", "pip install 'roomhost\\[bench\\]'"),
        (object(), "rows.pdf", "ends in .png"),
        (object(), "nowhere/rows.png", "there is no directory"),
    ],
)
def test_what_cannot_be_drawn_is_said_before_anything_is_measured(
    installed: object, path: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the cure."""
    monkeypatch.setattr(bench_plot, "find_spec", lambda name: installed)
    with pytest.raises(HostError, match=message):
        bench_plot.check_plot(tmp_path / path)


def test_rows_that_are_rates_are_drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The first one on top; what is no rate has no bar."""
    pyplot = MagicMock()
    figure, left, right = MagicMock(), MagicMock(), MagicMock()
    pyplot.subplots.return_value = (figure, (left, right))
    monkeypatch.setitem(sys.modules, "matplotlib", MagicMock())
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", pyplot)
    rows = [
        Row("memory", None, None, "", {}),
        Row("call", 10.0, Latencies({1_000: 1}), "", {}),
        Row("store", 5.0, Latencies({2_000: 1}), "", {}),
    ]
    bench_plot.plot("title", rows, tmp_path / "rows.png")
    left.barh.assert_called_once_with(["store", "call"], [5.0, 10.0])
    assert right.plot.call_args_list[0].args == ((2.0, 1.0), ("store", "call"), "o")
    assert figure.savefig.call_args.args == (tmp_path / "rows.png",)
