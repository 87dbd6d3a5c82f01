"""The files that objects go into and come from."""

from __future__ import annotations

import io
import stat
import sys
from pathlib import Path

import pytest

from roomhost.admin import limits
from roomhost.admin.transfer_commands import output, read_file
from roomhost.runtime import HostError

HEADER = b'{"roomhost_object":1,"namespace":"COUNTER","id":"ab","entries":1,"bytes":2}\n'
ENTRY = b'{"key":"bg==","value":"AQ=="}\n'


def test_a_file_is_read_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name, or from standard input."""
    file = tmp_path / "a.ndjson"
    with output(str(file)) as out:
        out.write(HEADER + ENTRY)
        assert not file.exists()  # under its name when it is whole
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    header, entries = read_file(str(file))
    assert (header["namespace"], entries) == ("COUNTER", [("bg==", "AQ==")])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(HEADER + ENTRY)))
    assert read_file("-") == (header, entries)


def test_what_fails_leaves_no_file(tmp_path: Path) -> None:
    """And what was there under the name stays."""
    (tmp_path / "a").write_text("before")
    with pytest.raises(LookupError):
        with output(str(tmp_path / "a")) as out:
            out.write(HEADER)
            raise LookupError
    assert [each.name for each in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "before"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "first line is no header"),
        (b"hello", "nothing that roomhost export wrote"),
        (b"\xff\n", "nothing that roomhost export wrote"),
        (b"[]\n", "nothing that roomhost export wrote"),
        (ENTRY, "first line is no header"),
        (HEADER, "is not whole: it says 1 entries, and has 0"),
        (HEADER + ENTRY + ENTRY, "is not whole"),
        (HEADER + ENTRY[:10], "nothing that roomhost export wrote"),
        (HEADER + b'{"key":"bg=="}\n', "nothing that roomhost export wrote"),
        (HEADER.replace(b'object":1', b'object":9') + ENTRY, "has version 9 of the format"),
        (b"{" * 100_000, "nothing that roomhost export wrote"),
    ],
    ids=range(11),
)
def test_what_export_did_not_write_is_refused(tmp_path: Path, data: bytes, told: str) -> None:
    """By the file's name, before a host is asked."""
    (tmp_path / "a.ndjson").write_bytes(data)
    with pytest.raises(HostError, match=told) as caught:
        read_file(str(tmp_path / "a.ndjson"))
    assert "a.ndjson" in str(caught.value)


def test_a_file_has_a_greatest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more of it than that is read."""
    monkeypatch.setattr(limits, "MAX_IMPORT_BODY_BYTES", 10)
    (tmp_path / "a").write_bytes(HEADER)
    with pytest.raises(HostError, match="over 10 bytes"):
        read_file(str(tmp_path / "a"))
