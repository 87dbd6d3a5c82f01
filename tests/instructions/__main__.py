"""`python -m tests.instructions`: count, show, and record what was counted."""

from __future__ import annotations

import sys

from .counting import least, obstacle
from .figures import FILE, Figures, load, save, this_build


def main() -> int:
    """The exit status: 2, and a line, where nothing can be counted."""
    reason = obstacle()
    if reason is not None:
        print(reason, file=sys.stderr)
        return 2

    before = load().instructions if FILE.exists() else {}
    figures = Figures(this_build(), least())
    for name, instructions in figures.instructions.items():
        change = f"{instructions / before[name] - 1:+.1%}" if name in before else "new"
        print(f"{name:<22}{instructions:>14,}{change:>9}")
    save(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
