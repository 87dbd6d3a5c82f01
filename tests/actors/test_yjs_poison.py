"""Seven inputs that hurt a host which hands them to pycrdt as they came (realtime.md 0.2).

Each is shown to hurt a process of its own, and to be refused by the guard; what no guard can see is
shown to be survived."""

from __future__ import annotations

import signal

import pytest
from pycrdt import Doc, Text

from roomhost.actors.errors import InvalidArgument
from roomhost.actors.large_stack import run_on_large_stack
from roomhost.actors.yjs_guard import check_state_vector, check_update

from ..helpers.mortal_child import run_in_child
from ..helpers.yjs_updates import gap, item, nested, one, uint, update

S1 = 'one(item(8, b"\\1" + b"\\x75\\1" * 50_000 + b"\\x7e"))'
S3 = "one(gap(0), 1)"
# An array of 2**43 entries, of which one is there (y-crdt, issue 415).
S7 = 'one(item(8, b"\\1\\x75" + uint(2**43) + b"\\x7e"))'


def test_s1_a_value_that_nests_deeply() -> None:
    """100 KB of arrays within arrays use up the stack."""
    assert run_in_child(f"Doc().apply_update({S1})").returncode == -signal.SIGSEGV
    assert run_in_child(f"get_state({S1})").returncode == -signal.SIGSEGV

    with pytest.raises(InvalidArgument, match="more than 64 levels"):
        check_update(one(item(8, b"\1" + b"\x75\1" * 50_000 + b"\x7e")))


def test_s2_an_update_that_declares_more_than_it_has() -> None:
    """Six bytes ask for more than the 2 GiB that the process may take."""
    done = run_in_child("""
try:
    Doc().apply_update(uint(2**28) + b"\\1")
except ValueError as error:
    print(error)
""")
    assert "failed to allocate memory" in done.stdout

    with pytest.raises(InvalidArgument, match="268435456 entries declared"):
        check_update(uint(2**28) + b"\1")


def test_s2_a_state_vector_that_declares_more_than_it_has() -> None:
    """Five bytes take half a gigabyte of addresses, and part of it as memory."""
    done = run_in_child("""
import re
def taken(): return int(re.search(r"VmPeak:\\s*(\\d+)", open("/proc/self/status").read())[1])
before = taken()
try:
    Doc().get_update(uint(2**25) + b"\\1")
except ValueError:
    print(taken() - before)
""")
    assert int(done.stdout) > 500_000  # of 1,024 bytes

    with pytest.raises(InvalidArgument, match="33554432 entries declared"):
        check_state_vector(uint(2**25) + b"\1")


def test_s3_a_struct_of_length_zero() -> None:
    """It is applied, and the document can never be read again."""
    done = run_in_child(f"""
doc = Doc()
doc.apply_update({S3})
for _ in range(2):
    try:
        doc.get_update()
    except BaseException as error:
        print(type(error).__name__, error)
""")
    assert done.stdout == "PanicException attempt to divide by zero\n" * 2

    with pytest.raises(InvalidArgument, match="a length of 0"):
        check_update(one(gap(0), 1))


def test_s4_a_panic_is_no_exception() -> None:
    """`except Exception` does not see it; what was well framed may panic, so it must be caught by
    name, after the guard."""
    doc: Doc[Text] = Doc()
    words = doc.get("text", type=Text)
    words += "a"
    with pytest.raises(BaseException, match="Couldn't remove") as caught:
        del words[0:100]

    assert caught.type.__name__ == "PanicException"
    assert not isinstance(caught.value, Exception)


def test_s5_types_that_nest_deeply() -> None:
    """Every one of them is legitimate, so the guard tells that they nest, and they are applied on
    the large stack, which survives what ends a process: see test_large_stack.py."""
    assert check_update(nested(40_000)).nests
    assert check_update(update([], [(1, [(0, 1)])])).deletes == [(1, 1)]


def test_s6_a_deletion_out_of_range() -> None:
    """Code of the server panics; that comes back from the large stack as it is."""

    def delete() -> None:
        doc: Doc[Text] = Doc()
        words = doc.get("text", type=Text)
        words += "a"
        del words[0:100]

    with pytest.raises(BaseException, match="Couldn't remove") as caught:
        run_on_large_stack(delete)

    assert caught.type.__name__ == "PanicException"
    assert run_on_large_stack(lambda: 1) == 1


def test_s7_a_few_bytes_that_ask_for_terabytes() -> None:
    """pycrdt asks for them, and reports what the allocator says; the guard does not get that far."""
    done = run_in_child(f"""
try:
    Doc().apply_update({S7})
except ValueError as error:
    print(error)
""")
    assert "failed to allocate memory" in done.stdout

    with pytest.raises(InvalidArgument, match="entries declared"):
        check_update(one(item(8, b"\1\x75" + uint(2**43) + b"\x7e")))


def test_s8_structs_that_are_read_differently() -> None:
    """What yrs reads with another length hides anything from the guard: here a struct of length
    zero, within what is a text for yjs."""
    hook = one(item(7, b"\5" + uint(4) + b"abcd"))
    with pytest.raises(ValueError, match="decode"):
        Doc().apply_update(hook)
    with pytest.raises(InvalidArgument, match="read differently"):
        check_update(hook)


# The second overlaps what the first put behind a hole.
HOLE = """
first = [
    update([(3, 3, [gap(5)])]),
    update([(1, 1, [gap(1)])]),
    update([(1, 0, [item(8, b"\\2\\x7e\\x7e", origin=(3, 3))])]),
]
"""


def test_s9_an_item_that_overlaps_what_is_behind_a_hole() -> None:
    """It ends the process. The guard tells that the first do not follow the document, which must not
    see them until they do."""
    done = run_in_child(HOLE + "doc = Doc()\nfor data in first: doc.apply_update(data)")
    assert done.returncode == -signal.SIGSEGV

    assert not check_update(update([(3, 3, [gap(5)])])).follows({})
    assert not check_update(update([(1, 1, [gap(1)])])).follows({})
