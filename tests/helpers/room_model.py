"""What one realtime room should do, as plain lists and dictionaries: written from realtime.md 5.

Nothing here is imported from the module that it judges. Times are milliseconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

TTL_MS = 60_000
GRACE_MS = 10_000
IDLE_MS = 300_000
MAX_RESUMED = 300

Frame = dict[str, Any]


def at(ms: int) -> str:
    """A moment on the wire."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Member:
    """Somebody who is here, or was."""

    id: str
    joined_ms: int
    seen_ms: int
    presence: dict[str, Any]
    gone_ms: int | None = None
    left_ms: int | None = None
    reason: str | None = None


@dataclass(eq=False)
class Client:
    """A socket, with everything that it should have heard."""

    number: int
    member: str | None
    expected: list[Frame] = field(default_factory=list[Frame])
    is_open: bool = True


@dataclass
class Model:
    """The room. `recreates`: what the module allows. `generation` counts its lives."""

    recreates: bool
    now_ms: int
    generation: int = 1
    written: bool = False
    destroyed_ms: int | None = None
    deleted: dict[str, bool] = field(default_factory=dict[str, bool])
    messages: list[Frame] = field(default_factory=list[Frame])
    trimmed: int = 0
    results: dict[str, tuple[Any, Frame]] = field(default_factory=dict[str, tuple[Any, Frame]])
    members: dict[str, Member] = field(default_factory=dict[str, Member])
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    metadata_ms: int = 0
    activity_ms: int = 0
    disconnected_ms: int = 0
    clients: list[Client] = field(default_factory=list[Client])
    snapshots: dict[str, Frame] = field(default_factory=dict[str, Frame])

    @property
    def refuses(self) -> bool:
        """Whether it has ended for good."""
        return self.destroyed_ms is not None and not self.recreates

    @property
    def listeners(self) -> list[Client]:
        """Who hears what is pushed."""
        return [client for client in self.clients if client.is_open]

    def live(self, member: str) -> bool:
        """Whether it has a socket."""
        return any(client.member == member for client in self.listeners)

    def push(self, frame: Frame, but: Client | None = None) -> None:
        """Everyone who listens hears it."""
        for client in self.listeners:
            if client is not but:
                client.expected.append(frame)

    def write(self) -> None:
        """What every write does first."""
        if self.destroyed_ms is not None:
            self.generation += 1
            self.destroyed_ms, self.written = None, False
            self.deleted, self.results, self.members, self.metadata = {}, {}, {}, {}
            self.metadata_ms = self.disconnected_ms = 0
        if not self.written:
            self.written = True
            self.metadata_ms = self.now_ms
        self.activity_ms = self.now_ms

    def known(self, key: str | None, payload: Any) -> Frame | str | None:
        """The first result under a key, "conflict", or None: it is new."""
        if key is None or key not in self.results or self.destroyed_ms is not None:
            return None

        first, result = self.results[key]
        return result if first == payload else "conflict"

    def record(self, type: str, data: Any, result: Frame, but: Client | None = None) -> None:
        """A message comes to the end of the order; `result` is what its publisher was told."""
        message = {
            "messageId": result["messageId"],
            "room": "lobby",
            "kind": "room",
            "type": type,
            "data": data,
            "metadata": {},
            "publishedAt": at(self.now_ms),
        }
        self.messages.append(message)
        self.push({"type": "message", "seq": len(self.messages), "message": message}, but)

    def shown(self, member: Member) -> Frame:
        """A member as everyone sees it."""
        seen_ms = self.now_ms if self.live(member.id) else member.seen_ms
        return {
            "memberId": member.id,
            "room": "lobby",
            "kind": "room",
            "joinedAt": at(member.joined_ms),
            "lastSeenAt": at(seen_ms),
            "metadata": {},
            "presence": member.presence,
        }

    def join(self, id: str, presence: dict[str, Any] | None) -> Frame:
        """A member comes, or says that it is here."""
        self.write()
        member = self.members.get(id)
        comes = member is None or member.left_ms is not None
        if member is None or comes:
            member = self.members[id] = Member(id, self.now_ms, self.now_ms, {})
        member.seen_ms, member.gone_ms = self.now_ms, None
        if presence is not None:
            member.presence = presence
        frame = self.shown(member)
        self.push({"type": "member.joined" if comes else "member.updated", "member": frame})
        return frame

    def leaves(self, member: Member, when_ms: int, reason: str) -> None:
        """It is gone, which is told once."""
        member.left_ms, member.reason, member.gone_ms = when_ms, reason, None
        self.push(
            {
                "type": "member.left",
                "memberId": member.id,
                "leftAt": at(when_ms),
                "reason": reason,
            }
        )

    def leave(self, id: str) -> int:
        """By its own word; when it has left."""
        member = self.members.get(id)
        if member is None or self.destroyed_ms is not None:
            return self.now_ms

        if member.left_ms is None:
            self.write()
            self.leaves(member, self.now_ms, "left")
        assert member.left_ms is not None
        return member.left_ms

    def active(self) -> list[Member]:
        """Who is here, in order."""
        here = [member for member in self.members.values() if member.left_ms is None]
        return sorted(here, key=lambda member: (member.joined_ms, member.id))

    def pass_until(self, target_ms: int) -> None:
        """Time passes: members go when theirs is over."""
        while ends := sorted(
            (min(member.seen_ms + TTL_MS, (member.gone_ms or 10**15) + GRACE_MS), member.id)
            for member in self.active()
            if not self.live(member.id)
        ):
            when_ms, id = ends[0]
            if when_ms > target_ms:
                break
            member = self.members[id]
            self.now_ms = max(self.now_ms, when_ms)
            lost = member.gone_ms is not None and member.gone_ms + GRACE_MS == when_ms
            self.leaves(member, when_ms, "disconnected" if lost else "expired")
        self.now_ms = target_ms

    def closes(self, client: Client, normally: bool) -> None:
        """A socket has gone."""
        client.is_open = False
        if self.destroyed_ms is not None:
            return

        member = self.members.get(client.member or "")
        if member is not None and member.left_ms is None and not self.live(member.id):
            if normally:
                self.leave(member.id)
            else:
                member.gone_ms = member.seen_ms = self.now_ms
        self.disconnected_ms = self.now_ms

    def destroy(self, history: bool) -> None:
        """The end, or more deletions after it."""
        if self.destroyed_ms is None:
            self.destroyed_ms, self.written = self.now_ms, True
            self.members, self.metadata = {}, {}
            self.push({"type": "room.destroyed", "destroyedAt": at(self.now_ms)})
            self.push({"type": "error", "code": "room_destroyed", "retryable": False})
            for client in self.clients:
                client.is_open = False
        if history and not self.deleted.get("history"):
            self.deleted["history"] = True
            self.trimmed = len(self.messages)

    def lifecycle(self) -> Frame:
        """Its life, as of now."""
        result: Frame = {
            "room": "lobby",
            "kind": "room",
            "status": "idle",
            "activeConnections": len(self.listeners),
        }
        if self.activity_ms:
            result["lastActivityAt"] = at(self.activity_ms)
        last_ms = max(self.activity_ms, self.disconnected_ms)
        if self.destroyed_ms is not None:
            result |= {"status": "destroyed", "destroyedAt": at(self.destroyed_ms)}
        elif self.listeners or (last_ms and self.now_ms < last_ms + IDLE_MS):
            result["status"] = "active"
        elif last_ms:
            result["idleSince"] = at(last_ms + IDLE_MS)
        return result

    def replayed(self, same_epoch: bool, seq: int) -> list[Frame] | str:
        """What a resume from a place brings, or why it cannot."""
        count = len(self.messages)
        if not same_epoch or self.destroyed_ms is not None:
            return "epoch_changed"

        if not max(self.trimmed, count - MAX_RESUMED) <= seq <= count:
            return "insufficient_state"

        return [
            {"type": "message", "seq": place, "message": self.messages[place - 1]}
            for place in range(seq + 1, count + 1)
        ]
