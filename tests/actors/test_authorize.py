"""Grants: what a token may hand on, and to whom."""

from __future__ import annotations

import json
from typing import Any

import pytest

from roomhost.actors import realtime
from roomhost.actors.caller import CAPABILITIES, DEFAULT_CAPABILITIES, Caller, encode_caller
from roomhost.actors.errors import Forbidden
from roomhost.actors.tokens import Keyring, caller_of_token
from roomhost.actors.types import RealtimePrincipal
from roomhost.bindings import App
from roomhost.runtime import Host
from roomhost.runtime.testing import ManualClock, host_for

ANA = RealtimePrincipal(kind="user", id="ana", user_id="ana")
app = App(name="grants", bindings={"LIVE": realtime(name="live")})


async def authorized(host: Host, caller: Caller, **options: Any) -> tuple[dict[str, Any], Caller]:
    """The grant that a caller gets, and who bears its token."""
    stub = host.env.LIVE.stub("room", "lobby")
    result = await stub.operate("authorize", json.dumps(options).encode(), encode_caller(caller))
    grant = json.loads(result)
    bearer = caller_of_token(
        Keyring(host.token_secrets),
        grant["token"],
        audience="live",
        kind="room",
        room="lobby",
        now_ms=host.clock.now_ms(),
    )
    return grant, bearer


async def test_a_token_grants_no_more_than_it_has() -> None:
    """Asked for, it is refused; left open, it is what the default and the token have in common."""
    admin = Caller(actor=ANA, member_id="ana", capabilities=("admin", "publish"), generation=1)
    async with host_for(app, clock=ManualClock()) as host:
        with pytest.raises(Forbidden, match="'history'") as refused:
            await authorized(host, admin, capabilities=["publish", "history"])
        assert refused.value.field == "capabilities"
        _, bearer = await authorized(host, admin)
        assert bearer.capabilities == ("publish",)
        _, bearer = await authorized(host, admin, capabilities=["admin"])
        assert bearer.capabilities == ("admin",)


async def test_the_server_grants_anything() -> None:
    """The default without a word."""
    async with host_for(app, clock=ManualClock()) as host:
        _, bearer = await authorized(host, Caller.trusted_caller(ANA))
        assert (bearer.capabilities, bearer.actor) == (DEFAULT_CAPABILITIES, ANA)
        _, bearer = await authorized(host, Caller.trusted_caller(), capabilities=CAPABILITIES)
        assert bearer.capabilities == CAPABILITIES


async def test_somebody_anonymous_gets_an_id_with_the_token() -> None:
    """So that it can join."""
    async with host_for(app, clock=ManualClock()) as host:
        grant, bearer = await authorized(host, Caller.trusted_caller(), actor={"kind": "anonymous"})
    assert bearer.actor is not None
    assert grant["actor"] == {"kind": "anonymous", "id": bearer.actor.id}
    assert grant["memberId"] == bearer.member_id == bearer.actor.id
