"""Bindings: the names by which actors and routes reach objects."""

from __future__ import annotations

from .app import App as App
from .env import Env as Env
from .namespace import DurableObjectNamespace as DurableObjectNamespace
from .remote import connect as connect
from .stub import DurableObjectStub as DurableObjectStub

__all__ = ("App", "DurableObjectNamespace", "DurableObjectStub", "Env", "connect")
