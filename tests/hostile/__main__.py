"""`python -m tests.hostile` prints the table of threats; with `--long` what a good client feels of each
attack at full strength, and how long wrong keys take."""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import tempfile
from pathlib import Path

from .attacks import ATTACKS
from .measure import HEAD, measured
from .threats import table
from .timing import compared

COUNTS = {
    "silent": 10_000, "dribble": 2_000, "churn": 10_000, "pings": 8, "giants": 500, "bodies": 400,
    "tiny_rooms": 100_000, "deaf": 200, "guesses": 20,
}  # fmt: skip


async def attacked(names: list[str]) -> None:
    """Print the figures of these attacks, one after the other."""
    print(HEAD)
    for name in names:
        with tempfile.TemporaryDirectory() as directory:
            print(await measured(name, COUNTS[name], Path(directory)), flush=True)


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="tests.hostile", description=__doc__)
    parser.add_argument("--long", action="store_true", help="measure beside attacks")
    parser.add_argument("attacks", nargs="*", help=f"only these of {', '.join(ATTACKS)}")
    given = parser.parse_args()
    if not given.long:
        print("\n".join(table()))
        return 0

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(attacked(given.attacks or list(ATTACKS)))
    print("\n".join(("", *compared())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
