"""`roomhost deploy` into a host that serves, in a terminal and under load."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from ..helpers.host_process import COMMAND, HostProcess
from ..helpers.terminal import Terminal

TEMPLATE = (Path(__file__).parent.parent / "helpers" / "rolling_app.txt").read_text()
V1 = '[Migration(tag="v1", new_classes=("Room", "Old"))]'
V2 = V1[:-1] + ', Migration(tag="v2", renamed_classes={"Room": "Hall"})]'
V3 = V2[:-1] + ', Migration(tag="v3", deleted_classes=("Old",))]'
SOCKETS = 20
WRITES_PER_SECOND = 200
LAST = 13  # the version that is deployed last


def code(version: int, room: str = "Room", binding: str = "ROOM", migrations: str = V1) -> str:
    """The source of a version; the class of old objects is there until it is deleted."""
    old = "" if migrations == V3 else ', "OLD": Old'
    bindings = f'{{"{binding}": {room}{old}}}'
    return TEMPLATE.format(version=version, room=room, bindings=bindings, migrations=migrations)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    """The first version, served."""
    directory = tmp_path_factory.mktemp("rolling")
    (directory / "rolling.py").write_text(code(1))
    with HostProcess("rolling:app", directory / "state", directory=directory) as process:
        yield process


def test_a_session_of_deploys(
    host: HostProcess, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it shows and refuses; a rollback; data is deleted only by who says so."""
    monkeypatch.chdir(host.directory)
    monkeypatch.delenv("ROOMHOST_DATA_DIR", raising=False)
    source, terminal = host.directory / "rolling.py", Terminal(monkeypatch, capsys)
    httpx.get(f"{host.url}/old/a/x").raise_for_status()

    def answer(binding: str) -> tuple[int, str]:
        response = httpx.get(f"{host.url}/{binding}/s/version")
        return response.status_code, response.text

    assert answer("room") == (200, "1")
    source.write_text(code(2, "Hall", "HALL", V2))
    terminal.check("""
$ roomhost deploy rolling:app --dry-run
Room is Hall now (v2)
Hall is bound as HALL now, it was ROOM
roomhost: dry run, nothing has changed: rolling can be deployed
""")
    assert (answer("room"), answer("hall")[0]) == ((200, "1"), 404)
    terminal.check("""
$ roomhost deploy rolling:app
Room is Hall now (v2)
Hall is bound as HALL now, it was ROOM
roomhost: rolling runs the new code: ...
""")
    assert (answer("room")[0], answer("hall")) == (404, (200, "2"))
    source.write_text(code(3, "Hall", "HALL", V3))
    terminal.check("""
$ roomhost deploy rolling:app
Old is deleted with its 1 object (v3)
roomhost: Delete these objects? There is no terminal to ask: say --yes
[exit 2]
""")
    source.write_text(code(4, "Hall", "HALL", V2).replace('"OLD": Old', '"N": DurableObject'))
    terminal.check("""
$ roomhost deploy rolling:app
roomhost: the class Old has 1 object here and is in the App no more: add Migration(tag="v3", ...
[exit 2]
""")
    source.write_text(code(4).replace("VERSION = 4", "VERSION = 4 +"))
    terminal.check("""
$ roomhost deploy rolling:app
roomhost: rolling:app cannot be imported: SyntaxError: invalid syntax (...
[exit 2]
$ roomhost deploy rolling:app --url http://127.0.0.1:1
roomhost: cannot reach http://127.0.0.1:1...
[exit 2]
""")
    assert answer("hall") == (200, "2")
    source.write_text(code(5))
    assert '"action":"undone"' in terminal.type("roomhost deploy rolling:app --json")
    assert answer("room") == (200, "5")
    assert '"objects":[]' not in terminal.type("roomhost objects OLD --json")


class Load:
    """Sockets that write, each as fast as its share, and what was acknowledged; requests and alarms."""

    def __init__(self, host: HostProcess) -> None:
        self.host = host
        self.acknowledged: list[set[str]] = [set() for _ in range(SOCKETS)]
        self.versions: set[int] = set()
        self.woken = 0
        self.answers: dict[int, int] = {}
        self.deployed = False

    @property
    def over(self) -> bool:
        """Whether everything was deployed, and has been written to."""
        return self.deployed and LAST in self.versions

    async def run(self) -> None:
        """Until the last version has answered."""
        url = self.host.url.replace("http:", "ws:")
        sockets = [
            await connect(f"{url}/room/{number}/socket?tag=t{number}") for number in range(SOCKETS)
        ]
        async with httpx.AsyncClient(base_url=self.host.url, timeout=30) as client:
            async with asyncio.TaskGroup() as group:
                for number, socket in enumerate(sockets):
                    group.create_task(self.write(number, socket))
                group.create_task(self.ask(client))
                group.create_task(self.deploy())
            await self.check(sockets, client)

    async def write(self, number: int, socket: ClientConnection) -> None:
        """Each message is sent when its time has come; its answer says who the socket is."""
        begun, count = time.monotonic(), 0
        while not self.over:
            await asyncio.sleep(begun + count * SOCKETS / WRITES_PER_SECOND - time.monotonic())
            message = f"{number}.{count}"
            await socket.send(message)
            told, began, ended, tag, attachment = json.loads(await socket.recv())
            assert (told, began, tag, attachment) == (
                message,
                ended,
                f"t{number}",
                {"tag": f"t{number}"},
            )
            self.acknowledged[number].add(message)
            self.versions.add(began)
            count += 1

    async def ask(self, client: httpx.AsyncClient) -> None:
        """Requests, by whatever name the class is bound; each sets an alarm of an object of its own."""
        while not self.over:
            await asyncio.sleep(0.05)
            name = f"alarm-{self.woken}"
            for binding in ("room", "hall"):
                response = await client.get(f"/{binding}/{name}/wake")
                status = response.status_code
                self.answers[status] = self.answers.get(status, 0) + 1
                if status == 200:
                    self.woken += 1
                    break

    async def deploy(self) -> None:
        """Three versions, forwards and back."""
        for version, changes in enumerate(
            [{}, {"room": "Hall", "binding": "HALL", "migrations": V2}, {}], start=LAST - 2
        ):
            source: dict[str, Any] = dict(changes)
            (self.host.directory / "rolling.py").write_text(code(version, **source))
            process = await asyncio.create_subprocess_exec(
                str(COMMAND),
                *("deploy", "rolling:app", "--json"),
                cwd=self.host.directory,
                stdout=subprocess.PIPE,
            )
            output, _ = await process.communicate()
            result = json.loads(output)
            assert (process.returncode, result.get("resets", 0)) == (0, 0), result
        self.deployed = True

    async def check(self, sockets: list[ClientConnection], client: httpx.AsyncClient) -> None:
        """Everything that was acknowledged is there, every alarm ran, every socket is open."""
        for number, socket in enumerate(sockets):
            stored, _ = (await client.get(f"/room/{number}/read")).json()
            assert {key.removeprefix("message:") for key in stored} >= self.acknowledged[number]
            await socket.send("last")
            assert json.loads(await socket.recv())[3:] == [f"t{number}", {"tag": f"t{number}"}]
            await socket.close()
        for number in range(self.woken):
            while not (woken := (await client.get(f"/room/alarm-{number}/read")).json()[1]):
                pass
            assert woken == 1


def test_a_rolling_deploy_under_load_loses_nothing(host: HostProcess) -> None:
    """Twenty sockets with two hundred writes a second: each one that was acknowledged is stored, no
    socket closes or forgets its tag, every alarm runs once, and no request fails but for its path."""
    load = Load(host)
    asyncio.run(load.run())
    assert load.versions >= {11, 12, 13}
    assert all(load.acknowledged)
    assert load.woken > 0
    assert set(load.answers) <= {200, 404, 503}


def test_without_a_host_the_directory_is_made_ready(
    host: HostProcess, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its objects are deleted when the command returns; nothing of the application runs. What no host
    may serve, none serves."""
    assert host.stop() == 0
    monkeypatch.chdir(host.directory)
    monkeypatch.delenv("ROOMHOST_DATA_DIR", raising=False)
    source, terminal = host.directory / "rolling.py", Terminal(monkeypatch, capsys)
    source.write_text(code(21, "Hall", "HALL", V3))
    terminal.check("""
$ roomhost deploy rolling:app --dry-run
Room is Hall now (v2)
Old is deleted with its 1 object (v3)
Hall is bound as HALL now, it was ROOM
roomhost: dry run, nothing has changed: rolling can be deployed
""")
    terminal.check("""
$ roomhost deploy rolling:app --yes
Room is Hall now (v2)
Old is deleted with its 1 object (v3)
Hall is bound as HALL now, it was ROOM
roomhost: the data directory is ready for rolling; no host runs on it
$ roomhost objects OLD
roomhost: no binding 'OLD'; there are HALL
[exit 2]
""")
    source.write_text(code(22, "Other", "HALL", V3))
    served = subprocess.run(
        [str(COMMAND), "serve", "rolling:app", "--port", "0"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert served.returncode == 2
    assert served.stderr.startswith("roomhost: the class Hall has ")
    assert len(served.stderr.splitlines()) == 1
