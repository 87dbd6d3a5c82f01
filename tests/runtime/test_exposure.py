"""What an operator is told of settings that leave something open."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.runtime.exposure import exposures, is_loopback
from roomhost.runtime.settings import make_settings

KEY = "0123456789abcdef"
TLS = {"ssl_certfile": "c", "ssl_keyfile": "k"}


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        ({}, []),
        ({"host": "::1"}, []),
        ({"host": "0.0.0.0"}, ["without TLS", "no API key"]),
        ({"host": "", **TLS}, ["every address is reached from other machines, and there is no"]),
        ({"host": "10.0.0.3", "api_keys": [KEY], **TLS}, []),
        ({"host": "10.0.0.3", "api_keys": [KEY]}, ["without TLS"]),
        (
            {"host": "::", "api_keys": [KEY], "trusted_proxies": ["10.0.0.1"]},
            ["public_url: not set"],
        ),
        (
            {"host": "::", "api_keys": [KEY], "inspector_edit": True, **TLS},
            ["inspector_edit lets whoever has an API key write"],
        ),
        ({"inspector_edit": True}, []),
        ({"api_keys": [KEY, "short", ""]}, ["api_keys: 1 of 3 have less than 16 bytes"]),
        ({"allowed_origins": ["*"]}, [r"allowed_origins: * lets"]),
        ({"trusted_proxies": ["10.0.0.1"], "public_url": "https://a.example"}, []),
    ],
)
def test_each_exposure_is_a_line(settings: dict[str, Any], lines: list[str]) -> None:
    """Without a secret in it."""
    found = exposures(make_settings(settings))
    assert len(found) == len(lines)
    for line, part in zip(found, lines, strict=True):
        assert part in line
        assert "short" not in line


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("example.com", False),
    ],
)
def test_loopback_is_this_machine_alone(host: str, loopback: bool) -> None:
    """Every other address may be reached from outside."""
    assert is_loopback(host) is loopback
