"""What is read of the system's and the host's own texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from .sampling import (
    COUNTERS,
    FIELDS,
    GAUGES,
    missing_fields,
    read_files,
    read_metrics,
    read_process,
    read_sockets,
)

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 0100007F:D431 01 00000010:00000002 00:00000000 00000000     0        0 1
   1: 0100007F:1F90 0100007F:D432 01 00000001:00000000 00:00000000 00000000     0        0 1
   2: 0100007F:D431 0100007F:1F90 01 00000FFF:00000000 00:00000000 00000000     0        0 1
   3: 0100007F:1F90 00000000:0000 0A 00000000:00000005 00:00000000 00000000     0        0 1
"""


def test_what_waits_in_the_sockets_of_a_port_is_summed_up() -> None:
    """Those that are open, at this end."""
    assert read_sockets(TCP, 8_080) == {"outgoing_bytes": 17, "incoming_bytes": 2, "sockets": 2}


def test_metrics_are_summed_up_over_their_labels() -> None:
    """What is not there is nothing yet; buckets and other metrics are left out."""
    found = read_metrics(
        (
            "# HELP roomhost_queue_length Events that wait.",
            'roomhost_queue_length{binding="A"} 2.0',
            'roomhost_queue_length{binding="B"} 3.0',
            'roomhost_event_queue_seconds_bucket{le="1.0"} 9.0',
            'roomhost_event_queue_seconds_sum{binding="A",kind="call"} 0.5',
            "python_info 1.0",
        )
    )
    assert set(found) == {*GAUGES, *COUNTERS}
    assert found["queue_length"] == 5.0
    assert found["event_queue_seconds_sum"] == 0.5
    assert found["evictions_total"] == 0.0


def test_this_process_can_be_read() -> None:
    """Where the system has /proc."""
    found = read_process(Path("/proc/self"))
    assert found["rss_kib"] >= found["own_kib"] > 0
    assert found["threads"] >= 1
    assert found["descriptors"] > 0
    with pytest.raises(FileNotFoundError):
        read_process(Path("/proc/0"))


def test_files_of_a_directory_are_told_apart(tmp_path: Path) -> None:
    """The map, the log, and everything."""
    partition = tmp_path / "partition-0"
    partition.mkdir()
    for name in ("data.mdb", "log-0", "log-1", "other"):
        (partition / name).write_bytes(b"x" * 10_000)
    found = read_files(tmp_path)
    assert found["map_file_bytes"] >= 10_000
    assert found["log_file_bytes"] >= 20_000
    assert found["directory_bytes"] >= found["map_file_bytes"] + found["log_file_bytes"]


def test_a_figure_that_is_missing_is_named() -> None:
    """Each of them counts."""
    whole = dict.fromkeys(FIELDS, 0)
    assert missing_fields(whole) == []
    assert missing_fields({**whole, "threads": None}) == ["threads"]
    assert missing_fields({}) == list(FIELDS)
