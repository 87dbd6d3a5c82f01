"""Every bound of the long run, with its unit in its name: of the traffic, of the wait for things to
settle, and of what the judges let pass."""

from __future__ import annotations

# The application
KEPT_MESSAGES = 200  # of a room: its retention
ALARM_MS = 10_000  # after which a ticker re-arms
KEPT_CHARACTERS = 400  # of what one editor has in a document
IDLE_EVICTION_SECONDS = 5

# The traffic
DEFAULT_RATE = 600  # actions a second, of all rooms together
TICK_SECONDS = 0.02
ACTIVE_SHARE = 0.25  # of the rooms have traffic at a time; the others fall idle
ACTIVE_SECONDS = 40.0  # that one of them has it
AWAY_SECONDS = (0.2, 5.0)  # least and most, of a client that comes back
RETRY_SECONDS = (0.1, 2.0)  # likewise, after a connection could not be opened
MAX_IN_FLIGHT = 2_000  # actions without an answer; past it nothing is begun, and that is counted
OPENED_AT_ONCE = 32
COUNTERS = 100
TICKERS = 100
RECENT_SEQS = 256  # of a room, whose time of sending is known
OPEN_SECONDS = 30.0  # of one WebSocket
ANSWER_SECONDS = 30.0  # of one request or call
TOKEN_SECONDS = 86_400
MAX_TOLD_ERRORS = 1_000  # that are written down; further ones are counted

# The end
SETTLE_SECONDS = 60.0  # after the traffic, until everything has come
CHECKED_AT_ONCE = 16  # rooms
STOP_SECONDS = 60.0  # until the host has ended
DRAIN_MINUTES = 10.0  # that the load gets beyond its time, until it is killed

# The files
SOCKETS_BESIDE_PLAN = 1_000  # file descriptors that are needed beside the sockets
SAMPLE_SECONDS = 5.0
BACKUP_SECONDS = 240.0
CENSUS_TYPES = 60  # that are the most frequent ones

# What the judges let pass
MAX_MEMORY_MIB_PER_HOUR = 16.0
MAX_MEMORY_SHARE = 0.01  # or so much of what it is, over the half that is looked at
MEMORY_FLOOR_MIB = 4.0  # or so much: what a run of minutes takes while it warms up
MAX_MAP_TIMES_LIVE = 3.0  # of the map, in what a backup of it has
MAP_FLOOR_BYTES = 64 * 2**20
MAX_LOG_TIMES = 1.5  # of the limit of the log: a segment more may be open
MAX_QUEUE_TIMES = 2.0  # the last quarter's median, in the second quarter's
MAX_P50_TIMES = 1.5
MAX_P99_TIMES = 2.0
P50_FLOOR_MS = 3.0  # below it a percentile may be as large as it likes
P99_FLOOR_MS = 50.0
MAX_COUNT_SHARE = 0.05  # that descriptors, threads and the like may grow by over the last half
COUNT_FLOOR = 8.0
MAX_SAMPLE_GAPS = 6.0  # a hole between two samples, in their distance
ANNOUNCED_SECONDS = 20.0  # after a deploy began, that closes with 1012 are no errors
LEAST_ALARMS_SHARE = 0.8  # of those that a ticker could have had
BINS = 48  # medians, of which a slope is taken
RESAMPLES = 300
BLOCK_BINS = 4  # that are drawn together, as neighbours are alike
CONFIDENCE = 0.95
LEAST_BINS = 8  # below it nothing is said of a slope
EVENTS_FLOOR = 200.0  # events that may wait or be in flight, whatever it was before
BYTES_FLOOR = float(2**20)  # likewise, of bytes
