"""The public surface is a list, and this reads it."""

from __future__ import annotations

import ast
import importlib
import inspect
import types
from collections.abc import Iterator
from functools import cached_property
from typing import cast

import pytest

PROMISED: dict[str, tuple[str, ...]] = {
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
    "roomhost.bindings": ("App", "DurableObjectNamespace", "DurableObjectStub", "Env", "connect"),
    "roomhost.storage": (),
    "roomhost.actors": (
        "Channel",
        "ChannelHandle",
        "CrdtRoom",
        "CrdtRoomHandle",
        "Forbidden",
        "IdempotencyConflict",
        "InvalidArgument",
        "NotAMember",
        "NotFound",
        "PayloadTooLarge",
        "RateLimited",
        "RealtimeActorHeaders",
        "RealtimeAuthorizeOptions",
        "RealtimeAuthorizeResult",
        "RealtimeConnection",
        "RealtimeCrdtAwarenessOptions",
        "RealtimeCrdtAwarenessResult",
        "RealtimeCrdtCompactResult",
        "RealtimeCrdtDocumentOptions",
        "RealtimeCrdtDocumentResult",
        "RealtimeCrdtDocumentUpdate",
        "RealtimeCrdtUpdateInput",
        "RealtimeCrdtUpdateOptions",
        "RealtimeCrdtUpdateResult",
        "RealtimeDestroyOptions",
        "RealtimeDestroyResult",
        "RealtimeError",
        "RealtimeEvent",
        "RealtimeHistoryMessage",
        "RealtimeHistoryOptions",
        "RealtimeHistoryResult",
        "RealtimeInstance",
        "RealtimeJoinInput",
        "RealtimeJoinOptions",
        "RealtimeLeaveOptions",
        "RealtimeLeaveResult",
        "RealtimeLifecycleOptions",
        "RealtimeLifecycleResult",
        "RealtimeMember",
        "RealtimeMembersOptions",
        "RealtimeMessageInput",
        "RealtimeMetadataOptions",
        "RealtimeMetadataResult",
        "RealtimeModule",
        "RealtimeModuleOptions",
        "RealtimePresenceInput",
        "RealtimePresenceOptions",
        "RealtimePresenceResult",
        "RealtimePrincipal",
        "RealtimePublishInput",
        "RealtimePublishResult",
        "RealtimeRestoreOptions",
        "RealtimeRestoreResult",
        "RealtimeResumeOptions",
        "RealtimeResumeResult",
        "RealtimeRetentionOptions",
        "RealtimeRoomIdentity",
        "RealtimeSnapshotResult",
        "RealtimeStats",
        "RealtimeYjsSyncOptions",
        "RealtimeYjsSyncResult",
        "RealtimeYjsUpdateOptions",
        "RealtimeYjsUpdateRecord",
        "RealtimeYjsUpdateResult",
        "Room",
        "RoomDestroyed",
        "RoomHandle",
        "Unauthenticated",
        "Unavailable",
        "realtime",
    ),
}

MEMBERS: tuple[type, ...] = (
    types.FunctionType,
    classmethod,
    staticmethod,
    property,
    cached_property,
)


@pytest.mark.parametrize("name", PROMISED)
def test_the_promised_names_are_there(name: str) -> None:
    """What users import can be imported, and is listed."""
    assert set(PROMISED[name]) <= set(exported(importlib.import_module(name)))


@pytest.mark.parametrize("name", PROMISED)
def test_the_list_is_what_is_public(name: str) -> None:
    """`__all__` is a sorted tuple at the top, true to the module, and all of it is documented."""
    module = importlib.import_module(name)
    assert list(faults(module, inspect.getsource(module))) == []


def faults(module: types.ModuleType, source: str) -> Iterator[str]:
    """What is wrong with the public face of a module."""
    names = exported(module)
    if not isinstance(module.__all__, tuple):
        yield "__all__ is not a tuple"

    if not all_is_at_the_top(source):
        yield "__all__ is not at the top"

    # Constants, then classes, then functions, each in order: as the linter sorts them.
    if list(names) != sorted(
        set(names), key=lambda name: (not name.isupper(), name[0].islower(), name)
    ):
        yield "__all__ is not sorted"

    yield from (f"{name} is missing" for name in names if not hasattr(module, name))
    yield from (f"{name} is not listed" for name in sorted(shown(module) - set(names)))
    yield from (f"{name} has no docstring" for name in undocumented(module, names))


def exported(module: types.ModuleType) -> tuple[str, ...]:
    """`__all__` of a module."""
    return tuple(cast("tuple[str, ...]", module.__all__))


def all_is_at_the_top(source: str) -> bool:
    """Whether nothing but the docstring and imports comes before `__all__`."""
    for statement in ast.parse(source).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="__all__")]):
                return True
            case ast.AnnAssign(target=ast.Name(id="__all__")):
                return True
            case ast.Expr(value=ast.Constant()) | ast.Import() | ast.ImportFrom():
                continue
            case _:
                return False

    return False


def shown(module: types.ModuleType) -> set[str]:
    """What a reader takes for public: in a package every name but those of its own submodules,
    in a module, which imports for its own use, what it defines."""
    own: set[str] = set()
    for name, value in vars(module).items():
        if name.startswith("_") or (name == "annotations" and not callable(value)):
            continue

        if not hasattr(module, "__path__"):
            if getattr(value, "__module__", None) == module.__name__:
                own.add(name)
        elif not (inspect.ismodule(value) and value.__name__ == f"{module.__name__}.{name}"):
            own.add(name)

    return own


def undocumented(module: types.ModuleType, names: tuple[str, ...]) -> Iterator[str]:
    """What has no docstring among a module, what it lists, and the methods of what it lists."""
    if not module.__doc__:
        yield module.__name__

    for name in names:
        value: object = getattr(module, name, None)
        if isinstance(value, type):
            # A dataclass without a docstring has its signature for one.
            documentation = cast("str | None", vars(value).get("__doc__"))
            if not documentation or documentation.startswith(f"{value.__name__}("):
                yield name

            yield from (f"{name}.{member}" for member in undocumented_members(value))
        elif isinstance(value, types.FunctionType) and not inspect.getdoc(value):
            yield name


def undocumented_members(cls: type) -> Iterator[str]:
    """The public methods and properties without a docstring, their own or the one they override."""
    ours = cls.__module__.partition(".")[0]
    for name in dir(cls):
        owner = next((base for base in cls.__mro__ if name in vars(base)), object)
        if name.startswith("_") or owner.__module__.partition(".")[0] != ours:
            continue

        if isinstance(vars(owner)[name], MEMBERS) and not inspect.getdoc(getattr(cls, name)):
            yield name


SOUND = '''
"""A module."""
from __future__ import annotations
from dataclasses import dataclass
__all__ = ("LIMIT", "Room", "open_room")
LIMIT = 1
class _Base:
    @property
    def name(self):
        """Its name."""
class Room(_Base):
    """A room."""
    def __init__(self): ...
    def join(self):
        """Join it."""
    def _leave(self): ...
def open_room():
    """Open it."""
def _close(): ...
'''


CLASS = 'class Room(_Base):\n    """A room."""'
METHOD = 'def join(self):\n        """Join it."""'


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", []),
        ('"""A module."""', "", ["fake has no docstring"]),
        (
            '("LIMIT", "Room", "open_room")',
            '["LIMIT", "Room", "open_room"]',
            ["__all__ is not a tuple"],
        ),
        ("__all__", "EARLY = 1\n__all__", ["__all__ is not at the top"]),
        ('"LIMIT", "Room"', '"Room", "LIMIT"', ["__all__ is not sorted"]),
        ('"Room",', '"Room", "Room",', ["__all__ is not sorted"]),
        ('"open_room"', '"gone"', ["gone is missing", "open_room is not listed"]),
        ('"""A room."""', "", ["Room has no docstring"]),
        (CLASS, f"@dataclass\n{CLASS}", []),
        (CLASS, "@dataclass\nclass Room(_Base):", ["Room has no docstring"]),
        ('"""Join it."""', "...", ["Room.join has no docstring"]),
        (METHOD, "@staticmethod\n    def join(): ...", ["Room.join has no docstring"]),
        ('"""Its name."""', "...", ["Room.name has no docstring"]),
        ('"""Open it."""', "...", ["open_room has no docstring"]),
        ("def _close", "def close", ["close is not listed"]),
    ],
)
def test_the_guard_sees(old: str, new: str, expected: list[str]) -> None:
    """A sound module passes; each fault in it is named."""
    source = SOUND.replace(old, new, 1) if old else SOUND
    assert (source == SOUND) == (old == "")
    module = types.ModuleType("fake")
    exec(compile(source, "fake.py", "exec", dont_inherit=True), vars(module))
    assert list(faults(module, source)) == expected


def test_the_guard_sees_what_a_package_leaks() -> None:
    """A package shows its submodules, and nothing else that is not listed."""
    package = types.ModuleType("fake", "A package.")
    package.__path__ = []
    vars(package).update(
        __all__=(), room=types.ModuleType("fake.room"), json=types.ModuleType("json"), Room=object
    )
    found = list(faults(package, "__all__ = ()"))
    assert found == ["Room is not listed", "json is not listed"]
