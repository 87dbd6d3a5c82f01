"""What a handler raises is the answer, and is told of."""

from __future__ import annotations

from typing import Any, cast

import pytest

from roomhost.admin.dev_application import DevApplication
from roomhost.admin.dev_failure import Failure
from roomhost.admin.dev_sources import Sources
from roomhost.runtime import Host
from roomhost.runtime.application import Application, ASGIApp, Message, Receive, Scope, Send
from roomhost.runtime.asgi import error_response, send_response
from roomhost.runtime.errors import OverloadedError


class Unbroken(Sources):
    """Sources that are as they were read."""

    def __init__(self, error: SyntaxError | None = None) -> None:
        super().__init__(("/nowhere",))
        self._error = error

    def broken(self) -> SyntaxError | None:
        """What the test says."""
        return self._error


class Inner:
    """An application that is one ASGI callable."""

    name = "inner"

    def __init__(self, answer: ASGIApp) -> None:
        self._answer = answer

    def asgi_for(self, host: Host) -> ASGIApp:
        """It."""
        return self._answer


class Outcome:
    """What came of one connection."""

    def __init__(self, answer: ASGIApp, error: SyntaxError | None = None) -> None:
        self.reported: list[str] = []
        self.sent: list[Message] = []
        self.application = DevApplication(
            cast("Application", Inner(answer)), ("/nowhere",), Unbroken(error), self._report
        )

    async def of(self, kind: str = "http", headers: Any = ()) -> list[Message]:
        """The messages that are sent."""
        scope: Scope = {"type": kind, "method": "GET", "path": "/a", "headers": list(headers)}
        if kind == "websocket":
            del scope["method"]
            scope["extensions"] = {"websocket.http.response": {}}
        asgi = self.application.asgi_for(cast("Host", None))
        await asgi(scope, self._receive, self._send)
        return self.sent

    @property
    def text(self) -> str:
        """The answer's body."""
        return b"".join(message.get("body", b"") for message in self.sent).decode()

    def _report(self, what: str, failure: Failure) -> None:
        self.reported.append(f"{what}: {failure.summary}")

    async def _receive(self) -> Message:
        return {"type": "websocket.connect"}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)


def answers(status: int, body: bytes = b"fine", *, more: bool = False) -> list[Message]:
    """The messages of an answer."""
    return [
        {"type": "http.response.start", "status": status, "headers": []},
        {"type": "http.response.body", "body": body, "more_body": more},
    ]


def sends(*messages: Message, error: Exception | None = None) -> ASGIApp:
    """An application that sends these, and raises then."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)
        if error is not None:
            raise error

    return application


@pytest.mark.parametrize(
    "messages",
    [answers(200), answers(500), answers(500, more=True) + answers(200)[1:]],
    ids=["good", "its own 500", "a stream"],
)
async def test_an_answer_passes_as_it_is(messages: list[Message]) -> None:
    """One that says 500 too, when nothing was raised."""
    outcome = Outcome(sends(*messages))
    assert await outcome.of() == messages
    assert outcome.reported == []


@pytest.mark.parametrize("before", [[], answers(500, b"Internal Server Error")])
async def test_what_is_raised_is_the_answer(before: list[Message]) -> None:
    """Also where a framework has answered a bare 500 before it lets the error go."""
    outcome = Outcome(sends(*before, error=ValueError("told to")))
    start, body = await outcome.of()
    assert (start["status"], body["body"][:20]) == (500, b"ValueError: told to\n")
    assert outcome.reported == ["GET /a: ValueError: told to"]


async def test_an_answer_that_has_begun_cannot_be_replaced() -> None:
    """The server ends the connection, and says why."""
    outcome = Outcome(sends(*answers(200, more=True), error=ValueError("late")))
    with pytest.raises(ValueError, match="late"):
        await outcome.of()
    assert outcome.sent == answers(200, more=True)


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ([], ["websocket.http.response.start", "websocket.http.response.body"], "KeyError: 'x'\n"),
        ([{"type": "websocket.accept"}], ["websocket.accept", "websocket.close"], ""),
    ],
    ids=["refused", "closed"],
)
async def test_a_web_socket_of_main_that_fails_is_told_of(
    before: list[Message], after: list[str], text: str
) -> None:
    """It is refused with the failure, or closed, and the terminal says why."""
    outcome = Outcome(sends(*before, error=KeyError("x")))
    messages = await outcome.of("websocket")
    assert [message["type"] for message in messages] == after
    assert outcome.text.startswith(text)
    assert outcome.reported == ["WebSocket /a: KeyError: 'x'"]


def fails_with(error: Exception) -> ASGIApp:
    """An application whose object fails, over the default routes."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send_response(send, error_response(error, scope))

    return application


async def test_an_error_of_an_object_is_the_answer_too() -> None:
    """But not one that says: try again."""
    outcome = Outcome(fails_with(KeyError("x")))
    await outcome.of()
    assert outcome.text.startswith("KeyError: 'x'\n")
    assert outcome.reported == ["GET /a: KeyError: 'x'"]
    outcome = Outcome(fails_with(OverloadedError("too much")))
    assert (await outcome.of())[0]["status"] == 503
    assert outcome.reported == []


@pytest.mark.parametrize(
    ("kind", "start"),
    [("http", "http.response.start"), ("websocket", "websocket.http.response.start")],
)
async def test_a_file_that_has_become_unreadable_is_the_answer(kind: str, start: str) -> None:
    """The application, which has read it before, is not asked. The reload will tell the terminal."""
    error = SyntaxError("invalid syntax", ("/nowhere/demo.py", 3, 1, "x"))
    outcome = Outcome(sends(error=AssertionError("asked")), error)
    messages = await outcome.of(kind)
    assert (messages[0]["type"], messages[0]["status"]) == (start, 500)
    assert outcome.text.startswith("SyntaxError: invalid syntax\n  demo.py:3\n")
    assert outcome.reported == []


async def test_what_the_lifespan_raises_is_kept() -> None:
    """Where the application says that it does not start; one that knows no lifespan says nothing."""
    failed: Message = {"type": "lifespan.startup.failed", "message": "Traceback ..."}
    outcome = Outcome(sends(failed, error=ValueError("no database")))
    assert await outcome.of("lifespan") == [{"type": "lifespan.startup.failed", "message": ""}]
    assert repr(outcome.application.lifespan_error) == "ValueError('no database')"
    outcome = Outcome(sends(error=ValueError("no lifespan")))
    with pytest.raises(ValueError, match="no lifespan"):
        await outcome.of("lifespan")
    assert outcome.application.lifespan_error is None
    assert outcome.application.name == "inner"
