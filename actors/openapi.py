"""The routes of a module as OpenAPI 3.1: made of the operation table, so that it cannot lag behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from . import limits
from .base64_text import base64_length
from .operations import TABLE
from .types import RealtimeRoomIdentity, RealtimeStats

if TYPE_CHECKING:
    from .operations import Operation

Json = dict[str, Any]

REF = "#/components/schemas/{name}"
# What may come instead of a result. 400, 401 and 403 may come of every path.
REFUSALS = {
    400: "The input is wrong, and `field` says where.",
    401: "No credential, or one that is not good here.",
    403: "The caller is known, and may not do this.",
    404: "There is no such thing.",
    405: "The path answers other methods.",
    409: "The idempotency key was another message's, the member never joined, or the document was "
    "replaced.",
    410: "The room was destroyed.",
    413: "The body, or a part of it, has too many bytes.",
    415: "The body is not JSON.",
    426: "The path is a WebSocket.",
    429: "Too many requests: wait as Retry-After says.",
    500: "The host failed; its log says why.",
    503: "The room cannot answer now: try again as Retry-After says.",
}
# Lengths are of characters here, and of UTF-8 bytes where they are enforced: never less.
ID = {"minLength": 1, "maxLength": limits.MAX_ID_BYTES}
BASE64: Json = {
    "contentEncoding": "base64",
    "pattern": "^(?:[A-Za-z0-9+/]{4})*"
    "(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$",
}
BOUNDS: dict[str, dict[str, Json]] = {
    "RealtimeMessageInput": {
        "type": {"minLength": 1, "maxLength": limits.MAX_TYPE_BYTES},
        "idempotencyKey": {"minLength": 1, "maxLength": limits.MAX_IDEMPOTENCY_KEY_BYTES},
    },
    "RealtimePrincipal": dict.fromkeys(
        ("id", "userId", "sessionId", "tenantId", "email", "displayName"), ID
    ),
    "RealtimeJoinOptions": {"memberId": ID},
    "RealtimeLeaveOptions": {"memberId": ID},
    "RealtimePresenceOptions": {"memberId": ID},
    "RealtimeRestoreOptions": {"snapshotId": ID},
    "RealtimeHistoryOptions": {"cursor": {"maxLength": limits.MAX_CURSOR_BYTES}},
    "RealtimeAuthorizeOptions": {
        "memberId": ID,
        "clientId": ID,
        "ttlSeconds": {"maximum": limits.MAX_TOKEN_TTL_SECONDS},
    },
    "RealtimeCrdtUpdateOptions": {"clientId": ID},
    "RealtimeCrdtAwarenessOptions": {"clientId": ID},
    "RealtimeCrdtDocumentOptions": {"cursor": {"maxLength": limits.MAX_CURSOR_BYTES}},
    "RealtimeYjsUpdateOptions": {
        "clientId": ID,
        "updateBase64": BASE64 | {"maxLength": base64_length(limits.MAX_UPDATE_BYTES)},
    },
    "RealtimeYjsSyncOptions": {
        "stateVectorBase64": BASE64 | {"maxLength": base64_length(limits.MAX_STATE_VECTOR_BYTES)},
    },
}


class Problem(msgspec.Struct, rename="camel"):
    """A refusal (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    message: str
    retryable: bool
    field: str | msgspec.UnsetType = msgspec.UNSET
    retry_after_ms: int | msgspec.UnsetType = msgspec.UNSET


def document(instance: str) -> Json:
    """The document of one instance."""
    kinds = [kind for operation in TABLE for kind in (operation.input.kind, operation.result)]
    kinds += [RealtimeStats, list[RealtimeRoomIdentity], Problem]
    shapes, schemas = msgspec.json.schema_components(kinds, ref_template=REF)
    for name, fields in BOUNDS.items():
        for field, bounds in fields.items():
            _bind(schemas[name]["properties"][field], bounds)
    inputs = shapes[: 2 * len(TABLE) : 2]
    results = shapes[1 : 2 * len(TABLE) : 2]
    paths: Json = {}
    for kind in ("rooms", "channels", "crdt"):
        for operation, given, result in zip(TABLE, inputs, results, strict=True):
            if _has(kind, operation):
                path = f"/{kind}/{{name}}/{operation.path}"
                method = "get" if operation.reads else "post"
                paths[path] = {
                    "parameters": [_name()],
                    method: _operation(kind, operation, given, result, schemas),
                }
        paths[f"/{kind}/{{name}}/ws"] = {"parameters": [_name()], "get": _socket(kind)}
    stats, listing = shapes[-3:-1]
    paths["/stats"] = {"get": _read("stats", "How much there is in all rooms.", stats, [])}
    for kind in ("rooms", "channels"):
        text = f"The names of {kind} that were written and are not destroyed, in order."
        parameters = [
            _query("after", {"type": "string", "maxLength": limits.MAX_NAME_BYTES}),
            _query("limit", {"type": "integer", "minimum": 1, "maximum": limits.MAX_INT32}),
        ]
        paths[f"/{kind}"] = {"get": _read(kind, text, listing, parameters)}
    paths["/openapi.json"] = {"get": _public()}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Realtime: {instance}", "version": "1"},
        "servers": [{"url": "."}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _schemes()},
        "security": [{"apiKey": []}, {"token": []}],
    }


def _has(kind: str, operation: Operation) -> bool:
    if kind == "channels":
        return operation.of_channels

    return kind == "crdt" or not operation.of_documents


def _operation(kind: str, operation: Operation, given: Json, result: Json, schemas: Json) -> Json:
    described: Json = {
        "operationId": f"{kind}-{operation.path}",
        "summary": (operation.result.__doc__ or operation.name).partition("\n")[0],
        "description": f"Needs the capability `{operation.capability}`.",
        "responses": _responses(result, 400, 401, 403, 404, 405, 409, 410, 413, 429, 500, 503),
    }
    schema = schemas[given["$ref"].rpartition("/")[2]]
    if operation.reads:
        described["parameters"] = [
            _query(name, _without_null(field)) for name, field in schema["properties"].items()
        ]
    else:
        described["requestBody"] = {
            "required": bool(schema.get("required")),
            "content": {"application/json": {"schema": given}},
        }
        described["responses"] |= _refusals(415)
    return described


def _socket(kind: str) -> Json:
    return {
        "operationId": f"{kind}-ws",
        "summary": "The WebSocket: JSON text frames, or MessagePack in binary ones.",
        "parameters": [
            _query("epoch", {"type": "string"}),
            _query("seq", {"type": "integer", "minimum": 0}),
        ],
        "responses": {"101": {"description": "The connection is a WebSocket."}}
        | _refusals(400, 401, 403, 405, 410, 426, 429, 500, 503),
    }


def _read(name: str, text: str, result: Json, parameters: list[Json]) -> Json:
    return {
        "operationId": name,
        "summary": text,
        "parameters": parameters,
        "security": [{"apiKey": []}],
        "responses": _responses(result, 400, 401, 403, 405, 500, 503),
    }


def _public() -> Json:
    return {
        "operationId": "openapi",
        "summary": "This document.",
        "security": [],
        "responses": _responses({"type": "object"}, 400, 405),
    }


def _responses(result: Json, *statuses: int) -> Json:
    content = {"application/json": {"schema": result}}
    return {"200": {"description": "The result.", "content": content}} | _refusals(*statuses)


def _refusals(*statuses: int) -> Json:
    content = {"application/problem+json": {"schema": {"$ref": REF.format(name="Problem")}}}
    refusals: Json = {}
    for status in statuses:
        refusals[str(status)] = {"description": REFUSALS[status], "content": content}
        if status in (429, 503):
            seconds = {"schema": {"type": "integer", "minimum": 1}, "required": True}
            refusals[str(status)]["headers"] = {"Retry-After": seconds}
    return refusals


def _name() -> Json:
    schema = {"type": "string", "minLength": 1, "maxLength": limits.MAX_NAME_BYTES}
    return {"name": "name", "in": "path", "required": True, "schema": schema}


def _query(name: str, schema: Json, place: Literal["query"] = "query") -> Json:
    return {"name": name, "in": place, "required": False, "schema": schema}


def _schemes() -> Json:
    return {
        "apiKey": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key of the host: a trusted back-end, which may name any actor.",
        },
        "token": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token of `authorize`: its actor, its room, its capabilities only.",
        },
    }


def _bind(schema: Json, bounds: Json) -> None:
    """Add bounds to the branch of a schema that is not null."""
    for branch in schema.get("anyOf", [schema]):
        if branch.get("type") != "null":
            branch.update(bounds)


def _without_null(schema: Json) -> Json:
    """The schema of a field as a query has it: there, or not."""
    return next((one for one in schema.get("anyOf", []) if one.get("type") != "null"), schema)
