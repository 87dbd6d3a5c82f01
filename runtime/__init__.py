"""The runtime: actors, their gates, alarms, hibernation, and the host that runs them."""

from __future__ import annotations

from ..storage import DataCloneError as DataCloneError
from ..storage import DataDirectoryError as DataDirectoryError
from ..storage import StorageError as StorageError
from .alarm_info import AlarmInfo as AlarmInfo
from .asgi import serve_fetch as serve_fetch
from .auto_response import WebSocketRequestResponsePair as WebSocketRequestResponsePair
from .clock import Clock as Clock
from .clock import SystemClock as SystemClock
from .deployment import Deployment as Deployment
from .durable_object import DurableObject as DurableObject
from .durable_storage import DurableObjectStorage as DurableObjectStorage
from .errors import DurableObjectError as DurableObjectError
from .errors import HostError as HostError
from .errors import LimitError as LimitError
from .errors import OverloadedError as OverloadedError
from .errors import WebSocketClosed as WebSocketClosed
from .host import Host as Host
from .host import HostStatistics as HostStatistics
from .http import Request as Request
from .http import Response as Response
from .object_id import DurableObjectId as DurableObjectId
from .settings import HostSettings as HostSettings
from .settings import load_settings as load_settings
from .state import DurableObjectState as DurableObjectState
from .transaction import DurableObjectTransaction as DurableObjectTransaction
from .web_socket import WebSocket as WebSocket
from .web_socket_pair import WebSocketPair as WebSocketPair

__all__ = (
    "AlarmInfo",
    "Clock",
    "DataCloneError",
    "DataDirectoryError",
    "Deployment",
    "DurableObject",
    "DurableObjectError",
    "DurableObjectId",
    "DurableObjectState",
    "DurableObjectStorage",
    "DurableObjectTransaction",
    "Host",
    "HostError",
    "HostSettings",
    "HostStatistics",
    "LimitError",
    "OverloadedError",
    "Request",
    "Response",
    "StorageError",
    "SystemClock",
    "WebSocket",
    "WebSocketClosed",
    "WebSocketPair",
    "WebSocketRequestResponsePair",
    "load_settings",
    "serve_fetch",
)
