"""Runs a list of events on a room of a real host, and on its model; any difference is an error.

Sockets are in process: `stub.fetch` with the caller's header, as the module's own routes do it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import msgspec
from anyio.abc import TaskGroup

from roomhost.actors import realtime
from roomhost.actors.caller import DEFAULT_CAPABILITIES, Caller
from roomhost.actors.errors import RealtimeError
from roomhost.actors.socket_request import socket_request
from roomhost.bindings import App
from roomhost.runtime import Host, WebSocket, WebSocketClosed
from roomhost.runtime.temporary import temporary_directory
from roomhost.runtime.testing import ManualClock, host_for

from .room_model import Client, Frame, Model, at

Event = tuple[Any, ...]
HANGS_SECONDS = 20


def plain(result: Any) -> Any:
    """A result as JSON has it."""
    return json.loads(msgspec.json.encode(result))


class Heard:
    """What one socket has received, and how it ended."""

    def __init__(self, ws: WebSocket) -> None:
        self.ws = ws
        self.frames: list[Frame] = []
        self.code: int | None = None

    async def listen(self) -> None:
        """Until its end."""
        try:
            while True:
                self.frames.append(json.loads(await self.ws.receive()))
        except WebSocketClosed as closed:
            self.code = closed.code


class Driver:
    """One run. `model` says what should be; the methods named after events do them."""

    def __init__(self, recreates: bool) -> None:
        lifecycle = {"allowRecreate": recreates}
        self.app = App(name="model", bindings={"LIVE": realtime(name="live", lifecycle=lifecycle)})
        self.clock = ManualClock()
        self.model = Model(recreates, self.clock.now_ms())
        self.heard: dict[int, Heard] = {}
        self.clients: dict[int, Client] = {}
        self.epochs: dict[int, str] = {}
        self.numbers = itertools.count()
        self.disk_fails = False
        self.host: Host
        self.group: TaskGroup

    @property
    def room(self) -> Any:
        """The handle."""
        return self.host.env.LIVE.room("lobby")

    async def quiet(self) -> None:
        """Everything has come to rest, in the room and at its clients."""
        await self.clock.advance(0)
        await anyio.wait_all_tasks_blocked()

    async def run(self, events: Sequence[Event]) -> None:
        """All events, with a new host after each crash; AssertionError: a difference."""
        rest = list(events)
        with temporary_directory() as directory:
            while True:
                async with host_for(
                    self.app,
                    clock=self.clock,
                    data_dir=directory,
                    wrap_commit=self._wrapped,
                ) as self.host:
                    async with anyio.create_task_group() as self.group:
                        rest = await self._one_life(rest)
                        self.group.cancel_scope.cancel()
                    if rest:
                        await self.host.crash()
                if not rest:
                    return

    def _wrapped(self, commit: Callable[[Any], None]) -> Callable[[Any], None]:
        def commit_or_fail(batches: Any) -> None:
            if self.disk_fails:
                raise OSError("the disk fails")
            commit(batches)

        return commit_or_fail

    async def _one_life(self, events: list[Event]) -> list[Event]:
        await self.adopt()
        while events:
            name, *arguments = events.pop(0)
            if name == "crash":
                await self.quiet()
                for client in self.model.clients:
                    client.is_open = False
                return [*events, ("members",)]

            await getattr(self, name)(*arguments)
            await self.quiet()
            await self.compare()
        return []

    async def adopt(self) -> None:
        """After a crash: a member whose socket it took was last seen when the room looked last, at
        most a TTL before."""
        if self.model.destroyed_ms is None:
            for found in plain(await self.room.members()):
                member = self.model.members[found["memberId"]]
                if found["lastSeenAt"] != at(member.seen_ms):
                    moments = range(self.model.now_ms - 60_000, self.model.now_ms + 1)
                    seen = [ms for ms in moments if at(ms) == found["lastSeenAt"]]
                    assert seen, (found, self.model.now_ms)
                    member.seen_ms = seen[0]

    async def compare(self) -> None:
        """What can be read, and what every socket has heard."""
        model = self.model
        assert plain(await self.room.members()) == [model.shown(one) for one in model.active()]
        assert await self._history(3) == model.messages[model.trimmed :][::-1]
        assert plain(await self.room.lifecycle()) == model.lifecycle()
        assert plain(await self.room.metadata())["metadata"] == model.metadata
        for number, heard in self.heard.items():
            assert self._without(heard.frames) == self.clients[number].expected
            assert (heard.code is None) is self.clients[number].is_open or heard.code is None

    async def _history(self, limit: int) -> list[Frame]:
        items: list[Frame] = []
        cursor = None
        while True:
            page = plain(await self.room.history(limit=limit, cursor=cursor))
            items += page["items"]
            cursor = page.get("cursor")
            if cursor is None:
                return items

    @staticmethod
    def _without(frames: list[Frame]) -> list[Frame]:
        ignored = ("version", "connectionId", "message_text", "epoch")
        shown = [{key: frame[key] for key in frame if key not in ignored} for frame in frames]
        for frame in shown:
            if frame["type"] == "error":
                frame.pop("message")
        return shown

    async def _refused(self, call: Callable[[], Any], code: str) -> None:
        try:
            result = await call()
        except RealtimeError as error:
            assert error.code == code, error
        else:
            raise AssertionError(f"not refused as {code}: {result}")

    # Events

    async def publish(self, data: Any, key: str | None, broadcast: bool = False) -> None:
        """A message from code."""
        room = self.room
        operation = room.broadcast if broadcast else room.publish

        async def call() -> Any:
            return await operation(type="t", data=data, idempotency_key=key)

        known = self.model.known(key, data)
        if self.model.refuses:
            return await self._refused(call, "room_destroyed")
        if known == "conflict":
            return await self._refused(call, "idempotency_conflict")

        result = plain(await call())
        if known is not None:
            assert result == known
            return

        self.model.write()
        self.model.record("t", data, result)
        if key is not None:
            self.model.results[key] = (data, result)

    async def cancelled(self) -> None:
        """A publisher that gives up: its message is recorded once, or not at all."""
        data = f"given up {next(self.numbers)}"

        async def call() -> None:
            with anyio.CancelScope() as scope:
                scope.cancel()
                await self.room.publish(type="t", data=data)

        await call()
        await self.quiet()
        (newest,) = plain(await self.room.history(limit=1))["items"] or [{}]
        if newest.get("data") == data:
            self.model.write()
            self.model.record("t", data, newest)

    async def failed(self) -> None:
        """A publish that the disk refuses: it never was, and nobody has heard of it."""
        self.disk_fails = True
        refused: Exception | None = None
        try:
            await self.room.publish(type="t", data="refused by the disk")
        except Exception as error:
            refused = error
        await self.quiet()
        self.disk_fails = False
        for number, heard in self.heard.items():
            assert self._without(heard.frames) == self.clients[number].expected
        assert refused is not None, "a publish was acknowledged without a commit"
        for number, heard in self.heard.items():
            if heard.code is not None:  # a reset takes the sockets
                self.clients[number].is_open = False
        await self.adopt()

    async def join(self, member: str, presence: dict[str, Any] | None) -> None:
        """A member comes."""

        async def call() -> Any:
            return await self.room.join(member_id=member, presence=presence)

        if self.model.refuses:
            return await self._refused(call, "room_destroyed")
        result = plain(await call())
        assert result == self.model.join(member, presence)

    async def leave(self, member: str) -> None:
        """A member leaves."""
        result = plain(await self.room.leave(member_id=member))
        assert result["leftAt"] == at(self.model.leave(member))

    async def presence(self, member: str, presence: dict[str, Any] | None) -> None:
        """A state, or a heartbeat."""
        model = self.model

        async def call() -> Any:
            return await self.room.presence(member_id=member, presence=presence)

        known = model.members.get(member)
        if model.refuses:
            return await self._refused(call, "room_destroyed")
        if known is None or known.reason == "left":
            return await self._refused(call, "not_a_member")

        result = plain(await call())
        if known.left_ms is not None:
            model.join(member, known.presence if presence is None else presence)
        else:
            model.write()
            known.seen_ms = model.now_ms
            if presence is not None:
                known.presence = presence
                moment = at(model.now_ms)
                frame = {"memberId": member, "presence": presence, "updatedAt": moment}
                model.push({"type": "presence.updated", **frame})
        assert result["presence"] == model.members[member].presence

    async def metadata(self, value: dict[str, Any]) -> None:
        """Something about the room."""
        model = self.model

        async def call() -> Any:
            return await self.room.metadata(metadata=value)

        if model.refuses:
            return await self._refused(call, "room_destroyed")
        await call()
        model.write()
        model.metadata = value
        model.push({"type": "room.metadata", "metadata": value, "updatedAt": at(model.now_ms)})

    async def snapshot(self) -> None:
        """The room as it stands."""
        model = self.model
        if model.refuses:
            return await self._refused(self.room.snapshot, "room_destroyed")
        if not model.written or model.destroyed_ms is not None:
            return await self._refused(self.room.snapshot, "not_found")

        result = plain(await self.room.snapshot())
        model.activity_ms = model.now_ms
        state = result["state"]
        assert state["metadata"] == model.metadata
        assert state["members"] == [model.shown(member) for member in model.active()]
        assert state["messages"] == model.messages[model.trimmed :][::-1]
        model.snapshots[result["snapshotId"]] = state

    async def restore(self, number: int) -> None:
        """One of the snapshots, or one that is not."""
        model = self.model
        ids = [*model.snapshots, "unknown"]
        snapshot_id = ids[number % len(ids)]

        async def call() -> Any:
            return await self.room.restore(snapshot_id)

        if model.refuses:
            return await self._refused(call, "room_destroyed")
        if snapshot_id == "unknown":
            return await self._refused(call, "not_found")

        await call()
        state = model.snapshots[snapshot_id]
        (newest,) = plain(await self.room.history(limit=1))["items"]
        model.write()
        model.record("room.restored", {"snapshotId": snapshot_id}, newest)
        moment = at(model.now_ms)
        model.push({"type": "room.restored", "snapshotId": snapshot_id, "restoredAt": moment})
        model.metadata = state["metadata"]
        frame = {"metadata": model.metadata, "updatedAt": moment}
        model.push({"type": "room.metadata", **frame})
        for kept in state["members"]:
            member = model.members.get(kept["memberId"])
            if member is not None and member.left_ms is None:
                if member.presence != kept["presence"]:
                    member.presence = kept["presence"]
                    model.push({"type": "member.updated", "member": model.shown(member)})

    async def destroy(self, history: bool) -> None:
        """The end."""
        result = plain(await self.room.destroy(delete_history=history))
        self.model.destroy(history)
        assert self.model.destroyed_ms is not None
        assert result["destroyedAt"] == at(self.model.destroyed_ms)
        assert result["deletedHistory"] is self.model.deleted.get("history", False)

    async def members(self) -> None:
        """Only what follows every event."""

    async def advance(self, seconds: int) -> None:
        """Time passes."""
        await self.clock.advance(seconds)
        self.model.pass_until(self.clock.now_ms())

    async def evict(self) -> None:
        """The instance goes, its sockets stay."""
        await self.host.evict(self.host.env.LIVE.stub("room", "lobby"))

    async def stats(self) -> None:
        """The sums of the directory."""
        model = self.model
        rooms = int(model.written and model.destroyed_ms is None)
        found = plain(await self.host.env.LIVE.stats())
        assert found["rooms"] == rooms
        if rooms:
            assert found["members"] == len(model.active())
            assert found["messages"] == len(model.messages) - model.trimmed

    async def connect(self, member: str | None, seq: int | None, same_epoch: bool) -> None:
        """A socket opens, perhaps from where another was."""
        model = self.model
        caller = Caller(member_id=member, capabilities=DEFAULT_CAPABILITIES)
        ahead = model.generation + (1 if model.destroyed_ms is not None else 0)
        epoch = self.epochs.get(model.generation, "unknown") if same_epoch else "other"
        stub = self.host.env.LIVE.stub("room", "lobby")
        request = socket_request(caller, None if seq is None else epoch, seq or 0)
        if model.refuses:
            return await self._refused(lambda: stub.fetch(request), "room_destroyed")

        response = await stub.fetch(request)
        assert response.status == 101
        response.web_socket.accept()
        heard = Heard(response.web_socket)
        self.group.start_soon(heard.listen)
        await self.quiet()
        if model.destroyed_ms is not None:
            model.write()
        same = same_epoch and epoch == self.epochs.get(ahead)
        replayed = model.replayed(same, seq or 0)
        client = Client(next(self.numbers), member)
        welcome: Frame = {"type": "welcome", "seq": len(model.messages)}
        if member is not None:
            welcome["memberId"] = member
        client.expected.append(welcome)
        if seq is not None:
            resumed = {"type": "resumed", "recovered": not isinstance(replayed, str)}
            welcome["recovered"] = resumed["recovered"]
            if isinstance(replayed, str):
                resumed["reason"] = replayed
            else:
                client.expected += replayed
            client.expected.append(resumed | {"seq": len(model.messages)})
        model.clients.append(client)
        self.heard[client.number], self.clients[client.number] = heard, client
        if member is not None:
            model.join(member, None)
        found = heard.frames[0]["epoch"]
        assert self.epochs.setdefault(ahead, found) == found

    async def send(self, number: int, data: Any, broadcast: bool) -> None:
        """A message over a socket; a broadcast leaves that one out."""
        open_ones = self.model.listeners
        if not open_ones:
            return
        client = open_ones[number % len(open_ones)]
        kind = "broadcast" if broadcast else "publish"
        frame = {"type": kind, "id": 1, "message": {"type": "t", "data": data}}
        heard = self.heard[client.number]
        heard.ws.send(json.dumps(frame))
        await self.quiet()
        acks = [heard_frame for heard_frame in heard.frames if heard_frame["type"] == "ack"]
        result = acks[-1]["result"]
        self.model.write()
        self.model.record("t", data, result, client if broadcast else None)
        client.expected.append({"type": "ack", "id": 1, "result": result})

    async def close(self, number: int, normally: bool) -> None:
        """A client closes, or is lost."""
        open_ones = self.model.listeners
        if open_ones:
            client = open_ones[number % len(open_ones)]
            self.heard[client.number].ws.close(1000 if normally else 4000, "")
            self.model.closes(client, normally)


async def check(recreates: bool, events: Sequence[Event]) -> None:
    """Run events. AssertionError: the room did something else than its model."""
    with anyio.fail_after(HANGS_SECONDS):
        await Driver(recreates).run(events)
