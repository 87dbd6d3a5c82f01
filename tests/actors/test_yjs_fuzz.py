"""Wrong bytes, many of them, from a seed: none that the guard lets through hurts a process."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
INPUTS = int(os.environ.get("ROOMHOST_FUZZ_INPUTS", "200000" if os.environ.get("CI") else "20000"))
SECONDS = 600
FRAMES = 2_000 if os.environ.get("CI") else 500
# Python and its imports are 35 MiB, and yrs 0.28 keeps 7 KiB of each document with nested types.
MEMORY_KIBIBYTES = 300 * 1024


def chosen_seed() -> str:
    """`ROOMHOST_FUZZ_SEED`; in CI the commit, so that a red run is red again and the next commit tries
    other inputs; else a new one."""
    given = os.environ.get("ROOMHOST_FUZZ_SEED")
    if given is None and os.environ.get("CI"):
        command = ["git", "-C", str(REPOSITORY), "rev-parse", "HEAD"]
        given = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return given or secrets.token_hex(8)


def survived(module: str, inputs: int) -> dict[str, Any]:
    """Run a helper that is a process of its own, which must not end otherwise; what it reports."""
    seed = chosen_seed()
    done = subprocess.run(
        [sys.executable, "-m", f"tests.helpers.{module}", seed, str(inputs)],
        cwd=REPOSITORY,
        env={**os.environ, "RUST_BACKTRACE": "0"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"seed {seed}: exit {done.returncode}\n{done.stderr[-4000:]}"
    return {"seed": seed, **json.loads(done.stdout)}


@pytest.mark.timeout(SECONDS)
def test_what_passes_the_guard_hurts_nobody() -> None:
    """No crash, no panic, no document that is not read back, no input that takes a tenth of a second,
    and little memory; the inputs are good enough that some of each kind are applied and refused."""
    report = survived("yjs_fuzz", INPUTS)
    counts = report["counts"]
    assert counts["inputs"] == INPUTS
    assert min(counts[of] for of in ("applied", "waits", "refused", "vector")) > INPUTS // 100
    assert counts["cuts"] > INPUTS // 1_000
    failures = [of for of in report["failures"] if not of.startswith("not applied")]
    assert not failures, report
    assert not report["slow"], report
    assert report["kibibytes"] < MEMORY_KIBIBYTES, report


@pytest.mark.timeout(SECONDS)
def test_no_frame_of_a_stranger_harms_a_room() -> None:
    """An honest client stays connected, and what it typed is there after the room has slept; a hostile
    one is closed as one who breaks the protocol, sends too much, or too fast."""
    report = survived("yjs_socket_fuzz", FRAMES)
    assert report["found"] == report["typed"] > 0, report
    assert report["connections"] > FRAMES // 10
    codes = {int(end.strip("()").split(",")[0]) for end in report["ends"]}
    assert codes <= {4400, 4529, 1009}, report
