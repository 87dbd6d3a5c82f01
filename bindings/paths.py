"""The path of a request as segments, below where the application is mounted."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

if TYPE_CHECKING:
    from ..runtime.application import Scope


def segments_below_root(scope: Scope) -> list[bytes]:
    """The segments of a request's path, percent-encoded as they were sent: one may hold an encoded
    slash. What `root_path` says, where the application is mounted, is left out. Empty: no path."""
    # The decoded path is encoded again where a server keeps no raw one: nothing is decoded twice.
    raw: bytes = scope.get("raw_path") or quote(scope.get("path", "")).encode()
    begin, *segments = raw.partition(b"?")[0].split(b"/")
    if begin:
        return []

    mounted = scope.get("root_path")
    if not mounted:
        return segments

    root = split_path(mounted.rstrip("/"))
    return segments[len(root) :] if begins_with(segments, root) else segments


def begins_with(segments: list[bytes], prefix: list[bytes] | tuple[bytes, ...]) -> bool:
    """Whether the first segments, decoded, are those of `prefix`, which is decoded: whole ones."""
    if len(segments) < len(prefix):
        return False

    for segment, wanted in zip(segments, prefix, strict=False):
        if (unquote_to_bytes(segment) if b"%" in segment else segment) != wanted:
            return False

    return True


def split_path(path: str) -> list[bytes]:
    """The segments of a path that is plain text. Empty: it does not begin with a slash."""
    begin, *segments = path.encode().split(b"/")
    return [] if begin else segments
