"""Whose a KeyboardInterrupt is."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from roomhost.runtime.interrupts import is_interrupt


def handled(handler: Callable[..., Any] | int) -> bool:
    """What is said of one while a handler of SIGINT is in place."""
    before = signal.signal(signal.SIGINT, handler)
    try:
        return is_interrupt(KeyboardInterrupt())
    finally:
        signal.signal(signal.SIGINT, before)


def test_it_is_the_users_where_pythons_own_handler_raises_it() -> None:
    """As in every script."""
    assert handled(signal.default_int_handler)


def test_it_is_an_actors_where_nothing_raises_it_for_the_signal() -> None:
    """A server has taken it, or it is ignored."""
    assert not handled(lambda *_: None)
    assert not handled(signal.SIG_IGN)


def test_no_other_error_is_one() -> None:
    """SystemExit stays with the object that raises it."""
    for error in (SystemExit(1), GeneratorExit(), asyncio.CancelledError(), ValueError()):
        assert not is_interrupt(error)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_it_is_the_users_in_a_script_that_runs_a_loop(backend: str) -> None:
    """asyncio and trio have handlers of their own, which raise it too."""

    async def main() -> bool:
        return is_interrupt(KeyboardInterrupt())

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert anyio.run(main, backend=backend) is True
    finally:
        signal.signal(signal.SIGINT, before)


def test_it_is_the_actors_once_a_server_has_taken_the_signal() -> None:
    """As ours and uvicorn's do."""

    async def main() -> bool:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: None)
        return is_interrupt(KeyboardInterrupt())

    assert asyncio.run(main()) is False
