"""Which host a command is about: a running one, or a directory that none holds."""

from __future__ import annotations

import socket
from pathlib import Path

import anyio
import pytest

from roomhost.admin.errors import OperationError
from roomhost.admin.offline import OfflineTarget
from roomhost.admin.target import open_target
from roomhost.runtime import HostError
from roomhost.runtime.local_socket import SOCKET_FILE, listen_locally
from roomhost.runtime.testing import ManualClock, host_for
from roomhost.storage import DataDirectory

from ..helpers.admin_app import app


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory that a host has left: a counter with an overdue alarm, and two rooms."""

    async def fill() -> None:
        clock = ManualClock()
        async with host_for(app, data_dir=tmp_path / "state", clock=clock) as host:
            await host.env.COUNTER.get_by_name("a").store({"n": 1})
            await host.env.COUNTER.get_by_name("a").wake_at(clock.now_ms() + 1)
            await host.env.COLLAB.room("lobby").publish(type="chat")
            await host.env.COLLAB.channel("news").publish(type="chat")

    anyio.run(fill)
    return tmp_path / "state"


def test_a_directory_without_its_host_is_opened_here(directory: Path) -> None:
    """What is stored is seen as a host would show it, but for the code."""
    with open_target(directory) as target:
        assert isinstance(target, OfflineTarget)
        assert not target.running
        told = target.call("host")
        assert {each["binding"]: (each["kind"], each["objects"]) for each in told["bindings"]} == {
            "COUNTER": ("class", 1),
            "COLLAB": ("module", 2),
        }
        classes = {each["binding"]: each.get("class_name") for each in told["bindings"]}
        assert classes == {"COUNTER": "Counter", "COLLAB": None}
        found = target.call("inspect", binding="COLLAB", name="lobby")
        assert found["namespace"] == "COLLAB.rooms"
        assert target.call("objects", binding="COUNTER")["objects"][0]["name"] == "a"


def test_no_alarm_runs_meanwhile_and_changes_last(directory: Path) -> None:
    """However overdue it is: its code is not here."""
    for value in ("2", "3"):
        with open_target(directory) as target:
            done = target.call("put", binding="COUNTER", name="a", key="n", value=value)
            assert (done["existed"], done["evicted"]) == (True, True)
    with open_target(directory) as target:
        found = target.call("inspect", binding="COUNTER", name="a")
        assert found["entries"][0]["value"] == "3"
        assert found["alarm"]["at_ms"] > 0
        assert not found["resident"]


def test_an_object_goes_from_one_directory_to_another(directory: Path, tmp_path: Path) -> None:
    """By lines, as with a host."""
    with open_target(directory) as target:
        lines = list(target.stream("export", binding="COUNTER", name="a"))
    assert [next(iter(line)) for line in lines] == ["header", "entry", "result"]


@pytest.mark.parametrize("operation", ["run-alarm", "evict", "statistics"])
def test_what_is_about_memory_needs_the_host(directory: Path, operation: str) -> None:
    """And says so."""
    with open_target(directory) as target:
        with pytest.raises(
            HostError, match="about a running host, and none runs on this directory"
        ):
            target.call(operation, binding="COUNTER", name="a")


def test_a_refusal_is_the_same_as_a_host_s(directory: Path) -> None:
    """With its code and its field."""
    with open_target(directory) as target:
        with pytest.raises(OperationError, match="limit: Expected `int`, got `str`") as caught:
            target.call("objects", binding="COUNTER", limit="x")
        assert (caught.value.code, caught.value.field) == ("invalid_argument", "limit")
        with pytest.raises(OperationError, match="no object 'b'"):
            list(target.stream("export", binding="COUNTER", name="b"))


def test_a_stream_that_nobody_reads_to_its_end_is_left(directory: Path) -> None:
    """The directory can be opened again."""
    with open_target(directory) as target:
        for line in target.stream("export", binding="COUNTER", name="a"):
            assert "header" in line
            break
    with open_target(directory) as target:
        assert not target.running


def test_the_socket_of_a_dead_host_is_passed_over(directory: Path) -> None:
    """A host that was killed leaves its socket, and holds nothing."""
    listen_locally(directory).close()
    assert (directory / SOCKET_FILE).exists()
    with open_target(directory) as target:
        assert not target.running


def test_a_directory_that_is_held_without_a_socket_is_told_what_to_do(directory: Path) -> None:
    """Its host can be reached by its URL."""
    held = DataDirectory.open(directory)
    try:
        with pytest.raises(HostError, match=r"held by process .* give --url and --api-key"):
            open_target(directory).__enter__()
    finally:
        held.close()


@pytest.mark.parametrize("name", ["nowhere", "file", "other"])
def test_what_is_no_data_directory_is_not_made_one(tmp_path: Path, name: str) -> None:
    """A name that was mistyped leaves nothing behind."""
    (tmp_path / "file").write_text("no directory")
    (tmp_path / "other").mkdir()
    with pytest.raises(HostError, match=f"no data directory at .*{name}: name it by --data-dir"):
        open_target(tmp_path / name)
    assert not (tmp_path / "nowhere").exists()
    assert list((tmp_path / "other").iterdir()) == []


def test_the_settings_name_the_directory(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no option does; the key of a caller is no setting of a host."""
    monkeypatch.chdir(directory.parent)
    monkeypatch.setenv("ROOMHOST_API_KEY", "key")
    with open_target() as target:
        assert target.call("host")["data_dir"] == str(directory)
    monkeypatch.setenv("ROOMHOST_DATA_DIR", str(directory.parent / "nowhere"))
    with pytest.raises(HostError, match="nowhere"):
        open_target()


def test_a_socket_that_is_not_ours_is_told_apart(directory: Path) -> None:
    """What cannot be asked is not taken for dead."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(directory / SOCKET_FILE))
        with pytest.raises(HostError, match=r"cannot open .*admin\.sock"):
            open_target(directory)
