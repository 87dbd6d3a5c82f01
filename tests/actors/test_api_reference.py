"""The types of the API reference are ours, name by name; what is ours alone is listed here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest

import roomhost.actors
from roomhost.actors.options import RealtimeModuleOptions, normalize
from tests.actors.reference import TEXT, Field, fields_of, snake, types_of

REFERENCE = types_of(TEXT)
NOT_A_STRUCT = ("RealtimeModule",)  # an object with methods: what `realtime` returns

IDENTITY = "the room identity that the reference's description speaks of, and its table leaves out"
WHICH_DOCUMENT = "a client with a copy of a document that was replaced must know"
OUR_FIELDS = {
    ("RealtimeAuthorizeOptions", "capabilities"): "a grant may be for less than everything",
    ("RealtimeAuthorizeResult", "documentEpoch"): WHICH_DOCUMENT,
    ("RealtimeCrdtDocumentOptions", "cursor"): "the result has a cursor that must go somewhere",
    ("RealtimeCrdtUpdateInput", "kind"): IDENTITY,
    ("RealtimeCrdtUpdateInput", "room"): IDENTITY,
    ("RealtimeJoinInput", "kind"): IDENTITY,
    ("RealtimeJoinInput", "room"): IDENTITY,
    ("RealtimeMembersOptions", "includeLeft"): "a member has `leftAt`, and active ones have none",
    ("RealtimeModuleOptions", "actorHeaders"): "which headers `autoResolveUser` reads",
    ("RealtimeModuleOptions", "bindConnectionToExpiry"): "whether a connection ends with its token",
    ("RealtimeModuleOptions", "tokenInQuery"): "whether a Yjs client may have its token in the URL",
    ("RealtimeModuleOptions", "retention"): "`historyLimit` is a page, and does not bound history",
    ("RealtimePresenceInput", "kind"): IDENTITY,
    ("RealtimePresenceInput", "room"): IDENTITY,
    ("RealtimePublishInput", "kind"): IDENTITY,
    ("RealtimePublishInput", "room"): IDENTITY,
    ("RealtimeYjsSyncResult", "documentEpoch"): WHICH_DOCUMENT,
}
OUR_TYPES = {
    "RealtimeEvent": "what a connection from code hears",
    "RealtimeActorHeaders": "the type of `actorHeaders`",
    "RealtimeRestoreOptions": "the argument of `restore` as a JSON body",
    "RealtimeResumeOptions": "what a client that comes back has seen",
    "RealtimeResumeResult": "whether it was sent the rest",
    "RealtimeRetentionOptions": "the type of `retention`",
}
# The clocks of clients and counts may be zero, and so may the records beside a merged update.
MAY_BE_ZERO = (
    ("RealtimeYjsSyncOptions", "limit"),
    *((name, "clock") for name in REFERENCE),
    ("RealtimeCrdtDocumentOptions", "sinceClock"),
    ("RealtimeCrdtCompactResult", "updatesCompacted"),
    ("RealtimeLifecycleResult", "activeConnections"),
    *(("RealtimeStats", name) for name in REFERENCE["RealtimeStats"]),
)
SAMPLES: dict[str, Any] = {
    "string": "text",
    "int32": 7,
    "boolean": False,
    "unknown": None,
    "Record<unknown>": {"key": [1, None, {"deep": "value"}]},
    '"room" | "channel"': "channel",
    '"anonymous" | "user"': "user",
    '"active" | "idle" | "destroyed"': "idle",
}


def exported_structs() -> dict[str, type[msgspec.Struct]]:
    """The structs of the module's front door."""
    found = {name: getattr(roomhost.actors, name) for name in roomhost.actors.__all__}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, type) and issubclass(value, msgspec.Struct)
    }


STRUCTS = exported_structs()


def faults(
    reference: Mapping[str, Mapping[str, Field]], structs: Mapping[str, type[msgspec.Struct]]
) -> Iterator[str]:
    """Where the structs differ from the reference."""
    names = set(reference) - set(NOT_A_STRUCT)
    yield from (f"{name} is missing" for name in sorted(names - set(structs)))
    yield from (f"{name} is extra" for name in sorted(set(structs) - names - set(OUR_TYPES)))
    for name in sorted(names & set(structs)):
        ours = fields_of(structs[name])
        for field in reference[name].values():
            if field.name not in ours:
                yield f"{name}.{field.name} is missing"
            elif field._replace(default=None) != ours[field.name]:
                yield f"{name}.{field.name} is {ours[field.name][1:3]}, not {field[1:3]}"

        for extra in sorted(set(ours) - set(reference[name])):
            if (name, extra) not in OUR_FIELDS:
                yield f"{name}.{extra} is extra"


def test_the_types_are_those_of_the_reference() -> None:
    """No type and no field is missing, extra, of another name, another type, or less optional."""
    assert list(faults(REFERENCE, STRUCTS)) == []


def test_the_reference_is_read_whole() -> None:
    """As many types and fields as the text has tables and rows."""
    rows = [
        line for line in TEXT.splitlines() if line.endswith(" |") and "Field | Type" not in line
    ]
    assert len(REFERENCE) == TEXT.count("| Field | Type | Description |") == 44
    assert sum(map(len, REFERENCE.values())) == len(rows)


def test_no_extension_is_listed_that_is_not_there() -> None:
    """The lists of what is ours are true, and what is listed is optional on input."""
    assert set(OUR_TYPES) <= set(STRUCTS)
    for name, extra in OUR_FIELDS:
        assert fields_of(STRUCTS[name])[extra].optional
        assert extra not in REFERENCE[name]


@pytest.mark.parametrize("name", sorted(STRUCTS))
def test_attributes_are_the_json_names_in_snake_case(name: str) -> None:
    """`updateBase64` is the attribute `update_base64`, in every type."""
    for field in msgspec.structs.fields(STRUCTS[name]):
        assert field.name == snake(field.encode_name)


@pytest.mark.parametrize("name", sorted(set(REFERENCE) - set(NOT_A_STRUCT)))
def test_every_field_travels_both_ways_unchanged(name: str) -> None:
    """What JSON says with every field of the reference, is said again when it is encoded."""
    given = sample(name)
    struct = msgspec.json.decode(msgspec.json.encode(given), type=STRUCTS[name])
    assert msgspec.json.decode(msgspec.json.encode(struct)) == given
    for field in REFERENCE[name]:
        assert hasattr(struct, snake(field))


@pytest.mark.parametrize("name", sorted(set(REFERENCE) - set(NOT_A_STRUCT)))
def test_what_is_optional_is_left_out(name: str) -> None:
    """Only the required fields are needed, and nothing else is said when they are encoded."""
    needed = {
        key: value for key, value in sample(name).items() if not REFERENCE[name][key].optional
    }
    struct = msgspec.convert(needed, STRUCTS[name])
    assert msgspec.json.decode(msgspec.json.encode(struct)) == needed
    for missing in needed:
        less = {key: value for key, value in needed.items() if key != missing}
        with pytest.raises(msgspec.ValidationError, match=f"required field `{missing}`"):
            msgspec.convert(less, STRUCTS[name])


@pytest.mark.parametrize(
    ("name", "field"),
    [
        (name, field.name)
        for name, fields in REFERENCE.items()
        for field in fields.values()
        if field.type == "int32"
    ],
)
def test_the_range_of_every_number(name: str, field: str) -> None:
    """An int32 is from 1, or from 0 where nothing is a number too, to 2**31 - 1; never a bool or
    a float."""
    lowest = 0 if (name, field) in MAY_BE_ZERO else 1
    for good in (lowest, 2**31 - 1):
        struct = msgspec.convert({**sample(name), field: good}, STRUCTS[name])
        assert getattr(struct, snake(field)) == good

    for bad in (lowest - 1, -(2**31), 2**31, 2**64, True, 1.0, 1.5, "1"):
        with pytest.raises(msgspec.ValidationError, match=field):
            msgspec.convert({**sample(name), field: bad}, STRUCTS[name])


def test_the_defaults_are_those_of_the_reference() -> None:
    """Every "Defaults to" of the text is what the normalised options have."""
    config = msgspec.to_builtins(normalize(RealtimeModuleOptions(name="collab")))
    said = {
        "RealtimeModuleOptions": config,
        "RealtimeLifecycleOptions": config["lifecycle"],
    }
    found = 0
    for name, fields in REFERENCE.items():
        for field in fields.values():
            if field.default is not None:
                found += 1
                assert str(said[name][field.name]).lower() == field.default

    assert found == TEXT.count("Defaults to") == 8


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("limit | int32 |", "limits | int32 |", "RealtimeHistoryOptions.limits is missing"),
        ("# RealtimeStats\n", "# RealtimeCounts\n", "RealtimeCounts is missing"),
        ("# RealtimeStats\n", "# RealtimeCounts\n", "RealtimeStats is extra"),
        ("rooms | int32 |", "rooms | string |", "('int32', False), not ('string', False)"),
        ("rooms | int32 |", "rooms | int32 | undefined |", "not ('int32', True)"),
        ("items | RealtimeHistoryMessage[]", "items | unknown[]", "RealtimeHistoryResult.items"),
        ("“idle” | ", "", "RealtimeLifecycleResult.status"),
        (TEXT[TEXT.index("members | int32") : TEXT.index("messages | int32")], "", "is extra"),
    ],
)
def test_the_comparison_sees(old: str, new: str, expected: str) -> None:
    """Each difference between the reference and the types is named."""
    assert old in TEXT
    found = list(faults(types_of(TEXT.replace(old, new)), STRUCTS))
    assert any(expected in fault for fault in found), found


def sample(name: str) -> dict[str, Any]:
    """A type of the reference as JSON, with every field it has."""
    return {field.name: sample_of(field.type) for field in REFERENCE[name].values()}


def sample_of(kind: str) -> Any:
    """A value of a type of the reference."""
    if kind.endswith("[]"):
        return [sample_of(kind.removesuffix("[]"))]

    return sample(kind) if kind in REFERENCE else SAMPLES[kind]
