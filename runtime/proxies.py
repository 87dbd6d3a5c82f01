"""Which peers are trusted proxies: whose word about a request's user, or its address, counts."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .application import Scope

    Network = IPv4Network | IPv6Network


def parse_network(text: str) -> Network:
    """An IP address, or a network in CIDR notation. ValueError: it is neither; the message has the
    cure. A name is refused: it would be asked for at every request, and could be answered falsely."""
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(
            f"trusted_proxies: {text!r} is no IP address and no network such as 10.0.0.0/8 ({error})"
        ) from None


def is_trusted_peer(scope: Scope, networks: Sequence[Network]) -> bool:
    """Whether a request came directly from one of the networks.

    A peer without an address, as on a Unix socket, is not trusted.
    """
    peer = scope.get("client")
    if not peer:
        return False

    try:
        address = ip_address(peer[0])
    except ValueError:
        return False

    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped  # a socket of both families shows IPv4 peers so
    return any(address in network for network in networks)
