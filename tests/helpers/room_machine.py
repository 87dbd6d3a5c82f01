"""The pure room machine in a test: a store, a time, who has a socket; no host and no loop."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from roomhost.actors.awareness import Awareness
from roomhost.actors.caller import Caller
from roomhost.actors.cursors import Cursors
from roomhost.actors.errors import RealtimeError
from roomhost.actors.operations import OPERATIONS, Call, run
from roomhost.actors.options import RealtimeModuleOptions, normalize
from roomhost.actors.room import SWEEPS
from roomhost.actors.room_state import DocumentPush, Push, RoomState
from roomhost.actors.tokens import Keyring
from roomhost.actors.types import Kind

from .dict_store import DictStore

START_MS = 1_700_000_000_000
TRUSTED = Caller(trusted=True)
KEYRING = Keyring([("k1", "s" * 43)])
CURSORS = Cursors(KEYRING, "test")


def at(ms: int) -> str:
    """A moment `ms` after the start, as clients read it."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=START_MS + ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def frame_of(push: Push | DocumentPush) -> bytes | None:
    """What a JSON socket hears of a push, if anything."""
    if isinstance(push, Push):
        return push.frame

    return None if push.frame is None else push.frame()


class Machine:
    """One room. `now`: milliseconds since the start. `live`: the members that have a socket.
    `connection_id`: of the socket that calls come by, if any. `pushed`: every push so far, decoded."""

    def __init__(
        self,
        kind: Kind = "room",
        name: str = "lobby",
        store: DictStore | None = None,
        **options: Any,
    ) -> None:
        self.store = DictStore() if store is None else store
        self.kind: Kind = kind
        self.name = name
        given = {"name": "test", **options}
        self.options = normalize(msgspec.convert(given, RealtimeModuleOptions))
        self.now = 0
        self.live: set[str] = set()
        self.connections: int | None = None
        self.connection_id: str | None = None
        self.pushed: list[dict[str, Any]] = []
        self.closed = 0
        self.awareness = Awareness()  # which is the process's
        self._random = itertools.count(1)
        self.reload()

    def reload(self) -> None:
        """Forget everything in memory, as an eviction does."""
        self.state = RoomState(
            self.store,
            self.kind,
            self.name,
            self.options,
            live=lambda member_id: member_id in self.live,
            connections=lambda: len(self.live) if self.connections is None else self.connections,
            entropy=lambda size: next(self._random).to_bytes(size, "big"),
            awareness=lambda: self.awareness,
        )

    def do(self, operation: str, caller: Caller = TRUSTED, /, **fields: Any) -> Any:
        """Run an operation in a turn of its own: its result. Fields are those of the JSON."""
        return json.loads(self.raw(operation, caller, **fields))

    def raw(self, operation: str, caller: Caller = TRUSTED, /, **fields: Any) -> bytes:
        """The bytes of a result."""
        table = OPERATIONS[operation]
        value = table.input.parse(msgspec.json.encode(fields))
        result: bytes = self.step(
            lambda state, now_ms: run(
                table,
                Call(
                    state,
                    value,
                    caller,
                    now_ms,
                    CURSORS,
                    KEYRING,
                    "http://host",
                    self.connection_id,
                ),
            )
        )
        return result

    def step(self, work: Any) -> Any:
        """One turn: all of it is stored, or nothing."""
        before = dict(self.store.rows)
        try:
            result = work(self.state, START_MS + self.now)
        except BaseException:
            self.store.rows = before
            self.reload()
            raise

        self.pushed += [json.loads(frame) for frame in map(frame_of, self.state.pushes) if frame]
        self.state.pushes = []
        self.closed += self.state.closes_all
        self.state.closes_all = False
        return result

    def refused(self, operation: str, caller: Caller = TRUSTED, /, **fields: Any) -> RealtimeError:
        """The error of an operation, which left nothing behind."""
        before, pushed = dict(self.store.rows), len(self.pushed)
        try:
            self.raw(operation, caller, **fields)
        except RealtimeError as error:
            assert self.store.rows == before
            assert len(self.pushed) == pushed
            return error

        raise AssertionError(f"{operation} was not refused")

    def alarm(self) -> list[str]:
        """Do what is due now; what that was."""
        due = self.state.deadlines.due(START_MS + self.now)
        for deadline in due:
            if deadline in SWEEPS:
                self.step(SWEEPS[deadline])
        return [deadline.value for deadline in due]

    def types(self) -> list[str]:
        """The types of what was pushed, since this was asked last."""
        taken = [push["type"] for push in self.pushed]
        self.pushed = []
        return taken
