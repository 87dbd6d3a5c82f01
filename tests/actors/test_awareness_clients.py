"""Stock clients around one table: whatever arrives in which order, it shows who is there.

The clients are those of y-protocols (awareness.js): each repeats to the server every change that it
hears of. Frames wait on their way for as long as Hypothesis likes.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from roomhost.actors import limits
from roomhost.actors.awareness import LIFE_MS, Awareness, Changes
from roomhost.actors.yjs_protocol import AwarenessEntry, awareness_payload, read_awareness

CLIENTS = st.integers(0, 2)
STATES = st.sampled_from([b"{}", b'{"cursor":1}', b'{"cursor":2}'])


class StockClient:
    """What `Awareness` of y-protocols and a provider on top of it do, with one connection at a time."""

    def __init__(self, client: int) -> None:
        self.client = client
        self.states: dict[int, bytes] = {client: b"{}"}
        self.clocks: dict[int, int] = {client: 0}
        self.sent: deque[bytes] = deque()
        self.coming: deque[bytes] = deque()
        self.connection_id: str | None = None

    def open(self, connection_id: str) -> None:
        self.connection_id = connection_id
        self.say([self.client])

    def close(self) -> None:
        self.connection_id = None
        self.sent.clear()
        self.coming.clear()
        self.states = {self.client: self.states[self.client]}

    def set_state(self, state: bytes) -> None:
        self.clocks[self.client] += 1
        self.states[self.client] = state
        self.say([self.client])

    def say(self, clients: list[int]) -> None:
        entries = [AwarenessEntry(one, self.clocks[one], self.states.get(one)) for one in clients]
        if self.connection_id is not None and entries:
            self.sent.append(awareness_payload(entries))

    def hear(self) -> None:
        changed: list[int] = []
        for client, clock, state in read_awareness(self.coming.popleft()):
            known = self.clocks.get(client, 0)
            leaves = known == clock and state is None and client in self.states
            if not (known < clock or leaves):
                continue

            if state is None and client == self.client:
                clock += 1
            elif state is None:
                self.states.pop(client, None)
            else:
                self.states[client] = state
            self.clocks[client] = clock
            changed.append(client)
        self.say(changed)


class Clients(RuleBasedStateMachine):
    """Clients come, say, hear, go and come back; the server hears them in any order of clients."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Awareness()
        self.now_ms = 0
        self.opened = 0
        self.clients = [StockClient(number + 1) for number in range(3)]

    def tell(self, changes: Changes) -> None:
        for client in self.clients if changes.yjs else ():
            if client.connection_id is not None:
                client.coming.append(awareness_payload(changes.yjs))

    @initialize()
    def all_are_here(self) -> None:
        for number in range(len(self.clients)):
            self.opens(number)
        self.everything_arrives()

    @rule(number=CLIENTS)
    def opens(self, number: int) -> None:
        client = self.clients[number]
        if client.connection_id is None:
            self.opened += 1
            client.open(f"c{self.opened}")
            payload = self.table.yjs_payload(self.now_ms)
            if payload is not None:
                client.coming.append(payload)

    @rule(number=CLIENTS)
    def closes(self, number: int) -> None:
        client = self.clients[number]
        if client.connection_id is not None:
            gone = client.connection_id
            client.close()
            self.tell(self.table.gone(gone, self.now_ms))

    @rule(number=CLIENTS, state=STATES)
    def says(self, number: int, state: bytes) -> None:
        self.clients[number].set_state(state)

    @rule(number=CLIENTS)
    def arrives(self, number: int) -> None:
        client = self.clients[number]
        if client.sent:
            assert client.connection_id is not None
            entries = read_awareness(client.sent.popleft())
            member_id = f"m{client.client}"
            self.tell(self.table.announce(client.connection_id, member_id, entries, self.now_ms))

    @rule(number=CLIENTS)
    def hears(self, number: int) -> None:
        if self.clients[number].coming:
            self.clients[number].hear()

    @rule(ms=st.integers(1, 200))
    def time_passes(self, ms: int) -> None:
        self.now_ms = min(self.now_ms + ms, LIFE_MS // 3)

    @rule()
    def everything_arrives(self) -> None:
        while any(client.sent or client.coming for client in self.clients):
            for number in range(len(self.clients)):
                self.arrives(number)
                self.hears(number)
        shown = {one.client_id: one.state for one in self.table.shown(self.now_ms)}
        assert shown == {
            str(client.client): client.states[client.client]
            for client in self.clients
            if client.connection_id is not None
        }

    def teardown(self) -> None:
        self.everything_arrives()
        for client in self.clients:
            client.set_state(b'{"renewed":true}')
        self.everything_arrives()
        present = [client for client in self.clients if client.connection_id is not None]
        for client in present:
            assert client.states == {other.client: b'{"renewed":true}' for other in present}


class Words(RuleBasedStateMachine):
    """Anybody says anything of few ids: the counts and bounds of the table stay right."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Awareness()
        self.now_ms = 0

    @rule(
        connection=CLIENTS,
        client=st.integers(0, 40),
        clock=st.integers(0, 5),
        state=st.none() | STATES,
        member_id=st.sampled_from([None, "ann"]),
    )
    def announces(self, connection: int, member_id: str | None, **entry: Any) -> None:
        entries = [AwarenessEntry(**entry)]
        self.table.announce(f"c{connection}", member_id, entries, self.now_ms)

    @rule(
        client_id=st.sampled_from("abc"), state=st.none() | STATES, connection=st.none() | CLIENTS
    )
    def sets(self, client_id: str, state: bytes | None, connection: int | None) -> None:
        connection_id = None if connection is None else f"c{connection}"
        self.table.set_json(
            client_id, state, None, self.now_ms, connection_id=connection_id, trusted=True
        )

    @rule(connection=CLIENTS)
    def closes(self, connection: int) -> None:
        self.table.gone(f"c{connection}", self.now_ms)
        assert all(aware.connection_id != f"c{connection}" for aware in self.table._aware.values())

    @rule(ms=st.integers(1, LIFE_MS))
    def time_passes(self, ms: int) -> None:
        self.now_ms += ms
        removed = [one.client_id for one in self.table.prune(self.now_ms).json]
        shown = self.table.shown(self.now_ms)
        assert len(shown) == len(self.table), f"{removed} left, and others are gone too"

    @invariant()
    def its_counts_are_right(self) -> None:
        aware = self.table._aware
        assert self.table._bytes == sum(len(one.state) for one in aware.values())
        owned = {
            (connection_id, key)
            for connection_id, keys in self.table._by_connection.items()
            for key in keys
        }
        assert owned == {
            (one.connection_id, key) for key, one in aware.items() if one.connection_id is not None
        }
        most = limits.MAX_AWARENESS_IDS_OF_CONNECTION
        assert all(len(keys) <= most for keys in self.table._by_connection.values())
        assert not set(self.table._left) & set(aware)


TestClients = Clients.TestCase
TestClients.settings = settings(max_examples=100, stateful_step_count=40)
TestWords = Words.TestCase
TestWords.settings = settings(max_examples=60, stateful_step_count=40)
