"""What a run has left in its files, as the judges take it; a run that was killed has less."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import msgspec

from .chores import BACKUP, DEPLOY
from .plan import Places, Plan, read_lines, read_plan
from .tally import Count, Kind
from .trends import Series

Line = dict[str, Any]
LOGGED_AS_ERROR = ("error", "critical")


class Findings:
    """Of one run. Series are of the time of the traffic alone, and seconds since its begin."""

    def __init__(self, places: Places) -> None:
        self.plan: Plan = read_plan(places)
        self.events = read_lines(places.events)
        loads = [read_lines(places.load(number)) for number in range(self.plan.loads)]
        self.ends = [line for lines in loads for line in lines if "checks" in line]
        notes = [line for lines in loads for line in lines if "note" in line]
        self._samples = [[line for line in lines if "sample" in line] for lines in loads]
        self.began = max((line["at"] for line in notes if line["note"] == "begin"), default=None)
        ended = [line["at"] for line in notes if line["note"] == "end"]
        self.all_host = read_lines(places.host)
        newest = max((line["at"] for line in self.all_host), default=0.0)
        self._end = min(ended, default=newest)
        self.host = [line for line in self.all_host if self._is_within(line)]
        self.log_errors = list(logged_errors(read_text(places)))

    @property
    def seconds(self) -> float:
        """Of traffic that there was."""
        return 0.0 if self.began is None else self._end - self.began

    def series(self, read: Callable[[Line], Any]) -> Series:
        """A figure of the host, over time; where it could not be read it is left out."""
        found: list[tuple[float, float]] = []
        for line in self.host:
            try:
                found.append((line["at"] - (self.began or 0.0), float(read(line))))
            except (KeyError, TypeError):
                continue
        return found

    def figure(self, name: str) -> Series:
        """One that a sample has by its name."""
        return self.series(lambda line: line[name])

    def rates(self, numerator: str, denominator: str) -> Series:
        """What one counter gained in each interval, by what another did."""
        found: list[tuple[float, float]] = []
        for earlier, later in pairwise(self.host):
            try:
                many = later[denominator] - earlier[denominator]
                much = later[numerator] - earlier[numerator]
            except KeyError:
                continue
            if many > 0:
                found.append((later["at"] - (self.began or 0.0), much / many))
        return found

    def gained(self, counter: str) -> float:
        """By a counter of the host, over everything."""
        values = [line[counter] for line in self.all_host if counter in line]
        return values[-1] - values[0] if values else 0.0

    def latency(self, kind: Kind, percentile: str) -> Series:
        """A percentile of each interval, in milliseconds; of the slowest process of clients."""
        found: list[tuple[float, float]] = []
        for samples in zip(*self._samples, strict=False):
            values = [line["sample"]["latencies"][kind.value][percentile] for line in samples]
            known = [value for value in values if value is not None]
            if known and self._is_within(samples[0]):
                found.append((samples[0]["at"] - (self.began or 0.0), max(known)))
        return found

    def counts(self) -> Counter[str]:
        """What the clients counted, over everything."""
        total: Counter[str] = Counter()
        for line in self._client_samples():
            total.update(line["sample"]["counts"])
        return total

    def errors(self) -> tuple[list[Line], int]:
        """Those that are written down, and how many there were."""
        told = [error for line in self._client_samples() for error in line["sample"]["errors"]]
        return told, self.counts()[Count.ERRORS.value]

    def chores(self, kind: str) -> list[Line]:
        """Backups, or deploys."""
        notes = [event["chore"] for event in self.events if "chore" in event]
        return [note for note in notes if note["kind"] == kind]

    def live_bytes(self) -> Series:
        """What backups had."""
        return [
            (chore["began"] - (self.began or 0.0), float(chore["result"]["bytes"]))
            for chore in self.chores(BACKUP)
            if "result" in chore
        ]

    def deploys(self) -> list[float]:
        """When they began."""
        return [chore["began"] for chore in self.chores(DEPLOY)]

    def checks(self, name: str) -> list[str] | None:
        """The complaints of one check, of all processes of clients; None: not all of them got there."""
        if len(self.ends) < self.plan.loads:
            return None

        return [complaint for end in self.ends for complaint in end["checks"].get(name, ())]

    def event(self, name: str) -> Any:
        """What is noted under a name; None: it did not come to that."""
        return next((event[name] for event in self.events if name in event), None)

    def _client_samples(self) -> Iterator[Line]:
        for samples in self._samples:
            yield from samples

    def _is_within(self, line: Line) -> bool:
        return self.began is not None and self.began <= line["at"] <= self._end


def read_text(places: Places) -> str:
    """The log of the host."""
    return places.host_log.read_text(errors="replace") if places.host_log.exists() else ""


def logged_errors(text: str) -> Iterator[str]:
    """Lines of a host's log that are errors, or no lines of a log at all."""
    for line in text.splitlines():
        try:
            told = msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.DecodeError:
            yield line
            continue
        if told.get("level") in LOGGED_AS_ERROR:
            yield f"{told.get('logger')}: {told.get('message')}"
