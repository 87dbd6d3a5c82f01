"""What rooms count, for whoever watches over the host."""

from __future__ import annotations

from ..runtime.tally import declare

PUBLISHES = declare("realtime_publishes", "Messages that were published or broadcast in rooms.")
RATE_LIMITED = declare(
    "realtime_rate_limited_frames", "Frames of clients that sent too many in too short a time."
)
REFUSALS = declare(
    "crdt_refusals",
    "Yjs updates and state vectors that the guard refused, by what is wrong with them.",
    label="reason",
    values=("truncated", "malformed", "too_large", "unresolved", "waiting"),
)
