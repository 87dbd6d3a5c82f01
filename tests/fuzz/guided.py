"""One target under atheris: `python -m tests.fuzz.guided TARGET [libFuzzer's own arguments]`.

Coverage of `roomhost` alone leads the search. The first failure ends the process, and leaves its input
where `-artifact_prefix` says.
"""

from __future__ import annotations

import logging
import sys
import tracemalloc
from zlib import crc32

import atheris

with atheris.instrument_imports(include=["roomhost"]):
    from .search import LOOKED_AT
    from .target import run_bounded
    from .targets import TARGETS

RARELY = 16 * LOOKED_AT  # the memory of one of so many inputs is measured


def main() -> None:
    """Search until libFuzzer's own bounds end it."""
    target = TARGETS[sys.argv.pop(1)]

    def try_it(data: bytes) -> None:
        if crc32(data) % RARELY:
            target.run(data)
        else:
            run_bounded(target, data)

    logging.disable(logging.WARNING)
    tracemalloc.stop()
    atheris.Setup(sys.argv, try_it)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
