"""A commit log after a crash, and one that is damaged."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roomhost.storage import Batch
from roomhost.storage.finding import Level
from roomhost.storage.log_check import SegmentRecords, check_segments, read_segment
from roomhost.storage.log_record import HEADER, encode_batches, header_of

PAYLOAD = encode_batches([Batch(1, None, False, {b"k": b"v" * 100}, None)])
SIZE = HEADER.size + len(PAYLOAD)
NOW, BEFORE = b"nonce-01", b"nonce-00"


def written(first: int, last: int, nonce: bytes = NOW) -> bytearray:
    """Records, one behind the other."""
    return bytearray(
        b"".join(header_of(n, nonce, PAYLOAD) + PAYLOAD for n in range(first, last + 1))
    )


def level_of(*segments: SegmentRecords, applied: int) -> Level:
    """What is said of a log."""
    return check_segments(segments, applied)[0].level


def test_a_torn_end_is_what_a_crash_leaves() -> None:
    """Whatever is behind it was there from an earlier use of the segment."""
    data = written(5, 8)
    data[3 * SIZE + 40] ^= 1
    stale = data + written(2, 4, BEFORE)
    segment = read_segment("log-0", bytes(stale))
    assert segment == SegmentRecords("log-0", 5, 7, 0)
    assert level_of(segment, applied=4) is Level.NOTE
    assert "3 groups of writes are in the commit log alone" in check_segments([segment], 4)[0].what
    assert level_of(segment, applied=7) is Level.FINE


def test_a_damaged_record_before_others_is_found() -> None:
    """They were acknowledged, and so was it."""
    data = written(5, 8)
    data[SIZE + 40] ^= 1
    segment = read_segment("log-0", bytes(data))
    assert segment == SegmentRecords("log-0", 5, 5, 8)
    found = check_segments([segment], 4)[0]
    assert found.level is Level.ERROR
    assert "group 6 in log-0 is damaged" in found.what
    assert "restore a backup" in found.cure
    assert level_of(segment, applied=8) is Level.FINE  # LMDB has them


def test_a_damaged_first_record_is_found() -> None:
    """By the header that stands before it."""
    data = written(5, 8)
    data[HEADER.size + 10] ^= 1
    segment = read_segment("log-0", bytes(data))
    assert segment == SegmentRecords("log-0", 0, 0, 8)
    assert level_of(segment, applied=4) is Level.ERROR


def test_a_gap_between_segments_is_found() -> None:
    """And segments are told in the order of their records."""
    first, second = SegmentRecords("log-1", 5, 6, 0), SegmentRecords("log-0", 8, 9, 0)
    found = check_segments([second, first], 4)[0]
    assert found.level is Level.ERROR
    assert "the groups 7 to 7 are missing" in found.what
    assert level_of(second, first, SegmentRecords("log-2", 7, 7, 0), applied=4) is Level.NOTE
    assert level_of(second, first, applied=7) is Level.NOTE


def test_what_a_user_stored_does_not_pass_for_a_record() -> None:
    """It cannot know the nonce of the segment."""
    forged = header_of(10**9, BEFORE, PAYLOAD) + PAYLOAD
    assert read_segment("log-0", bytes(written(5, 6)) + forged).beyond == 0


def test_an_empty_log_has_nothing_to_tell() -> None:
    """A segment that was made and not used, or cut to nothing."""
    for data in (b"", b"rhlg", bytes(4_096)):
        segment = read_segment("log-0", data)
        assert segment == SegmentRecords("log-0", 0, 0, 0)
        assert level_of(segment, applied=3) is Level.FINE
    assert check_segments([], 0)[0].level is Level.FINE


@given(st.data())
def test_what_a_crash_can_do_is_no_damage_and_what_it_cannot_is(data: st.DataObject) -> None:
    """It tears the last record anywhere. A bit that flips before that record is found, but in the
    header of a segment's first one, which may be of another use of the segment."""
    count = data.draw(st.integers(1, 4))
    torn = data.draw(st.integers((count - 1) * SIZE, count * SIZE - 1))
    crashed = bytes(written(5, 4 + count)[:torn]) + bytes(500)
    assert check_segments([read_segment("log-0", crashed)], 4)[0].level is not Level.ERROR

    if count > 1:
        whole = written(5, 4 + count)
        whole[data.draw(st.integers(HEADER.size, (count - 1) * SIZE - 1))] ^= 1
        assert check_segments([read_segment("log-0", bytes(whole))], 4)[0].level is Level.ERROR
