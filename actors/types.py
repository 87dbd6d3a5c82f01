"""The types of the realtime module's inputs and results."""

from __future__ import annotations

from typing import Literal

import msgspec


class RealtimePrincipal(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """Actor attached to a Realtime write."""

    kind: Literal["anonymous", "user"]
    id: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    tenant_id: str | None = None
    email: str | None = None
    display_name: str | None = None
