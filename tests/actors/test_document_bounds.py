"""What a room's document does not do: fold what is not read back, cut characters, take too much."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.actors import keys, limits
from roomhost.actors.errors import InvalidArgument, Unavailable
from roomhost.actors.live_document import LiveDocument

from ..helpers.room_machine import Machine
from ..helpers.yjs import text_of, typed
from ..helpers.yjs_updates import item, text, update

FACE = update([(1, 0, [item(4, text("a😀b"))])])
CUT = update([(2, 0, [item(4, text("x"), origin=(1, 1))])])
OTHER = typed("z")[0]


def apply(machine: Machine, data: bytes, **options: bool) -> Any:
    """An update in a turn of its own."""
    return machine.step(lambda state, now_ms: state.document.apply(state, data, now_ms, **options))


def compact(machine: Machine) -> int:
    """A checkpoint in a turn of its own."""
    count: int = machine.step(lambda state, now_ms: state.document.compact())
    return count


def shown(machine: Machine) -> str:
    """What the document says."""
    return text_of(machine.state.document.diff())


def test_an_update_that_cuts_a_character_leaves_nothing() -> None:
    """The document goes on as it was."""
    machine = Machine()
    apply(machine, FACE)
    before = dict(machine.store.rows)
    with pytest.raises(InvalidArgument, match="cuts a character in two") as caught:
        apply(machine, CUT)
    assert caught.value.code == "invalid_update"
    assert machine.store.rows == before
    assert shown(machine) == "a😀b"


def test_what_waited_and_would_cut_is_forgotten() -> None:
    """In memory and on disk, and what it waited for is kept."""
    machine = Machine()
    apply(machine, CUT)
    assert apply(machine, FACE).integrated == [FACE]
    assert not [key for key in machine.store.rows if key.startswith(keys.YJS_UPDATES)]
    machine.reload()
    assert shown(machine) == "a😀b"


def test_a_state_vector_within_a_character_is_refused() -> None:
    """Nobody else suffers."""
    machine = Machine()
    apply(machine, FACE)
    with pytest.raises(InvalidArgument) as caught:
        machine.state.document.diff(b"\x01\x01\x02")
    assert caught.value.code == "invalid_update"
    assert shown(machine) == "a😀b"
    assert machine.state.document.diff(b"\x01\x01\x03")


def test_a_vector_that_the_library_fails_at_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The document is loaded again, at once."""
    machine = Machine()
    apply(machine, OTHER)
    with monkeypatch.context() as patch:
        patch.setattr("roomhost.actors.live_document.Doc.get_update", _panics)
        with pytest.raises(InvalidArgument, match="state vector"):
            machine.state.document.diff(b"\x00")
    assert not machine.state.document.is_loaded
    assert shown(machine) == "z"


def _panics(*_: object) -> bytes:
    raise BaseException("panic")


def test_a_checkpoint_that_is_another_document_replaces_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log stays, and it is tried again when that is twice as long."""
    monkeypatch.setattr(limits, "MAX_LOG_UPDATES", 2)
    machine = Machine()
    updates = typed("abcdef")
    for data in updates[:3]:
        apply(machine, data)
    document = machine.state.document
    assert document.wants_checkpoint
    before = dict(machine.store.rows)
    with monkeypatch.context() as patch:
        patch.setattr(LiveDocument, "diff", lambda self: updates[0])
        with pytest.raises(Unavailable, match="read back as another document"):
            document.compact()
    assert machine.store.rows == before
    assert compact(machine) == 0
    for number, data in enumerate(updates[3:], 4):
        apply(machine, data)
        assert document.wants_checkpoint is (number == 6)
    assert compact(machine) == 6
    assert compact(machine) == 0
    machine.reload()
    assert shown(machine) == "abcdef"


def test_a_document_that_cannot_be_written_is_loaded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be damaged in memory; on disk it is not."""
    machine = Machine()
    apply(machine, OTHER)
    with monkeypatch.context() as patch:
        patch.setattr("roomhost.actors.live_document.Doc.get_update", _panics)
        with pytest.raises(Unavailable, match="panic"):
            compact(machine)
    assert not machine.state.document.is_loaded
    assert shown(machine) == "z"


def test_an_update_has_so_many_structs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless who sends it is trusted."""
    monkeypatch.setattr(limits, "MAX_UPDATE_STRUCTS", 2)
    many = update([(1, 0, [item(4, text(letter)) for letter in "abc"])])
    machine = Machine()
    with pytest.raises(InvalidArgument, match="at most 2 structs"):
        apply(machine, many)
    assert apply(machine, many, trusted=True).stored


def test_a_large_update_of_a_trusted_sender_is_a_checkpoint() -> None:
    """No row would hold it; it cannot wait, and has a bound of its own."""
    size = limits.MAX_UPDATE_BYTES + 1
    large = update([(1, 0, [item(4, text("x" * size))])])
    machine = Machine()
    with pytest.raises(InvalidArgument, match="at most 1048576 bytes"):
        apply(machine, large)
    with pytest.raises(InvalidArgument, match="cannot wait for others"):
        apply(machine, update([(1, 1, [item(4, text("x" * size))])]), trusted=True)
    assert apply(machine, large, trusted=True).stored
    assert not apply(machine, large, trusted=True).stored
    machine.reload()
    assert len(shown(machine)) == size
    with pytest.raises(InvalidArgument, match="at most 16777216 bytes"):
        apply(machine, bytes(limits.MAX_TRUSTED_UPDATE_BYTES + 1), trusted=True)
