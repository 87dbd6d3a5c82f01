"""Not offered"""

from __future__ import annotations

from typing import Any

import pytest

import roomhost.runtime
from roomhost.bindings import App
from roomhost.runtime import DurableObject, DurableObjectState, DurableObjectStorage
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.outcomes import failure, flags
from .feature import Feature, shows

pytestmark = pytest.mark.anyio

NO_SUCH_NAME = "an AttributeError at once, inside the object"

SQL = Feature("ctx.storage.sql", "5.10", missing=NO_SUCH_NAME)
RECOVERY = Feature("Point-in-time recovery: bookmarks", "5.11", missing=NO_SUCH_NAME)
FACETS = Feature("ctx.facets", "8", missing=NO_SUCH_NAME)
CONTAINER = Feature("ctx.container", "8", missing=NO_SUCH_NAME)
REPLICAS = Feature("Read replicas", "8", missing=NO_SUCH_NAME)
EXPORTS = Feature("ctx.exports", "8", missing=f"{NO_SUCH_NAME}: bindings are in `env`")
PROPS = Feature("ctx.props", "8", missing=f"{NO_SUCH_NAME}: `vars` of the App are in `env`")
VERSIONS = Feature(
    "Versions and cohorts of an object",
    "8",
    missing="neither `ctx.version` nor the argument of `get` is there",
)
PERSISTENT_STUBS = Feature("Persistent stubs: ctx.restore", "8", missing=NO_SUCH_NAME)
SNAPSHOT = Feature("storage.snapshot", "8", missing=NO_SUCH_NAME)
PRE_SHUTDOWN = Feature(
    "preShutdown", "3.5, 8", missing="no handler of that name: it is a method like any other"
)
GET_EXISTING = Feature("DurableObjectNamespace.getExisting", "1.4", missing="an AttributeError")
ROUTING = Feature("get: routingMode", "1.4", missing="a TypeError: no such argument")
RPC_TARGET = Feature("RpcTarget", "2.2", missing="no such name: values pass by copy only")
DISPOSAL = Feature(
    "RPC: dup and disposal of stubs",
    "2.2",
    missing="nothing is to be disposed of: a stub holds nothing that outlives it",
)
RETRIES = Feature(
    "Automatic retries: retryable()",
    "2.6",
    missing="no such name: a caller looks at the error's `retryable` and calls again",
)


class Reader(DurableObject):
    """Looks for a name where a program would, and says what it met."""

    async def look(self, where: str, name: str) -> Any:
        place: Any = {"ctx": self.ctx, "storage": self.ctx.storage}[where]
        return repr(getattr(place, name))

    async def assign(self, where: str, name: str) -> None:
        place: Any = {"ctx": self.ctx, "storage": self.ctx.storage}[where]
        setattr(place, name, None)

    async def pre_shutdown(self, reason: str) -> str:
        return f"called with {reason}"


app = App(name="missing", bindings={"READER": Reader})


async def is_missing(where: str, name: str) -> None:
    """The object's use of the name is an AttributeError that names it, and resets nothing."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.READER.get_by_name("a")
        error = await failure(stub.look(where, name))
        assert (type(error), flags(error)) == (AttributeError, {"remote"})
        assert repr(name) in str(error)
        assert await stub.look("ctx", "id") != ""


@shows(SQL, RECOVERY, SNAPSHOT, REPLICAS)
@pytest.mark.parametrize(
    "name",
    [
        "sql",
        "get_current_bookmark",
        "get_bookmark_for_time",
        "on_next_session_restore_bookmark",
        "wait_for_bookmark",
        "snapshot",
        "on_next_session_restore",
        "primary",
        "configure_read_replication",
        "ensure_replicas",
        "disable_replicas",
    ],
)
async def test_storage_has_no_member_that_does_nothing(name: str) -> None:
    """What is not offered is not there: a program fails where it asks for it."""
    await is_missing("storage", name)
    assert not hasattr(DurableObjectStorage, name)


@shows(FACETS, CONTAINER, EXPORTS, PROPS, VERSIONS, PERSISTENT_STUBS, REPLICAS)
@pytest.mark.parametrize(
    "name", ["facets", "container", "exports", "props", "version", "restore", "primary_stub"]
)
async def test_ctx_has_no_member_that_does_nothing(name: str) -> None:
    """Likewise."""
    await is_missing("ctx", name)
    assert not hasattr(DurableObjectState, name)


@shows(SQL, FACETS, CONTAINER)
async def test_what_is_missing_cannot_be_put_there() -> None:
    """Nor by mistake: `ctx` and the storage take no attributes."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.READER.get_by_name("a")
        for where, name in (("ctx", "facets"), ("ctx", "container"), ("storage", "sql")):
            error = await failure(stub.assign(where, name))
            assert (type(error), flags(error)) == (AttributeError, {"remote"})


@shows(PRE_SHUTDOWN)
async def test_pre_shutdown_is_no_handler() -> None:
    """The base class has none, and one of the application's is called by nobody but its callers."""
    assert not hasattr(DurableObject, "pre_shutdown")
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.READER.get_by_name("a")
        assert await stub.pre_shutdown("inactive") == "called with inactive"


@shows(GET_EXISTING, ROUTING, VERSIONS)
async def test_a_namespace_takes_no_option_that_it_would_ignore() -> None:
    """Only the location hint, which means nothing to one host, is accepted."""
    async with host_for(app, clock=ManualClock()) as host:
        namespace = host.env.READER
        with pytest.raises(AttributeError, match="get_existing"):
            namespace.get_existing(namespace.id_from_name("a"))
        for option in ({"routing_mode": "primary-only"}, {"version": {"cohort": "x"}}):
            with pytest.raises(TypeError, match="unexpected keyword argument"):
                namespace.get(namespace.id_from_name("a"), **option)
            with pytest.raises(TypeError, match="unexpected keyword argument"):
                namespace.get_by_name("a", **option)


@shows(RPC_TARGET, DISPOSAL, RETRIES)
async def test_there_is_nothing_to_pass_by_reference_or_to_dispose_of() -> None:
    """No class to derive from, no stub of a stub, no context manager, no mark of a retry."""
    names = {name.lower() for name in roomhost.runtime.__all__}
    assert not names & {"rpctarget", "rpcstub", "rpcpromise", "retryable"}
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.READER.get_by_name("a")
        for name in ("__enter__", "__aenter__", "__exit__", "__aexit__"):
            assert not hasattr(stub, name)
        with pytest.raises(TypeError, match="'dup' is a reserved method"):
            await stub.dup()


@shows(RETRIES)
async def test_a_call_is_never_made_twice_by_the_host() -> None:
    """A handler that fails with a retryable error has run once."""

    class Once(DurableObject):
        """Counts, in what outlives it."""

        async def fail(self) -> None:
            await self.ctx.storage.put("runs", await self.ctx.storage.get("runs", 0) + 1)
            error: Any = ConnectionError("try again")
            error.retryable = True
            raise error

        async def count(self) -> Any:
            return await self.ctx.storage.get("runs")

    once = App(name="once", bindings={"ONCE": Once})
    async with host_for(once, clock=ManualClock()) as host:
        stub = host.env.ONCE.get_by_name("a")
        error = await failure(stub.fail())
        assert flags(error) == {"remote", "retryable"}
        assert await stub.count() == 1
