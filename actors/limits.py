"""Every bound of the realtime module, with its unit in its name. Sources: realtime.md 2.13 and 5."""

from __future__ import annotations

# Names (5.1)
MAX_NAME_BYTES = 255  # of an instance, a namespace, a room or a channel
MAX_INT32 = 2**31 - 1
MAX_SAFE_INTEGER = 2**53 - 1  # that JavaScript counts exactly: sequence numbers, bytes
MAX_ACTOR_HEADERS = 16  # names of headers for one field of an actor
MAX_HEADER_NAME_BYTES = 256

# One input
MAX_BODY_BYTES = 1_048_576  # a JSON body or a frame
MAX_JSON_DEPTH = 64
MAX_DATA_BYTES = 65_536  # `data` of a message, as JSON
MAX_DEEP_VALUES = 65_536  # of a frame in MessagePack that nests deeper than it is decoded at once
MAX_MESSAGE_METADATA_BYTES = 16_384
MAX_TYPE_BYTES = 256
MAX_IDEMPOTENCY_KEY_BYTES = 256
MAX_ID_BYTES = 256  # a member id, a client id, every field of an actor
MAX_PRESENCE_BYTES = 16_384
MAX_MEMBER_METADATA_BYTES = 16_384
MAX_ROOM_METADATA_BYTES = 65_536
MAX_CURSOR_BYTES = 512
MAX_ERROR_CHARACTERS = 1_000  # of the message, or the field, of an error: they may repeat the input
MAX_FRAME_ID_BYTES = 256  # what a client may put into `id` of a frame, as JSON

# Pages (5.4)
HISTORY_LIMIT = 100  # default of `historyLimit`
MAX_PAGE = 1_000  # a larger limit is clamped
DEFAULT_MEMBERS = 100
DEFAULT_ROOMS = 100
MAX_RESUMED_MESSAGES = 300  # then `insufficient_state`
MAX_RESUMED_BYTES = 4 * 1024 * 1024  # likewise

# Requests
MAX_QUERY_BYTES = 8_192
MAX_QUERY_FIELDS = 16
MAX_BUCKETS = 10_000  # of clients and rooms, whose HTTP requests are counted

# One room
MAX_MEMBERS = 10_000  # that have not left
MAX_CONNECTIONS = 10_000  # sockets
MAX_CONNECTIONS_OF_MEMBER = 100
MAX_SNAPSHOTS = 1_000
MAX_SNAPSHOT_BYTES = 16 * 1024 * 1024
SNAPSHOT_PART_BYTES = 1024 * 1024  # a snapshot is stored in parts of so many bytes
KEPT_LEFT_MEMBERS_SECONDS = 86_400  # that the record of a member who left is kept

# Time
PRESENCE_TTL_SECONDS = 60  # default of `presenceTtlSeconds`
IDLE_TTL_SECONDS = 300
DESTROY_TTL_SECONDS = 86_400
GRACE_SECONDS = 10  # after an unclean loss of the last socket, then the member has left
IDEMPOTENCY_SECONDS = 86_400
SWEPT_AT_ONCE = 500  # rows that one alarm deletes before it re-arms
SWEPT_PARTS_AT_ONCE = 16  # parts of snapshots, likewise
FIRST_QUARANTINE_SECONDS = 2  # doubles
MAX_QUARANTINE_SECONDS = 64
MAX_QUARANTINED = 10_000  # rooms that a host remembers to leave alone

# Tokens (5.6)
TOKEN_TTL_SECONDS = 300
MAX_TOKEN_TTL_SECONDS = 86_400
TOKEN_LEEWAY_SECONDS = 5
TOKEN_GRACE_SECONDS = 25  # that a connection outlives its token
MAX_TOKEN_BYTES = 8_192
MAX_TOKEN_PRESENCE_BYTES = 2_048

# Connections (2.13)
MAX_OUTGOING_BYTES = 1_048_576  # waiting for one reader, then it is closed with 4531
MAX_OUTGOING_FRAMES = 1_024
RATE_PER_SECOND = 50  # frames of one connection
RATE_BURST = 100
CLIENT_RATE_PER_SECOND = 500  # requests and upgrades of one client, to all rooms together
CLIENT_RATE_BURST = 2_000

# Documents (0.2, 2.13, 5.7)
MAX_UPDATE_BYTES = 1_048_576  # a Yjs update, as bytes; a JSON one is at most MAX_DATA_BYTES
MAX_TRUSTED_UPDATE_BYTES = 16 * 1024 * 1024  # likewise, of a trusted caller, not in base64
MAX_UPDATE_STRUCTS = 30_000  # in one update of others: yrs is quadratic in siblings
MAX_UPDATE_INPUT_BYTES = 2_097_152  # one in base64, with what belongs to it, from code
MAX_UPDATES_BYTES = 4 * 1024 * 1024  # of a page of updates, unless it is a single one
UPDATES_AT_ONCE = 100  # that are read before the page is looked at
MAX_UPDATES_READ = 10_000  # for one page: it ends early when a clock leaves out so many
MAX_UPDATES_READ_BYTES = 16 * 1024 * 1024  # likewise
MAX_STATE_VECTOR_BYTES = 1_048_576
MAX_YJS_ID = 2**53 - 1  # a client id: what JavaScript counts exactly
MAX_YJS_CLOCK = 2**31 - 1
MAX_UPDATE_CLIENTS = 100_000  # in one update or state vector
MAX_ANY_DEPTH = 64  # of a JSON-like value within an update
MAX_TYPE_DEPTH = 64  # of shared types within shared types
LARGE_STACK_BYTES = 512 * 1024 * 1024  # reserved, not used, for what nests
MAX_LOG_UPDATES = 500  # then they become a checkpoint
MAX_LOG_BYTES = 1_048_576  # likewise
MAX_PENDING_UPDATES = 100  # that wait for updates nobody has sent
MAX_PENDING_BYTES = 1_048_576
MAX_DOCUMENT_BYTES = 64 * 1024 * 1024  # of a checkpoint
CHECKPOINT_PART_BYTES = 1_048_576
DOCUMENT_IDLE_SECONDS = 10  # without use, then it leaves memory, though its room be awake
MAX_FENCED_CLIENTS = 100_000  # client ids of earlier documents of a room
MAX_AWARENESS_BYTES = 16_384  # of one state
MAX_AWARENESS_CLOCK = 2**32 - 1
MAX_AWARENESS_IDS_OF_CONNECTION = 32
MAX_AWARENESS_IDS = 1_000  # of a room
MAX_AWARENESS_TOTAL_BYTES = 1_048_576  # likewise
MAX_AWARE_ROOMS = 100_000  # of a host: past it the one that was used longest ago is forgotten
AWARENESS_SECONDS = 30  # that an id is aware after it was heard of
YJS_RATE_PER_SECOND = 500  # frames of one connection that speaks y-protocols
YJS_RATE_BURST = 2_000

# A client of Hocuspocus, with many documents on one socket (2.2)
HOCUSPOCUS_AUTH_SECONDS = 10  # until it is let into a first document
MAX_DOCUMENTS_OF_CLIENT = 1_000
MAX_DOCUMENT_KEY_BYTES = 1_024  # its name, and the id of a session
MAX_WAITING_DOCUMENTS = 100  # whose token has not come
MAX_WAITING_FRAMES = 1_000  # for documents that are not open yet
MAX_WAITING_BYTES = 5 * 1024 * 1024  # likewise

# Random bytes
ENTROPY_BYTES = 4_096  # taken from the system at once

# The directory
DIRECTORY_SHARDS = 16  # fixed: it decides in which one a room is
DIRECTORY_QUERIES = 32  # rooms that one shard asks at the same time

# A connection from code
MAX_UNREAD_EVENTS = 10_000  # that wait for the iterator
RECONNECT_SECONDS = 0.25  # doubled for each failure, times a random share
MAX_RECONNECT_SECONDS = 30.0
MAX_RECONNECT_DOUBLINGS = 16  # more than the longest wait has, fewer than a float
GOING_AWAY = 1001  # the close code: the member has a while to come back

# Labels of a module's metrics
MAX_METRIC_LABELS = 8
MAX_METRIC_LABEL_CHARACTERS = 128
