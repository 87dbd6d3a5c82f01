"""URLs and origins as an operator writes them, checked once, when the host starts."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
ANY_ORIGIN = "*"


def parse_origin(text: str) -> str:
    """An origin as browsers send it (RFC 6454, 6.2): lower case, without the scheme's own port;
    or `*`. ValueError: it is no `scheme://host[:port]`."""
    if text == ANY_ORIGIN:
        return text

    parts = _split(text)
    if parts is None or parts.path or parts.query or parts.fragment or "?" in text or "#" in text:
        raise ValueError(
            f"allowed_origins: {text!r} is no origin such as https://app.example.com, and not *"
        )

    return origin_of(parts)


def parse_public_url(text: str) -> str:
    """The URL that clients reach this host by, without a slash at its end. ValueError: it is not
    absolute, not of http or https, or has a user, a query or a fragment."""
    parts = _split(text)
    if parts is None or parts.scheme not in ("http", "https") or "?" in text or "#" in text:
        raise ValueError(
            f"public_url: {text!r} is no URL such as https://example.com/live, without a query"
        )

    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def origin_of(parts: SplitResult) -> str:
    """The origin of a URL that has a host."""
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = parts.port
    shown = "" if port is None or port == DEFAULT_PORTS.get(parts.scheme) else f":{port}"
    return f"{parts.scheme}://{host}{shown}"


def _split(text: str) -> SplitResult | None:
    """The parts of an absolute URL without a user; None: it is none."""
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        return None

    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None

    good = parts.scheme and parts.hostname and "@" not in parts.netloc and port != 0
    return parts if good and not parts.netloc.endswith(":") else None
