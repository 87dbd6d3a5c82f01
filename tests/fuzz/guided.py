"""One target under atheris: `python -m tests.fuzz.guided MODULE TARGET [libFuzzer's own arguments]`.

Coverage of `roomhost` alone leads the search. The first failure ends the process, and leaves its input
where `-artifact_prefix` says.
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import Any
from zlib import crc32

from .search import LOOKED_AT
from .target import run_bounded

atheris: Any = import_module("atheris")  # it is in a group of its own, which checkers do without

with atheris.instrument_imports(include=["roomhost"]):
    # No more than the target's own module: what is instrumented takes five times as long to import.
    found = import_module(sys.argv.pop(1))

RARELY = 16 * LOOKED_AT  # the memory of one of so many inputs is measured


def main() -> None:
    """Search until libFuzzer's own bounds end it."""
    name = sys.argv.pop(1)
    (target,) = (target for target in found.TARGETS if target.name == name)

    def try_it(data: bytes) -> None:
        if crc32(data) % RARELY:
            target.run(data)
        else:
            run_bounded(target, data)

    logging.disable(logging.WARNING)
    atheris.Setup(sys.argv, try_it)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
