"""Join, leave, members (realtime.md 5.3)."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.actors import limits, members
from roomhost.actors.caller import DEFAULT_CAPABILITIES, Caller
from roomhost.actors.types import RealtimePrincipal

from ..helpers.room_machine import START_MS, Machine, at

TTL_MS = 60_000


def ids(machine: Machine, **options: Any) -> list[str]:
    """Who is here."""
    return [member["memberId"] for member in machine.do("members", **options)]


def lefts(machine: Machine) -> list[tuple[str, str, str]]:
    """The leaves that were pushed."""
    return [
        (push["memberId"], push["leftAt"], push["reason"])
        for push in machine.pushed
        if push["type"] == "member.left"
    ]


def test_nobody_joins_without_an_identity() -> None:
    """Neither a member id nor an actor says who."""
    assert Machine().refused("join").code == "unauthenticated"


def test_a_user_is_no_other_member() -> None:
    """Unless it has `admin`."""
    actor = RealtimePrincipal(kind="user", id="u", user_id="u")
    user = Caller(actor=actor, capabilities=DEFAULT_CAPABILITIES)
    machine = Machine()
    assert machine.refused("join", user, memberId="other").code == "forbidden"
    assert machine.do("join", user)["memberId"] == "u"
    admin = Caller(actor=actor, capabilities=(*DEFAULT_CAPABILITIES, "admin"))
    assert machine.do("join", admin, memberId="other")["memberId"] == "other"


@pytest.mark.parametrize(
    ("fields", "member_id"),
    [
        ({"memberId": "m", "actor": {"kind": "user", "userId": "u", "id": "i"}}, "m"),
        ({"actor": {"kind": "user", "userId": "u", "id": "i", "sessionId": "s"}}, "u"),
        ({"actor": {"kind": "anonymous", "id": "i", "sessionId": "s"}}, "i"),
        ({"actor": {"kind": "anonymous", "sessionId": "s"}}, "s"),
    ],
)
def test_a_member_id_is_derived(fields: dict[str, Any], member_id: str) -> None:
    """Explicit, then the actor's userId, id, sessionId."""
    assert Machine().do("join", **fields)["memberId"] == member_id


def test_join_makes_a_member() -> None:
    """With `{}` for what was not given; it is told once."""
    machine = Machine()
    member = machine.do("join", memberId="m")
    assert member == {
        "memberId": "m",
        "room": "lobby",
        "kind": "room",
        "joinedAt": at(0),
        "lastSeenAt": at(0),
        "metadata": {},
        "presence": {},
    }
    assert machine.pushed == [{"type": "member.joined", "member": member, "version": 1}]


def test_join_again_refreshes() -> None:
    """joinedAt stays; what is given is replaced whole, what is not is kept; `member.updated`."""
    machine = Machine()
    actor = {"kind": "user", "userId": "u", "id": "u"}
    machine.do("join", actor=actor, metadata={"a": 1, "b": 2}, presence={"x": 1})
    machine.now = 10_000
    member = machine.do("join", memberId="u", metadata={"a": 3})
    assert member["joinedAt"] == at(0)
    assert member["lastSeenAt"] == at(10_000)
    assert (member["metadata"], member["presence"]) == ({"a": 3}, {"x": 1})
    assert member["actor"] == actor
    assert machine.do("join", memberId="u", metadata={}, presence={})["presence"] == {}
    assert machine.types() == ["member.joined", "member.updated", "member.updated"]
    machine.reload()
    assert machine.do("members")[0]["metadata"] == {}


def test_leave_twice_says_the_same_moment() -> None:
    """It is pushed and recorded once; by an evicted room too."""
    machine = Machine()
    machine.do("join", memberId="m")
    machine.now = 5_000
    first = machine.do("leave", memberId="m")
    machine.now = 9_000
    machine.reload()
    assert machine.do("leave", memberId="m") == first
    assert first["leftAt"] == at(5_000)
    assert lefts(machine) == [("m", at(5_000), "left")]


def test_leave_of_nobody_writes_nothing() -> None:
    """An unknown id leaves now, and there is no record of it."""
    machine = Machine()
    machine.now = 7
    assert machine.do("leave", memberId="m")["leftAt"] == at(7)
    assert machine.store.rows == {}
    assert machine.pushed == []


def test_a_member_that_left_joins_anew() -> None:
    """With a new joinedAt, and nothing of before."""
    machine = Machine()
    machine.do("join", memberId="m", metadata={"a": 1}, presence={"x": 1})
    machine.do("leave", memberId="m")
    machine.now = 1_000
    member = machine.do("join", memberId="m")
    assert (member["joinedAt"], member["metadata"], member["presence"]) == (at(1_000), {}, {})
    assert "leftAt" not in member
    assert machine.types() == ["member.joined", "member.left", "member.joined"]


def test_a_member_is_gone_exactly_at_the_ttl() -> None:
    """Here a millisecond before; evaluated on read, whether or not an alarm has run."""
    machine = Machine()
    machine.do("join", memberId="m")
    machine.now = TTL_MS - 1
    assert ids(machine) == ["m"]
    machine.now = TTL_MS
    assert ids(machine) == []
    assert lefts(machine) == []  # a read tells nobody


@pytest.mark.parametrize("found_by", ["alarm", "join", "leave", "presence", "late alarm"])
def test_an_expired_member_leaves_once(found_by: str) -> None:
    """As of when its time was over, whoever finds it and whenever."""
    machine = Machine()
    machine.do("join", memberId="m")
    machine.now = TTL_MS if found_by == "alarm" else 2 * TTL_MS
    if "alarm" in found_by:
        machine.alarm()
    else:
        machine.do(found_by, memberId="m")
    machine.alarm()
    assert machine.do("leave", memberId="other")["leftAt"] == at(machine.now)
    assert lefts(machine) == [("m", at(TTL_MS), "expired")]
    assert ids(machine) == ([] if found_by in ("leave", "alarm", "late alarm") else ["m"])


def test_join_after_the_ttl_is_a_new_membership() -> None:
    """First everyone hears that it left, then that it joined."""
    machine = Machine()
    machine.do("join", memberId="m", presence={"x": 1})
    machine.now = TTL_MS
    member = machine.do("join", memberId="m")
    assert (member["joinedAt"], member["presence"]) == (at(TTL_MS), {})
    assert machine.types() == ["member.joined", "member.left", "member.joined"]


def test_a_member_with_a_socket_does_not_expire() -> None:
    """It is seen as long as it has one."""
    machine = Machine()
    machine.live.add("m")
    machine.do("join", memberId="m")
    machine.now = 10 * TTL_MS
    assert machine.do("members")[0]["lastSeenAt"] == at(machine.now)
    machine.alarm()
    assert ids(machine) == ["m"]


def test_a_crash_ends_nobody_who_was_here() -> None:
    """A socket that a crash takes is not heard to close: its member was seen by the last sweep."""
    machine = Machine()
    machine.live.add("m")
    machine.do("join", memberId="m")
    machine.now = TTL_MS
    machine.alarm()
    machine.live.clear()
    machine.reload()
    machine.now += TTL_MS - 1
    assert ids(machine) == ["m"]
    machine.now += 1
    machine.alarm()
    assert lefts(machine) == [("m", at(2 * TTL_MS), "expired")]


def lose(machine: Machine, member_id: str) -> None:
    """Its last socket is lost without a word."""
    machine.live.discard(member_id)
    machine.step(lambda state, now_ms: members.disconnected(state, member_id, now_ms))


def test_a_lost_member_has_ten_seconds() -> None:
    """A millisecond before it is here, with its presence; exactly then it has left."""
    machine = Machine()
    machine.live.add("m")
    machine.do("join", memberId="m", presence={"x": 1})
    machine.now = 300_000
    lose(machine, "m")
    machine.now += 9_999
    machine.alarm()
    assert machine.do("members")[0]["presence"] == {"x": 1}
    machine.now += 1
    assert ids(machine) == []
    machine.alarm()
    assert lefts(machine) == [("m", at(310_000), "disconnected")]


def test_a_lost_member_that_comes_back_never_left() -> None:
    """A socket or a join within the ten seconds, and the grace is over."""
    machine = Machine()
    machine.live.add("m")
    machine.do("join", memberId="m")
    lose(machine, "m")
    machine.now = 9_999
    machine.do("join", memberId="m")
    machine.now = 30_000
    machine.alarm()
    assert ids(machine) == ["m"]
    assert lefts(machine) == []


def test_a_socket_after_the_end_is_a_new_membership() -> None:
    """Though no alarm has run: what a reader saw does not depend on it."""
    machine = Machine()
    machine.do("join", memberId="m")
    machine.now = TTL_MS
    machine.step(lambda state, now_ms: members.settle(state, "m", now_ms))
    machine.live.add("m")
    assert machine.do("join", memberId="m")["joinedAt"] == at(TTL_MS)
    assert lefts(machine) == [("m", at(TTL_MS), "expired")]


def test_members_are_in_the_order_of_joining() -> None:
    """Then of their ids; 100 of them unless `limit` says otherwise, at most 1,000."""
    machine = Machine()
    for number in (2, 1, 3):
        machine.do("join", memberId=f"b{number}")
    machine.now = 1
    machine.do("join", memberId="a")
    assert ids(machine) == ["b1", "b2", "b3", "a"]
    assert ids(machine, limit=2) == ["b1", "b2"]
    for number in range(1_000):
        machine.do("join", memberId=f"c{number:04}")
    assert len(ids(machine)) == 100
    assert len(ids(machine, limit=2_000)) == 1_000
    assert machine.refused("members", limit=0).field == "limit"


def test_who_left_is_shown_on_request() -> None:
    """For a day, with leftAt, also before the alarm has recorded it; never otherwise."""
    machine = Machine()
    machine.do("join", memberId="m")
    machine.now = 70_000
    (member,) = machine.do("members", includeLeft=True)
    assert member["leftAt"] == at(TTL_MS)
    machine.alarm()
    assert machine.do("members", includeLeft=True) == [member]
    assert ids(machine) == []
    machine.now = TTL_MS + limits.KEPT_LEFT_MEMBERS_SECONDS * 1000
    machine.alarm()
    assert machine.do("members", includeLeft=True) == []
    assert not machine.store.list(prefix="mb:")


def test_a_room_has_so_many_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is refused; one who is here already, or comes when one has left, is not."""
    monkeypatch.setattr(limits, "MAX_MEMBERS", 2)
    machine = Machine()
    machine.do("join", memberId="a")
    machine.do("join", memberId="b")
    assert machine.refused("join", memberId="c").code == "payload_too_large"
    machine.do("join", memberId="a")
    machine.do("leave", memberId="b")
    machine.do("join", memberId="c")


def test_times_of_a_member_do_not_go_back() -> None:
    """With a clock that does, after an eviction as well."""
    machine = Machine()
    machine.now = 10_000
    machine.do("join", memberId="m")
    machine.now = 20_000
    machine.do("presence", memberId="m")
    machine.now = 0
    machine.reload()
    assert machine.do("join", memberId="m")["lastSeenAt"] == at(20_000)
    assert machine.do("leave", memberId="m")["leftAt"] == at(20_000)


def test_activity_by_members_outlives_the_instance() -> None:
    """A refreshed join and a heartbeat are activity, and stay so when the room is evicted (5.8)."""
    machine = Machine()
    machine.do("join", memberId="m")
    for operation in ("join", "presence"):
        machine.now += 5_000
        machine.do(operation, memberId="m")
        machine.reload()
        assert machine.do("lifecycle")["lastActivityAt"] == at(machine.now)


def test_the_table_of_deadlines_knows_the_next_end() -> None:
    """A member's end is a deadline as soon as it is known."""
    machine = Machine()
    machine.do("join", memberId="m")
    assert machine.state.deadlines.next_ms == START_MS + TTL_MS
    lose(machine, "m")
    assert machine.state.deadlines.next_ms == START_MS + 10_000
