"""How a host's process logs: text for people, or JSON for machines, an object a line, to stderr.

`roomhost serve` and `roomhost dev` configure it. Within another server (`uvicorn demo:app`) logging is
the application's: `ObjectFilter` and `JSONFormatter` may be used there too.
"""

from __future__ import annotations

import logging
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from .log_capture import object_of
from .observability import LEVELS

if TYPE_CHECKING:
    from typing import TextIO

    from .settings import HostSettings

# What the standard library puts into every record: all else is the line's own.
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
LIKE_A_LINE = re.compile(r"\n(?=\d{4}-\d\d-\d\dT)")  # within one: it is to look otherwise
OBJECT_FIELDS = ("binding", "object_id", "object_name")


class ObjectFilter(logging.Filter):
    """Adds to what an object's code logs whose code it is: `binding`, `object_id`, `object_name`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True."""
        if not hasattr(record, "object_id"):
            found = object_of(record)
            if found is not None:
                record.binding, record.object_id, record.object_name = found
        return True


class TextFormatter(logging.Formatter):
    """`2026-01-02T03:04:05.678Z WARNING roomhost.events [ROOM lobby] message`.

    Names and messages may hold what a client sent: no further line of one begins as a line of the log
    does, and no control character reaches the terminal.
    """

    def format(self, record: logging.LogRecord) -> str:
        """A line, and the traceback if there is one."""
        binding = getattr(record, "binding", None)
        object_id: str = getattr(record, "object_id", "")
        name: str | None = getattr(record, "object_name", None)
        shown = (name or object_id[:12]).replace("\n", "\\n")
        about = "" if binding is None else f" [{binding} {shown}]"
        line = f"{timestamp(record)} {record.levelname} {record.name}{about} {record.getMessage()}"
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        if record.stack_info:
            line = f"{line}\n{self.formatStack(record.stack_info)}"
        return LIKE_A_LINE.sub("\n    ", CONTROL.sub(_escaped, line))


class JSONFormatter(logging.Formatter):
    """An object a line: `time` (RFC 3339, UTC), `level`, `logger`, `message`; `binding`, `object_id` and
    `object_name` of the object that it is about; what else was given as `extra`; and of an exception
    `error`, its class, and `traceback`."""

    def format(self, record: logging.LogRecord) -> str:
        """A line, without its end."""
        line: dict[str, Any] = {
            "time": timestamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in vars(record).items():
            if name not in STANDARD and name not in line and value is not None:
                line[name] = value
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = type(record.exc_info[1]).__name__
            line["traceback"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = record.stack_info
        return encode(line)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def encode(line: dict[str, Any]) -> str:
    """A line as JSON. What JSON has no form for is its `repr`, the whole line's values if need be."""
    try:
        return msgspec.json.encode(line, enc_hook=repr).decode()
    except (ValueError, TypeError, RecursionError):
        texts = {name: printable(value) for name, value in line.items()}
        return msgspec.json.encode(texts).decode()


def printable(value: object) -> str:
    """A value as a text that is valid UTF-8, whatever is in it."""
    text = value if isinstance(value, str) else repr(value)
    return text.encode(errors="backslashreplace").decode()


def timestamp(record: logging.LogRecord) -> str:
    """When a record was made, by RFC 3339."""
    moment = datetime.fromtimestamp(record.created, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1_000:03}Z"


def handler_for(settings: HostSettings, stream: TextIO | None = None) -> logging.Handler:
    """What writes lines as the settings say; to stderr where no stream is given."""
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JSONFormatter() if settings.log_format == "json" else TextFormatter())
    handler.addFilter(ObjectFilter())
    return handler


def configure(settings: HostSettings) -> None:
    """Log all of this process to stderr, from `log_level` up; of the server itself, warnings. Nothing
    happens where the application has configured logging already, as its module was imported."""
    root = logging.getLogger()
    if root.handlers:
        return

    root.addHandler(handler_for(settings))
    root.setLevel(LEVELS[settings.log_level])
    for noisy in ("asyncio", "uvicorn", "uvicorn.error", "uvicorn.access", "watchfiles", "httpx"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, LEVELS[settings.log_level]))
