"""Chance from the seed: what the product asks the system, and the module `random`, for."""

from __future__ import annotations

import os
import random
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any


@contextmanager
def seeded(seed: int) -> Generator[None]:
    """While the block runs, `os.urandom`, `secrets`, `uuid` and `random` draw from the seed."""
    rng = random.Random(seed)
    module: Any = random
    system: Any = os
    state = random.getstate()
    before, before_of_random = system.urandom, module._urandom
    system.urandom = module._urandom = rng.randbytes
    random.seed(seed)
    try:
        yield
    finally:
        system.urandom, module._urandom = before, before_of_random
        random.setstate(state)
