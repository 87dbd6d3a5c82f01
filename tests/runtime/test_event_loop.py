"""What would end the loop of a host's process, and does not."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import Any

import pytest

from roomhost.runtime.event_loop import run


async def exits(error: BaseException) -> None:
    """A task of somebody's."""
    raise error


@pytest.fixture(autouse=True)
def taken() -> Any:
    """A server has taken SIGINT."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_a_task_that_would_exit_does_not(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """The rest goes on, and one line says so."""

    async def main() -> str:
        task = asyncio.get_running_loop().create_task(exits(error))
        await asyncio.wait([task])
        assert task.exception() is error
        return "went on"

    with caplog.at_level(logging.ERROR):
        assert run(main()) == "went on"
    assert [repr(error) in line for line in caplog.messages] == [True]


def test_nor_does_a_loop_that_is_stopped(caplog: pytest.LogCaptureFixture) -> None:
    """Code of an object has stopped it."""

    async def main() -> str:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return "went on"

    assert run(main()) == "went on"
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("error", [SystemExit(3), RuntimeError("wrong"), OSError("gone")], ids=repr)
def test_what_the_host_itself_ends_with_leaves(error: BaseException) -> None:
    """As it stands."""
    with pytest.raises(type(error)) as raised:
        run(exits(error))
    assert raised.value is error


def test_ctrl_c_before_a_server_has_taken_it_cancels_and_leaves() -> None:
    """While the application is being started, say."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    ended: list[str] = []

    async def main() -> None:
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cancelled")

    with pytest.raises(KeyboardInterrupt):
        run(main())
    assert ended == ["cancelled"]
