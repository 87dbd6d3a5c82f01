"""`python -m tests.differential FILE...`: what each side does with programs, as a diff."""

from __future__ import annotations

import difflib
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .driver import roomhost
from .mapping import mapped
from .process import Workerd
from .programs import load


def lines(transcript: dict[str, Any]) -> list[str]:
    """One line for each entry."""
    return [
        f"{side}: {json.dumps(entry, ensure_ascii=False)}"
        for side, entries in mapped(transcript).items()
        for entry in entries
    ]


def compared(paths: Sequence[Path]) -> Iterator[str]:
    """The lines to print."""
    with Workerd() as workerd, roomhost("asyncio", {}) as host:
        for path in paths:
            program = load(path)
            expected, actual = lines(workerd.run([program])[0]), lines(host.run(program))
            yield f"== {path}: {'the same' if expected == actual else 'they differ'}"
            yield from difflib.unified_diff(expected, actual, "workerd", "roomhost", "", "", 99, "")
            if expected == actual:
                yield from expected


if __name__ == "__main__":
    logging.disable()
    print("\n".join(compared([Path(name) for name in sys.argv[1:]])))
