"""`python -m tests.conformance`: make the page anew."""

from __future__ import annotations

from .page import PAGE, page

PAGE.write_text(page())
