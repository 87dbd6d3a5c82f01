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
MAX_COUNTED_OBJECTS = 10_000  # of a namespace; then there are "more than" so many
MAX_LISTED_ENTRIES = 1_000  # counted of an object that is one of a list
MAX_COUNTED_ENTRIES = 20_000  # of an object that is looked at by itself
MAX_NAMED_OBJECTS = 5  # that an error names as those there are

# Values
MAX_SHOWN_CHARACTERS = 4_096  # of a value as text
MAX_PAGE_BYTES = 4 * 1024 * 1024  # of the values that are decoded for one page
MAX_SOCKETS_SHOWN = 100

# Backups
MAX_LINE_BYTES = 1024 * 1024  # of what the process that copies says
END_SECONDS = 5.0  # that it gets to remove what it made, when nobody wants it any more

# roomhost dev
DEV_DRAIN_SECONDS = 5.0  # that what is in flight gets to end when a file has changed
DEV_GATHER_MS = 50  # without another change, then a burst of them is over
DEV_MAX_GATHER_MS = 1_000  # however long it goes on
DEV_LOOK_MS = 5_000  # then the files are looked at again, as file systems may tell nothing
DEV_POLL_MS = 300  # the same where the system does not tell at all
MAX_WATCHED_FILES = 20_000
MAX_SHOWN_CHANGES = 5  # names of files in one line
MAX_EXCERPT_LINES = 4  # before the line that is meant, and after it
MAX_EXCERPT_CHARACTERS = 200  # of one line
MAX_SHOWN_FRAMES = 30  # of a traceback, the innermost ones
MAX_FAILURE_CHARACTERS = 10_000  # of an error's message
MAX_TRACEBACK_CHARACTERS = 100_000
MAX_DEV_MESSAGE_BYTES = 4 * 1024 * 1024  # between the supervisor and its child
DEV_LAST_WORDS_SECONDS = 1.0  # until what a child said before it ended has arrived

# Documents
MAX_READ_DOCUMENT_BYTES = 4 * 1024 * 1024  # of an update whose text is shown
MAX_DOCUMENT_TEXTS = 50  # roots of a document that are shown
MAX_DOCUMENT_CHARACTERS = 64 * 1024  # of all of them together

# Changes
MAX_VALUE_CHARACTERS = 256 * 1024  # of a value that is put as text
INLINE_VALUE_CHARACTERS = 4_096  # a longer one is parsed in a thread
MAX_PUT_BODY_BYTES = 2 * 1024 * 1024
EVICT_SECONDS = 5.0  # that an instance gets to become idle, until the answer says that it has not
ALARM_SECONDS = 30.0  # likewise a run of an alarm

# One object in a file
MAX_TRANSFER_BYTES = 64 * 1024 * 1024  # keys and values
MAX_TRANSFER_ENTRIES = 100_000
MAX_IMPORT_BODY_BYTES = 128 * 1024 * 1024  # base64 takes a third more, and every entry some
INLINE_BODY_BYTES = 256 * 1024  # a longer body is decoded in a thread
