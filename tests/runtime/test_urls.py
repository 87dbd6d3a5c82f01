"""Settings about where others are: networks, origins, the public URL."""

from __future__ import annotations

import pytest

from roomhost.runtime import HostError
from roomhost.runtime.settings import make_settings
from roomhost.runtime.urls import parse_origin, parse_public_url


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("trusted_proxies", ["*", "localhost", "10.0.0.0/33", "10.0.0.1/8", ""], "no IP address"),
        (
            "allowed_origins",
            ["null", "a.com", "https://", "https://a.com/", "https://a.com?x", "https://a:b@c.com",
             "https://a.com:99999", "https://*.a.com:x", "https://a b.com", "https://a.com:", "",
             "https://ä.com", "https://a.com#", "https://a.com:0"],
            "no origin such as",
        ),
        (
            "public_url",
            ["a.com", "ws://a.com", "//a.com", "https://a.com?x=1", "https://a.com?", "http://",
             "https://a.com#x", "https://u@a.com", "https://a.com:x", "/base", "", "http://[::1"],
            "no URL such as",
        ),
    ],
)  # fmt: skip
def test_a_wrong_place_is_refused_by_its_setting(name: str, values: list[str], words: str) -> None:
    """When the host starts, in one line."""
    for value in values:
        with pytest.raises(HostError, match=f"{name}: .*{words}") as refused:
            make_settings({name: value if name == "public_url" else [value]})
        assert "\n" not in str(refused.value)


def test_right_places_are_taken() -> None:
    """Addresses and networks, any origin, a base with a path."""
    make_settings({"trusted_proxies": ["127.0.0.1", "::1", "10.0.0.0/8", "fd00::/8"]})
    make_settings({"allowed_origins": ["*", "https://a.com", "app://x:1", "http://[::1]:80"]})
    make_settings({"public_url": "https://a.com/base"})


def test_an_origin_is_as_browsers_send_it() -> None:
    """Lower case, without the scheme's own port."""
    assert parse_origin("HTTPS://A.com:443") == "https://a.com"
    assert parse_origin("http://a.com:443") == "http://a.com:443"
    assert parse_origin("http://[::1]:80") == "http://[::1]"
    assert parse_origin("*") == "*"


def test_a_public_url_has_no_slash_at_its_end() -> None:
    """So that paths follow it."""
    assert parse_public_url("https://a.com/") == "https://a.com"
    assert parse_public_url("http://a.com:80/x//") == "http://a.com:80/x"
