"""Every bound of the admin API and its commands, with its unit in its name."""

from __future__ import annotations

# Requests
MAX_BODY_BYTES = 64 * 1024  # of an operation's input, where it names no other
MAX_ANSWER_BYTES = (
    256 * 1024 * 1024
)  # that a command takes of one answer, or of one line of a stream
TIMEOUT_SECONDS = 60.0  # of silence, then a command gives up

# Lists
DEFAULT_LIMIT = 100  # of what a list gives at once
MAX_LIMIT = 1_000
MAX_SCANNED_OBJECTS = 10_000  # looked at for one page of a list; the next page goes on behind them
SCAN_OBJECTS = 200  # looked at before the loop gets its turn
MAX_COUNTED_OBJECTS = 100_000  # of a namespace; then there are "more than" so many
MAX_LISTED_ENTRIES = 1_000  # counted of an object that is one of a list
MAX_COUNTED_ENTRIES = 100_000  # of an object that is looked at by itself
MAX_NAMED_OBJECTS = 5  # that an error names as those there are

# Values
MAX_SHOWN_CHARACTERS = 4_096  # of a value as text
MAX_PAGE_BYTES = 4 * 1024 * 1024  # of the values that are decoded for one page
MAX_SOCKETS_SHOWN = 100

# Backups
MAX_LINE_BYTES = 1024 * 1024  # of what the process that copies says
END_SECONDS = 5.0  # that it gets to remove what it made, when nobody wants it any more
