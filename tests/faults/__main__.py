"""`python -m tests.faults NAME ...`: runs the module of that name here, with what follows."""

from __future__ import annotations

import importlib
import sys

COMMANDS = ("kills", "resources")


def main() -> int:
    """The exit status of the command."""
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        print(f"python -m tests.faults {'|'.join(COMMANDS)} ...", file=sys.stderr)
        return 2

    status: int = importlib.import_module(f"tests.faults.{sys.argv[1]}").main(sys.argv[2:])
    return status


if __name__ == "__main__":
    sys.exit(main())
