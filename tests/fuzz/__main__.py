"""Coverage-guided search: `python -m tests.fuzz TARGET ...|all [--minutes 5] [--runs N]`.

Each target gets its share of the minutes, in a process of its own that instruments `roomhost`; it needs
`pip install --group fuzz`. What it finds worth keeping is in `build/fuzz/TARGET/corpus`, inputs that
failed in `build/fuzz/TARGET/failed`: put them into `tests/fuzz/corpus/TARGET` when they are fixed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from .grammar import ODD_PARTS
from .search import kept
from .table import MODULE_OF, TARGETS
from .target import Target

OUTPUT = Path("build/fuzz")
MAX_INPUT_BYTES = 4_096
INPUT_SECONDS = 20  # that one input may take, then it has failed
MEMORY_MEBIBYTES = 2_048
EXECUTED = re.compile(r"^stat::number_of_executed_units:\s*(\d+)$", re.MULTILINE)
DONE = re.compile(r"^Done (\d+) runs", re.MULTILINE)
COUNTED = re.compile(r"^#(\d+)\s", re.MULTILINE)
REASON = re.compile(
    r"^(?:[\w.]+(?:Error|Finding|Exception)\b.*|SUMMARY: .*|ALARM: .*)$", re.MULTILINE
)


class Outcome(NamedTuple):
    """`inputs`: how many were run. `failed`: files of inputs that failed. `reason`: of the last."""

    inputs: int
    seconds: float
    failed: list[Path]
    reason: str


def fuzz(target: Target, seconds: int, runs: int) -> Outcome:
    """Search for so long, or for so many inputs; 0: no such bound. It ends with the first failure."""
    folder = OUTPUT / target.name
    corpus, failed, seeds = (folder / name for name in ("corpus", "failed", "seeds"))
    for place in (corpus, failed, seeds):
        place.mkdir(parents=True, exist_ok=True)
    for name, data in kept(target):
        (seeds / name.replace(" ", "-")).write_bytes(data)
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(part)}"\n' for part in ODD_PARTS))
    before = set(failed.iterdir())
    command = [
        *(sys.executable, "-m", "tests.fuzz.guided", MODULE_OF[target.name], target.name),
        *(str(corpus), str(seeds)),
        *(f"-max_total_time={seconds}", f"-dict={words}", f"-max_len={MAX_INPUT_BYTES}"),
        *(f"-timeout={INPUT_SECONDS}", f"-rss_limit_mb={MEMORY_MEBIBYTES}", "-print_final_stats=1"),
        f"-artifact_prefix={failed}/",
        *([f"-runs={runs}"] if runs else []),
    ]
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    told = done.stdout + done.stderr
    numbers = [
        int(number) for pattern in (EXECUTED, DONE, COUNTED) for number in pattern.findall(told)
    ]
    found = sorted(set(failed.iterdir()) - before)
    reasons = REASON.findall(told)
    if done.returncode and not found:
        raise SystemExit(f"{target.name}: the fuzzer did not run: {told[-2_000:]}")

    return Outcome(
        max(numbers, default=0), time.monotonic() - start, found, reasons[0] if reasons else ""
    )


def _escaped(part: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in part)


def main() -> None:
    """Fuzz what is named, one after the other, a line for each; the status is 1 if any has failed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description="Search for inputs that fail."
    )
    parser.add_argument(
        "targets", nargs="+", metavar="TARGET", help=f"all, or {', '.join(TARGETS)}"
    )
    parser.add_argument("--minutes", type=float, default=5, help="for all of them together")
    parser.add_argument("--runs", type=int, default=0, help="inputs of each target, at most")
    given = parser.parse_args()
    names = list(TARGETS) if given.targets == ["all"] else given.targets
    for name in names:
        if name not in TARGETS:
            parser.error(f"there is no target {name}")
    seconds = max(1, round(given.minutes * 60 / len(names)))
    failures = 0
    for name in names:
        outcome = fuzz(TARGETS[name], seconds, given.runs)
        failures += len(outcome.failed)
        end = ", ".join(f"{path}: {outcome.reason}" for path in outcome.failed) or "no failure"
        print(f"{name}: {outcome.inputs} inputs in {outcome.seconds:.0f} s, {end}", flush=True)
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
