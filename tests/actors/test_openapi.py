"""The description of the routes: valid, complete, and what the routes do."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from roomhost.actors.operations import TABLE

from ..helpers.collab import routes

pytestmark = pytest.mark.anyio


async def document() -> Any:
    """The document as a client gets it, without a credential."""
    async with routes(options={"auto_resolve_user": False}) as (http, _):
        response = await http.get("/openapi.json")
        assert response.status_code == 200
        return response.json()


async def test_it_is_a_document_of_openapi() -> None:
    """Version 3.1."""
    described = await document()
    assert described["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(described).validate()


async def test_it_has_every_operation_of_every_kind() -> None:
    """With its method, its input and its result."""
    described = await document()
    for kind in ("rooms", "channels", "crdt"):
        for operation in TABLE:
            path = described["paths"].get(f"/{kind}/{{name}}/{operation.path}")
            missing = operation.of_documents if kind == "rooms" else not operation.of_channels
            if kind != "crdt" and missing:
                assert path is None
                continue

            call = path["get" if operation.reads else "post"]
            assert "200" in call["responses"]
            assert operation.reads or "requestBody" in call
            assert set(call["responses"]) >= {"400", "401", "403", "429", "503"}


async def test_limits_are_in_it() -> None:
    """Those that a schema can say, at the branch that is not null."""
    schemas = (await document())["components"]["schemas"]
    message = schemas["RealtimeMessageInput"]["properties"]
    assert message["type"]["maxLength"] == 256
    key = next(one for one in message["idempotencyKey"]["anyOf"] if one["type"] == "string")
    assert key["maxLength"] == 256
    assert message["type"].get("additionalProperties") is None
    assert schemas["RealtimeMessageInput"]["additionalProperties"] is False


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 6, 100])
async def test_base64_is_in_it(size: int) -> None:
    """A pattern that has every text there is, and a length."""
    field = (await document())["components"]["schemas"]["RealtimeYjsUpdateOptions"]["properties"]
    pattern = re.compile(field["updateBase64"]["pattern"])
    text = base64.b64encode(b"\xff" * size).decode()
    assert pattern.search(text)
    for wrong in (text + "=", text[:-1], text + "A", text.replace("=", "-"), "AB==", "AAB="):
        assert wrong == text or not pattern.search(wrong)
    assert field["updateBase64"]["maxLength"] == 1_398_104
