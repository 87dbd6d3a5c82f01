"""The output gate: the four cases of semantics.md 9.1, and a model."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from roomhost.runtime.output_gate import OutputGate, OutputLock


class Output:
    """Something emitted, and what came of it."""

    def __init__(self, gate: OutputGate, *, sync: bool = False) -> None:
        self.left = False
        self.error: BaseException | None = None
        when = gate.when_settled if sync else gate.when_open
        when(self._leave, self._refuse)

    def _leave(self) -> None:
        self.left = True

    def _refuse(self, error: BaseException) -> None:
        self.error = error


def test_output_waits_for_earlier_locks_and_never_for_later_ones() -> None:
    """Emitted without a commit it leaves at once."""
    gate = OutputGate()
    assert Output(gate).left
    first = gate.lock()
    output = Output(gate)
    second = gate.lock()
    assert not gate.is_open
    assert not output.left
    first.release()
    assert output.left
    second.release()
    assert gate.is_open


def test_a_later_lock_that_settles_first_lets_nothing_out() -> None:
    """Only when all before it are settled too."""
    gate = OutputGate()
    first, second = gate.lock(), gate.lock()
    output = Output(gate)
    second.release()
    assert not output.left
    first.release()
    assert output.left


def test_a_failed_commit_breaks_the_gate() -> None:
    """What was emitted after it began is refused, what was emitted before still leaves."""
    gate = OutputGate()
    first = gate.lock()
    before = Output(gate)
    second = gate.lock()
    after = Output(gate)
    cause = ValueError("disk")
    second.fail(cause)
    assert after.error is cause
    assert Output(gate).error is cause
    assert not before.left
    first.release()
    assert before.left
    assert gate.broken is cause


def test_a_cancelled_lock_counts_as_a_failure() -> None:
    """Nobody knows what became of the commit."""
    gate = OutputGate()
    gate.lock().cancel()
    assert "canceled before completion" in str(Output(gate).error)


def test_an_unconfirmed_lock_holds_back_sync_alone() -> None:
    """Until a confirmed write joins it. Its failure breaks the gate all the same."""
    gate = OutputGate()
    lock = gate.lock(confirmed=False)
    assert Output(gate).left
    sync = Output(gate, sync=True)
    assert not sync.left
    gate.confirm(lock)
    output = Output(gate)
    assert not output.left
    lock.release()
    assert sync.left
    assert output.left

    gate.lock(confirmed=False).fail(ValueError("disk"))
    assert Output(gate).left, "what no failed commit stands before may leave"
    assert Output(gate, sync=True).error is not None


def test_a_reset_refuses_whatever_waits() -> None:
    """And whatever comes."""
    gate = OutputGate()
    gate.lock()
    waiting = Output(gate)
    gate.break_with(ValueError("reset"))
    assert waiting.error is not None
    assert Output(gate).error is not None


@given(
    st.lists(st.tuples(st.sampled_from(["lock", "soft", "emit", "sync", "end"]), st.integers(0, 9)))
)
def test_any_order_of_events_equals_a_search_over_all_locks(steps: list[tuple[str, int]]) -> None:
    """Each output has left exactly when every lock it depends on is released."""
    gate = OutputGate()
    locks: list[tuple[OutputLock, bool]] = []
    open_locks: set[int] = set()
    outputs: list[tuple[Output, set[int]]] = []
    for step, choice in steps:
        if step in ("lock", "soft"):
            locks.append((gate.lock(confirmed=step == "lock"), step == "lock"))
            open_locks.add(len(locks) - 1)
        elif step == "end" and open_locks:
            ended = sorted(open_locks)[choice % len(open_locks)]
            open_locks.discard(ended)
            locks[ended][0].release()
        elif step in ("emit", "sync"):
            confirmed = [number for number, (_, sure) in enumerate(locks) if sure or step == "sync"]
            last = confirmed[-1] if confirmed else -1
            needed = {number for number in open_locks if number <= last}
            outputs.append((Output(gate, sync=step == "sync"), needed))
        for output, needed in outputs:
            assert output.left == (not needed & open_locks)


def test_an_earlier_commit_that_fails_second_refuses_what_waited_for_it() -> None:
    """Nothing that waits is forgotten; the gate keeps its first cause."""
    gate = OutputGate()
    first = gate.lock()
    before = Output(gate)
    second = gate.lock()
    second.fail(ValueError("second"))
    first.fail(KeyError("first"))
    assert isinstance(before.error, KeyError)
    assert str(gate.broken) == "second"


class Model:
    """All locks and what depends on them, searched anew each time."""

    def __init__(self) -> None:
        self.gate = OutputGate()
        self.locks: list[OutputLock] = []
        self.confirmed: list[bool] = []
        self.open: list[int] = []
        self.failed: set[int] = set()
        self.outputs: list[tuple[Output, set[int]]] = []

    def lock(self, confirmed: bool) -> None:
        """A commit begins."""
        self.open.append(len(self.locks))
        self.locks.append(self.gate.lock(confirmed))
        self.confirmed.append(confirmed)

    def end(self, choice: int, fails: bool) -> None:
        """One of the open locks settles."""
        if self.open:
            number = self.open.pop(choice % len(self.open))
            if fails:
                self.failed.add(number)
                self.locks[number].fail(ValueError(number))
            else:
                self.locks[number].release()

    def emit(self, sync: bool) -> None:
        """Something is emitted, or waits for the disk. It depends on every lock up to the newest
        that counts for it."""
        counting = [number for number, sure in enumerate(self.confirmed) if sure or sync]
        needed = set(range(counting[-1] + 1)) if counting else set[int]()
        self.outputs.append((Output(self.gate, sync=sync), needed))

    def check(self) -> None:
        """Refused when one it depends on failed, out when all are released, else it waits."""
        for output, needed in self.outputs:
            if needed & self.failed:
                assert output.error is not None
                assert not output.left
            else:
                assert output.error is None
                assert output.left == needed.isdisjoint(self.open)
        assert (self.gate.broken is not None) == bool(self.failed)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["lock", "soft", "emit", "sync", "end", "fail"]), st.integers(0, 9)
        )
    )
)
@settings(max_examples=500)
def test_failures_in_any_order_refuse_what_depends_on_them(steps: list[tuple[str, int]]) -> None:
    """And nothing else: what was emitted before a failing commit leaves as ever."""
    model = Model()
    for step, choice in steps:
        if step in ("lock", "soft"):
            model.lock(confirmed=step == "lock")
        elif step in ("end", "fail"):
            model.end(choice, fails=step == "fail")
        else:
            model.emit(sync=step == "sync")
        model.check()
