"""The output gate: the four cases of semantics.md 9.1, and a model."""

from __future__ import annotations

from hypothesis import given
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
