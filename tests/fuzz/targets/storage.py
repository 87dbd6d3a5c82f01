"""What is read of the disk: encoded values, records of the log, rows, a backup's manifest."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import strategies as st

from roomhost.storage import DataCloneError, decode, encode
from roomhost.storage.backup_manifest import FileRecord, Manifest, read_manifest, write_manifest
from roomhost.storage.batch import Batch, ObjectRecord
from roomhost.storage.data_directory import FORMAT_VERSION, MANIFEST
from roomhost.storage.errors import DataDirectoryError
from roomhost.storage.keyspace import (
    LONG_AT,
    encode_user_key,
    number_bytes,
    split,
    stored_key,
    stored_value,
)
from roomhost.storage.limits import MAX_KEY_BYTES, MAX_VALUE_DEPTH
from roomhost.storage.log_check import read_segment
from roomhost.storage.log_record import (
    HEADER,
    decode_batches,
    encode_batches,
    header_of,
    records_in,
)
from roomhost.storage.messagepack import pack

from ..grammar import broken, edited, edits, near, packed, packed_values
from ..target import Target, demand

NONCE = b"a nonce!"
VALUES: tuple[Any, ...] = (
    None,
    [1, 2.5, "é", b"x", (1, (2,)), {3}, frozenset((4,)), {"a": {"b": []}, 5: 6, None: 7}],
    (2**70, -(2**64), Decimal("-1.50"), Decimal("sNaN"), UUID(int=7), timedelta(-1, 2, 3)),
    datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    date(1, 1, 1),
    [[[[[[[[[]]]]]]]]],
    float("nan"),
)
KNOWN = {encode(value): value for value in VALUES}


def alike(one: Any, other: Any) -> bool:
    """Whether two values are the same, type for type; a NaN is like another one."""
    if type(one) is not type(other):
        return False

    if isinstance(one, dict):
        return len(one) == len(other) and all(
            alike(*keys) and alike(one[keys[0]], other[keys[1]])
            for keys in zip(one, other, strict=True)
            if keys[0] == keys[0]
        )

    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(alike, one, other))

    if isinstance(one, (set, frozenset)):
        return sorted(map(encode, one)) == sorted(map(encode, other))

    if isinstance(one, Decimal):
        return str(one) == str(other)

    return bool(one == other or (one != one and other != other))


def run_codec(data: bytes) -> None:
    """ValueError, or a value that comes back from its own encoding the same."""
    try:
        value = decode(data)
    except ValueError:
        return

    if data in KNOWN:
        demand(alike(value, KNOWN[data]), "another value than was encoded", value)
    try:
        again = encode(value)
    except DataCloneError:
        return  # deeper than may be stored, or with keys that nobody can store

    demand(alike(value, decode(again)), "another value came back", value)


def run_log(data: bytes) -> None:
    """The records of any bytes are those that were written, rising by one; what damage cut off is
    never before them. The first byte says how many whole records are put before the rest."""
    count = data[0] % 4 if data else 0
    rest = data[1:]
    whole = b""
    for number in range(count):
        payload = encode_batches([Batch(number, None, False, {}, None)])
        whole += header_of(7 + number, NONCE, payload) + payload
    segment = whole + rest
    records = list(records_in(segment))
    demand(len(records) >= count, "a whole record is not read", len(records), count)
    for (first, _, _), (second, _, _) in pairwise(records):
        demand(second == first + 1, "sequences do not rise by one", first, second)
    at = 0
    for sequence, end, payload in records:
        nonce: bytes = HEADER.unpack_from(segment, at)[3]
        record = header_of(sequence, nonce, payload) + payload
        demand(segment[at:end] == record, "a record is not what is there", at, end)
        at = end
    found = read_segment("log", segment)
    demand(found.last == (records[-1][0] if records else 0), "the check reads another log", found)
    torn = list(records_in(segment[: max(0, at - 1)]))
    demand(torn == records[:-1], "a torn record is read", at)


def run_batches(data: bytes) -> None:
    """The payload of a record whose checksum is right: batches that are written back as they were
    read, or an exception, by which the log is said to be damaged."""
    try:
        batches = decode_batches(data)
        again = encode_batches(batches)
    except (ValueError, TypeError, OverflowError, AttributeError, UnicodeError):
        return

    demand(len(decode_batches(again)) == len(batches), "other batches came back", batches)


def run_rows(data: bytes) -> None:
    """Whatever stands in the map is split, and a key that may be stored comes back."""
    cut = data[0] if data else 0
    split(data[1 : 1 + cut], data[1 + cut :])
    split(data[1 : 1 + LONG_AT].ljust(LONG_AT, b"k"), data)
    text = data.decode(errors="surrogateescape")
    try:
        key = encode_user_key(text)
    except ValueError:
        demand("\udc80" <= max(text, default="") or len(data) > MAX_KEY_BYTES, "refused", text)
        return

    number = number_bytes(9)
    row = stored_key(number, key), stored_value(key, b"value")
    demand(split(*row) == (key, b"value"), "another row came back", key)


def run_manifest(data: bytes) -> None:
    """DataDirectoryError, or a manifest that is written and read the same."""
    directory = _Scratch.directory()
    (directory / MANIFEST).write_bytes(data)
    try:
        manifest = read_manifest(directory)
    except DataDirectoryError:
        return

    for name in manifest.files:
        place = (directory / name).resolve()
        demand(place.is_relative_to(directory.resolve()), "a file outside of it", name)
    (directory / MANIFEST).unlink()
    write_manifest(directory, manifest)
    demand(read_manifest(directory) == manifest, "another manifest came back", manifest)


class _Scratch:
    """A directory for as long as the process lives."""

    _made: tempfile.TemporaryDirectory[str] | None = None

    @classmethod
    def directory(cls) -> Path:
        """It, made when it is needed first."""
        if cls._made is None:
            memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
            cls._made = tempfile.TemporaryDirectory(dir=memory)
        return Path(cls._made.name)


def _extension(code: int, inner: bytes) -> bytes:
    return b"\xc9" + len(inner).to_bytes(4, "big") + bytes((code,)) + inner


def _nested_tuples(size: int) -> bytes:
    data = b"\xc6" + size.to_bytes(4, "big") + bytes(size)
    for _ in range(MAX_VALUE_DEPTH - 1):
        data = _extension(2, b"\x91" + data)
    return data


def _lying_lists(size: int) -> bytes:
    return (b"\xdd" + size.to_bytes(4, "big")) * 1_000 + bytes(size)


def _batch_payloads() -> tuple[bytes, ...]:
    record = ObjectRecord(1, bytes(32), "a name")
    group = [
        Batch(3, record, True, {b"k": b"v", b"gone": None}, 1_000),
        Batch(4, None, False, {}, None),
    ]
    return encode_batches(group), pack([]), pack([1, None, False, {}, b""])


def _log_seeds() -> tuple[bytes, ...]:
    payload = _batch_payloads()[0]
    record = header_of(7, NONCE, payload) + payload
    after = header_of(12, NONCE, payload) + payload
    return b"\x00" + record, b"\x03" + after, b"\x01" + record[:-1], b"\x02", b"\x03" + bytes(60)


def _manifests() -> tuple[bytes, ...]:
    files = {"partition-0/data.mdb": FileRecord(3, "ab"), "host.json": FileRecord(1, "cd")}
    good = Manifest(1, FORMAT_VERSION, "0.1.0", "2026-01-01T00:00:00Z", 1, 2, 0, files)
    data = msgspec.json.encode(good)
    return (
        data,
        data.replace(b"host.json", b"../host.json"),
        data.replace(b'"format":1', b'"format":9'),
    )


_encoded = tuple(KNOWN)
_log = _log_seeds()
TARGETS = (
    Target(
        "codec",
        run_codec,
        _encoded,
        near(_encoded) | broken(packed_values.map(packed)),
        {
            "nested tuples": _nested_tuples,
            "lying lists": _lying_lists,
            "lists in lists": lambda size: b"\x91" * size,
            "an integer": lambda size: _extension(1, b"\x7f" * size),
            "a decimal": lambda size: _extension(8, b"9" * size),
            "many keys": lambda size: packed(dict.fromkeys(range(size // 6))),
        },
        # MessagePack, whose lists nest 1,024 deep, believes their lengths until the end shows that they
        # lied, at 8 bytes an item. The values of storage and of calls come from who is trusted.
        memory_factor=8_300,
    ),
    Target("log-records", run_log, _log, near(_log)),
    Target("log-batches", run_batches, _batch_payloads(), near(_batch_payloads())),
    Target(
        "rows",
        run_rows,
        (b"\x09number..k", b"a" * 500, "é".encode() * 250, b"\xff\x00", b"k" * MAX_KEY_BYTES),
        st.binary(max_size=600)
        | st.builds(edited, st.sampled_from((b"k" * 490, b"k" * 2_049)), edits),
    ),
    Target(
        "backup-manifest",
        run_manifest,
        _manifests(),
        near(_manifests()),
        {"unknown lists": lambda size: b'{"x":' + b"[" * size},
    ),
)
