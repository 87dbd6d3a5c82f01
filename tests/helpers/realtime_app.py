"""An application with a realtime module, for tests that serve it in a process of its own."""

from __future__ import annotations

from roomhost.actors import RealtimeLifecycleOptions, realtime
from roomhost.bindings import App

app = App(
    name="rooms",
    bindings={
        "COLLAB": realtime(name="collab"),
        "AGAIN": realtime(name="again", lifecycle=RealtimeLifecycleOptions(allow_recreate=True)),
    },
)
