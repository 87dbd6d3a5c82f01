"""Every bound of the bindings, with its unit in its name."""

from __future__ import annotations

# What `roomhost bench` may be asked for
MAX_BENCH_CALLERS = 4_096  # at once
MAX_BENCH_ROOMS = 100_000
MAX_BENCH_SOCKETS = 4_096  # of one room
MAX_BENCH_SECONDS = 600.0  # of one row
MAX_BENCH_ANSWER_BYTES = 1024 * 1024  # of one line of the process that holds the sockets

# What it does
BENCH_MEMORY_OBJECTS = 2_000  # in memory at once, to see what one takes
BENCH_AT_ONCE = 64  # rooms that are called for the first time
BENCH_COLD_OBJECTS = 64  # that leave memory and come back in turns
BENCH_ECHO_SOCKETS = 16  # of the row of echoes
BENCH_START_SECONDS = 10.0  # that a socket gets to open
BENCH_ANSWER_SECONDS = 5.0  # that a message gets to be heard
BENCH_QUIET_SECONDS = 0.3  # without another answer, then everybody who would answer has
