"""What can be read of a host from outside: its process, its files, its metrics, its sockets."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import msgspec

SAMPLE_TIMEOUT_SECONDS = 20.0
PREFIX = "roomhost_"
LINE = re.compile(r"^roomhost_(?P<name>\w+)(?:\{[^}]*\})? (?P<value>\S+)$")
GAUGES = (
    "queue_length",
    "events_in_flight",
    "resident_objects",
    "instances",
    "websockets",
    "log_unapplied_bytes",
    "log_unapplied_writes",
    "log_size_bytes",
    "map_used_bytes",
    "map_size_bytes",
    "alarms_pending",
    "alarms_running",
    "followers",
)
COUNTERS = (
    "activations_total",
    "evictions_total",
    "resets_total",
    "slow_readers_closed_total",
    "failed_batches_total",
    "commits_total",
    "batches_total",
    "alarms_fired_total",
    "alarm_retries_total",
    "alarms_given_up_total",
    "websocket_messages_sent_total",
    "websocket_messages_received_total",
    "event_queue_seconds_sum",
    "event_queue_seconds_count",
    "event_duration_seconds_sum",
    "event_duration_seconds_count",
    "fsync_seconds_sum",
    "fsync_seconds_count",
)
STATUS = {"VmRSS": "rss_kib", "RssAnon": "own_kib", "RssFile": "file_kib", "Threads": "threads"}
PROBED = ("version", "allocated_blocks", "gc_collections", "gc_uncollectable")
SOCKETS = ("outgoing_bytes", "incoming_bytes", "sockets")
FIELDS = (
    *(*STATUS.values(), "descriptors", "cpu_seconds"),
    *("map_file_bytes", "log_file_bytes", "directory_bytes"),
    *(*SOCKETS, *GAUGES, *COUNTERS, *PROBED),
)


class Sampler:
    """Of one host. `sample()` never fails: what could not be read is not there, and `missing` says why."""

    def __init__(self, pid: int, port: int, state: Path, api_key: str) -> None:
        self._process = Path(f"/proc/{pid}")
        self._port = port
        self._state = state
        self._headers = {"authorization": f"Bearer {api_key}"}

    def sample(self, *, census: bool = False) -> dict[str, Any]:
        """Every figure by its name: see FIELDS. With a census how many objects of which types."""
        found: dict[str, Any] = {}
        missing: list[str] = []
        probe = "/probe/one?census=1" if census else "/probe/one"
        reads: tuple[Callable[[], dict[str, Any]], ...] = (
            lambda: read_process(self._process),
            lambda: read_files(self._state),
            lambda: read_sockets(Path("/proc/net/tcp").read_text(), self._port),
            lambda: read_metrics(self._get("/metrics").decode().splitlines()),
            lambda: msgspec.json.decode(self._get(probe), type=dict[str, Any]),
        )
        for read in reads:
            try:
                found |= read()
            except (OSError, ValueError, KeyError) as error:
                missing.append(repr(error))
        if missing:
            found["missing"] = missing
        return found

    def _get(self, path: str) -> bytes:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=SAMPLE_TIMEOUT_SECONDS)
        try:
            connection.request("GET", path, headers=self._headers)
            response = connection.getresponse()
            if response.status != 200:
                raise OSError(f"{path}: {response.status}")
            return response.read()
        finally:
            connection.close()


def read_process(process: Path) -> dict[str, Any]:
    """Of /proc/PID: memory in KiB, of it the process's own and that of files; threads, descriptors, and
    the seconds of CPU it has used."""
    lines = (line.split(":", 1) for line in (process / "status").read_text().splitlines())
    found: dict[str, Any] = {
        STATUS[name]: int(value.split()[0]) for name, value in lines if name in STATUS
    }
    found["descriptors"] = sum(1 for _ in (process / "fd").iterdir())
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    found["cpu_seconds"] = (int(fields[11]) + int(fields[12])) / 100
    return found


def read_files(state: Path) -> dict[str, Any]:
    """Bytes that a data directory has on the disk: of its map, of its log, of everything."""
    sizes: dict[str, int] = defaultdict(int)
    for path in state.rglob("*"):
        try:
            used = path.lstat().st_blocks * 512
        except FileNotFoundError:  # a segment of the log that was done with
            continue
        sizes["directory_bytes"] += used
        if path.name == "data.mdb":
            sizes["map_file_bytes"] += used
        elif path.name.startswith("log-"):
            sizes["log_file_bytes"] += used
    return {name: sizes[name] for name in ("directory_bytes", "map_file_bytes", "log_file_bytes")}


def read_sockets(table: str, port: int) -> dict[str, Any]:
    """What the system holds for the connections of a port: bytes on their way out, and that nobody has
    read. `table`: the text of /proc/net/tcp."""
    local = f":{port:04X}"
    found: dict[str, Any] = dict.fromkeys(SOCKETS, 0)
    for line in table.splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(local) and fields[3] == "01":
            out, into = fields[4].split(":")
            found["outgoing_bytes"] += int(out, 16)
            found["incoming_bytes"] += int(into, 16)
            found["sockets"] += 1
    return found


def read_metrics(lines: Iterable[str]) -> dict[str, Any]:
    """The figures of `GAUGES` and `COUNTERS`, each summed up over its labels; one without samples is 0."""
    found: dict[str, float] = dict.fromkeys((*GAUGES, *COUNTERS), 0.0)
    for line in lines:
        match = LINE.match(line)
        if match is not None and match["name"] in found:
            found[match["name"]] += float(match["value"])
    return dict(found)


def missing_fields(sample: Mapping[str, Any]) -> list[str]:
    """Figures that a sample lacks."""
    return [name for name in FIELDS if sample.get(name) is None]
