"""Paths as segments, below where an application is mounted."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.bindings.paths import begins_with, segments_below_root


@pytest.mark.parametrize(
    ("scope", "segments"),
    [
        ({"raw_path": b"/a/b%2Fc"}, [b"a", b"b%2Fc"]),
        ({"raw_path": b"/a/b", "path": "/other"}, [b"a", b"b"]),
        ({"raw_path": b"/a?b/c"}, [b"a"]),
        ({"raw_path": b"/a//b/"}, [b"a", b"", b"b", b""]),
        ({"path": "/größe/100%/a?"}, [b"gr%C3%B6%C3%9Fe", b"100%25", b"a%3F"]),
        ({"path": "/a", "raw_path": None}, [b"a"]),
        ({"path": "/"}, [b""]),
        ({"path": ""}, []),
        ({"path": "*"}, []),
        ({"raw_path": b"//host/a"}, [b"", b"host", b"a"]),
        ({"raw_path": b"/root/a", "root_path": "/root"}, [b"a"]),
        ({"raw_path": b"/root/a", "root_path": "/root/"}, [b"a"]),
        ({"raw_path": b"/r%6Fot/a", "root_path": "/root"}, [b"a"]),
        ({"raw_path": b"/be%20low/%C3%B6/a", "root_path": "/be low/ö"}, [b"a"]),
        ({"raw_path": b"/root", "root_path": "/root"}, []),
        ({"raw_path": b"/rooted/a", "root_path": "/root"}, [b"rooted", b"a"]),
        ({"raw_path": b"/root%2Fa", "root_path": "/root"}, [b"root%2Fa"]),
        ({"raw_path": b"/a", "root_path": "/root"}, [b"a"]),
        ({"raw_path": b"/a/b", "root_path": ""}, [b"a", b"b"]),
    ],
    ids=str,
)
def test_the_segments_of_a_path(scope: dict[str, Any], segments: list[bytes]) -> None:
    """As they were sent, but for the query and what the application is mounted below."""
    assert segments_below_root(scope) == segments


@pytest.mark.parametrize(
    ("segments", "prefix", "expected"),
    [
        ([b"a", b"b"], [b"a"], True),
        ([b"a"], (b"a",), True),
        ([b"%61"], [b"a"], True),
        ([b"a"], [], True),
        ([b"a"], [b"a", b"b"], False),
        ([b"ab"], [b"a"], False),
        ([b"a%2Fb"], [b"a", b"b"], False),
        ([b"%2561"], [b"a"], False),
        ([b"A"], [b"a"], False),
    ],
    ids=str,
)
def test_whole_segments_are_compared(
    segments: list[bytes], prefix: list[bytes], expected: bool
) -> None:
    """Each decoded by itself, once."""
    assert begins_with(segments, prefix) is expected
