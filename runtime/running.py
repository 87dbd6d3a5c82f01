"""The hosts that run in this process: for code that neither a request nor an object's event runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio.lowlevel import current_token

if TYPE_CHECKING:
    from .host import Host

_running: dict[Host, object] = {}  # with the event loop of each


def running_hosts() -> list[Host]:
    """The hosts of the event loop that is running; all of the process where none is, as in a thread."""
    token = _token()
    return [host for host, loop in list(_running.items()) if token is None or loop == token]


def host_started(host: Host) -> None:
    """A host runs from now on, in this event loop."""
    _running[host] = _token()


def host_stopped(host: Host) -> None:
    """A host has stopped, or did not come to run."""
    _running.pop(host, None)


def _token() -> object:
    try:
        return current_token()
    except RuntimeError:
        return None
