"""`python -m benchmarks.serve_ours DIRECTORY`: our server in a process of its own, as `roomhost serve`
runs it, on a free port of 127.0.0.1 that it says as a line of JSON.

The limit of the realtime module on the frames of one connection is lifted: the load generator is a
single client that does what many would.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from unittest.mock import patch
from urllib.parse import urlsplit

import uvloop

from roomhost.actors import connection
from roomhost.actors.frames import Protocol
from roomhost.actors.rate import Bucket
from roomhost.runtime.server import serve
from roomhost.runtime.settings import make_settings

from . import children
from .network_app import app

KEY = "benchmark"
UNLIMITED = 1 << 40
INPUT_BYTES = 4_096  # read at once


def unlimited(_protocol: Protocol) -> Bucket:
    """A connection that may send as much as it likes."""
    return Bucket(0, UNLIMITED, UNLIMITED)


def end_with_input() -> None:
    """Stop as by a signal, once the one that started this has ended."""
    while os.read(sys.stdin.fileno(), INPUT_BYTES):
        pass  # it obeys no command
    os.kill(os.getpid(), signal.SIGTERM)


def main(directory: str) -> None:
    """Serve until the input ends."""
    settings = make_settings({"data_dir": directory, "port": 0, "api_keys": [KEY]})
    threading.Thread(target=end_with_input, daemon=True).start()
    with patch.object(connection, "bucket_of", unlimited):
        uvloop.run(serve(app, settings, lambda url: children.say({"port": urlsplit(url).port})))


if __name__ == "__main__":
    main(sys.argv[1])
