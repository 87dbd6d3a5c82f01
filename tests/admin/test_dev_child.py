"""The process that serves under `roomhost dev`, without its supervisor."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from roomhost.admin import limits
from roomhost.admin.dev_child import read_start
from roomhost.admin.dev_failure import Failure
from roomhost.admin.dev_messages import Failed, Start, line_of, said_decoder
from roomhost.admin.dev_process import MODULE

START = Start("demo:app", {"inspector_edit": True}, "made", ("/nowhere",), first=True)


def test_a_child_leaves_when_its_supervisor_is_gone(tmp_path: Path) -> None:
    """Killed, say, so that nobody tells it. Ctrl-C alone does not make it."""
    ours, theirs = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listening, ours:
        descriptors = (theirs.fileno(), listening.fileno())
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", MODULE, *map(str, descriptors)],
            pass_fds=descriptors,
            cwd=tmp_path,
        )
        theirs.close()
        failure = Failure("KeyError", "x")
        ours.sendall(line_of(msgspec.structs.replace(START, failure=failure)))
        said = ours.recv(limits.MAX_DEV_MESSAGE_BYTES)
        assert said_decoder.decode(said) == Failed(failure)
        process.send_signal(signal.SIGINT)
        assert process.poll() is None
    assert process.wait(30) in (0, -signal.SIGTERM)


@pytest.mark.parametrize("pieces", [1, 7, 10_000])
def test_what_the_supervisor_says_first_is_read_to_the_end_of_the_line(pieces: int) -> None:
    """However it arrives."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        line = line_of(START)
        for at in range(0, len(line), pieces):
            ours.sendall(line[at : at + pieces])
        assert read_start(theirs) == START
        ours.close()
        with pytest.raises(SystemExit, match="says nothing"):
            read_start(theirs)
