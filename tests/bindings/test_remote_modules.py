"""`connect` to a host with modules: the same handles, built from what the host says of them."""

from __future__ import annotations

import operator
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from roomhost.bindings import App, DurableObjectNamespace, ModuleRecord, connect, remote_modules
from roomhost.runtime import HostError

from ..helpers.served import served
from ..helpers.tally import Index, Tallies, Tally, bind_remote

pytestmark = pytest.mark.anyio
BUILDER = f"{Tallies.__module__}:bind_remote"
Install = Callable[..., None]


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "asyncio+uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """A server has asyncio alone."""
    return ("asyncio", {"use_uvloop": request.param})


@pytest.fixture(autouse=True)
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Makes these, by kind, the entry points of all that is installed; at first the module's own."""

    def install(*named: tuple[str, str]) -> None:
        found = EntryPoints(EntryPoint(kind, value, remote_modules.GROUP) for kind, value in named)
        monkeypatch.setattr(remote_modules, "entry_points", found.select)

    install(("tally", BUILDER))
    return install


class Other(Tally):
    """A module with a record of its own."""

    def __init__(self, kind: str, config: bytes = b"{}") -> None:
        super().__init__(kind)
        self.record = ModuleRecord(kind, config)

    def describe(self) -> ModuleRecord:
        return self.record


@asynccontextmanager
async def connected(**modules: Any) -> AsyncGenerator[tuple[Any, Any]]:
    """The `env` as another process has it, and that of the host."""
    app = App(name="modules", bindings={"PLAIN": Index, **modules}, vars={"GREETING": "hello"})
    async with served(app) as (url, host), connect(url, api_key="key") as env:
        yield env, host.env


async def test_the_handles_are_built_from_the_record() -> None:
    """With the same configuration, over the same objects; under the binding's own name."""
    async with connected(ONE=Tally("a", step=2), TWO=Tally("b", step=5)) as (env, host_env):
        assert isinstance(env.ONE, Tallies)
        assert [await env.ONE.add("x"), await env["ONE"].add("x"), await env.TWO.add("x")] == [
            2,
            4,
            5,
        ]
        assert await host_env.ONE.add("x") == 6
        assert await env.ONE.names() == ["x"]
        assert env.ONE.counters.id_from_name("x") == host_env.ONE.counters.id_from_name("x")


async def test_the_namespaces_of_a_module_are_not_bindings() -> None:
    """The environment has the names that the host's own has."""
    async with connected(TALLY=Tally("a")) as (env, host_env):
        assert set(env) == set(host_env) == {"GREETING", "PLAIN", "TALLY"}
        assert "TALLY.counters" not in env
        assert isinstance(env.PLAIN, DurableObjectNamespace)


async def test_a_value_that_could_be_copied_is_still_the_modules(install: Install) -> None:
    """It does not cross as a variable does."""

    class Plain(Tally):
        def bind(self, host: Any, namespaces: Any) -> Any:
            return {"secret": 1}

    async with connected(TALLY=Plain("a")) as (env, host_env):
        assert host_env.TALLY == {"secret": 1}
        assert isinstance(env.TALLY, Tallies)
    install()
    async with connected(TALLY=Plain("a")) as (env, _):
        with pytest.raises(HostError):
            _ = env.TALLY


async def test_a_kind_that_nothing_builds_fails_alone() -> None:
    """When its binding is read, each time, with what to do; it is there all the same."""
    async with connected(STRANGE=Other("strange"), TALLY=Tally("a")) as (env, _):
        for read in (getattr, operator.getitem):
            with pytest.raises(HostError) as refused:
                read(env, "STRANGE")
            assert str(refused.value) == (
                "the binding STRANGE is a module of kind 'strange': nothing that is installed here "
                "builds it: install the package with the entry point 'strange' in the group "
                "roomhost.modules"
            )
        assert "STRANGE" in env
        assert await env.TALLY.add("x") == 1
        with pytest.raises(AttributeError, match="there are GREETING, PLAIN, STRANGE, TALLY"):
            _ = env.NOPE


@pytest.mark.parametrize(
    ("entries", "config", "match", "cause"),
    [
        (["no.such.module:thing"], b"", "no.such.module:thing cannot be imported", ImportError),
        ([f"{Tallies.__module__}:nope"], b"", "nope cannot be imported", AttributeError),
        ([BUILDER, "b:b"], b"", f"several packages here build it, keep one: b:b, {BUILDER}", None),
        ([BUILDER], b"{", "its configuration is not understood here: JSONDecodeError", ValueError),
        ([f"{Tallies.__module__}:__name__"], b"{}", "TypeError", TypeError),
    ],
    ids=["module", "name", "several", "configuration", "callable"],
)
async def test_a_kind_that_cannot_be_built_says_why(
    install: Install, entries: list[str], config: bytes, match: str, cause: Any
) -> None:
    """With the error behind it, and nothing else of the environment is affected."""
    install(*(("broken", entry) for entry in entries), ("tally", BUILDER), ("tally", BUILDER))
    async with connected(BROKEN=Other("broken", config), TALLY=Tally("a")) as (env, _):
        with pytest.raises(HostError, match=match) as refused:
            _ = env.BROKEN
        assert cause is None or isinstance(refused.value.__cause__, cause)
        assert await env.TALLY.add("x") == 1


async def test_the_handles_stay_good_when_the_connection_is_lost() -> None:
    """The next call connects again, as that of any stub."""
    async with connected(TALLY=Tally("a")) as (env, _):
        assert await env.TALLY.add("x") == 1
        link = env.TALLY.counters.get_by_name("any").__channel__._find_link()
        await link.close()
        assert await env.TALLY.add("x") == 2
    with pytest.raises(HostError, match="the connection is closed"):
        await env.TALLY.add("x")


async def test_a_module_reaches_only_what_is_its_own() -> None:
    """The builder is handed the namespaces of its module, and no others."""
    handed: list[Any] = []

    def build(binding: str, config: bytes, namespaces: Any) -> Any:
        handed.append((binding, config, set(namespaces)))
        return bind_remote(binding, config, namespaces)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.helpers.tally.bind_remote", build)
        async with connected(ONE=Tally("a"), TWO=Tally("b", step=3)):
            pass
    assert handed == [
        ("ONE", b'{"step": 1}', {"ONE.counters", "ONE.index"}),
        ("TWO", b'{"step": 3}', {"TWO.counters", "TWO.index"}),
    ]
