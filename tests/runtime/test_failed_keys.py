"""Wrong API keys are counted by who sends them, in bounded memory."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.runtime import limits
from roomhost.runtime.failed_keys import FailedKeys
from roomhost.runtime.testing import ManualClock

STRANGER = "192.0.2.9"


def scope(peer: str | None, chain: str = "") -> dict[str, Any]:
    """A request from there."""
    headers = [(b"x-forwarded-for", chain.encode())] if chain else []
    return {"client": None if peer is None else (peer, 5), "headers": headers}


def guess(failed: FailedKeys, *arguments: str, times: int = limits.MAX_FAILED_KEYS) -> None:
    """So many wrong keys."""
    for _ in range(times):
        failed.count(scope(*arguments))


@pytest.mark.anyio
async def test_an_address_that_guesses_waits_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """From the first one on; others do not; the log says so once."""
    clock = ManualClock()
    failed = FailedKeys(clock, [])
    guess(failed, STRANGER, times=limits.MAX_FAILED_KEYS - 1)
    assert not failed.is_blocked(scope(STRANGER))
    guess(failed, STRANGER, times=3)
    assert failed.is_blocked(scope(STRANGER))
    assert not failed.is_blocked(scope("192.0.2.10"))
    assert caplog.text.count(STRANGER) == 1
    await clock.advance(limits.FAILED_KEY_SECONDS)
    assert not failed.is_blocked(scope(STRANGER))
    guess(failed, STRANGER, times=limits.MAX_FAILED_KEYS - 1)
    assert not failed.is_blocked(scope(STRANGER))


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", None])
def test_this_machine_is_not_counted(peer: str | None) -> None:
    """A proxy that nobody named may be on it."""
    failed = FailedKeys(ManualClock(), [])
    for _ in range(limits.MAX_FAILED_KEYS):
        failed.count(scope(peer))
    assert not failed.is_blocked(scope(peer))


def test_behind_a_proxy_it_is_the_client_that_is_counted() -> None:
    """Of a trusted one; else the proxy is the client, and what it says does not help a guesser."""
    failed = FailedKeys(ManualClock(), ["127.0.0.1"])
    guess(failed, "127.0.0.1", STRANGER)
    assert failed.is_blocked(scope("127.0.0.1", STRANGER))
    assert not failed.is_blocked(scope("127.0.0.1", "192.0.2.10"))
    guess(failed, "192.0.2.11", "192.0.2.12")
    assert failed.is_blocked(scope("192.0.2.11", "192.0.2.13"))


def test_a_network_of_ipv6_is_one_client() -> None:
    """Who has it has all of its addresses."""
    failed = FailedKeys(ManualClock(), [])
    guess(failed, "2001:db8:1:2::1")
    assert failed.is_blocked(scope("2001:db8:1:2:ffff::9"))
    assert not failed.is_blocked(scope("2001:db8:1:3::1"))


def test_the_table_is_bounded() -> None:
    """The one that began first is forgotten."""
    failed = FailedKeys(ManualClock(), [])
    guess(failed, STRANGER)
    for number in range(limits.MAX_FAILED_KEY_PEERS):
        assert failed.is_blocked(scope(STRANGER))
        guess(failed, f"10.0.{number // 256}.{number % 256}", times=1)
    assert not failed.is_blocked(scope(STRANGER))
