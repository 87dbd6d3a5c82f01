"""Simulated threads: what `threading` promises, and that everything is drawn from the seed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from .threads import Deadlock, Scheduler, Threading


class ManualTime:
    """Time that somebody moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def move(self, to: float) -> None:
        """Move it."""
        self.now = to


def made(seed: int = 1, preempt: float = 0.0) -> tuple[Scheduler, Threading]:
    """A scheduler, and its stand-in for `threading`."""
    scheduler = Scheduler(Random(seed), ManualTime(), preempt)
    return scheduler, Threading(scheduler)


def run_all(scheduler: Scheduler) -> None:
    """Let every thread run as far as it can."""
    while scheduler.runnable:
        scheduler.run_one()


def test_a_join_returns_when_the_thread_has_ended() -> None:
    """Who waits in the loop's own thread has the others run until then."""
    scheduler, threading = made()
    seen: list[str] = []

    def work() -> None:
        scheduler.give_way()
        seen.append("worked")

    thread = threading.Thread(work)
    thread.start()
    assert seen == []
    thread.join()
    assert seen == ["worked"]
    assert not thread.is_alive()


def test_a_join_gives_up_when_time_is_up() -> None:
    """A join with a time-out."""
    _, threading = made()
    never = threading.Event()
    thread = threading.Thread(never.wait)
    thread.start()
    thread.join(timeout=5)
    assert thread.is_alive()
    never.set()
    thread.join()


def test_one_thread_at_a_time_holds_a_lock() -> None:
    """However they are interrupted, what a lock guards is whole; who is first is drawn."""
    orders: set[tuple[int, ...]] = set()
    for seed in range(30):
        scheduler, threading = made(seed)
        lock = threading.Lock()
        seen: list[int] = []

        def work(
            number: int,
            scheduler: Scheduler = scheduler,
            lock: Callable[[], bool] = lock.acquire,
            free: Callable[[], None] = lock.release,
            seen: list[int] = seen,
        ) -> None:
            lock()
            seen.append(number)
            scheduler.give_way()
            seen.append(number)
            free()

        for number in range(3):
            threading.Thread(work, args=(number,)).start()
        run_all(scheduler)
        assert seen[::2] == seen[1::2]
        orders.add(tuple(seen[::2]))
    assert len(orders) == 6


def test_a_deadlock_is_named() -> None:
    """Two threads, two locks, each waits for the other's: it says who waits for what."""
    scheduler, threading = made()
    first, second = threading.Lock(), threading.Lock()

    def work(one: object, other: object) -> None:
        assert one is first or one is second
        locks = (first, second) if one is first else (second, first)
        with locks[0]:
            scheduler.sleep(1, "the other one")
            with locks[1]:
                pass

    left = threading.Thread(work, "left", (first, second))
    right = threading.Thread(work, "right", (second, first))
    left.start()
    right.start()
    with pytest.raises(Deadlock) as told:
        left.join()
    message = str(told.value)
    assert "the loop waits for the end of left" in message
    assert "left waits for a lock that right holds" in message
    assert "right waits for a lock that left holds" in message
    scheduler.kill_all()


def test_a_condition_wakes_who_waits() -> None:
    """One by one, or all; with a time-out it says that nobody did."""
    scheduler, threading = made()
    condition = threading.Condition()
    woken: list[bool] = []

    def work(timeout: float | None) -> None:
        with condition:
            woken.append(condition.wait(timeout))

    threads = [threading.Thread(work, args=(timeout,)) for timeout in (None, None, None, 5.0)]
    for thread in threads[:3]:
        thread.start()
    run_all(scheduler)
    with condition:
        condition.notify()
    run_all(scheduler)
    assert woken == [True]
    with condition:
        condition.notify_all()
    threads[3].start()
    for thread in threads:
        thread.join()
    assert woken == [True, True, True, False]
    assert scheduler._time.time() == 5.0


def test_who_waits_for_a_predicate_sees_it_true() -> None:
    """`wait_for` returns what it says, also when time is up."""
    scheduler, threading = made()
    condition = threading.Condition()
    seen: list[object] = []
    answers: list[bool] = []

    def work() -> None:
        with condition:
            seen.append(condition.wait_for(lambda: bool(answers)))

    thread = threading.Thread(work)
    thread.start()
    run_all(scheduler)
    with condition:
        condition.notify_all()
    run_all(scheduler)
    assert seen == []
    answers.append(True)
    with condition:
        condition.notify_all()
        assert not condition.wait_for(lambda: False, timeout=1)
    thread.join()
    assert seen == [True]


def test_a_killed_thread_ends_where_it_is() -> None:
    """It does nothing more, neither does it wait for anything on its way out; what it held is free, as
    whoever buries its process closes what that had open."""
    scheduler, threading = made()
    lock = threading.Lock()
    seen: list[str] = []

    def work() -> None:
        with lock:
            try:
                scheduler.sleep(10, "a long time")
                seen.append("went on")
            finally:
                scheduler.sleep(10, "what a dying thread does not wait for")
                seen.append("waited")

    thread = threading.Thread(work)
    unbegun = threading.Thread(work)
    thread.start()
    run_all(scheduler)
    unbegun.start()
    scheduler.kill_all()
    assert seen == []
    assert not thread.is_alive()
    assert not unbegun.is_alive()
    assert not scheduler.alive
    assert not lock.locked()


def test_a_thread_that_fails_is_told_of() -> None:
    """As `threading.excepthook` would."""
    scheduler, threading = made()
    thread = threading.Thread(lambda: divmod(1, 0), name="bad")
    thread.start()
    thread.join()
    assert scheduler.failures == [
        "bad ended with ZeroDivisionError('integer division or modulo by zero')"
    ]


def test_the_loops_own_code_is_interrupted_now_and_then() -> None:
    """At a lock another thread may run first, as likely as the seed says."""
    for preempt, least, most in ((0.0, 0, 0), (0.5, 20, 80)):
        scheduler, threading = made(preempt=preempt)
        lock = threading.Lock()
        turns: list[int] = []

        def work(scheduler: Scheduler = scheduler, turns: list[int] = turns) -> None:
            while True:
                turns.append(1)
                scheduler.give_way()

        scheduler.runnable.append(thread := threading.Thread(work))
        for _ in range(100):
            with lock:
                pass
        assert least <= len(turns) <= most
        thread.kill()


def test_each_thread_has_its_number() -> None:
    """`get_ident` tells them apart, and from the loop's own."""
    _, threading = made()
    idents: list[int] = []
    threads = [threading.Thread(lambda: idents.append(threading.get_ident())) for _ in range(2)]
    for thread in threads:
        thread.start()
        thread.join()
    assert len({*idents, threading.get_ident()}) == 3
