"""How far a copy is, on standard error: a bar on a terminal, elsewhere a line for each step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from ..storage.copy_step import Step

if TYPE_CHECKING:
    from rich.progress import TaskID

IN_BYTES = {Step.CHECKING.value, Step.COPYING.value}


class CopyProgress:
    """A context; `tell` is called with each step, as often as somebody likes."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bars: Progress | None = None
        self._bar: TaskID | None = None
        self._step = ""
        if console.is_terminal:
            self._bars = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )

    def report(self, step: Step, done: int, total: int) -> None:
        """As the functions of storage call it."""
        self.tell(step.value, done, total)

    def tell(self, step: str, done: int, total: int) -> None:
        """`done` of `total`, in bytes where the step has a number of them."""
        begins, self._step = step != self._step, step
        counted = step in IN_BYTES
        if self._bars is None:
            if begins:
                click.echo(f"{step} {total:,} bytes" if counted else step, err=True)
            return

        shown = total if counted else None  # a bar that only moves
        if self._bar is None or begins:
            if self._bar is not None:
                self._bars.remove_task(self._bar)
            self._bar = self._bars.add_task(step, total=shown, completed=done if counted else 0)
        elif counted:
            self._bars.update(self._bar, total=shown, completed=done)

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()
