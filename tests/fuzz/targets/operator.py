"""What an operator's tools send, and what an operator writes: the admin API, literals, files, settings."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import strategies as st

from roomhost.admin.api import decode
from roomhost.admin.errors import OperationError
from roomhost.admin.import_object import check_entries
from roomhost.admin.limits import MAX_IMPORT_BODY_BYTES
from roomhost.admin.literals import literal
from roomhost.admin.operations import OPERATIONS
from roomhost.admin.parse_literal import parse_literal
from roomhost.admin.transfer_commands import read_file
from roomhost.runtime.errors import HostError
from roomhost.runtime.host_settings import fields
from roomhost.runtime.settings import load_settings
from roomhost.runtime.token_secrets import read_secrets_file
from roomhost.storage import DataCloneError, encode
from roomhost.storage.limits import DEFAULT_ENTRY_LIMITS

from ..grammar import broken, json_objects, json_values, near
from ..target import Target, demand, refused
from .storage import VALUES, alike

NAMES = tuple(sorted(OPERATIONS))
SETTINGS = tuple(sorted(fields()))
# What a settings class looks for on the disk would be another test's subject.
FILES = tuple(name for name in SETTINGS if name.endswith(("_file", "certfile", "keyfile")))
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("binding", "name", "id", "key", "value"), st.text(max_size=4)),
    **dict.fromkeys(("limit", "entries", "create"), json_values),
}


def run_admin(data: bytes) -> None:
    """Of the operation that the first byte chooses: OperationError with a code, or an input."""
    operation = OPERATIONS[NAMES[data[0] % len(NAMES)]] if data else OPERATIONS["put"]
    try:
        given = decode(data[1:], operation)
    except OperationError as error:
        demand(error.status == 400 and error.code == "invalid_argument", "a code", error)
        return

    entries = getattr(given, "entries", None)
    if entries is not None:
        refused(check_entries, entries, DEFAULT_ENTRY_LIMITS, by=OperationError)


def run_literal(data: bytes) -> None:
    """ValueError, or a value whose own text is read as the same value."""
    value = refused(parse_literal, data.decode("utf-8", "surrogateescape"), by=ValueError)
    try:
        encode(value)
    except DataCloneError:
        return

    text, cut = literal(value, 4_096)
    if not cut:
        demand(alike(parse_literal(text), value), "another value", text)


def run_export_file(data: bytes) -> None:
    """HostError, or a header and entries."""
    path = _Files.path("object.ndjson")
    path.write_bytes(data)
    refused(read_file, str(path), by=HostError)


def run_settings(data: bytes) -> None:
    """As variables, a line each, and as a file: HostError that names no secret, or settings."""
    lines = data.decode("utf-8", "replace").split("\n")[:8]
    environ = {
        f"ROOMHOST_{name.upper()}": value
        for name, _, value in (line.partition("=") for line in lines)
    }
    for name in FILES:
        environ.pop(f"ROOMHOST_{name.upper()}", None)
    path = _Files.path("roomhost.toml")
    for content, given in ((b"", environ), (data, {})):
        path.write_bytes(content)
        if any(name.encode() in content for name in FILES):
            continue
        refused(load_settings, None, given, path.parent, by=HostError)


def run_secrets(data: bytes) -> None:
    """HostError, or secrets that are long enough."""
    path = _Files.path("token_secrets")
    path.write_bytes(data)
    found = refused(read_secrets_file, path, by=HostError)
    for _, secret in found or ():
        demand(len(secret) >= 32, "a secret that was cut off", len(secret))


class _Files:
    """A directory for as long as the process lives."""

    _made: tempfile.TemporaryDirectory[str] | None = None

    @classmethod
    def path(cls, name: str) -> Path:
        """A file of it, which need not be there."""
        if cls._made is None:
            memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
            cls._made = tempfile.TemporaryDirectory(dir=memory)
        return Path(cls._made.name) / name


def _with_operation(name: str, /, **given: object) -> bytes:
    return bytes((NAMES.index(name),)) + msgspec.json.encode(given)


_bodies = (
    _with_operation("put", binding="A", name="a", key="k", value="[1]", create=True),
    _with_operation("inspect", binding="A", name="a", limit=5),
    _with_operation(
        "import",
        roomhost_object=1,
        binding="A",
        id="0" * 64,
        entries=[(b"k", encode([1])), (b"l", b"\xc1")],
    ),
    _with_operation("objects", binding="A"),
)
_literals = (
    *(literal(value, 4_096)[0].encode() for value in VALUES),
    b'{"a": [1, null, true]}',
    b"-5",
    b"{1, 2.5, -0.0}",
    b"Decimal('1E+5')",
    b"timedelta(days=1)",
    b"float('inf')",
    b"b'\\x00'",
)
_header = {"roomhost_object": 1, "namespace": "A", "id": "0" * 64, "entries": 1}
_files = (
    msgspec.json.encode(_header) + b'\n{"key":"aw==","value":"AQ=="}\n',
    msgspec.json.encode({**_header, "entries": 0}) + b"\n",
)
_settings = (
    b"port=80\nhost=::1\napi_keys=a,b",
    b"token_secrets=k:" + b"s" * 32 + b"\nallowed_origins=https://a.example",
    b'port = 80\nhost = "::1"\napi_keys = ["a"]',
    b"trusted_proxies=10.0.0.0/8\npublic_url=https://a\nidle_eviction_seconds=0.5",
    b"max_headers=9\nnothing=1",
)
_secrets = (b"k1:" + b"s" * 32 + b"\n", b"k1:" + b"s" * 40 + b"\nk2:" + b"t" * 32 + b"\n")

TARGETS = (
    Target(
        "admin-bodies",
        run_admin,
        _bodies,
        near(_bodies)
        | st.builds(
            lambda number, body: bytes((number,)) + body,
            st.integers(0, len(NAMES)),
            broken(json_objects(FIELDS)),
        ),
        {
            "lists": lambda size: b"\x00" + b'{"x":' + b"[" * size,
            "entries": lambda size: (
                _bodies[2][:1]
                + b'{"roomhost_object":1,"binding":"A","id":"","entries":['
                + b'["","wA=="],' * (size // 12)
                + b'["","wA=="]]}'
            ),
        },
    ),
    Target(
        "literals",
        run_literal,
        _literals,
        near(_literals),
        {
            "brackets": lambda size: b"[" * size,
            "signs": lambda size: b"-" * size + b"1",
            "sums": lambda size: b"1+" * (size // 2) + b"1",
            "digits": lambda size: b"9" * size,
            "calls": lambda size: b"set(" * (size // 4),
            "dots": lambda size: b"a." * (size // 2) + b"a",
            "text": lambda size: b"'" + b"\\u00e9" * (size // 6) + b"'",
        },
        262_144,
    ),
    Target(
        "export-files",
        run_export_file,
        _files,
        near(_files),
        {"lists": lambda size: b'{"x":' + b"[" * size, "lines": lambda size: b"{}\n" * (size // 3)},
        memory_floor_bytes=2 * MAX_IMPORT_BODY_BYTES,  # it is read at once
    ),
    Target("settings", run_settings, _settings, near(_settings), {}, 65_536),
    Target("secrets", run_secrets, _secrets, near(_secrets)),
)
