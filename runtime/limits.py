"""Every bound of the runtime, with its unit in its name. Sources: semantics.md, by section."""

from __future__ import annotations

# Objects (1.3, 3.2)
MAX_OBJECT_NAME_BYTES = 1_024  # a longer name still finds its object, `ctx.id.name` is None
MAX_REMEMBERED_IDS = 1_024  # of each namespace, so that they need not be derived again
MAX_ID_FACTORIES = 256  # namespaces, of each jurisdiction, whose ids are remembered
MAX_REMEMBERED_NAME = 128  # characters
MAX_SECTION_DEPTH = 64  # nested block_concurrency_while() and transaction() calls
SECTION_TIMEOUT_SECONDS = 30.0  # wall time of one critical section

# Waiting events of one object (3.6)
MAX_QUEUED_EVENTS = 10_000
MAX_QUEUED_BYTES = 128 * 1024 * 1024  # arguments, messages and buffered bodies
MAX_QUEUED_SECONDS = 60.0  # twice what a critical section may take

# Values in a call (2.2)
MAX_RPC_BYTES = 32 * 1024 * 1024

# Names of methods and properties that one stub keeps at hand; more are looked up each time
MAX_STUB_MEMBERS = 64

# First turns of one object's events that run before others get the loop
MAX_EVENTS_AT_ONCE = 64

# Commits (4.3)
COMMIT_TIMEOUT_SECONDS = 30.0  # then the objects whose writes wait are reset
COMMIT_CHECK_SECONDS = 1.0

# Tasks kept waiting for the next event, for each host
MAX_IDLE_TASKS = 1_024

# Alarms (6)
MAX_ALARM_MS = 6_911_222_400_000  # the first moment of 2189: later dates are refused
ALARM_TIMEOUT_SECONDS = 15 * 60.0  # wall time of one run of alarm()
ALARM_RETRY_START_SECONDS = 2
ALARM_RETRY_JITTER = 0.25  # at most this share is added to a delay
MAX_ALARM_RETRIES = 6  # counted; so a failing alarm runs seven times
MAX_ALARM_BACKOFF_EXPONENT = 9  # uncounted failures: at most 2 * 2^9 = 1,024 s between runs
MAX_ALARMS_IN_FLIGHT = 1_000  # handlers started and not yet finished, for each host

# WebSockets (7)
MAX_TAGS = 10  # of one socket
MAX_TAG_BYTES = 256
MAX_SOCKETS = 32_768  # of one object
MAX_ATTACHMENT_BYTES = 16_384
MAX_AUTO_RESPONSE_BYTES = 2_048  # request and response, each
MAX_EVENT_TIMEOUT_MS = 604_800_000  # seven days
MAX_MESSAGE_BYTES = 32 * 1024 * 1024
MAX_CLOSE_REASON_BYTES = 123
MAX_UNSTARTED_MESSAGES = 64  # received from one connection and not yet begun by a handler
MAX_OUTGOING_BYTES = 16 * 1024 * 1024  # waiting for one slow reader, then it is closed with 1013
MAX_OUTGOING_FRAMES = 65_536  # likewise
MAX_KEPT_FRAME_BYTES = 65_536  # of the message that was sent last, for the next reader of it
MAX_JOINED_BYTES = 65_536  # that wait for the end of a turn, to be written at once
SMALL_FRAME_BYTES = 16  # fewer, in a frame that is no whole message, are not worth one
SMALL_FRAMES_PER_SECOND = 100  # of one connection: pings, pongs and fragments of next to nothing
SMALL_FRAMES_BURST = 500  # likewise, then it is closed with 1008
CLOSE_SECONDS = 10.0  # that a client gets to answer a close frame
MAX_FRAMES_AT_ONCE = 256  # fragments and control frames of one read, before others get the loop
MAX_LINGER_BYTES = 2 * MAX_MESSAGE_BYTES  # that are read for nothing of one that was closed
LINGER_SECONDS = 2.0  # that one gets to take its last bytes, or to send what is read for nothing

# Connections and requests; what a setting of the same name has when nobody sets it
MAX_CONNECTIONS = 65_536
MAX_LINGERING = 128  # refused connections that are told so; further ones are dropped
RESERVED_FILES = 256  # of those a process may open: for storage, and for what is refused
FEW_CONNECTIONS = 4_096  # if the system lets a host have fewer than this, it says so
MAX_INCOMING_BYTES = 1024 * 1024 * 1024  # of messages and bodies that are not whole, of all clients
MAX_HEADER_BYTES = 65_536  # of a request's line and headers
MAX_HEADERS = 256
MAX_REQUEST_BYTES = 100 * 1024 * 1024
HEADER_TIMEOUT_SECONDS = 20.0
BODY_TIMEOUT_SECONDS = 20.0
MIN_BODY_BYTES_PER_SECOND = 240
KEEP_ALIVE_TIMEOUT_SECONDS = 5
ANSWER_TIMEOUT_SECONDS = 60.0
SSL_HANDSHAKE_TIMEOUT_SECONDS = 10.0

# HTTP
MAX_BODY_CHUNKS_WAITING = 8  # of a streaming body, between an actor and its caller

# Calls from other processes, for each connection
MAX_REMOTE_FRAME_BYTES = MAX_RPC_BYTES + 4 * 1024 * 1024  # values, and what names them
REMOTE_FRAGMENT_BYTES = 1024 * 1024  # a longer frame travels in parts: servers bound messages
MAX_REMOTE_CALLS = 10_240  # in flight; more than one object may have queued
MAX_REMOTE_ARGUMENT_BYTES = 256 * 1024 * 1024  # of the calls in flight
MAX_REMOTE_OUTBOX_BYTES = 256 * 1024 * 1024  # encoded and not yet sent
MAX_REMOTE_STUBS = 65_536  # that the client holds
MAX_REMOTE_STREAMS = 4_096  # bodies and WebSockets that are open
REMOTE_WINDOW_BYTES = 256 * 1024  # of one stream: sent, and not yet taken by the reader
REMOTE_CHUNK_BYTES = 64 * 1024  # of a body
REMOTE_MESSAGE_OVERHEAD_BYTES = 64  # that a WebSocket message takes of the window beside its own
MAX_REMOTE_INLINE_BYTES = 1024 * 1024  # a longer body is a stream
MAX_TRACE_CHARACTERS = 128  # of a `traceparent`
MAX_REMOTE_ERROR_TEXT = 65_536  # characters of an error's message
REMOTE_CONNECT_SECONDS = 10.0  # until a host has answered

# Modules, as another process is told of them
MAX_MODULE_KIND_CHARACTERS = 64
MAX_MODULE_CONFIG_BYTES = 64 * 1024

# The host
MIN_SECRET_BYTES = 32  # that a secret of HMAC-SHA256 should have (RFC 7518, 3.2)
MAX_KID_BYTES = 64  # of the id of a secret
MIN_API_KEY_BYTES = 16  # that an API key should have, so that nobody guesses it
MAX_FAILED_KEYS = 20  # wrong API keys of one address, in
FAILED_KEY_SECONDS = 60.0
MAX_FAILED_KEY_PEERS = 1_024  # addresses that are counted
MAX_INSTANCES = 100_000  # in memory; then those leave that are idle, or a new one is refused
EVICTED_SHARE = 16  # a sixteenth of them leaves at once
IDLE_EVICTION_SECONDS = 10.0  # without an event in flight, then the instance is dropped (3.5)
DRAIN_SECONDS = 30.0  # that events in flight get to finish when the host stops
DEPLOY_SECONDS = 10.0  # that what runs in an instance of older code gets to end
DELETED_ROWS = 4_096  # of the objects of a deleted class, in one transaction
MAX_COUNTED_OBJECTS = 100_000  # of a namespace, when a plan says how many there are
CLOCK_SLICE_SECONDS = 1.0  # the longest sleep before the wall clock is looked at again

# Figures, and who looks
MAX_RESET_LINES = 10  # a second; how many more objects were reset is said with the next one
SLOW_HANDLER_SECONDS = 1.0  # a handler that takes longer is logged
HELD_LOOP_SECONDS = 1.0  # that one object's code may keep all others from running, then it is named
LOOKS_PER_HOLD = 4  # in that time, at the loop
MAX_HELD_FRAMES = 10  # of the code that holds it, the innermost ones
MAX_RECENT_EVENTS = 10_000  # remembered of all objects together, while somebody looks
RECENT_EVENTS = 100  # of those that one question gets, unless it asks for more
MAX_FOLLOWED = 1_000  # events and log lines that wait for one follower; then the oldest go
SURVEY_OBJECTS = 1_000  # looked at for `/metrics` before the loop gets its turn
SAMPLE_SECONDS = 1.0  # that rates are measured over, at least
DURATION_BOUNDS_SECONDS = (
    *(0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
LATENESS_BOUNDS_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 3_600.0)
