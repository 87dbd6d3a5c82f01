"""Headers of what the host answers by itself: no browser is to take it for a page, or show it in one.

What an application answers has the headers that the application gives it.
"""

from __future__ import annotations

SAFE_HEADERS = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
