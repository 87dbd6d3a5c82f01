"""`python -m tests.instructions.layout N`: the script, in the layout N of the interpreter's tables.

Types have other versions, and names other addresses, than in other layouts (`counting.least`): some
types are made before all others, and every name of our own code and of what it runs on, in an order of
its own. So nothing of that may be imported before.
"""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

MOST_TYPES = 4_096  # as many as the table of methods has entries
NAME = re.compile(r"[A-Za-z_]\w{2,}")
REPOSITORY = Path(__file__).parent.parent.parent
OURS = ("storage", "runtime", "bindings", "actors")
BELOW = ("asyncio", "anyio")


def folders() -> list[Path]:
    """Where the code is."""
    origins = [spec.origin for spec in map(find_spec, BELOW) if spec is not None]
    return [*(REPOSITORY / name for name in OURS), *(Path(each).parent for each in origins if each)]


def lay_out(random: Random) -> list[str]:
    """Make types and names. They live as long as the list."""
    for number in range(random.randrange(MOST_TYPES)):
        other: Any = type(f"Other{number}", (), {"value": number})
        assert other().value == number  # a type has its version when something of it is looked for
    names: set[str] = set()
    for folder in folders():
        for path in folder.rglob("*.py"):
            names.update(NAME.findall(path.read_text(encoding="utf-8")))
    ordered = sorted(names)
    random.shuffle(ordered)
    return [sys.intern(name) for name in ordered]


if __name__ == "__main__":
    kept = lay_out(Random(int(sys.argv[1])))
    from .script import run

    run()
