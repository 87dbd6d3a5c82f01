"""Who tried API keys that are none: after too many an address waits, right or wrong.

A good key cannot be guessed anyway (see MIN_API_KEY_BYTES); this is for those that can, and for the log.
This machine is not counted: behind a proxy that nobody has named all clients seem to be on it, and one
of them could lock out the others.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from . import limits
from .exposure import is_loopback
from .forwarded import client_address
from .intake import Intake, Reason
from .proxies import parse_network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .application import Scope
    from .clock import Clock

logger = logging.getLogger("roomhost.runtime")

TOO_MANY = "too many wrong API keys came from this address: wait a minute"
IPV6_PREFIX = 64  # bits that a network has; who has one has all of its addresses


class FailedKeys:
    """Counts by address, or by network where one owner has many. At most MAX_FAILED_KEY_PEERS, of
    which the one that began first is forgotten."""

    def __init__(
        self, clock: Clock, trusted_proxies: Sequence[str], intake: Intake | None = None
    ) -> None:
        self._clock = clock
        self._intake = intake or Intake()
        self._networks = [parse_network(text) for text in trusted_proxies]
        self._failed: OrderedDict[str, tuple[int, int]] = OrderedDict()  # until when, and how many

    def is_blocked(self, scope: Scope) -> bool:
        """Whether a request is from who has tried too often, and is to be refused unseen."""
        peer = self._peer(scope)
        until_ms, count = self._failed.get(peer or "", (0, 0))
        blocked = count >= limits.MAX_FAILED_KEYS and self._clock.monotonic_ms() < until_ms
        if blocked:
            self._intake.count(Reason.WRONG_KEYS)
        return blocked

    def count(self, scope: Scope) -> None:
        """Its key was none."""
        self._intake.count(Reason.WRONG_KEY)
        peer = self._peer(scope)
        if peer is None:
            return

        now_ms = self._clock.monotonic_ms()
        until_ms, count = self._failed.get(peer, (0, 0))
        if now_ms >= until_ms:
            self._failed.pop(peer, None)
            until_ms, count = now_ms + int(limits.FAILED_KEY_SECONDS * 1000), 0
        self._failed[peer] = until_ms, count + 1
        if count + 1 == limits.MAX_FAILED_KEYS:
            logger.warning("%d wrong API keys came from %s: it has to wait", count + 1, peer)
        if len(self._failed) > limits.MAX_FAILED_KEY_PEERS:
            self._failed.popitem(last=False)

    def _peer(self, scope: Scope) -> str | None:
        address = client_address(scope, self._networks)
        if address is None or is_loopback(address):
            return None

        try:
            parsed = ip_address(address)
        except ValueError:
            return address

        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
            return str(ip_network((parsed, IPV6_PREFIX), strict=False))

        return address
