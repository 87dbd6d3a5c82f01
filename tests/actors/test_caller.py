"""Callers: what they may do, and their way to the room."""

from __future__ import annotations

import pytest

from roomhost.actors.caller import (
    CAPABILITIES,
    DEFAULT_CAPABILITIES,
    Caller,
    check_capability,
    check_capability_names,
    check_no_wider,
    decode_caller,
    encode_caller,
)
from roomhost.actors.errors import Forbidden, InvalidArgument
from roomhost.actors.types import RealtimePrincipal

ANA = RealtimePrincipal(kind="user", id="ana", user_id="ana")


def test_a_capability_that_is_missing_is_named() -> None:
    """Each stands for itself."""
    for name in CAPABILITIES:
        others = tuple(other for other in CAPABILITIES if other != name)
        with pytest.raises(Forbidden, match=f"the capability '{name}'"):
            check_capability(Caller(capabilities=others), name)
        check_capability(Caller(capabilities=(name,)), name)
        check_capability(Caller.trusted_caller(), name)


def test_a_reader_shows_nothing_of_itself_unless_presence_is_granted() -> None:
    """Whatever it may read (realtime.md 5.6)."""
    reads = ("subscribe", "history", "crdt:read")
    with pytest.raises(Forbidden, match="'presence'"):
        check_capability(Caller(capabilities=reads), "presence")
    check_capability(Caller(capabilities=(*reads, "presence")), "presence")


def test_users_without_a_token_have_the_default() -> None:
    """All but `admin`."""
    assert Caller.user_caller(ANA).capabilities == DEFAULT_CAPABILITIES
    assert set(CAPABILITIES) - set(DEFAULT_CAPABILITIES) == {"admin"}


def test_unknown_capabilities_are_refused_by_name() -> None:
    """With those that there are."""
    for name in ("all", "", "Publish"):
        with pytest.raises(InvalidArgument, match="none of subscribe, publish") as refused:
            check_capability_names(["publish", name], "capabilities")
        assert refused.value.field == "capabilities"
    check_capability_names(CAPABILITIES, "capabilities")


def test_nobody_hands_on_what_they_do_not_have() -> None:
    """But the server."""
    admin = Caller(capabilities=("admin", "publish"))
    check_no_wider(admin, ("publish",), "capabilities")
    check_no_wider(Caller.trusted_caller(), CAPABILITIES, "capabilities")
    with pytest.raises(Forbidden, match="'history'") as refused:
        check_no_wider(admin, ("publish", "history"), "capabilities")
    assert refused.value.field == "capabilities"


def test_a_caller_goes_to_its_room_and_back() -> None:
    """As JSON, nothing lost."""
    for caller in (
        Caller(),
        Caller.trusted_caller(ANA),
        Caller(
            actor=ANA,
            member_id="ana",
            client_id="phone",
            capabilities=DEFAULT_CAPABILITIES,
            generation=3,
            expires_at_ms=1,
            presence={"é": [None]},
        ),
    ):
        assert decode_caller(encode_caller(caller)) == caller
    assert encode_caller(Caller(member_id="ana")) == b'{"memberId":"ana"}'


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b'{"trusted":1}', b'{"root":true}', b"\xff", b'{"presence":' + b"[" * 9_999],
)
def test_what_is_no_caller_is_refused(data: bytes) -> None:
    """It never is a caller who may a little."""
    with pytest.raises(InvalidArgument, match="caller: not as"):
        decode_caller(data)
