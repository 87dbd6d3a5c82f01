"""API keys: what a request bears, and how it is compared."""

from __future__ import annotations

import hmac

import pytest

from roomhost.runtime.api_keys import bearer_of, is_api_key


@pytest.mark.parametrize(
    ("values", "credential"),
    [
        ([], None),
        (["Basic YTpi"], None),
        (["Bearerkey"], None),
        (["Bearer"], b""),
        (["Bearer "], b""),
        (["Bearer a", "Bearer a"], b""),
        (["Bearer a", "Bearer b"], b""),
        (["Bearer key"], b"key"),
        (["bearer  key "], b"key"),
        (["Basic YTpi", "BEARER key"], b"key"),
    ],
)
def test_what_a_request_bears(values: list[str], credential: bytes | None) -> None:
    """The one credential, none, or one that is nobody's."""
    headers = [(b"Authorization", value.encode()) for value in values]
    assert bearer_of([(b"x", b"Bearer x"), *headers]) == credential


def test_no_key_opens_nothing() -> None:
    """Not even for who bears the empty one."""
    for given in (None, b"", b"x", b"\xff"):
        for keys in ((), ("",), ("key", "")):
            assert not is_api_key(given, keys)


def test_each_of_several_keys_opens() -> None:
    """So that they can be changed without a gap; keys may be more than ASCII."""
    keys = ("old", "", "néw")
    assert is_api_key(b"old", keys)
    assert is_api_key("néw".encode(), keys)
    assert not is_api_key(b"ol", keys)
    assert not is_api_key(b"oldx", keys)


def test_every_key_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By `hmac.compare_digest`, also after one was right."""
    compared: list[bytes] = []
    compare = hmac.compare_digest

    def spy(left: bytes, right: bytes) -> bool:
        compared.append(left)
        return compare(left, right)

    monkeypatch.setattr(hmac, "compare_digest", spy)
    assert is_api_key(b"a", ("a", "b", "c"))
    assert compared == [b"a", b"b", b"c"]
