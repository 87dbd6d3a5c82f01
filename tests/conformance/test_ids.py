"""Ids and namespaces"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from roomhost.bindings import App, DurableObjectNamespace
from roomhost.runtime import AlarmInfo, DurableObject, DurableObjectState
from roomhost.runtime.testing import ManualClock, host_for

from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

DERIVATION = Feature("DurableObjectId: how an id derives from a name", "1.1")
FROM_NAME = Feature("DurableObjectNamespace.idFromName", "1.1, 1.4")
NAME_TYPES = Feature(
    "DurableObjectNamespace.idFromName: a name that is no string",
    "1.1",
    differs="a TypeError: Python makes no string of it by itself",
)
FROM_STRING = Feature("DurableObjectNamespace.idFromString", "1.2")
UNIQUE = Feature("DurableObjectNamespace.newUniqueId", "1.4")
GET = Feature("DurableObjectNamespace.get", "1.4")
FOREIGN_ID = Feature(
    "DurableObjectNamespace.get: an id of another namespace",
    "1.4",
    differs="refused with the TypeError of idFromString, where open-source workerd lets it pass",
)
GET_BY_NAME = Feature("DurableObjectNamespace.getByName", "1.4")
LOCATION_HINT = Feature(
    "locationHint", "1.4", differs="accepted and ignored: a host is in one place"
)
JURISDICTION = Feature("DurableObjectNamespace.jurisdiction", "1.4")
JURISDICTION_IDS = Feature("newUniqueId: jurisdiction", "1.4")
ID_STRING = Feature("DurableObjectId.toString", "1.3")
ID_JSON = Feature(
    "DurableObjectId: JSON.stringify",
    "1.3",
    differs="json.dumps refuses an id: take str(id), or its name",
)
ID_EQUALS = Feature("DurableObjectId.equals", "1.3")
ID_NAME = Feature("DurableObjectId.name", "1.3")
ID_JURISDICTION = Feature("DurableObjectId.jurisdiction", "1.3")
CTX_ID = Feature("ctx.id", "1.3")
CTX_NAME = Feature("ctx.id.name", "1.3")
CTX_NAME_LIMIT = Feature("ctx.id.name: names over 1,024 bytes", "1.3")
ALARM_NAME = Feature("ctx.id.name in an alarm", "1.3, 6.4")
NAMESPACES = Feature("Two namespaces of one class", "1.5")

VECTORS = {
    "http://foo/": "59002eb8cf872e541722977a258a12d6a93bbe8192b502e1c0cb250aa91af234",
    "http://foo/bar": "02b496f65dd35cbac90e3e72dc5a398ee93926ea4a3821e26677082d2e6f9b79",
    "name": "3652ef6221834806dc8df802d1d216e27b7d07e0a6b7adf6cfdaeec90f06459a",
}
NO_ID = r"^Invalid Durable Object ID: must be 64 hex digits$"
NOT_HERE = r"^Durable Object ID is not valid for this namespace\.$"
JURISDICTIONS = ("eu", "fedramp", "us")
SECOND_MS = 1_000


class Who(DurableObject):
    """Tells what it knows of itself."""

    def __init__(self, ctx: DurableObjectState, env: Any) -> None:
        super().__init__(ctx, env)
        self.name_at_start = ctx.id.name

    async def names(self) -> list[str | None]:
        """In the constructor and now."""
        return [self.name_at_start, self.ctx.id.name]

    async def identity(self) -> dict[str, str | None]:
        return {"id": str(self.ctx.id), "jurisdiction": self.ctx.id.jurisdiction}

    async def put(self, value: str) -> None:
        await self.ctx.storage.put("value", value)

    async def read(self) -> Any:
        return await self.ctx.storage.get("value")

    async def set_alarm(self, when_ms: int) -> None:
        await self.ctx.storage.set_alarm(when_ms)

    async def alarm(self, info: AlarmInfo) -> None:
        await self.ctx.storage.put("value", [self.name_at_start, self.ctx.id.name])
        await self.ctx.storage.put("jurisdiction", self.ctx.id.jurisdiction)

    async def jurisdiction_of_alarm(self) -> Any:
        return await self.ctx.storage.get("jurisdiction")


app = App(
    name="ids",
    bindings={"OBJECT": Who, "OTHER": Who, "VECTORS": Who},
    unique_keys={"VECTORS": "mykey"},
)


@shows(DERIVATION, FROM_NAME)
async def test_an_id_derives_from_the_unique_key_and_the_name() -> None:
    """Byte for byte as in workerd."""
    async with host_for(app, clock=ManualClock()) as host:
        ids = {name: str(host.env.VECTORS.id_from_name(name)) for name in VECTORS}
        assert ids == VECTORS


@shows(DERIVATION)
async def test_ids_belong_to_the_unique_key_not_to_the_binding_or_the_class(tmp_path: Path) -> None:
    """With the same key a renamed class finds its objects and what they stored."""

    class Renamed(Who):
        """Another class, which has taken over."""

    later = App(name="later", bindings={"VECTORS": Renamed}, unique_keys={"VECTORS": "mykey"})
    async with host_for(app, clock=ManualClock(), data_dir=tmp_path) as host:
        await host.env.VECTORS.get_by_name("name").put("kept")
    async with host_for(later, clock=ManualClock(), data_dir=tmp_path) as host:
        stub = host.env.VECTORS.get_by_name("name")
        assert (str(stub.id), await stub.read()) == (VECTORS["name"], "kept")


@shows(FROM_NAME)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a", "A"),
        ("a", "a "),
        ("a", " a"),
        ("", " "),
        ("\u00e9", "e\u0301"),
        ("a", "a\0"),
        ("1", "01"),
    ],
)
async def test_names_are_exact(one: str, other: str) -> None:
    """No trimming, no case folding, no Unicode normalisation; the empty name is one."""
    async with host_for(app, clock=ManualClock()) as host:
        first, second = (host.env.OBJECT.id_from_name(name) for name in (one, other))
        assert str(first) != str(second)
        assert str(first) == str(host.env.OBJECT.id_from_name(one))
        assert (first.name, second.name) == (one, other)


@shows(FROM_NAME)
async def test_ids_of_a_name_are_the_same_after_a_restart(tmp_path: Path) -> None:
    """Nothing of an id is made up when it is asked for."""
    ids: set[str] = set()
    for _ in range(2):
        async with host_for(app, clock=ManualClock(), data_dir=tmp_path) as host:
            ids.add(str(host.env.OBJECT.id_from_name("lobby")))
    assert len(ids) == 1


@shows(NAME_TYPES)
@pytest.mark.parametrize("name", [None, 5, b"name", 1.5, ["name"]])
async def test_a_name_that_is_no_string_is_a_type_error(name: Any) -> None:
    """In id_from_name and in get_by_name; a missing one too."""
    async with host_for(app, clock=ManualClock()) as host:
        for call in (host.env.OBJECT.id_from_name, host.env.OBJECT.get_by_name):
            with pytest.raises(TypeError, match=r"name is a string"):
                call(name)
            with pytest.raises(TypeError, match=r"missing 1 required positional argument"):
                call()


@shows(FROM_STRING, ID_STRING)
async def test_an_id_comes_back_from_its_string_without_its_name() -> None:
    """It is 64 lowercase hex digits, and upper case is taken too."""
    async with host_for(app, clock=ManualClock()) as host:
        namespace = host.env.OBJECT
        for made in (namespace.id_from_name("a"), namespace.new_unique_id()):
            text = f"{made}"
            assert (len(text), set(text) <= set("0123456789abcdef")) == (64, True)
            for digits in (text, text.upper()):
                back = namespace.id_from_string(digits)
                assert (str(back), back.name) == (text, None)
                assert back.equals(made)


@shows(FROM_STRING)
@pytest.mark.parametrize(
    "digits",
    ["", "a" * 63, "a" * 65, "g" * 64, "-" + "a" * 63, " " * 64, "a b" + "a" * 61, "\uff11" * 64],
)
async def test_what_is_not_64_hex_digits_is_a_type_error(digits: str) -> None:
    """Whatever is wrong with it: too short, too long, no digits, or spaces between them."""
    async with host_for(app, clock=ManualClock()) as host:
        with pytest.raises(TypeError, match=NO_ID):
            host.env.OBJECT.id_from_string(digits)


@shows(FROM_STRING)
@pytest.mark.parametrize("digits", [None, 5, bytes(32), bytes(64)])
async def test_only_a_string_is_parsed(digits: Any) -> None:
    """Bytes are not taken for digits either."""
    async with host_for(app, clock=ManualClock()) as host:
        with pytest.raises(TypeError, match=NO_ID):
            host.env.OBJECT.id_from_string(digits)


@shows(FROM_STRING)
@mistake(44)
async def test_mistake_44_a_changed_digit_or_a_foreign_id_does_not_verify() -> None:
    """The second half of an id signs the first with the namespace's key, so that a typo and an id of
    another namespace are found; and a string carries no name."""
    async with host_for(app, clock=ManualClock()) as host:
        namespace = host.env.OBJECT
        right = str(namespace.id_from_name("a"))
        assert namespace.id_from_string(right).name is None
        for place in range(64):
            digit = "0" if right[place] != "0" else "1"
            with pytest.raises(TypeError, match=NOT_HERE):
                namespace.id_from_string(right[:place] + digit + right[place + 1 :])
        for wrong in ("0" * 64, str(host.env.OTHER.id_from_name("a"))):
            with pytest.raises(TypeError, match=NOT_HERE):
                namespace.id_from_string(wrong)


@shows(UNIQUE, ID_NAME)
async def test_unique_ids_are_all_different_and_have_no_name() -> None:
    """Each is an id of the namespace, whose object can be reached."""
    async with host_for(app, clock=ManualClock()) as host:
        ids = [host.env.OBJECT.new_unique_id() for _ in range(100)]
        assert len({str(each) for each in ids}) == 100
        assert {each.name for each in ids} == {None}
        stub = host.env.OBJECT.get(ids[0])
        assert (await stub.identity())["id"] == str(ids[0])


@shows(GET, GET_BY_NAME)
async def test_get_and_get_by_name_reach_the_same_object_and_start_nothing() -> None:
    """A stub by id, by name, and by the id's string are three ways to one object."""
    async with host_for(app, clock=ManualClock()) as host:
        namespace = host.env.OBJECT
        made = namespace.id_from_name("a")
        stubs = [
            namespace.get(made),
            namespace.get_by_name("a"),
            namespace.get(namespace.id_from_string(str(made))),
        ]
        assert host.statistics().objects_in_memory == 0
        await stubs[0].put("shared")
        assert [await stub.read() for stub in stubs] == ["shared"] * 3
        assert host.statistics().activations == 1


@shows(GET)
@pytest.mark.parametrize("what", ["the name", "the digits", "a stub", "nothing"])
async def test_get_takes_an_id_and_nothing_else(what: str) -> None:
    """A string is a TypeError at once, even the id's own."""
    async with host_for(app, clock=ManualClock()) as host:
        namespace = host.env.OBJECT
        wrong = {
            "the name": "a",
            "the digits": str(namespace.id_from_name("a")),
            "a stub": namespace.get_by_name("a"),
            "nothing": None,
        }[what]
        with pytest.raises(TypeError, match="takes a DurableObjectId"):
            namespace.get(wrong)


@shows(FOREIGN_ID)
@mistake(44)
async def test_mistake_44_an_id_object_of_another_namespace_is_refused() -> None:
    """By name or unique: the class of another namespace is never called with it."""
    async with host_for(app, clock=ManualClock()) as host:
        for foreign in (host.env.OTHER.id_from_name("a"), host.env.OTHER.new_unique_id()):
            with pytest.raises(TypeError, match=NOT_HERE):
                host.env.OBJECT.get(foreign)


@shows(LOCATION_HINT)
@pytest.mark.parametrize("hint", ["weur", "apac-ne", "the moon"])
async def test_a_location_hint_changes_nothing(hint: str) -> None:
    """Any string is taken, on the first call and later; the object is the same."""
    async with host_for(app, clock=ManualClock()) as host:
        namespace = host.env.OBJECT
        await namespace.get_by_name("a", location_hint=hint).put("here")
        assert await namespace.get(namespace.id_from_name("a"), location_hint="enam").read() == (
            "here"
        )


@shows(JURISDICTION, ID_JURISDICTION)
async def test_a_jurisdiction_has_objects_of_its_own() -> None:
    """The same name names four objects that share nothing."""
    async with host_for(app, clock=ManualClock()) as host:
        namespaces = {name: host.env.OBJECT.jurisdiction(name) for name in (None, *JURISDICTIONS)}
        for name, namespace in namespaces.items():
            assert namespace.id_from_name("a").jurisdiction == name
            await namespace.get_by_name("a").put(str(name))
        for name, namespace in namespaces.items():
            stub = namespace.get_by_name("a")
            assert await stub.read() == str(name)
            assert await stub.identity() == {"id": str(stub.id), "jurisdiction": name}
        assert len({str(each.id_from_name("a")) for each in namespaces.values()}) == 4


@shows(JURISDICTION)
async def test_no_jurisdiction_is_the_namespace_itself() -> None:
    """`jurisdiction(None)` makes the same ids, with or without a name."""
    async with host_for(app, clock=ManualClock()) as host:
        same = host.env.OBJECT.jurisdiction(None)
        assert same.id_from_name("a").equals(host.env.OBJECT.id_from_name("a"))
        assert host.env.OBJECT.new_unique_id(jurisdiction=None).jurisdiction is None


@shows(JURISDICTION, JURISDICTION_IDS)
@pytest.mark.parametrize("name", ["mars", "EU", "", "eu ", 5])
async def test_an_unknown_jurisdiction_is_a_type_error(name: Any) -> None:
    """It is refused at once, by name."""
    async with host_for(app, clock=ManualClock()) as host:
        for call in (host.env.OBJECT.jurisdiction, host.env.OBJECT.new_unique_id):
            with pytest.raises(TypeError, match=f"eu, fedramp, us, not {name!r}"):
                call(name)


@shows(JURISDICTION_IDS)
@pytest.mark.parametrize("name", JURISDICTIONS)
async def test_the_namespace_itself_takes_ids_of_every_jurisdiction(name: str) -> None:
    """The id of a jurisdiction, and its string, find their object and keep the jurisdiction."""
    async with host_for(app, clock=ManualClock()) as host:
        namespace: DurableObjectNamespace = host.env.OBJECT
        made = namespace.new_unique_id(jurisdiction=name)
        assert made.jurisdiction == name
        await namespace.jurisdiction(name).get(made).put("found")
        back = namespace.id_from_string(str(made))
        assert back.jurisdiction == name
        assert [await namespace.get(each).read() for each in (made, back)] == ["found", "found"]


@shows(JURISDICTION)
async def test_the_namespace_of_a_jurisdiction_takes_no_other_ids() -> None:
    """Neither ids of another one nor those without one, as an object or as a string."""
    async with host_for(app, clock=ManualClock()) as host:
        europe = host.env.OBJECT.jurisdiction("eu")
        for other in (host.env.OBJECT, host.env.OBJECT.jurisdiction("us")):
            foreign = other.id_from_name("a")
            with pytest.raises(TypeError, match="with an ID from a different jurisdiction"):
                europe.get(foreign)
            with pytest.raises(TypeError, match=NOT_HERE):
                europe.id_from_string(str(foreign))


@shows(ID_JURISDICTION)
async def test_listed_objects_of_a_jurisdiction_can_be_reached() -> None:
    """What the host lists is an id like any other: its namespace takes it."""
    async with host_for(app, clock=ManualClock()) as host:
        await host.env.OBJECT.jurisdiction("eu").get_by_name("a").put("listed")
        (listed,) = host.list_objects("OBJECT")
        assert (listed.name, listed.jurisdiction) == ("a", "eu")
        assert await host.env.OBJECT.get(listed).read() == "listed"


@shows(ID_EQUALS)
async def test_ids_are_equal_when_their_bytes_are() -> None:
    """Names do not count; as keys of a dict they are one."""
    async with host_for(app, clock=ManualClock()) as host:
        namespace = host.env.OBJECT
        named = namespace.id_from_name("a")
        nameless = namespace.id_from_string(str(named))
        other = namespace.id_from_name("b")
        assert named.equals(nameless)
        assert named == nameless
        assert not named.equals(other)
        assert named != other
        assert {named: 1}[nameless] == 1


@shows(ID_EQUALS)
async def test_an_id_equals_no_string() -> None:
    """`equals` refuses what is no id; Python's `==` says no."""
    async with host_for(app, clock=ManualClock()) as host:
        made = host.env.OBJECT.id_from_name("a")
        for wrong in (str(made), bytes(made), None, "a"):
            with pytest.raises(TypeError, match=r"equals\(\) takes a DurableObjectId"):
                made.equals(wrong)
            assert made != wrong


@shows(ID_JSON, ID_NAME)
async def test_an_id_is_no_json_by_itself_and_cannot_be_changed() -> None:
    """It fails at once; nobody stores an id without its digits unnoticed."""
    async with host_for(app, clock=ManualClock()) as host:
        made = host.env.OBJECT.id_from_name("a")
        with pytest.raises(TypeError, match="not JSON serializable"):
            json.dumps(made)
        for attribute in ("name", "jurisdiction", "other"):
            with pytest.raises(AttributeError):
                setattr(made, attribute, "b")


@shows(CTX_ID, CTX_NAME)
async def test_an_object_knows_its_id_and_the_name_it_was_reached_by() -> None:
    """In the constructor and in a handler; a unique one has no name."""
    async with host_for(app, clock=ManualClock()) as host:
        for name in ("lobby", "", "größe 🙂"):
            stub = host.env.OBJECT.get_by_name(name)
            assert await stub.names() == [name, name]
            assert (await stub.identity())["id"] == str(stub.id)
        assert await host.env.OBJECT.get(host.env.OBJECT.new_unique_id()).names() == [None, None]


@shows(CTX_NAME)
async def test_the_name_is_a_property_of_how_the_instance_was_started() -> None:
    """Started by the id's string it has none, even for a later call by name; started by name it
    keeps it, even for a later call by string."""
    async with host_for(app, clock=ManualClock()) as host:
        named = host.env.OBJECT.get_by_name("a")
        nameless = host.env.OBJECT.get(host.env.OBJECT.id_from_string(str(named.id)))
        assert await nameless.names() == [None, None]
        assert await named.names() == [None, None]
        await host.evict(named)
        assert await named.names() == ["a", "a"]
        assert await nameless.names() == ["a", "a"]


@shows(CTX_NAME_LIMIT)
@pytest.mark.parametrize(
    ("name", "kept"),
    [("x" * 1024, True), ("x" * 1025, False), ("é" * 512, True), ("é" * 512 + "x", False)],
    ids=["1,024", "1,025", "1,024 in two-byte characters", "1,025 in two-byte characters"],
)
async def test_a_name_over_1024_bytes_is_dropped_inside_and_the_object_works(
    name: str, kept: bool
) -> None:
    """The id is as good as any; its own name is whole outside."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name(name)
        assert stub.id.name == name
        assert await stub.names() == ([name, name] if kept else [None, None])
        await stub.put("works")
        assert await host.env.OBJECT.get_by_name(name).read() == "works"


@shows(ALARM_NAME)
@pytest.mark.parametrize("name", ["lobby", "", "x" * 1025, None])
@pytest.mark.parametrize("restarted", [False, True], ids=["evicted", "restarted"])
async def test_an_alarm_that_starts_the_object_sees_its_name(
    tmp_path: Path, restarted: bool, name: str | None
) -> None:
    """The name is stored with the alarm: nobody calls between the start and the alarm."""
    clock = ManualClock()
    seen = None if name is None or len(name) > 1024 else name
    async with host_for(app, clock=clock, data_dir=tmp_path) as host:
        namespace = host.env.OBJECT
        made = namespace.new_unique_id() if name is None else namespace.id_from_name(name)
        stub = namespace.get(made)
        await stub.set_alarm(clock.now_ms() + SECOND_MS)
        await host.evict(stub)
        if not restarted:
            await clock.advance(1)
            assert await stub.read() == [seen, seen]
    if restarted:
        async with host_for(app, clock=clock, data_dir=tmp_path) as host:
            await clock.advance(1)
            assert await host.env.OBJECT.get(made).read() == [seen, seen]


@shows(ALARM_NAME, ID_JURISDICTION)
async def test_an_alarm_that_starts_the_object_sees_its_jurisdiction() -> None:
    """An id says under which jurisdiction it was made however its object was started."""
    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        stub = host.env.OBJECT.jurisdiction("eu").get_by_name("a")
        await stub.set_alarm(clock.now_ms() + SECOND_MS)
        await host.evict(stub)
        await clock.advance(1)
        assert await stub.jurisdiction_of_alarm() == "eu"


@shows(NAMESPACES)
async def test_two_bindings_of_one_class_are_two_sets_of_objects() -> None:
    """The same name is another object, with a storage of its own."""
    async with host_for(app, clock=ManualClock()) as host:
        await host.env.OBJECT.get_by_name("a").put("one")
        other = host.env.OTHER.get_by_name("a")
        assert await other.read() is None
        assert str(other.id) != str(host.env.OBJECT.id_from_name("a"))
