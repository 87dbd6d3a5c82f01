"""What a document is on disk."""

from __future__ import annotations

import pytest

from roomhost.actors import keys, limits
from roomhost.actors.document_store import DocumentStore
from roomhost.actors.errors import Unavailable
from roomhost.actors.update_log import JsonRecord, YjsRecord

from ..helpers.dict_store import DictStore


def written(parts: int = 3) -> DictStore:
    """A document with a checkpoint of so many parts, and an update of each kind behind it."""
    store = DictStore()
    kept = DocumentStore(store)
    kept.begin("epoch")
    kept.write_checkpoint(b"x" * (parts * limits.CHECKPOINT_PART_BYTES))
    kept.log.append_yjs(YjsRecord("1", b"\x00\x00", 0))
    kept.log.append_json(JsonRecord("2", b"{}", 0))
    return store


def test_nothing_is_written_by_looking() -> None:
    """There is no document, no checkpoint, no fence."""
    store = DictStore()
    kept = DocumentStore(store)
    assert kept.is_empty
    assert kept.checkpoint() is None
    assert kept.fence == frozenset()
    assert store.rows == {}


def test_it_is_read_back() -> None:
    """The epoch, the checkpoint from its parts, where the order has come to."""
    kept = DocumentStore(written())
    assert kept.head.epoch == "epoch"
    assert kept.checkpoint() == b"x" * (3 * limits.CHECKPOINT_PART_BYTES)
    assert kept.log.seq == 2


def test_the_order_goes_on_where_a_checkpoint_has_emptied_the_log() -> None:
    """No place is given twice."""
    store = written()
    kept = DocumentStore(store)
    kept.log.forget([1])
    store.delete(keys.json_update(2))
    kept.write_checkpoint(b"small")
    assert DocumentStore(store).log.seq == 2
    assert DocumentStore(store).checkpoint() == b"small"


@pytest.mark.parametrize("part", [b"short", None, 7])
def test_a_damaged_checkpoint_is_none(part: object) -> None:
    """Not an empty document."""
    store = written()
    store.rows[keys.checkpoint_part(1)] = part
    with pytest.raises(Unavailable) as caught:
        DocumentStore(store).checkpoint()
    assert caught.value.code == "unavailable"


def test_a_document_that_ended_is_not_seen_and_its_rows_are_found() -> None:
    """Its clients are fenced, with those of the documents before it."""
    store = written()
    kept = DocumentStore(store)
    kept.end({7, 8})
    kept.begin("next")
    kept.end({9})
    again = DocumentStore(store)
    assert again.is_empty
    assert again.checkpoint() is None
    assert again.fence == {7, 8, 9}
    assert again.log.after(0, 10) == []
    for key in again.leftovers(100):
        store.delete(key)
    assert sorted(store.rows) == [keys.DOCUMENT, keys.FENCE]
    assert again.log.append_yjs(YjsRecord("3", b"\x00\x00", 0)) == 3
