"""Lines of the log, for people and for machines."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from roomhost.bindings import App
from roomhost.runtime import DurableObject, DurableObjectError
from roomhost.runtime.logs import JSONFormatter, TextFormatter, configure, handler_for
from roomhost.runtime.settings import make_settings
from roomhost.runtime.testing import host_for

pytestmark = pytest.mark.anyio

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


class Room(DurableObject):
    """Logs."""

    async def say(self, what: str) -> None:
        """At info."""
        logging.getLogger("app").info("said %s", what)

    async def abort(self) -> None:
        """Reset the object."""
        self.ctx.abort("enough")


app = App(name="logged", bindings={"ROOM": Room})


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What is logged from debug on, as JSON."""
    stream = io.StringIO()
    handler = handler_for(make_settings({"log_format": "json"}), stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.setLevel(level)
    root.removeHandler(handler)


def lines_of(stream: io.StringIO, logger: str) -> list[dict[str, Any]]:
    """What was logged by a logger."""
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    return [line for line in lines if line["logger"] == logger]


async def test_at_debug_each_event_is_a_line(stream: io.StringIO) -> None:
    """With the object's id and name, what ran, and how long it took."""
    async with host_for(app) as host:
        stub = host.env.ROOM.get_by_name("a")
        await stub.say("hello")
    (line,) = lines_of(stream, "roomhost.events")
    assert re.fullmatch(TIME, line.pop("time"))
    assert line.pop("duration_ms") >= 0
    assert line.pop("message").startswith("call say of ROOM a: ok in ")
    assert line == {
        "level": "debug",
        "logger": "roomhost.events",
        "binding": "ROOM",
        "object_id": str(stub.id),
        "object_name": "a",
        "event": "call",
        "what": "say",
        "queued_ms": 0.0,
        "outcome": "ok",
    }


async def test_what_an_objects_code_logs_says_which_object(stream: io.StringIO) -> None:
    """Without its doing."""
    async with host_for(app) as host:
        stub = host.env.ROOM.get_by_name("a")
        await stub.say("hello")
    (line,) = lines_of(stream, "app")
    assert (line["message"], line["object_name"]) == ("said hello", "a")
    assert (line["binding"], line["object_id"]) == ("ROOM", str(stub.id))


async def test_a_reset_is_a_warning_with_its_error(stream: io.StringIO) -> None:
    """And the call that it took with it a line of its own."""
    async with host_for(app) as host:
        with pytest.raises(DurableObjectError, match="enough"):
            await host.env.ROOM.get_by_name("a").abort()
    lines = lines_of(stream, "roomhost.runtime")
    (line,) = [line for line in lines if line["message"].startswith("reset of")]
    assert (line["level"], line["object_name"]) == ("warning", "a")
    assert line["error"] == "DurableObjectError"
    (event,) = lines_of(stream, "roomhost.events")
    assert (event["outcome"], event["error"]) == ("reset", "DurableObjectError")


def record(message: str = "m", **extra: Any) -> logging.LogRecord:
    """A record of the log."""
    made = logging.LogRecord("app", logging.ERROR, __file__, 1, message, (), None)
    vars(made).update(extra)
    return made


def test_an_error_is_in_the_line_with_its_traceback() -> None:
    """In one line, whatever is in it."""
    made = record("two\nlines")
    try:
        raise ValueError("no")
    except ValueError:
        made.exc_info = sys.exc_info()
    text = JSONFormatter().format(made)
    assert "\n" not in text
    line = json.loads(text)
    assert (line["error"], line["message"]) == ("ValueError", "two\nlines")
    assert line["traceback"].endswith("ValueError: no")
    shown = TextFormatter().format(made)
    assert re.match(rf"{TIME} ERROR app two\nlines\nTraceback", shown)


def test_a_line_for_people_names_the_object() -> None:
    """By its name, or the begin of its id."""
    named = record(binding="ROOM", object_id="ab" * 32, object_name="lobby")
    assert TextFormatter().format(named).endswith(" ERROR app [ROOM lobby] m")
    unnamed = record(binding="ROOM", object_id="ab" * 32, object_name=None)
    assert TextFormatter().format(unnamed).endswith(" ERROR app [ROOM abababababab] m")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3, 3),
        ([1, "a"], [1, "a"]),
        (ValueError("x"), "ValueError('x')"),
        ("\udcff", "\\udcff"),
        (2**70, 2**70),
    ],
)
def test_whatever_is_given_with_a_line_is_in_it(value: Any, shown: Any) -> None:
    """As JSON, or as its `repr`."""
    line = json.loads(JSONFormatter().format(record(given=value)))
    assert line["given"] in (shown, repr(shown))


def test_an_application_that_has_configured_logging_is_left_alone() -> None:
    """Its handlers stay, and no other one comes; here they are those of pytest."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    assert handlers
    configure(make_settings({"log_level": "debug"}))
    assert (root.handlers, root.level) == (handlers, level)


def test_else_it_is_configured_as_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """To stderr; the server's own chatter is left out."""
    root = logging.RootLogger(logging.WARNING)
    monkeypatch.setattr(logging, "root", root)
    monkeypatch.setattr(logging.Logger, "root", root)
    monkeypatch.setattr(logging.Logger, "manager", logging.Manager(root))
    configure(make_settings({"log_level": "info", "log_format": "json"}))
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    assert handler.stream is sys.stderr
    assert isinstance(handler.formatter, JSONFormatter)
    assert root.level == logging.INFO
    assert logging.getLogger("uvicorn").level == logging.WARNING
