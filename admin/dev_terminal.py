"""What `roomhost dev` prints: what happens on standard output, what fails on standard error."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from .dev_failure import Failure
from .dev_files import shown_changes
from .dev_text import failure_text

if TYPE_CHECKING:
    from collections.abc import Collection

    from .dev_files import Watched
    from .dev_messages import Ready


class Terminal:
    """Lines, coloured where a terminal shows them."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._out = Console(soft_wrap=True, highlight=False)
        self._err = Console(stderr=True, soft_wrap=True, highlight=False)

    def ready(self, ready: Ready) -> None:
        """Where it is, and what opens it."""
        inspector = f"{ready.url}/_inspector/#key={ready.api_key}"
        self._say(f"{ready.name} on {ready.url} (data in {ready.data_dir})", "bold green")
        self._out.print(Text(f"  inspector  {inspector}"))
        self._out.print(Text(f"  API key    {ready.api_key}"))
        self._out.print(Text(f"  watching   {self._shown_watched()}", "dim"))

    def changed(self, paths: Collection[str]) -> None:
        """Files that have changed."""
        self._say(f"{shown_changes(paths, self._watched)} changed, reloading", "yellow")

    def reloaded(self, milliseconds: float) -> None:
        """It serves again."""
        self._say(f"reloaded in {milliseconds:.0f} ms", "green")

    def failed(self, failure: Failure, url: str) -> None:
        """Why it does not start."""
        line = f"the application does not start, {url} answers why until a file changes"
        self._err.print(Text(f"roomhost: {line}", "bold red"))
        self._err.print(failure_text(failure), end="")

    def killed(self, seconds: float) -> None:
        """What was in flight did not end."""
        self._say(f"what was in flight did not end in {seconds:g} seconds: killed", "yellow")

    def stopped(self) -> None:
        """Goodbye."""
        self._say("stopped", "")

    def _say(self, line: str, style: str) -> None:
        self._out.print(Text(f"roomhost: {line}", style))

    def _shown_watched(self) -> str:
        roots = self._watched.roots
        shown = ", ".join("." if root == roots[0] else root for root in roots)
        return f"{shown} for {' '.join(self._watched.include)}"


def death(status: int) -> Failure:
    """A failure that says how the process ended. `status`: negative, the number of a signal."""
    if status >= 0:
        how = f"It ended by itself, with exit status {status}."
    else:
        how = f"It was ended by {signal.Signals(-status).name}."
        if status == -signal.SIGKILL:
            how += " The system does that when memory runs out."
    return Failure(
        "The process has died",
        f"{how} What it had acknowledged is on disk. Save a file to try again.",
    )
