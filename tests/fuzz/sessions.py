"""Sequences of frames to something that keeps a connection: `python -m tests.fuzz.sessions NAME|all`.

    --sequences N   of each (default 200)   --seed N   the first one (default 1)

After any sequence every frame was answered, by an answer or an error with a code that is documented, or
the connection is closed with one; nothing was logged as an error; and others go on.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import anyio

from .played import Errors
from .session_calls import play_calls
from .session_rooms import play_hocuspocus, play_rooms

FRAMES = 14  # of a sequence
Play = Callable[[Random, Path, int, Counter[str]], Awaitable[None]]
SESSIONS: dict[str, Play] = {
    "rooms": play_rooms,
    "hocuspocus": play_hocuspocus,
    "calls": play_calls,
}


def play(name: str, seed: int) -> Counter[str]:
    """One sequence; what came of it. Finding, or any exception: something is wrong."""
    errors = Errors()
    logger = logging.getLogger("roomhost")
    logger.addHandler(errors)
    outcomes: Counter[str] = Counter()
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    try:
        with tempfile.TemporaryDirectory(dir=memory) as directory:
            random = Random(f"{name} {seed}")
            anyio.run(SESSIONS[name], random, Path(directory), FRAMES, outcomes)
    finally:
        logger.removeHandler(errors)
    errors.raise_any()
    return outcomes


def main() -> None:
    """Play many; a line for each kind."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.sessions")
    parser.add_argument("name", choices=[*SESSIONS, "all"])
    parser.add_argument("--sequences", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    for name in SESSIONS if given.name == "all" else [given.name]:
        outcomes: Counter[str] = Counter()
        for seed in range(given.seed, given.seed + given.sequences):
            try:
                outcomes += play(name, seed)
            except BaseException:
                print(f"{name}: seed {seed} fails")
                raise
        print(f"{name}: {given.sequences} sequences, {dict(outcomes.most_common())}")


if __name__ == "__main__":
    main()
