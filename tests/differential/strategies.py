"""Random programs: operations whose outcome is defined, in any combination."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

Step = list[Any]
Steps = list[Step]
Strategy = st.SearchStrategy[Any]

FAR_MS = 4_102_444_800_000

keys = st.sampled_from(("", "a", "aa", "ab", "b", "b:1", "b:2", "c", "é", "\uffee", "\U0001f600"))
# No number as text: JavaScript moves those to the front of an object.
names = st.sampled_from(("x", "y", "größe"))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False).filter(bool)  # JSON has one zero
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=4,
)
ranges = st.fixed_dictionaries(
    {},
    optional={
        "start": keys,
        "start_after": keys,
        "end": keys,
        "prefix": keys,
        "reverse": st.booleans(),
        "limit": st.integers(-1, 4),
    },
)
texts = st.sampled_from(("one", "two", "ping"))


def step(name: str, *arguments: Strategy) -> Strategy:
    """One operation with its arguments."""
    return st.tuples(*arguments).map(lambda given: [name, *given])


throws = step("throw", st.sampled_from(("Error", "TypeError", "RangeError")), st.just("thrown"))
writes = st.one_of(
    step("put", keys, values),
    step("put_many", st.dictionaries(keys, values, max_size=3)),
    step("delete", keys),
    step("delete_many", st.lists(keys, max_size=3)),
)
reads = st.one_of(
    step("get", keys),
    step("get_many", st.lists(keys, max_size=4)),
    step("list", ranges),
    step("get_alarm"),
)
alarms = st.one_of(
    step("set_alarm", st.integers(FAR_MS, FAR_MS + 3)),
    step("set_alarm", st.sampled_from((-1, 0, 9e15))),
    step("delete_alarm"),
)
synchronous: Strategy = st.deferred(
    lambda: st.lists(
        st.one_of(
            step("kv_get", keys),
            step("kv_put", keys, values),
            step("kv_delete", keys),
            step("kv_list", ranges),
            step("transaction_sync", synchronous),
            throws,
        ),
        max_size=3,
    )
)
anywhere = st.one_of(
    writes,
    reads,
    alarms,
    writes.map(lambda write: ["unawaited", write]),
    step("add", st.just("count")),
    step("kv_put", keys, values),
    step("kv_list", ranges),
    step("transaction_sync", synchronous),
    step("remember", names, st.integers(0, 9)),
    step("recall", names),
    # Not with a reset in the same turn: programs/delete_all_then_abort.json.
    st.just(["catch", [["delete_all"], ["pause"]]]),
)
socket_steps = st.one_of(
    step("send", texts, st.just("w")),
    step("attach", values, st.just("w")),
    step("attachment", st.just("w")),
    step("tags", st.just("w")),
    step("sockets"),
)


@dataclass(frozen=True)
class Place:
    """Where steps stand: the transactions around them, whether a section is, what else may be."""

    depth: int = 2
    transactions: tuple[str, ...] = ()
    section: bool = False
    resets: bool = True
    socket: bool = False
    storage: bool = True  # what calls go to; else the innermost transaction

    def inside(self, transaction: str | None = None) -> Place:
        """The place in a section that stands here."""
        names = self.transactions if transaction is None else (*self.transactions, transaction)
        storage = self.storage and transaction is None
        deeper = self.depth - 1
        return replace(self, depth=deeper, transactions=names, section=True, storage=storage)


def single(place: Place) -> Strategy:
    """One step that holds no others."""
    choices = [anywhere, reads, throws]
    if not place.storage:
        choices.append(step("rollback"))
    elif not place.transactions:
        choices.append(step("sync"))
    if place.section:
        choices.append(step("pause"))
    if place.resets:
        choices.append(step("abort", st.sampled_from((None, "enough"))))
    if place.socket:
        choices += [socket_steps, socket_steps]
    return st.one_of(choices)


def holding(place: Place) -> Strategy:
    """One step that holds others."""
    name = f"t{len(place.transactions)}"
    deeper = replace(place, depth=place.depth - 1)
    transaction = step("transaction", st.just(name), steps(place.inside(name)))
    choices = [step("catch", steps(deeper))]
    if place.storage:
        choices.append(transaction)
    else:
        # Storage has transactions, a transaction has none: the nested one is storage's.
        choices.append(transaction.map(lambda one: ["in_storage", [one]]))
        choices.append(step("in_storage", steps(replace(deeper, storage=True))))
    if place.transactions:
        outer = st.sampled_from(place.transactions)
        choices.append(step("in_transaction", outer, st.lists(reads | writes, max_size=2)))
    if place.resets:
        choices.append(step("block", steps(place.inside())))
    if not place.section and not place.resets:
        # Calls of itself that end with a reset have made workerd itself crash.
        choices.append(step("call_self", steps(deeper)))
    return st.one_of(choices)


def steps(place: Place) -> Strategy:
    """Steps of one place."""
    one = single(place)
    if place.depth > 0:
        one = one | one | st.deferred(lambda: holding(place))
    return st.lists(one, max_size=5)


calls = steps(Place()) | steps(Place(resets=False))
# No reset: programs/socket_send_then_abort.json.
messages = steps(Place(depth=1, resets=False, socket=True))
in_alarm = steps(Place(depth=1, resets=False))


def together(first: Steps, second: Steps, third: Steps, fourth: Steps, order: str) -> Steps:
    """Two callers at once, each of whom waits once for what a third one does."""
    return [
        ["start", "a", [*first, ["wait", "a"], *second]],
        ["start", "b", [*third, ["wait", "b"], *fourth]],
        ["call", [["open", order[0]]]],
        ["settle"],
        ["call", [["open", order[1]]]],
        ["settle"],
        ["join", "a"],
        ["join", "b"],
        ["new_stub"],
    ]


parts = st.one_of(
    st.tuples(step("call", calls)),
    st.tuples(step("call", calls)),
    st.tuples(st.just(["new_stub"]), step("fetch", calls)),
    st.tuples(step("evict")),
    st.tuples(step("new_stub")),
    st.builds(together, calls, calls, calls, calls, st.sampled_from(("ab", "ba"))),
    st.tuples(
        st.just(["new_stub"]),
        st.just(
            ["connect", "w", [["set_auto_response", "ping", "pong"], ["accept", "w", ["tag"]]]]
        ),
        step("send", st.just("w"), texts | messages),
        step("send", st.just("w"), messages),
        st.just(["evict"]),
        step("send", st.just("w"), texts | messages),
        st.just(["close", "w", 3_000, "bye"]),
        st.just(["received", "w"]),
        st.just(["new_stub"]),
    ),
)
due: Steps = [["new_stub"], ["call", [["set_alarm_now"]]], ["alarms", 1], ["call", [["list"]]]]


def program(parts: list[Steps], start: Steps | None, alarm: Steps | None) -> dict[str, Any]:
    """A program of these parts; with an alarm that is due at its end, if it has a handler."""
    made: dict[str, Any] = {"message": [["send", "echo"]], "close": [["close", 3_001, "bye too"]]}
    if start:
        made["start"] = start
    steps: Steps = [each for part in parts for each in part]
    if alarm is not None:
        made["alarms"] = [alarm]
        steps += due
    steps += [["new_stub"], ["call", [["list"], ["get_alarm"]]]]
    return {**made, "steps": steps}


programs = st.builds(
    program,
    st.lists(parts, min_size=1, max_size=4),
    st.none()
    | steps(Place(depth=1, section=True, resets=False)).filter(
        lambda steps: not any(one[0] == "throw" for one in steps)
    ),
    st.none() | st.none() | in_alarm,
)
