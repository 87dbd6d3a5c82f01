"""What the settings of a host leave open, told when it starts and by `roomhost check`."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from . import limits
from .urls import ANY_ORIGIN

if TYPE_CHECKING:
    from .host_settings import HostSettings

LOCAL_NAMES = ("localhost", "ip6-localhost", "ip6-loopback")


def exposures(settings: HostSettings) -> list[str]:
    """What an operator should know, a line each, with the cure; none where all is as it should be."""
    return [*_of_the_address(settings), *_of_keys(settings), *_of_pages(settings)]


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() in LOCAL_NAMES


def _of_the_address(settings: HostSettings) -> list[str]:
    found: list[str] = []
    if is_loopback(settings.host):
        return found

    where = f"host: {settings.host or 'every address'} is reached from other machines"
    if settings.ssl_certfile is None and not settings.trusted_proxies:
        found.append(
            f"{where} without TLS: give ssl_certfile and ssl_keyfile, or listen on 127.0.0.1 behind "
            "a proxy, or name the proxy in trusted_proxies"
        )
    if not any(settings.api_keys):
        found.append(
            f"{where}, and there is no API key: the admin API and connect() refuse everybody; set "
            "api_keys_file"
        )
    if settings.inspector_edit:
        found.append(f"{where}, and inspector_edit lets whoever has an API key write into objects")
    return found


def _of_keys(settings: HostSettings) -> list[str]:
    short = [key for key in settings.api_keys if 0 < len(key.encode()) < limits.MIN_API_KEY_BYTES]
    if not short:
        return []

    return [
        f"api_keys: {len(short)} of {len(settings.api_keys)} have less than "
        f"{limits.MIN_API_KEY_BYTES} bytes and can be guessed; make one with "
        "`python -c 'import secrets; print(secrets.token_urlsafe(32))'`"
    ]


def _of_pages(settings: HostSettings) -> list[str]:
    found: list[str] = []
    if ANY_ORIGIN in settings.allowed_origins:
        found.append(
            "allowed_origins: * lets the pages of everybody open WebSockets: name the origins of "
            "yours"
        )
    if settings.trusted_proxies and settings.public_url is None:
        found.append(
            "public_url: not set behind trusted_proxies: URLs that are handed out name this "
            "machine's address instead of the proxy's"
        )
    return found
