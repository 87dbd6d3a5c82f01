"""The operations of the API reference are methods of the handles, parameter by parameter."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from roomhost.actors import (
    ChannelHandle,
    CrdtRoom,
    CrdtRoomHandle,
    RealtimeInstance,
    RealtimeModule,
    Room,
    RoomHandle,
    realtime,
)

from .reference import TEXT, Signature, operations_of, snake, types_of
from .test_api_reference import OUR_FIELDS

OPERATIONS = operations_of(TEXT)
REFERENCE = types_of(TEXT)

OF_DOCUMENTS = {  # by the names that the contract and the types give them
    "realtimeCrdtApplyUpdate": "apply_update",
    "realtimeCrdtAwareness": "awareness",
    "realtimeCrdtCompact": "compact",
    "realtimeCrdtDocument": "document",
    "realtimeYjsApplyUpdate": "apply_yjs_update",
    "realtimeYjsSync": "sync_yjs",
}
OF_INSTANCES = {
    "realtimeChannel": ChannelHandle,
    "realtimeCrdtRoom": CrdtRoomHandle,
    "realtimeRoom": RoomHandle,
}
OF_CHANNELS = {"publish", "broadcast", "history", "authorize", "lifecycle", "destroy"}
OUR_METHODS = {
    "connect": "a connection from code, with its events",
    "edit": "a document to change as one of pycrdt",
    "export_update": "`sync_yjs` in bytes",
    "import_update": "`apply_yjs_update` in bytes",
    "identity": "the RealtimeRoomIdentity that the reference says a handle is",
    "kind": "of the identity",
    "name": "of the identity",
}


def method_name(operation: str) -> str:
    """`realtimePublish` is the method `publish`."""
    if operation in OF_DOCUMENTS:
        return OF_DOCUMENTS[operation]

    return snake(operation.removeprefix("realtime")).removeprefix("_")


def operations_of_rooms() -> dict[str, Signature]:
    """By the name of the method: all that a handle may have."""
    return {
        method_name(name): signature
        for name, signature in OPERATIONS.items()
        if name not in {*OF_INSTANCES, "realtimeStats"}
    }


ROOM_OPERATIONS = operations_of_rooms()


def faults(handle: type, operations: Mapping[str, Signature]) -> Iterator[str]:
    """Where a handle differs from the reference."""
    shown = {name for name in dir(handle) if not name.startswith("_")}
    yield from (f"{name} is missing" for name in sorted(set(operations) - shown))
    yield from (f"{name} is extra" for name in sorted(shown - set(operations) - set(OUR_METHODS)))
    for name in sorted(shown & set(operations)):
        yield from (f"{name}: {fault}" for fault in differences(handle, name, operations[name]))


def differences(handle: type, name: str, expected: Signature) -> Iterator[str]:
    """What is wrong with one method."""
    method = getattr(handle, name)
    if not inspect.iscoroutinefunction(method):
        yield "is not awaited"

    signature = inspect.signature(method)
    result = str(signature.return_annotation)
    if result != in_python(expected.result):
        yield f"returns {result}, not {in_python(expected.result)}"

    _, *parameters = signature.parameters.values()
    if expected.argument in REFERENCE:
        yield from argument_faults(parameters, expected.argument)
    else:
        wanted = [snake(expected.parameter)] if expected.parameter else []
        if [parameter.name for parameter in parameters] != wanted:
            yield f"takes {[parameter.name for parameter in parameters]}, not {wanted}"


def argument_faults(parameters: list[inspect.Parameter], argument: str) -> Iterator[str]:
    """A method takes its input type, positionally, or the type's fields as keywords."""
    first, *others = parameters
    if first.kind is not inspect.Parameter.POSITIONAL_ONLY or first.default is not None:
        yield f"{first.name} is not the input, given by position or not at all"
    if first.annotation != f"{argument} | None":
        yield f"takes {first.annotation}, not {argument}"

    keywords = {
        parameter.name
        for parameter in others
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        and parameter.default is not inspect.Parameter.empty
    }
    fields = {snake(field) for field in REFERENCE[argument]}
    ours = {snake(field) for kind, field in OUR_FIELDS if kind == argument}
    yield from (f"has no keyword {field}" for field in sorted((fields | ours) - keywords))
    yield from (f"{name} is extra" for name in sorted(keywords - fields - ours))


def in_python(kind: str) -> str:
    """A result type as an annotation."""
    return f"list[{kind.removesuffix('[]')}]" if kind.endswith("[]") else kind


def test_every_operation_is_read() -> None:
    """As many as there are signatures below the heading of the operations."""
    below = TEXT.partition("# Operations\n")[2]
    assert len(OPERATIONS) == below.count("): Realtime") == 23


@pytest.mark.parametrize(
    ("handle", "names"),
    [
        (ChannelHandle, OF_CHANNELS),
        (RoomHandle, set(ROOM_OPERATIONS) - set(OF_DOCUMENTS.values())),
        (CrdtRoomHandle, set(ROOM_OPERATIONS)),
    ],
    ids=["channel", "room", "crdt_room"],
)
def test_a_handle_has_the_operations_of_its_kind(handle: type, names: set[str]) -> None:
    """Each is there under its name, with its input, its fields as keywords, and its result; and
    nothing else is."""
    assert list(faults(handle, {name: ROOM_OPERATIONS[name] for name in names})) == []


@pytest.mark.parametrize("owner", [RealtimeInstance, RealtimeModule])
@pytest.mark.parametrize("name", sorted(OF_INSTANCES))
def test_handles_are_made_by_the_instance(owner: type, name: str) -> None:
    """`room(name)`, `crdt_room(name)` and `channel(name)`, which wait for nothing; the handle has the
    identity that the reference says is returned."""
    handle = OF_INSTANCES[name]
    method = getattr(owner, method_name(name))
    signature = inspect.signature(method)
    assert not inspect.iscoroutinefunction(method)
    assert list(signature.parameters) == ["self", "name"]
    assert signature.return_annotation == handle.__name__
    assert OPERATIONS[name].result == "RealtimeRoomIdentity"
    identity = inspect.getattr_static(handle, "identity")
    assert inspect.signature(identity.fget).return_annotation == "RealtimeRoomIdentity"


@pytest.mark.parametrize("owner", [RealtimeInstance, RealtimeModule])
def test_stats_are_of_the_instance(owner: Any) -> None:
    """`stats()` takes nothing."""
    assert inspect.iscoroutinefunction(owner.stats)
    signature = inspect.signature(owner.stats)
    assert list(signature.parameters) == ["self"]
    assert signature.return_annotation == OPERATIONS["realtimeStats"].result


def test_a_crdt_room_is_a_room() -> None:
    """The same actor, and a handle that has more."""
    assert CrdtRoom is Room
    assert issubclass(CrdtRoomHandle, RoomHandle)
    assert CrdtRoomHandle.kind == "room"
    assert len(OF_DOCUMENTS) == 6


def test_the_module_is_the_one_of_the_reference() -> None:
    """Its name, its configuration and its observability."""
    module = realtime(name="collab", observability={"level": "debug"})
    assert set(REFERENCE["RealtimeModule"]) == {"name", "config", "observability"}
    assert (module.name, module.config.name) == ("realtime", "collab")
    assert module.observability == {"level": "debug"}


class Unlike:
    """A handle with a fault of each sort."""

    def lifecycle(self) -> RealtimeModule: ...  # type: ignore[empty-body]

    async def restore(self, snapshot: str) -> None: ...

    async def leave(self, options: object, *, member: str | None = None) -> None: ...

    def surprise(self) -> None: ...


@pytest.mark.parametrize(
    "expected",
    [
        "publish is missing",
        "surprise is extra",
        "lifecycle: is not awaited",
        "lifecycle: returns RealtimeModule, not RealtimeLifecycleResult",
        "restore: takes ['snapshot'], not ['snapshot_id']",
        "leave: options is not the input, given by position or not at all",
        "leave: takes object, not RealtimeLeaveOptions",
        "leave: has no keyword member_id",
        "leave: member is extra",
    ],
)
def test_the_comparison_sees(expected: str) -> None:
    """Each difference between the reference and a handle is named."""
    assert expected in list(faults(Unlike, ROOM_OPERATIONS))
