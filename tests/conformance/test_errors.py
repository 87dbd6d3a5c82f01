"""Errors that cross a stub"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import PurePosixPath
from typing import Any, ClassVar

import anyio
import pytest

from roomhost.bindings import App
from roomhost.runtime import (
    DurableObject,
    DurableObjectError,
    DurableObjectState,
    Host,
    OverloadedError,
    Request,
    Response,
)
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.disk import Disk
from ..helpers.outcomes import failure, flags
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

CLASSES = Feature("Errors: class, message and name", "2.4")
OWN_CLASSES = Feature(
    "Errors: classes of the application",
    "2.4",
    differs="one that can be imported crosses as itself; workerd makes an Error of it",
)
NO_CLASS = Feature(
    "Errors: a class the caller does not have",
    "2.4",
    differs="DurableObjectError, whose `remote_type` names the class; workerd makes an Error",
)
PROPERTIES = Feature("Errors: own properties", "2.4")
GROUPS = Feature("Errors: AggregateError", "2.4", differs="Python's is ExceptionGroup")
COPIES = Feature("Errors: each caller has its own", "2.4")
NO_ERRORS = Feature(
    "Errors: thrown strings, numbers and objects",
    "2.4",
    differs="Python raises exceptions only: anything else is its TypeError, inside the object",
)
EXITS = Feature(
    "Errors: SystemExit and other exceptions that are no Exception",
    "2.4",
    differs="DurableObjectError with `remote_type`: an object does not end its caller",
)
REMOTE = Feature("Errors: remote", "2.4")
RETRYABLE = Feature("Errors: retryable", "2.4")
OVERLOADED = Feature("Errors: overloaded", "2.4")
RESET = Feature("Errors: durableObjectReset", "2.4")
OBJECT_ID = Feature("Errors: durableObjectId", "2.4")
USER_FLAGS = Feature("Errors: retryable and overloaded set by the object", "2.4")
ABORTED = Feature("Errors: ctx.abort", "2.4, 3.4")
CONSTRUCTOR = Feature("Errors: a constructor that throws", "2.4, 3.1")
SECTION = Feature("Errors: blockConcurrencyWhile that throws", "2.4, 3.2")
SECTION_TIMEOUT = Feature("Errors: blockConcurrencyWhile that takes too long", "2.4, 3.2")
STORAGE = Feature("Errors: a write that fails", "2.4, 4.5")
SHUT_DOWN = Feature("Errors: the host stops", "2.4")
CANCELLATION = Feature(
    "Errors: cancellation",
    "2.4",
    differs="Python's own: a handler may be cancelled, its caller gets a retryable error instead",
)
ABORT_ALL = Feature(
    "abortAllDurableObjects",
    "3.5",
    differs="`host.abort_all()`; its error has durable_object_reset, as that of every reset",
)
QUEUE = Feature("Overload: too many requests queued", "3.6")
NOT_SERIALISED = Feature("Errors: arguments that cannot be sent", "2.2, 2.4")

QUEUE_LENGTH = 10_000
TIMED_OUT = (
    "A call to blockConcurrencyWhile() in a Durable Object waited for too long. "
    "The call was canceled and the Durable Object was reset."
)


class TeapotError(Exception):
    """A class of the application, with an initializer that is not like its arguments."""

    def __init__(self, *, spout: str) -> None:
        super().__init__(f"a teapot with a {spout} spout")
        self.spout = spout


class Stop(BaseException):
    """An exception that is no Exception."""


class Failing(DurableObject):
    """Fails as the test says: what it raises, and how it is reset."""

    raises: ClassVar[Any] = None
    start: ClassVar[Any] = None

    def __init__(self, ctx: DurableObjectState, env: Any) -> None:
        super().__init__(ctx, env)
        self.calls = 0
        self.waiting = anyio.Event()
        self.ended_with = ""
        if Failing.start is not None:
            raise Failing.start

    async def fail(self) -> None:
        self.calls += 1
        raise Failing.raises

    async def fetch(self, request: Request) -> Response:
        await getattr(self, request.url.path.removeprefix("/"))()
        return Response("no error")

    async def count(self) -> int:
        self.calls += 1
        return self.calls

    async def wait(self) -> None:
        self.waiting.set()
        try:
            await anyio.Event().wait()
        except BaseException as error:
            Failing.raises = error
            raise

    async def until_waiting(self) -> None:
        await self.waiting.wait()

    async def abort(self) -> None:
        self.ctx.abort(Failing.raises)

    async def section(self) -> None:
        async def inside() -> None:
            raise Failing.raises

        await self.ctx.block_concurrency_while(inside)

    async def endless_section(self) -> None:
        await self.ctx.block_concurrency_while(anyio.Event().wait)

    async def write(self) -> None:
        await self.ctx.storage.put("key", "value")

    async def call_other(self, name: str) -> None:
        await self.env.FAILING.get_by_name(name).fail()


app = App(name="errors", bindings={"FAILING": Failing})


@pytest.fixture(autouse=True)
def fresh() -> None:
    """What the class remembers is the test's own."""
    Failing.raises = Failing.start = None


@asynccontextmanager
async def failing(raises: Any = None, **options: Any) -> AsyncGenerator[tuple[Host, Any]]:
    """A host, and a stub of an object that raises that."""
    Failing.raises = raises
    async with host_for(app, clock=ManualClock(), **options) as host:
        yield host, host.env.FAILING.get_by_name("a")


def by(kind: str, stub: Any, method: str) -> Any:
    """The method called over RPC, or asked for by a request."""
    return getattr(stub, method)() if kind == "rpc" else stub.fetch(f"http://x/{method}")


@shows(CLASSES, REMOTE)
@pytest.mark.parametrize("kind", ["rpc", "fetch"])
@pytest.mark.parametrize(
    "error",
    [
        Exception("plain"),
        ValueError("größe", 5, ["x"]),
        TypeError(),
        KeyError("missing"),
        IndexError(3),
        AssertionError("no"),
        ZeroDivisionError("division by zero"),
        RecursionError("deep"),
        NotImplementedError("later"),
        TimeoutError("late"),
        FileNotFoundError(2, "No such file or directory", "name.txt"),
        ConnectionResetError(104, "reset by peer"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        DurableObjectError("of the application"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_error_keeps_class_message_and_arguments(error: Exception, kind: str) -> None:
    """Of a method and of fetch: what is caught by class there is caught by class here."""
    async with failing(error) as (_host, stub):
        caught = await failure(by(kind, stub, "fail"))
        assert type(caught) is type(error)
        assert (str(caught), caught.args) == (str(error), error.args)
        assert vars(caught).keys() >= vars(error).keys()
        assert flags(caught) == {"remote"}


@shows(CLASSES)
@pytest.mark.parametrize("name", ["name.txt", PurePosixPath("name.txt")], ids=["text", "path"])
async def test_an_operating_system_error_keeps_its_number_and_its_file(name: Any) -> None:
    """They are no arguments, and are copied too."""
    async with failing(FileNotFoundError(2, "No such file", name)) as (_host, stub):
        caught = await failure(stub.fail())
        assert (caught.errno, caught.strerror, caught.filename) == (2, "No such file", "name.txt")
        assert str(caught) == "[Errno 2] No such file: 'name.txt'"


@shows(OWN_CLASSES, PROPERTIES)
async def test_a_class_of_the_application_crosses_as_itself() -> None:
    """Its initializer is not called again; what it has set is there."""
    async with failing(TeapotError(spout="short")) as (_host, stub):
        caught = await failure(stub.fail())
        assert (type(caught), caught.spout) == (TeapotError, "short")
        assert str(caught) == "a teapot with a short spout"


@shows(CLASSES)
async def test_arguments_that_cannot_be_copied_leave_class_and_message() -> None:
    """The caller catches what was raised, with the text it had."""
    part = object()
    for error in (ValueError(part), ValueError("two", part), TeapotError(spout=repr(part))):
        async with failing(error) as (_host, stub):
            caught = await failure(stub.fail())
            assert (type(caught), str(caught)) == (type(error), str(error))


@shows(PROPERTIES)
async def test_own_attributes_cross_by_copy() -> None:
    """Every plain value, and notes; what is no value is left out, and hides nothing else."""
    error: Any = ValueError("bad")
    error.code = "E42"
    error.details = {"fields": ["a"]}
    error.handle = object()
    error.add_note("while adding tea")
    async with failing(error) as (_host, stub):
        caught = await failure(stub.fail())
        assert (caught.code, caught.details) == ("E42", {"fields": ["a"]})
        assert caught.__notes__ == ["while adding tea"]
        assert not hasattr(caught, "handle")
        caught.details["fields"].append("changed")
        assert (await failure(stub.fail())).details == {"fields": ["a"]}


@shows(NO_CLASS, PROPERTIES)
async def test_a_class_that_cannot_be_imported_crosses_by_its_name() -> None:
    """As DurableObjectError with the message and the attributes; `remote_type` is None otherwise."""

    class LocalError(ValueError):
        """Nobody else can have it."""

    error: Any = LocalError("only here")
    error.code = "E42"
    async with failing(error) as (_host, stub):
        caught = await failure(stub.fail())
        assert (type(caught), str(caught), caught.code) == (DurableObjectError, "only here", "E42")
        assert caught.remote_type.endswith("LocalError")
        assert flags(caught) == {"remote"}
        Failing.raises = DurableObjectError("of the application")
        assert (await failure(stub.fail())).remote_type is None


@shows(GROUPS)
async def test_a_group_crosses_with_its_members() -> None:
    """A task group's errors are still told apart by their classes."""
    group = ExceptionGroup("both", [ValueError("one"), TeapotError(spout="long")])
    async with failing(group) as (_host, stub):
        caught = await failure(stub.fail())
        assert (type(caught), caught.message) == (ExceptionGroup, "both")
        assert [(type(each), str(each)) for each in caught.exceptions] == [
            (ValueError, "one"),
            (TeapotError, "a teapot with a long spout"),
        ]
        assert flags(caught) == {"remote"}


@shows(COPIES)
async def test_the_object_and_each_caller_have_an_error_of_their_own() -> None:
    """An error that the object keeps is not marked; what one caller does shows to no other."""
    kept: Any = ValueError("kept")
    kept.details = []
    async with failing(kept) as (_host, stub):
        first, second = [await failure(call) for call in (stub.fail(), stub.fail())]
        first.details.append("changed")
        assert (second.details, kept.details) == ([], [])
        assert len({id(error) for error in (kept, first, second)}) == 3
        assert not hasattr(kept, "remote")


@shows(NO_ERRORS)
@pytest.mark.parametrize("thrown", ["text", 5, {"code": 1}, None])
async def test_what_is_no_exception_cannot_be_raised(thrown: Any) -> None:
    """The object's `raise` is a TypeError, and that is what the caller gets."""
    async with failing(thrown) as (_host, stub):
        caught = await failure(stub.fail())
        assert (type(caught), flags(caught)) == (TypeError, {"remote"})
        assert "must derive from BaseException" in str(caught)


@shows(EXITS)
@pytest.mark.parametrize("error", [SystemExit(3), Stop("all"), BaseException("base")])
async def test_an_exit_of_the_object_is_an_error_of_the_caller(error: BaseException) -> None:
    """It ends the call and nothing else: the host and the object go on."""
    async with failing(error) as (_host, stub):
        caught = await failure(stub.fail())
        assert (type(caught), str(caught)) == (DurableObjectError, str(error))
        assert caught.remote_type.endswith(type(error).__name__)
        assert await stub.count() == 2


@shows(USER_FLAGS, RETRYABLE, OVERLOADED)
@pytest.mark.parametrize("flag", ["retryable", "overloaded"])
@pytest.mark.parametrize("value", [True, 1, "yes", False, 0, ""])
async def test_an_object_can_tell_its_caller_to_retry_or_to_back_off(
    flag: str, value: object
) -> None:
    """It sets the flag on its error before it raises it; anything that is true is."""
    error = ValueError("busy")
    setattr(error, flag, value)
    async with failing(error) as (_host, stub):
        expected = {"remote", flag} if value else {"remote"}
        assert flags(await failure(stub.fail())) == expected


@shows(OBJECT_ID)
async def test_an_error_names_its_object() -> None:
    """By the 64 digits of its id; also when it came through another object on its way."""
    async with failing(ValueError("bad")) as (host, stub):
        inner = host.env.FAILING.get_by_name("inner")
        assert (await failure(stub.fail())).durable_object_id == str(stub.id)
        caught = await failure(stub.call_other("inner"))
        assert (type(caught), str(caught)) == (ValueError, "bad")
        assert caught.durable_object_id == str(inner.id)
        assert flags(caught) == {"remote"}


@shows(ABORTED, RESET, REMOTE)
@pytest.mark.parametrize("kind", ["rpc", "fetch"])
@pytest.mark.parametrize(
    ("reason", "shape", "text"),
    [
        (None, DurableObjectError, "Application called abort() to reset Durable Object."),
        ("why", DurableObjectError, "why"),
        (ValueError("why"), ValueError, "why"),
        (TeapotError(spout="no"), TeapotError, "a teapot with a no spout"),
    ],
    ids=["no reason", "text", "error", "own error"],
)
async def test_abort_gives_every_caller_its_reason(
    reason: Any, shape: type[Exception], text: str, kind: str
) -> None:
    """The one in flight and those who come later over its stub; only fetch says that it came from
    inside the object."""
    async with failing(reason) as (_host, stub):
        expected = {"durable_object_reset"} | ({"remote"} if kind == "fetch" else set())
        for call in (by(kind, stub, "abort"), by(kind, stub, "count")):
            caught = await failure(call)
            assert (type(caught), str(caught)) == (shape, text)
            assert (flags(caught), caught.durable_object_id) == (expected, str(stub.id))


@shows(CONSTRUCTOR, RESET, REMOTE)
@pytest.mark.parametrize("kind", ["rpc", "fetch"])
async def test_a_constructor_gives_every_caller_its_error(kind: str) -> None:
    """Class, message and attributes, with the mark of a reset."""
    Failing.start = TeapotError(spout="broken")
    async with failing() as (_host, stub):
        expected = {"durable_object_reset"} | ({"remote"} if kind == "fetch" else set())
        for call in (by(kind, stub, "count"), by(kind, stub, "count")):
            caught = await failure(call)
            assert (type(caught), caught.spout) == (TeapotError, "broken")
            assert flags(caught) == expected


@shows(SECTION, RESET)
@pytest.mark.parametrize("kind", ["rpc", "fetch"])
async def test_a_section_gives_every_caller_its_error(kind: str) -> None:
    """The call that waits for it, and one that came with it."""
    async with failing(KeyError("missing")) as (_host, stub):
        for call in (by(kind, stub, "section"), by(kind, stub, "count")):
            caught = await failure(call)
            assert (type(caught), caught.args) == (KeyError, ("missing",))
            assert flags(caught) - {"remote"} == {"durable_object_reset"}


@shows(SECTION_TIMEOUT, OVERLOADED, RESET)
@pytest.mark.parametrize("kind", ["rpc", "fetch"])
async def test_a_section_that_takes_30_seconds_is_an_overloaded_reset(kind: str) -> None:
    """Not before."""
    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        stub = host.env.FAILING.get_by_name("a")
        call = by(kind, stub, "endless_section")
        await clock.advance(29.9)
        assert host.statistics().activations == 1
        await clock.advance(0.2)
        caught = await failure(call)
        assert (isinstance(caught, OverloadedError), str(caught)) == (True, TIMED_OUT)
        assert flags(caught) - {"remote"} == {"durable_object_reset", "overloaded"}


@shows(STORAGE, RESET)
async def test_a_write_that_fails_is_a_reset() -> None:
    """Its caller does not hear that it went well, and the stub stays broken."""
    disk = Disk()
    async with failing(wrap_commit=disk.wrap) as (host, stub):
        assert await stub.count() == 1
        disk.failing = True
        for call in (stub.write(), stub.count()):
            caught = await failure(call)
            assert "durable_object_reset" in flags(caught)
        disk.failing = False
        assert await host.env.FAILING.get_by_name("a").count() == 1


@shows(SHUT_DOWN, RETRYABLE, CANCELLATION)
async def test_a_host_that_is_lost_is_retryable_and_its_handlers_are_cancelled() -> None:
    """The handler sees the cancellation of its event loop; the caller an ordinary error."""
    async with failing() as (host, stub):
        call = stub.wait()
        await stub.until_waiting()
        await host.crash()
        caught = await failure(call)
        assert isinstance(caught, DurableObjectError)
        assert "retryable" in flags(caught)
        assert isinstance(Failing.raises, anyio.get_cancelled_exc_class())


@shows(SHUT_DOWN, RETRYABLE)
async def test_a_call_after_the_end_of_the_host_is_retryable() -> None:
    """It was not delivered: that is safe to try elsewhere."""
    async with failing() as (_host, stub):
        assert await stub.count() == 1
    caught = await failure(stub.count())
    assert isinstance(caught, DurableObjectError)
    assert flags(caught) - {"remote"} == {"retryable"}


@shows(ABORT_ALL, RESET)
async def test_abort_all_resets_every_object() -> None:
    """With its own text; new stubs work at once."""
    async with failing() as (host, stub):
        other = host.env.FAILING.get_by_name("b")
        assert [await stub.count(), await other.count()] == [1, 1]
        await host.abort_all()
        for each in (stub, other):
            caught = await failure(each.count())
            assert str(caught) == "Application called abortAllDurableObjects()."
            assert "durable_object_reset" in flags(caught)
            assert await host.env.FAILING.get_by_name(each.name).count() == 1


@shows(QUEUE, OVERLOADED)
async def test_too_many_calls_in_the_queue_are_refused_and_the_rest_are_served() -> None:
    """The one too many has not run, is marked as overloaded, and resets nothing."""
    async with failing() as (_host, stub):
        calls = [stub.count() for _ in range(QUEUE_LENGTH + 1)]
        refused = await failure(calls.pop())
        assert isinstance(refused, OverloadedError)
        assert str(refused) == "Durable Object is overloaded. Too many requests queued."
        assert flags(refused) - {"remote"} == {"overloaded"}
        assert [await call for call in calls] == list(range(1, QUEUE_LENGTH + 1))
        assert await stub.count() == QUEUE_LENGTH + 1


@shows(REMOTE, RETRYABLE, OVERLOADED, RESET, OBJECT_ID)
@mistake(41)
@pytest.mark.parametrize("method", ["fail", "abort", "section", "missing", "call_other"])
async def test_mistake_41_every_error_has_all_its_flags(method: str) -> None:
    """Whatever its class, each is there, a bool, and true where it should be."""
    async with failing(LookupError("bad")) as (_host, stub):
        caught = await failure(getattr(stub, method)())
        resets = method in ("abort", "section")
        assert flags(caught) - {"remote"} == ({"durable_object_reset"} if resets else set())
        assert caught.remote is True or resets
        assert caught.durable_object_id == str(stub.id)


@shows(NOT_SERIALISED)
@mistake(41)
async def test_mistake_41_an_argument_that_cannot_be_sent_has_them_too() -> None:
    """A caller that looks at the flags need not know where the error arose: this one is not
    remote."""
    async with failing() as (_host, stub):
        for argument in (object(), bytes(32 * 1024 * 1024 + 1)):
            caught = await failure(stub.call_other(argument))
            assert flags(caught) == set()
            assert caught.durable_object_id == str(stub.id)
