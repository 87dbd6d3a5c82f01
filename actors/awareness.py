"""Who is aware in a document's room: one table of all its clients, in the process alone.

Pure. Two kinds of ids are in it: the integers of y-protocols, and the texts of JSON clients. An id
belongs to the connection that announced it, and goes with it; one that is not heard of for
`AWARENESS_SECONDS` has gone as well, and who looks says so to the others. (realtime.md 0.2, 5.7)

What left is forgotten, with its clock: a client that comes back announces the clock it had. But every
client of y-protocols repeats what it heard of the others, so the last word of one who has left comes
in again from those who stayed. For as long as that may happen, it is known whom not to believe.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from . import limits
from .errors import Forbidden, PayloadTooLarge
from .json_values import is_plain
from .yjs_protocol import AwarenessEntry, awareness_payload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .types import RealtimePrincipal

LIFE_MS = limits.AWARENESS_SECONDS * 1000


class Shown(NamedTuple):
    """What everybody may read of one id. `client_id`: a Yjs id in decimal. `state`: its JSON, None when
    it has left. `updated_ms`: when that state was set, milliseconds since the epoch."""

    client_id: str
    state: bytes | None
    actor: RealtimePrincipal | None
    updated_ms: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What others must hear. `yjs`: for those who speak y-protocols, renewals too, without which an id
    would time out at theirs; who left has no state, and its last clock. `json`: for the others."""

    yjs: list[AwarenessEntry] = field(default_factory=list[AwarenessEntry])
    json: list[Shown] = field(default_factory=list[Shown])

    def __bool__(self) -> bool:
        return bool(self.yjs or self.json)


@dataclass(slots=True)
class _Aware:
    state: bytes
    clock: int  # 0 of a JSON client
    connection_id: str | None
    member_id: str | None
    actor: RealtimePrincipal | None
    updated_ms: int
    heard_ms: int  # of monotonic time

    def is_gone(self, passed_ms: int) -> bool:
        return passed_ms >= self.heard_ms + LIFE_MS

    def may_change(self, connection_id: str | None, member_id: str | None) -> bool:
        """Whether a connection may speak for this id: its own, or another of the same member, or of
        nobody in particular if this one is too."""
        is_same = connection_id is not None and self.connection_id == connection_id
        return is_same or self.member_id == member_id


class _Speaker(NamedTuple):
    connection_id: str
    member_id: str | None
    actor: RealtimePrincipal | None
    spoke: bool  # before, so that it may have heard of others


def nowhere_ahead() -> int:
    """Of a clock that nobody sets."""
    return 0


class Awareness:
    """The table of one room. Every `now_ms` is the host's clock, milliseconds since the epoch.

    `ahead_ms()`: how far that is ahead of monotonic time, by which it is counted how long nothing was
    heard: nobody goes because the clock was set.
    """

    __slots__ = ("_ahead_ms", "_aware", "_by_connection", "_bytes", "_left")

    def __init__(self, ahead_ms: Callable[[], int] = nowhere_ahead) -> None:
        self._ahead_ms = ahead_ms
        # An integer is the id of a Yjs client, a text that of a JSON client; heard of last is last.
        self._aware: OrderedDict[int | str, _Aware] = OrderedDict()
        self._bytes = 0
        self._by_connection: dict[str, set[int | str]] = {}  # that have announced, until they close
        self._left: OrderedDict[int, tuple[int, int]] = OrderedDict()  # clock, and when

    def __len__(self) -> int:
        return len(self._aware)

    def announce(
        self,
        connection_id: str,
        member_id: str | None,
        entries: Iterable[AwarenessEntry],
        now_ms: int,
        actor: RealtimePrincipal | None = None,
    ) -> Changes:
        """A connection says who is aware, in y-protocols.

        Left out is, id by id: what is not newer, or somebody else's; a state that is too large, or no
        JSON that everybody can read; an id too many for the connection or the room.
        """
        changes = self.prune(now_ms)
        spoke = connection_id in self._by_connection
        self._by_connection.setdefault(connection_id, set())
        speaker = _Speaker(connection_id, member_id, actor, spoke)
        for entry in entries:
            aware = self._aware.get(entry.client)
            if not self._counts(entry, aware, speaker, now_ms):
                continue

            if entry.state is not None:
                self._hear(entry, entry.state, speaker, now_ms, changes)
            elif aware is not None:
                self._remove(entry.client, now_ms, changes, entry.clock)
        return changes

    def set_json(
        self,
        client_id: str,
        state: bytes | None,
        actor: RealtimePrincipal | None,
        now_ms: int,
        *,
        connection_id: str | None = None,
        member_id: str | None = None,
        trusted: bool = False,
    ) -> Changes:
        """A JSON client is aware, with a checked state; or no longer, without one.

        `connection_id`: the socket that it goes with; without one it lasts `AWARENESS_SECONDS`. The
        same state again renews it, and is no news. Forbidden: the id is another member's who is here,
        and the caller is not `trusted`. PayloadTooLarge: see the limits of awareness.
        """
        passed_ms = now_ms - self._ahead_ms()
        aware = self._aware.get(client_id)
        if aware is not None and aware.is_gone(passed_ms):
            aware = None
        is_own = aware is None or aware.may_change(connection_id, member_id)
        if not (is_own or trusted):  # before who has gone is forgotten: of a refusal nobody hears
            raise Forbidden(
                f"clientId {client_id!r:.40} is another member's: use an id of your own",
                field="clientId",
            )

        changes = self.prune(now_ms)
        if state is None:
            if aware is not None:
                self._remove(client_id, now_ms, changes)
            return changes

        if aware is not None and (connection_id is None or not is_own):
            connection_id, member_id = aware.connection_id, aware.member_id
        if not self._has_room(client_id, state, connection_id):
            raise _too_large()

        is_news = aware is None or aware.state != state
        updated_ms = now_ms if is_news or aware is None else aware.updated_ms
        self._put(
            client_id, _Aware(state, 0, connection_id, member_id, actor, updated_ms, passed_ms)
        )
        if is_news:
            changes.json.append(Shown(client_id, state, actor, now_ms))
        return changes

    def renew(self, connection_id: str, now_ms: int) -> None:
        """A socket was heard of: so are its JSON clients, who have no other way to say so."""
        passed_ms = now_ms - self._ahead_ms()
        for key in self._by_connection.get(connection_id, ()):
            if isinstance(key, str) and not self._aware[key].is_gone(passed_ms):
                self._aware[key].heard_ms = passed_ms
                self._aware.move_to_end(key)

    def gone(self, connection_id: str, now_ms: int) -> Changes:
        """A socket has closed: its ids leave with it."""
        changes = self.prune(now_ms)
        for key in sorted(self._by_connection.pop(connection_id, ()), key=str):
            self._remove(key, now_ms, changes)
        return changes

    def prune(self, now_ms: int) -> Changes:
        """Forget who was not heard of for too long."""
        changes = Changes()
        passed_ms = now_ms - self._ahead_ms()
        while self._aware:
            key, aware = next(iter(self._aware.items()))
            if not aware.is_gone(passed_ms):
                break
            self._remove(key, now_ms, changes)
        while self._left:
            _, left_ms = next(iter(self._left.values()))
            if passed_ms < left_ms + LIFE_MS and len(self._left) <= limits.MAX_AWARENESS_IDS:
                break
            self._left.popitem(last=False)
        return changes

    def shown(self, now_ms: int) -> list[Shown]:
        """Everybody who is aware, by client id. Changes nothing: see `prune` for who has gone."""
        passed_ms = now_ms - self._ahead_ms()
        shown = [
            Shown(str(key), aware.state, aware.actor, aware.updated_ms)
            for key, aware in self._aware.items()
            if not aware.is_gone(passed_ms)
        ]
        return sorted(shown, key=lambda one: one.client_id)

    def yjs_payload(self, now_ms: int) -> bytes | None:
        """Every client of y-protocols, for a socket that has just opened; None: there is none."""
        passed_ms = now_ms - self._ahead_ms()
        entries = [
            AwarenessEntry(key, aware.clock, aware.state)
            for key, aware in self._aware.items()
            if isinstance(key, int) and not aware.is_gone(passed_ms)
        ]
        return awareness_payload(entries) if entries else None

    def next_expiry_ms(self) -> int | None:
        """When the first id without a connection goes, by the host's clock: no socket's close would
        remove it."""
        for aware in self._aware.values():
            if aware.connection_id is None:
                return aware.heard_ms + LIFE_MS + self._ahead_ms()
        return None

    def _counts(
        self, entry: AwarenessEntry, aware: _Aware | None, speaker: _Speaker, now_ms: int
    ) -> bool:
        """Whether it is news of a client, as in y-protocols. What others repeat of an id must not pass
        for its own word, nor bring one back that has left meanwhile."""
        if aware is None:
            clock, left_ms = self._left.get(entry.client, (-1, 0))
            is_old = now_ms - self._ahead_ms() >= left_ms + LIFE_MS
            return not speaker.spoke or entry.clock > clock or is_old

        if entry.clock > aware.clock:
            return aware.may_change(speaker.connection_id, speaker.member_id)

        leaves = entry.state is None and entry.clock == aware.clock
        return leaves and aware.connection_id == speaker.connection_id

    def _hear(
        self,
        entry: AwarenessEntry,
        state: bytes,
        speaker: _Speaker,
        now_ms: int,
        changes: Changes,
    ) -> None:
        aware = self._aware.get(entry.client)
        if not self._has_room(entry.client, state, speaker.connection_id):
            return

        updated_ms = now_ms
        if aware is not None and aware.state == state:
            updated_ms = aware.updated_ms
        elif _is_readable(state):
            changes.json.append(Shown(str(entry.client), state, speaker.actor, now_ms))
        else:
            return

        connection_id, member_id, actor, _ = speaker
        passed_ms = now_ms - self._ahead_ms()
        self._put(
            entry.client,
            _Aware(state, entry.clock, connection_id, member_id, actor, updated_ms, passed_ms),
        )
        changes.yjs.append(entry)

    def _has_room(self, key: int | str, state: bytes, connection_id: str | None) -> bool:
        """Whether a state fits: by its own size, the ids of its connection, those of the room."""
        aware = self._aware.get(key)
        mine = self._by_connection.get(connection_id or "", ())
        return (
            len(state) <= limits.MAX_AWARENESS_BYTES
            and (key in mine or len(mine) < limits.MAX_AWARENESS_IDS_OF_CONNECTION)
            and (aware is not None or len(self._aware) < limits.MAX_AWARENESS_IDS)
            and self._bytes - (0 if aware is None else len(aware.state)) + len(state)
            <= limits.MAX_AWARENESS_TOTAL_BYTES
        )

    def _put(self, key: int | str, aware: _Aware) -> None:
        self._forget(key)
        self._aware[key] = aware
        self._bytes += len(aware.state)
        if isinstance(key, int):
            self._left.pop(key, None)
        if aware.connection_id is not None:
            self._by_connection.setdefault(aware.connection_id, set()).add(key)

    def _remove(
        self, key: int | str, now_ms: int, changes: Changes, clock: int | None = None
    ) -> None:
        aware = self._forget(key)
        if aware is None:
            return

        changes.json.append(Shown(str(key), None, aware.actor, now_ms))
        if isinstance(key, int):
            last = aware.clock if clock is None else clock
            changes.yjs.append(AwarenessEntry(key, last, None))
            self._left[key] = last, now_ms - self._ahead_ms()
            self._left.move_to_end(key)

    def _forget(self, key: int | str) -> _Aware | None:
        aware = self._aware.pop(key, None)
        if aware is not None:
            self._bytes -= len(aware.state)
            self._by_connection.get(aware.connection_id or "", set()).discard(key)
        return aware


def _is_readable(state: bytes) -> bool:
    """Whether it is JSON that every client can read, and says something."""
    try:
        value = msgspec.json.decode(state)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return False

    return value is not None and is_plain(value, state)


def _too_large() -> PayloadTooLarge:
    return PayloadTooLarge(
        f"state is at most {limits.MAX_AWARENESS_BYTES} bytes of JSON; a connection has at most"
        f" {limits.MAX_AWARENESS_IDS_OF_CONNECTION} client ids, a room {limits.MAX_AWARENESS_IDS}, of"
        f" {limits.MAX_AWARENESS_TOTAL_BYTES} bytes together",
        field="state",
    )
