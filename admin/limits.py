"""Every bound of what is for the person who runs the host, with its unit in its name."""

from __future__ import annotations

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
MAX_DEV_MESSAGE_BYTES = 1024 * 1024  # between the supervisor and its child
DEV_LAST_WORDS_SECONDS = 1.0  # until what a child said before it ended has arrived
