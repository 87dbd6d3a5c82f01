"""Bindings: the names by which actors and routes reach objects."""

from __future__ import annotations

from .app import App as App
from .context import RequestContext as RequestContext
from .context import current_env as current_env
from .context import current_request as current_request
from .env import Env as Env
from .migration import Migration as Migration
from .migration import Transfer as Transfer
from .module import Module as Module
from .module import ModuleRecord as ModuleRecord
from .namespace import DurableObjectNamespace as DurableObjectNamespace
from .remote import connect as connect
from .stub import DurableObjectStub as DurableObjectStub

__all__ = (
    "App",
    "DurableObjectNamespace",
    "DurableObjectStub",
    "Env",
    "Migration",
    "Module",
    "ModuleRecord",
    "RequestContext",
    "Transfer",
    "connect",
    "current_env",
    "current_request",
)
