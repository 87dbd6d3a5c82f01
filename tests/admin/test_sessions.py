"""What the commands print, session by session, with a host in a process of its own."""

from __future__ import annotations

import os
import pty
import subprocess
import urllib.request
from collections.abc import Generator
from urllib.parse import quote

import pytest

from ..helpers.host_process import COMMAND, HostProcess
from ..helpers.terminal import Terminal

ENVIRONMENT = {"ROOMHOST_API_KEYS": "key", "ROOMHOST_IDLE_EVICTION_SECONDS": "3600"}
FAR_MS = 4_102_444_800_000  # 2100-01-01


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Generator[HostProcess]:
    """A host with some objects."""
    directory = tmp_path_factory.mktemp("sessions") / "state"
    process = HostProcess("tests.helpers.admin_app:app", directory, ENVIRONMENT)
    with process:
        send(process, "/counter/a/increment")
        send(process, "/counter/b/store", '{"list": [1, {"a": null}], "text": "h\\u00e9llo"}')
        send(process, f"/counter/b/alarm?at={FAR_MS}")
        send(process, f"/counter/{quote('x' + chr(27))}/store", '{"esc": "\\u001b[2J[bold]"}')
        send(process, "/realtime/collab/rooms/lobby/publish", '{"type": "chat"}')
        send(process, "/realtime/collab/channels/news/publish", '{"type": "chat"}')
        yield process


def send(host: HostProcess, path: str, body: str | None = None) -> None:
    """Have an object do something."""
    headers = {"authorization": "Bearer key", "content-type": "application/json"}
    data = None if body is None else body.encode()
    with urllib.request.urlopen(urllib.request.Request(host.url + path, data, headers)):
        pass


@pytest.fixture
def terminal(
    host: HostProcess, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    """A terminal beside the data directory."""
    monkeypatch.chdir(host.data_dir.parent)
    monkeypatch.delenv("ROOMHOST_DATA_DIR", raising=False)
    monkeypatch.setenv("HOST", host.url)
    return Terminal(monkeypatch, capsys)


def test_objects(terminal: Terminal) -> None:
    """What exists: bindings, objects with their filters, as a table and as JSON, by path and by URL."""
    terminal.check(r"""
$ roomhost objects
BINDING  KIND      CLASS    OBJECTS  RESIDENT  SOCKETS
COUNTER  class     Counter        3         3        0
COLLAB   realtime  -              2         2        0
$ roomhost objects COUNTER
NAME     KEYS  SIZE  RESIDENT  SOCKETS  ALARM
'x\x1b'     1  14 B  yes             0  -
a           1   2 B  yes             0  -
b           2  21 B  yes             0  <time>
$ roomhost objects COUNTER --alarm
NAME  KEYS  SIZE  RESIDENT  SOCKETS  ALARM
b        2  21 B  yes             0  <time>
$ roomhost objects COUNTER --prefix z
COUNTER has no objects, or none that pass the filters
$ roomhost objects COUNTER --limit 1
NAME     KEYS  SIZE  RESIDENT  SOCKETS  ALARM
'x\x1b'     1  14 B  yes             0  -
there may be more: --after COUNTER/<id>
$ roomhost objects COLLAB --contains new
NAME  KEYS   SIZE  RESIDENT  SOCKETS  ALARM
news     3  432 B  yes             0  <time>
$ roomhost objects COUNTER --prefix b --json
{
  "objects": [
    {
      "id": "<id>",
      "namespace": "COUNTER",
      "name": "b",
      "resident": true,
      "sockets": 0,
      "keys": 2,
      "bytes": 21,
      "alarm_ms": <ms>
    }
  ]
}
$ roomhost objects --json
{
  "name": "admin",
  "version": <version>,
  "url": "<url>",
  "data_dir": "<here>/state",
  "started_ms": <ms>,
  "pid": <pid>,
  "edit": false,
  "bindings": [
    {
      "binding": "COUNTER",
      "kind": "class",
      "class_name": "Counter",
      "namespaces": [
        "COUNTER"
      ],
      "objects": 3,
      "resident": 3,
      "sockets": 0
    },
    {
      "binding": "COLLAB",
      "kind": "realtime",
      "namespaces": [
        "COLLAB.rooms",
        "COLLAB.channels",
        "COLLAB.directory"
      ],
      "objects": 2,
      "resident": 2,
      "sockets": 0
    }
  ]
}
$ roomhost objects COUNTER --url $HOST --api-key key --contains a
NAME  KEYS  SIZE  RESIDENT  SOCKETS  ALARM
a        1   2 B  yes             0  -
""")


def test_inspect(terminal: Terminal) -> None:
    """One object: its fields, its keys page by page, as text and as JSON."""
    terminal.check(r"""
$ roomhost inspect COUNTER b
object   COUNTER 'b'
id       <id>
class    Counter
memory   resident
stored   2 keys, 21 B
alarm    <time>
sockets  0

KEY   TYPE  SIZE  VALUE
list  list   6 B  [1, {'a': None}]
text  str    7 B  'héllo'
$ roomhost inspect COUNTER b --prefix t --json
{
  "binding": "COUNTER",
  "namespace": "COUNTER",
  "id": "<id>",
  "name": "b",
  "class_name": "Counter",
  "resident": true,
  "keys": 2,
  "bytes": 21,
  "entries": [
    {
      "key": "text",
      "type": "str",
      "bytes": 7,
      "value": "'héllo'"
    }
  ],
  "alarm": {
    "at_ms": <ms>
  },
  "socket_count": 0,
  "sockets": [],
  "events": []
}
$ roomhost inspect COUNTER b --limit 1
object   COUNTER 'b'
id       <id>
class    Counter
memory   resident
stored   2 keys, 21 B
alarm    <time>
sockets  0

KEY   TYPE  SIZE  VALUE
list  list   6 B  [1, {'a': None}]
there are more keys: --after 'list'
$ roomhost inspect COUNTER b --after list
object   COUNTER 'b'
id       <id>
class    Counter
memory   resident
stored   2 keys, 21 B
alarm    <time>
sockets  0

KEY   TYPE  SIZE  VALUE
text  str    7 B  'héllo'
$ roomhost inspect COLLAB news --limit 1
object   COLLAB.channels 'news'
id       <id>
class    Channel
memory   resident
stored   3 keys, 432 B
alarm    <time>
sockets  0

KEY        TYPE  SIZE  VALUE
deadlines  dict  15 B  {'idle': <ms>}
there are more keys: --after 'deadlines'
""")


def test_inspect_changes_an_object(terminal: Terminal) -> None:
    """Changes to an object, and what is said of them; what is not there is refused."""
    terminal.check(r"""
$ roomhost inspect COUNTER a --put n 41 --yes
COUNTER a: 'n' replaced
$ roomhost inspect COUNTER a --put who "{'ada'}" --yes
COUNTER a: 'who' stored
$ roomhost inspect COUNTER a
object   COUNTER 'a'
id       <id>
class    Counter
memory   not resident
stored   2 keys, 13 B
alarm    -
sockets  0

KEY  TYPE  SIZE  VALUE
n    int    1 B  41
who  set    8 B  {'ada'}
$ roomhost inspect COUNTER a --delete who --yes
COUNTER a: 'who' deleted
$ roomhost inspect COUNTER a --delete who --yes
roomhost: the object has no key 'who'
[exit 2]
$ roomhost inspect COUNTER a --evict --yes
COUNTER a: not resident, nothing to evict
$ roomhost inspect COUNTER b --run-alarm --yes
COUNTER b: the alarm ran
$ roomhost inspect COUNTER b --run-alarm --yes
roomhost: the object has no alarm
[exit 2]
$ roomhost inspect COUNTER new --put n 1 --yes
roomhost: COUNTER has no object 'new'; there are 'x\x1b', 'a', 'b' (see roomhost objects)
[exit 2]
$ roomhost inspect COUNTER new --put n 1 --create --yes --json
{
  "namespace": "COUNTER",
  "id": "<id>",
  "name": "new",
  "existed": false,
  "evicted": true
}
""")


def test_export_and_import(terminal: Terminal) -> None:
    """An object goes into a file and comes back from it; what is there is not replaced unasked."""
    terminal.check(r"""
$ roomhost inspect COUNTER moved --put n 41 --create --yes
COUNTER moved: 'n' stored
$ roomhost export COUNTER moved moved.ndjson
COUNTER moved: 1 entry, 2 B, in moved.ndjson
$ roomhost export COUNTER moved
{"roomhost_object":1,"namespace":"COUNTER","id":"<id>","name":"moved","entries":1,"bytes":2}
{"key":"bg==","value":"KQ=="}
$ roomhost import moved.ndjson
roomhost: the object has entries, or an alarm: say --force to replace all of it
[exit 2]
$ roomhost import moved.ndjson --force
roomhost: Replace all that COUNTER moved holds? There is no terminal to ask: say --yes
[exit 2]
$ roomhost inspect COUNTER moved --put m 1 --yes
COUNTER moved: 'm' stored
$ roomhost import moved.ndjson --force --yes
COUNTER moved: 1 entry, 2 B, replaced
$ roomhost inspect COUNTER moved --json
{
  "binding": "COUNTER",
  "namespace": "COUNTER",
  "id": "<id>",
  "name": "moved",
  "class_name": "Counter",
  "resident": false,
  "keys": 1,
  "bytes": 2,
  "entries": [
    {
      "key": "n",
      "type": "int",
      "bytes": 1,
      "value": "41"
    }
  ],
  "socket_count": 0,
  "sockets": [],
  "events": []
}
$ roomhost import missing.ndjson
roomhost: missing.ndjson cannot be read: No such file or directory
[exit 2]
$ roomhost import moved.ndjson --binding NOTHING
roomhost: no binding 'NOTHING'; there are COUNTER, COLLAB
[exit 2]
$ roomhost import moved.ndjson --binding COLLAB
roomhost: binding: one of COLLAB.rooms, COLLAB.channels: COLLAB is several
[exit 2]
$ roomhost export COUNTER moved nowhere/a.ndjson
roomhost: nowhere/a.ndjson cannot be written: No such file or directory
[exit 2]
""")


def test_mistakes(terminal: Terminal) -> None:
    """One line that says what to do, and exit status 2."""
    terminal.check(r"""
$ roomhost objects NOTHING
roomhost: no binding 'NOTHING'; there are COUNTER, COLLAB
[exit 2]
$ roomhost inspect COLLAB nobody
roomhost: COLLAB has no object 'nobody'; there are 'lobby', 'news' (see roomhost objects)
[exit 2]
$ roomhost inspect COUNTER
roomhost: Missing argument 'NAME'.
[exit 2]
$ roomhost objects COUNTER --limit 0
roomhost: Invalid value for '--limit': 0 is not in the range x>=1.
[exit 2]
$ roomhost objects COUNTER --after x
roomhost: after: give what the page before had as its `after`
[exit 2]
$ roomhost inspect COUNTER a --put n 5
roomhost: Store 5 (int) under the key 'n' of COUNTER 'a'? There is no terminal to ask: say --yes
[exit 2]
$ roomhost inspect COUNTER a --put n five --yes
roomhost: --put: the value of 'n' is neither a Python literal nor JSON (five is no value); write it ...
[exit 2]
$ roomhost inspect COUNTER a --put n 5 --evict
roomhost: one change at a time: --put and --evict are several
[exit 2]
$ roomhost inspect COUNTER a --create
roomhost: --create goes with --put
[exit 2]
$ roomhost inspect COUNTER a --run-alarm --yes
roomhost: the object has no alarm
[exit 2]
$ roomhost objects --url $HOST
roomhost: an API key of this host is needed: Authorization: Bearer <key>, or --api-key
[exit 2]
$ roomhost objects --url $HOST --api-key wrong
roomhost: an API key of this host is needed: Authorization: Bearer <key>, or --api-key
[exit 2]
$ roomhost objects --url $HOST --data-dir state
roomhost: give either --data-dir or --url: each says where the host is
[exit 2]
$ roomhost objects --url ftp://x
roomhost: --url is like <url>, not 'ftp://x'
[exit 2]
$ roomhost objects --url http://127.0.0.1:1
roomhost: cannot reach http://127.0.0.1:1: Connection refused; is it running?
[exit 2]
$ roomhost inspect COUNTER a --put n 5 --yes --url $HOST --api-key key
roomhost: this host takes no changes over the network: set inspector_edit in roomhost.toml, or the ...
[exit 2]
$ roomhost objects --data-dir nowhere
roomhost: there is no data directory at <here>/nowhere: name it by --data-dir, or a running host by ...
[exit 2]
""")


def test_a_change_asks_on_a_terminal(host: HostProcess) -> None:
    """And is made when the answer is yes."""
    change = ["inspect", "COUNTER", "asked", "--create", "--put", "n", "1"]
    shown, status = answered(host, change, "y")
    assert "Store 1 (int) under the key 'n' of COUNTER 'asked'? [y/N]: y" in shown
    assert shown.endswith("COUNTER asked: 'n' stored\r\n")
    assert status == 0


def answered(host: HostProcess, arguments: list[str], answer: str) -> tuple[str, int]:
    """What a command shows on a terminal where its question is answered, and its exit status."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(COMMAND), *arguments],
        cwd=host.data_dir.parent,
        env={name: value for name, value in os.environ.items() if "ROOMHOST" not in name},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while not shown.endswith(b"[y/N]: "):
            shown += os.read(ours, 1)
        os.write(ours, answer.encode() + b"\n")
        while data := os.read(ours, 4_096):
            shown += data
    except OSError:  # the terminal is gone with the process
        pass
    finally:
        os.close(ours)
    return shown.decode(), process.wait()
