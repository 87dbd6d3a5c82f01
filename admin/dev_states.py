"""What `roomhost dev` is doing, and what it does next: decided here, done by `Supervisor`.

There is one child process at a time. Every change of a file ends it, whatever it is doing, and the
next one is started when it has ended; so a change that comes while one ends is in the next, and none
is lost.
"""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """What the child process is doing."""

    STARTING = "starting"  # it imports the application, requests wait
    SERVING = "serving"  # it answers them
    FAILED = "failed"  # it answers them with the page that says why it cannot
    EXPLAINING = "explaining"  # another one died, and it is about to say so
    DRAINING = "draining"  # it was told to end, because a file has changed
    STOPPING = "stopping"  # it was told to end, for good
    STOPPED = "stopped"  # it has ended


class Event(Enum):
    """What happens to the supervisor."""

    READY = "ready"  # the child serves
    FAILURE = "failure"  # the child cannot, and serves the page
    CHANGED = "changed"  # a file has changed
    EXITED = "exited"  # the child has ended
    LATE = "late"  # it was told to, and has not
    STOP = "stop"  # a signal


class Action(Enum):
    """What the supervisor does about it."""

    NOTHING = "nothing"
    START = "start"  # a child that serves the application
    EXPLAIN = "explain"  # a child that serves the page about one that has died
    DRAIN = "drain"  # tell the child to end
    KILL = "kill"  # end it
    ANNOUNCE = "announce"  # say that it serves
    SHOW = "show"  # say why it cannot
    GIVE_UP = "give up"  # not even the page can be served


Step = tuple[State, Action]

DRAIN = (State.DRAINING, Action.DRAIN)
STOP = (State.STOPPING, Action.DRAIN)
EXPLAIN = (State.EXPLAINING, Action.EXPLAIN)

STEPS: dict[State, dict[Event, Step]] = {
    State.STARTING: {
        Event.READY: (State.SERVING, Action.ANNOUNCE),
        Event.FAILURE: (State.FAILED, Action.SHOW),
        Event.CHANGED: DRAIN,
        Event.EXITED: EXPLAIN,
        Event.STOP: STOP,
    },
    State.SERVING: {Event.CHANGED: DRAIN, Event.EXITED: EXPLAIN, Event.STOP: STOP},
    State.FAILED: {Event.CHANGED: DRAIN, Event.EXITED: EXPLAIN, Event.STOP: STOP},
    State.EXPLAINING: {
        Event.FAILURE: (State.FAILED, Action.SHOW),
        Event.CHANGED: DRAIN,
        Event.EXITED: (State.STOPPED, Action.GIVE_UP),
        Event.STOP: STOP,
    },
    # What the child said before it was told to end may come after that.
    State.DRAINING: {
        Event.READY: (State.DRAINING, Action.NOTHING),
        Event.FAILURE: (State.DRAINING, Action.NOTHING),
        Event.CHANGED: (State.DRAINING, Action.NOTHING),
        Event.EXITED: (State.STARTING, Action.START),
        Event.LATE: (State.DRAINING, Action.KILL),
        Event.STOP: (State.STOPPING, Action.NOTHING),
    },
    State.STOPPING: {
        Event.READY: (State.STOPPING, Action.NOTHING),
        Event.FAILURE: (State.STOPPING, Action.NOTHING),
        Event.CHANGED: (State.STOPPING, Action.NOTHING),
        Event.EXITED: (State.STOPPED, Action.NOTHING),
        Event.LATE: (State.STOPPING, Action.KILL),
        Event.STOP: (State.STOPPING, Action.KILL),
    },
    State.STOPPED: {},
}


def step(state: State, event: Event) -> Step:
    """The state after an event, and what to do. RuntimeError: it cannot happen in this state."""
    steps = STEPS[state]
    if event not in steps:
        expected = ", ".join(possible.value for possible in steps) or "nothing"
        raise RuntimeError(f"{event.value} while {state.value}: expected is {expected}")

    return steps[event]
