"""The outer process of `roomhost dev`, with children that a test plays."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import py_compile
import signal
import socket
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import pytest

from roomhost.admin import dev_supervisor, limits
from roomhost.admin.dev_failure import Failure
from roomhost.admin.dev_files import Watched
from roomhost.admin.dev_messages import Failed, Ready, Refused, Said, Start
from roomhost.admin.dev_states import Event
from roomhost.admin.dev_supervisor import Happening, Supervisor, forget_bytecode
from roomhost.admin.dev_terminal import Terminal
from roomhost.admin.dev_watcher import Watcher
from roomhost.runtime import HostError

READY = Ready("demo", "http://here", "state", "key")
FAILURE = Failure("SyntaxError", "invalid syntax")


class Child:
    """A child process that does what a test says."""

    def __init__(self, stage: Stage, start: Start, on_said: Any, on_exit: Any) -> None:
        self.start = start
        self.signals: list[str] = []
        self._stage = stage
        self._on_said = on_said
        self._on_exit = on_exit

    def says(self, said: Said) -> None:
        """Tell the supervisor."""
        self._on_said(self, said)

    def ends(self, status: int = 0) -> None:
        """End by itself, or when told."""
        self._on_exit(self, status)

    def terminate(self) -> None:
        """SIGTERM."""
        self._note("terminate")

    def kill(self) -> None:
        """SIGKILL."""
        self._note("kill")

    def _note(self, number: str) -> None:
        self.signals.append(number)
        self._stage.signals.put_nowait((self, number))


class Stage:
    """The supervisor's surroundings. `children` that were started, `signals` that they got."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.children: asyncio.Queue[Child] = asyncio.Queue()
        self.signals: asyncio.Queue[tuple[Child, str]] = asyncio.Queue()
        self.watched = Watched(("/app",))
        self.supervisor: Supervisor | None = None
        monkeypatch.setattr(dev_supervisor, "ChildProcess", self)

    async def start(self, start: Start, listening: object, on_said: Any, on_exit: Any) -> Child:
        """In the place of `ChildProcess.start`."""
        child = Child(self, start, on_said, on_exit)
        self.children.put_nowait(child)
        return child

    def change(self, *paths: str) -> None:
        """Files change."""
        assert self.supervisor is not None
        self.supervisor._happens(Happening(Event.CHANGED, paths=paths))

    def wait(self, stop: threading.Event) -> list[str]:
        """In the place of `Watcher.wait`."""
        stop.wait()
        return []


def play(
    scene: Callable[[Stage], Coroutine[Any, Any, None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run a supervisor and a scene, which ends it."""

    async def run() -> None:
        stage = Stage(monkeypatch)
        stage.supervisor = Supervisor(
            Start("demo:app", {}, "key", ("/app",), first=True),
            cast("socket.socket", None),
            "http://here",
            cast("Watcher", stage),
            Terminal(stage.watched),
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(stage.supervisor.run())
            await scene(stage)

    asyncio.run(run())


async def stop(child: Child) -> None:
    """SIGTERM to this process, which the child hears of."""
    os.kill(os.getpid(), signal.SIGTERM)
    assert await child._stage.signals.get() == (child, "terminate")
    child.ends()


def test_changes_while_a_child_ends_are_in_the_next(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However many, it is one child; what the last one says late counts no more."""

    async def scene(stage: Stage) -> None:
        first = await stage.children.get()
        assert first.start.first
        first.says(READY)
        stage.change("/app/a.py")
        assert await stage.signals.get() == (first, "terminate")
        stage.change("/app/b.py", "/app/c.py")
        first.says(Failed(FAILURE))
        first.ends()
        second = await stage.children.get()
        assert not second.start.first
        first.says(Failed(FAILURE))
        second.says(READY)
        await stop(second)
        assert stage.children.empty()

    play(scene, monkeypatch)
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.count("roomhost: demo on http://here (data in state)\n") == 1
    assert printed.out.count("roomhost: reloaded in ") == 1
    assert "roomhost: a.py changed, reloading\n" in printed.out


def test_what_does_not_end_is_killed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the time that what is in flight has."""
    monkeypatch.setattr(limits, "DEV_DRAIN_SECONDS", 0.01)

    async def scene(stage: Stage) -> None:
        first = await stage.children.get()
        stage.change("/app/a.py")
        assert await stage.signals.get() == (first, "terminate")
        assert await stage.signals.get() == (first, "kill")
        first.ends(-9)
        await stop(await stage.children.get())

    play(scene, monkeypatch)
    assert "did not end in 0.01 seconds: killed" in capsys.readouterr().out


def test_a_death_is_explained_by_the_next_child(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is shown once, and forgotten when a file has changed."""

    async def scene(stage: Stage) -> None:
        (await stage.children.get()).ends(-9)
        explaining = await stage.children.get()
        failure = explaining.start.failure
        assert failure is not None
        explaining.says(Failed(failure))
        stage.change("/app/a.py")
        assert await stage.signals.get() == (explaining, "terminate")
        explaining.ends()
        third = await stage.children.get()
        assert third.start.failure is None
        third.says(Failed(FAILURE))
        await stop(third)

    play(scene, monkeypatch)
    printed = capsys.readouterr().err
    assert printed.count("It was ended by SIGKILL. The system does that when memory runs") == 1
    assert printed.count("SyntaxError: invalid syntax") == 1


@pytest.mark.parametrize("refused", [True, False])
def test_what_cannot_be_helped_ends_with_one_line(
    refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that is held; a page that cannot be served."""

    async def scene(stage: Stage) -> None:
        first = await stage.children.get()
        if refused:
            first.says(Refused("it is held"))
        first.ends(2)
        if not refused:
            (await stage.children.get()).ends(1)

    with pytest.raises(ExceptionGroup) as raised:
        play(scene, monkeypatch)
    (error,) = raised.value.exceptions
    assert isinstance(error, HostError)
    assert str(error).startswith("it is held" if refused else "the process that serves")


def test_what_python_compiled_of_a_file_is_forgotten(tmp_path: Path) -> None:
    """It would be taken for that of a file with as many bytes, written in the same second."""
    source = tmp_path / "demo.py"
    source.write_text("x = 1\n")
    compiled = Path(importlib.util.cache_from_source(str(source)))
    py_compile.compile(str(source))
    assert compiled.exists()
    forget_bytecode([str(source), str(tmp_path / "none.py"), str(tmp_path / "page.html")])
    assert not compiled.exists()
    assert source.exists()
