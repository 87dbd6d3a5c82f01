"""`backup`: a copy of the data directory, made by a process beside the host, which goes on serving."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import anyio.to_thread
import msgspec
from anyio.streams.buffered import BufferedByteReceiveStream

from ..runtime.token_secrets import SECRETS_FILE
from ..storage import StorageError
from ..storage.backup_manifest import Manifest
from . import limits
from .errors import OperationError, invalid
from .structs import Input, Result

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ..runtime import Host
    from .operations import Line

PROCESS = "roomhost.storage.backup_process"


class BackupInput(Input, kw_only=True):
    """`path`: the directory to make, absolute, on the host's machine."""

    path: str


class BackupResult(Result, kw_only=True):
    """A backup that is verified and on the disk. `bytes`: of its files."""

    path: str
    bytes: int
    objects: int
    entries: int
    alarms: int
    seconds: float
    verified: bool


async def back_up(host: Host, given: BackupInput) -> AsyncGenerator[Line]:
    """Lines `{"progress": {"step", "done", "total"}}`, then the result.

    OperationError: there is no backup; the message says why. StorageError: the host cannot write
    what it acknowledged. Cancelled, it leaves none either.
    """
    path = Path(given.path)
    if not path.is_absolute() or "\0" in given.path:
        raise invalid("path", f"{given.path!r} is not absolute: the host has its own directory")

    begun = time.monotonic()
    yield {"progress": {"step": "applying", "done": 0, "total": 1}}
    await anyio.to_thread.run_sync(host.engine.partition.apply_now)
    async with aclosing(copying(host, path)) as lines:
        async for line in lines:
            if "result" in line:
                manifest = msgspec.convert(line["result"], Manifest)
                line = {"result": as_result(path, manifest, time.monotonic() - begun)}
            yield line


async def copying(host: Host, path: Path) -> AsyncGenerator[Line]:
    """What the process that copies says; the last line is `{"result": manifest}`. OperationError: it
    said why there is no backup, or ended without a word."""
    partition = host.engine.partition
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    command = [sys.executable, "-P", "-m", PROCESS, str(host.directory), str(path)]
    result: Line | None = None
    failure = ""
    try:
        async with (
            running([*command, version("roomhost"), made_at, SECRETS_FILE]) as process,
            aclosing(lines_of(process)) as lines,
        ):
            async for line in lines:
                if "progress" in line:
                    yield line
                elif "result" in line:
                    result = line
                else:
                    failure = str(line["error"])
    finally:
        with suppress(StorageError):  # it is closed, and nothing is kept for readers
            partition.forget_readers()
    if result is None:
        ended = (
            f"the process that copies ended with status {process.returncode}, {path} is not there: call "
            "again, and run `roomhost doctor` if it does that again"
        )
        raise OperationError(failure or ended, code="backup_failed")

    yield result


def as_result(path: Path, manifest: Manifest, seconds: float) -> dict[str, Any]:
    """What a caller is told of a backup."""
    result = BackupResult(
        path=str(path),
        bytes=manifest.bytes,
        objects=manifest.objects,
        entries=manifest.entries,
        alarms=manifest.alarms,
        seconds=round(seconds, 3),
        verified=True,
    )
    told: dict[str, Any] = msgspec.to_builtins(result)
    return told


@asynccontextmanager
async def running(command: list[str]) -> AsyncGenerator[anyio.abc.Process]:
    """A process that writes to us, and that has ended when the block has."""
    process = await anyio.open_process(command, stdin=subprocess.DEVNULL, stderr=None)
    try:
        yield process
    except BaseException:
        with suppress(ProcessLookupError):
            process.terminate()  # it removes what it made
        raise
    finally:
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(limits.END_SECONDS):
                await process.wait()
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
            await process.aclose()


async def lines_of(process: anyio.abc.Process) -> AsyncGenerator[dict[str, Any]]:
    """The lines of JSON that a process says, until it ends."""
    assert process.stdout is not None
    said = BufferedByteReceiveStream(process.stdout)
    while True:
        try:
            line = await said.receive_until(b"\n", limits.MAX_LINE_BYTES)
        except (anyio.EndOfStream, anyio.IncompleteRead):
            return

        yield msgspec.json.decode(line, type=dict[str, Any])
