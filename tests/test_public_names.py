"""The public surface is a list, and this reads it."""

from __future__ import annotations

import importlib
import inspect
import types
from collections.abc import Iterator
from typing import Any

import pytest

PUBLIC = {
    "roomhost.runtime": (
        "AlarmInfo",
        "Clock",
        "DataCloneError",
        "DurableObject",
        "DurableObjectError",
        "DurableObjectId",
        "DurableObjectState",
        "DurableObjectStorage",
        "DurableObjectTransaction",
        "Host",
        "HostSettings",
        "OverloadedError",
        "Request",
        "Response",
        "SystemClock",
        "WebSocket",
        "WebSocketPair",
        "WebSocketRequestResponsePair",
    ),
    "roomhost.runtime.testing": ("ManualClock", "host_for"),
    "roomhost.bindings": ("App", "DurableObjectNamespace", "DurableObjectStub", "Env"),
    "roomhost.storage": (),
    "roomhost.actors": (),
}


@pytest.mark.parametrize("module", PUBLIC)
def test_the_promised_names_are_there(module: str) -> None:
    """What users import can be imported, and is listed."""
    listed = importlib.import_module(module).__all__
    assert set(PUBLIC[module]) <= set(listed)


@pytest.mark.parametrize("module", PUBLIC)
def test_the_list_is_a_sorted_tuple_of_what_is_there(module: str) -> None:
    """`__all__` names each public thing once, and nothing that is missing."""
    found = importlib.import_module(module)
    assert isinstance(found.__all__, tuple)
    # Constants, then classes, then functions, each in order: as isort sorts them.
    order = sorted(
        set(found.__all__), key=lambda name: (not name.isupper(), name[0].islower(), name)
    )
    assert list(found.__all__) == order
    for name in found.__all__:
        getattr(found, name)


@pytest.mark.parametrize("module", [name for name in PUBLIC if name.count(".") == 1])
def test_nothing_else_is_public(module: str) -> None:
    """A front door shows its list and its submodules only."""
    found = importlib.import_module(module)
    shown = {
        name
        for name, value in vars(found).items()
        if not name.startswith("_") and name != "annotations" and not inspect.ismodule(value)
    }
    assert shown <= set(found.__all__)


@pytest.mark.parametrize("module", PUBLIC)
def test_everything_public_is_documented(module: str) -> None:
    """Each public class, method and function says what it does."""
    found = importlib.import_module(module)
    missing = [name for name, value in documented(module, found) if not inspect.getdoc(value)]
    assert missing == []


def documented(name: str, module: types.ModuleType) -> Iterator[tuple[str, Any]]:
    """The public classes and functions of a module, and the methods of those classes."""
    yield name, module
    for public in module.__all__:
        value = getattr(module, public)
        if inspect.isclass(value) or inspect.isfunction(value):
            yield f"{name}.{public}", value
        if inspect.isclass(value) and value.__module__.startswith("roomhost."):
            for member, attribute in vars(value).items():
                if not member.startswith("_") and isinstance(
                    attribute, types.FunctionType | property | classmethod
                ):
                    yield f"{name}.{public}.{member}", getattr(value, member)
