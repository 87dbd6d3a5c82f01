"""Work that needs more stack than a thread has."""

from __future__ import annotations

import signal
import sys
import threading

import pytest

from roomhost.actors.large_stack import run_on_large_stack

from ..helpers.mortal_child import run_in_child

# Ordinary updates nest maps 40,000 deep, then the outermost is deleted (realtime.md 0.2, S5).
DEEP = """
def work():
    doc = Doc()
    doc.apply_update(nested(40_000))
    doc.apply_update(update([], [(1, [(0, 1)])]))
    print(len(doc.get_update()))
"""


class Stopped(BaseException):
    """An error that is no Exception, as the panics of pycrdt are."""


def test_an_error_comes_back_to_the_caller() -> None:
    """Whatever it is, with its traceback; the thread goes on."""

    def fail() -> None:
        raise Stopped("here")

    for _ in range(2):
        with pytest.raises(Stopped, match="here") as caught:
            run_on_large_stack(fail)

    assert caught.traceback[-1].name == "fail"
    with pytest.raises(SystemExit):
        run_on_large_stack(lambda: sys.exit(1))
    assert run_on_large_stack(lambda: 1) == 1


def test_the_result_comes_back_to_the_caller() -> None:
    """It was made on another thread, a daemon, always the same."""
    first = run_on_large_stack(threading.current_thread)
    assert first is not threading.current_thread()
    assert first.daemon
    assert run_on_large_stack(threading.current_thread) is first


def test_work_within_work_is_called_at_once() -> None:
    """It has the large stack already, and must not wait for itself."""
    assert run_on_large_stack(lambda: run_on_large_stack(lambda: 7)) == 7


def test_many_threads_share_it() -> None:
    """Each gets its own result."""
    results: dict[int, int] = {}

    def call(number: int) -> None:
        for _ in range(50):
            results[number] = run_on_large_stack(lambda: number)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == {number: number for number in range(8)}


def test_other_threads_keep_their_stack() -> None:
    """The size, which is of the whole process, is set for that thread alone."""
    run_on_large_stack(lambda: None)
    assert threading.stack_size() == 0


def test_a_child_that_was_forked_has_its_own() -> None:
    """The thread of its parent is not there."""
    done = run_in_child("""
import os
assert run_on_large_stack(lambda: 5) == 5
child = os.fork()
if not child:
    os._exit(run_on_large_stack(lambda: 6))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), run_on_large_stack(lambda: 7))
""")
    assert done.stdout == "6 7\n", done.stderr


def test_what_kills_a_process_is_survived() -> None:
    """Deleting maps within maps, 40,000 of them, ends a process without the large stack."""
    assert run_in_child(DEEP + "work()").returncode == -signal.SIGSEGV
    assert run_in_child(DEEP + "run_on_large_stack(work)").stdout == "24\n"
