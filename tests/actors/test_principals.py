"""Actors and members: what is a good one, and who may name whom."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.actors.caller import Caller
from roomhost.actors.errors import Forbidden, InvalidArgument
from roomhost.actors.principals import (
    actor_for,
    check_principal,
    member_for,
    member_of,
    normalized,
)
from roomhost.actors.types import RealtimePrincipal

ANA = RealtimePrincipal(kind="user", id="ana", user_id="ana", email="ana@example.com")
BOB = RealtimePrincipal(kind="user", id="bob", user_id="bob")
SERVER = Caller.trusted_caller()
USER = Caller(actor=ANA, member_id="ana", capabilities=("publish",))
ADMIN = Caller(actor=ANA, member_id="ana", capabilities=("admin",))
NOBODY = Caller(capabilities=("subscribe",))


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"kind": "user"}, "actor.userId", "a userId or an id"),
        ({"kind": "user", "session_id": "s"}, "actor.userId", "a userId or an id"),
        ({"kind": "user", "id": ""}, "actor.id", "not empty"),
        ({"kind": "user", "user_id": "x" * 257}, "actor.userId", "at most 256 bytes"),
        ({"kind": "user", "user_id": "é" * 129}, "actor.userId", "not 258"),
        ({"kind": "anonymous", "session_id": "a\x00"}, "actor.sessionId", "control characters"),
        ({"kind": "anonymous", "tenant_id": "\x7f"}, "actor.tenantId", "control characters"),
        ({"kind": "anonymous", "email": "\x85"}, "actor.email", "control characters"),
        ({"kind": "anonymous", "display_name": "\ud800"}, "actor.displayName", "Unicode"),
    ],
)
def test_a_wrong_actor_is_refused_by_its_field(
    fields: dict[str, Any], field: str, words: str
) -> None:
    """With the bound, also where it is only checked."""
    actor = RealtimePrincipal(**fields)
    for check in (check_principal, normalized):
        with pytest.raises(InvalidArgument, match=words) as refused:
            check(actor)
        assert refused.value.field == field


def test_what_follows_is_filled_in() -> None:
    """The other id of a user; the id of somebody anonymous; and nothing twice."""
    cases: list[tuple[dict[str, Any], str, str | None]] = [
        ({"kind": "user", "id": "a"}, "a", "a"),
        ({"kind": "user", "user_id": "a"}, "a", "a"),
        ({"kind": "user", "user_id": "a", "id": "b", "session_id": "s"}, "b", "a"),
        ({"kind": "anonymous"}, "random", None),
        ({"kind": "anonymous", "session_id": "s"}, "s", None),
        ({"kind": "anonymous", "id": "i", "session_id": "s"}, "i", None),
    ]
    for fields, actor_id, user_id in cases:
        actor = normalized(RealtimePrincipal(**fields), "random")
        assert (actor.id, actor.user_id) == (actor_id, user_id)
        assert normalized(actor) == actor
    check_principal(None)


def test_the_member_of_an_actor() -> None:
    """`userId`, else `id`, else `sessionId`, else nobody."""
    assert member_of(RealtimePrincipal(kind="user", user_id="u", id="i", session_id="s")) == "u"
    assert member_of(RealtimePrincipal(kind="user", id="i", session_id="s")) == "i"
    assert member_of(RealtimePrincipal(kind="anonymous", session_id="s")) == "s"
    assert member_of(RealtimePrincipal(kind="anonymous")) is None
    assert member_of(None) is None


@pytest.mark.parametrize("caller", [USER, ADMIN, NOBODY])
@pytest.mark.parametrize(
    "actor",
    [BOB, RealtimePrincipal(kind="user", id="ana"), RealtimePrincipal(kind="anonymous")],
)
def test_nobody_but_the_server_names_another_actor(
    caller: Caller, actor: RealtimePrincipal
) -> None:
    """Not with `admin`, and not one who differs in one field."""
    with pytest.raises(Forbidden, match="only a trusted back-end") as refused:
        actor_for(caller, actor, "random")
    assert refused.value.field == "actor"


def test_the_actor_of_a_call() -> None:
    """The explicit one of the server, whole; else the caller's own, which it may name."""
    assert actor_for(SERVER, RealtimePrincipal(kind="user", id="bob")) == BOB
    assert actor_for(SERVER, None) is None
    assert actor_for(USER, None) is ANA
    assert actor_for(USER, ANA) == ANA
    given = RealtimePrincipal(kind="user", user_id="ana", email="ana@example.com")
    assert actor_for(USER, given) == ANA  # the missing id follows
    assert actor_for(NOBODY, None) is None


def test_nobody_names_another_member_without_admin() -> None:
    """Not even who stands for no member; and an id that is none is refused from everybody."""
    for caller in (USER, NOBODY):
        with pytest.raises(Forbidden, match="'admin'") as refused:
            member_for(caller, "bob", caller.actor)
        assert refused.value.field == "memberId"
    for caller in (SERVER, ADMIN, USER):
        with pytest.raises(InvalidArgument, match="control characters"):
            member_for(caller, "a\n", caller.actor)


def test_the_member_of_a_call() -> None:
    """Explicit, else the token's, else the actor's, else nobody."""
    assert member_for(USER, "ana", ANA) == "ana"
    assert member_for(ADMIN, "bob", ANA) == "bob"
    assert member_for(SERVER, "x", BOB) == "x"
    assert member_for(SERVER, None, BOB) == "bob"
    assert member_for(SERVER, None, None) is None
    device = Caller(actor=ANA, member_id="ana:phone")
    assert member_for(device, None, ANA) == "ana:phone"
    with pytest.raises(Forbidden):
        member_for(device, "ana", ANA)
    opened = Caller(trusted=True, actor=ANA, member_id="ana:phone")
    assert member_for(opened, None, ANA) == "ana:phone"
    assert member_for(opened, None, BOB) == "bob"  # the server speaks for somebody else
