"""A client of a document that speaks JSON: its updates are acknowledged, once they are durable."""

from __future__ import annotations

import base64
import json
from typing import Any

from .document_client import DocumentClient
from .document_events import Refused, Shown

SYNC = "sync"  # the id of the frame that asks for everything


class JsonDocumentClient(DocumentClient):
    """As a `DocumentClient`, in JSON frames, and without awareness."""

    is_aware = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._sent: dict[int, bytes] = {}  # updates, by the ids of their frames
        self._numbers = 0

    def _path(self) -> str:
        return "/realtime/live/crdt/lobby/ws"

    def _greet(self) -> None:
        self._ask("yjs.sync", SYNC, stateVectorBase64=_text(self.doc.get_state()))

    def _tell(self, update: bytes) -> None:
        self._numbers += 1
        self._sent[self._numbers] = update
        self._ask("yjs.update", self._numbers, updateBase64=_text(update))

    def _renew(self) -> None:
        self._renewed = self._world.loop.time()
        self._send('{"type":"ping"}')

    def _ask(self, kind: str, number: int | str, **fields: Any) -> None:
        self._send(json.dumps({"type": kind, "id": number, **fields}))

    def _hear(self, message: str | bytes) -> None:
        frame: dict[str, Any] = json.loads(message)
        kind, number = frame["type"], frame.get("id")
        if kind == "yjs.update":
            self._apply(base64.b64decode(frame["updateBase64"]))
        elif kind == "ack" and number == SYNC:
            self._synced_with(frame["result"])
        elif kind == "ack":
            self._world.observe(Shown(self.name, self._sent.pop(frame["id"])))
        elif kind == "error":
            if not frame["retryable"]:
                self._world.observe(Refused(self.name, frame["code"]))
            self.depart()  # and sync again

    def _synced_with(self, result: dict[str, Any]) -> None:
        self._apply(base64.b64decode(result["updateBase64"]))
        self._tell(self.doc.get_update(base64.b64decode(result["stateVectorBase64"])))
        self._synced = True


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
