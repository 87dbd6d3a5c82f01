"""Ids: how they derive from names, what is refused, and what an object sees of its own."""

from __future__ import annotations

# pyright: basic, reportPossiblyUnboundVariable=false, reportOptionalIterable=false
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.bindings import App
from roomhost.runtime import DurableObjectId, limits
from roomhost.runtime.object_id import JURISDICTIONS, IdFactory, id_factory, maker_of
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.actors import Laboratory, within

ids = IdFactory("mykey")
app = App(name="ids", bindings={"LEFT": Laboratory, "RIGHT": Laboratory})

names = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("name", "digits"),
    [
        ("http://foo/", "59002eb8cf872e541722977a258a12d6a93bbe8192b502e1c0cb250aa91af234"),
        ("http://foo/bar", "02b496f65dd35cbac90e3e72dc5a398ee93926ea4a3821e26677082d2e6f9b79"),
        ("name", "3652ef6221834806dc8df802d1d216e27b7d07e0a6b7adf6cfdaeec90f06459a"),
    ],
)
def test_an_id_of_a_name_is_the_one_workerd_derives(name: str, digits: str) -> None:
    """So that data moved from there is found under the same ids."""
    made = ids.from_name(name)
    assert (str(made), made.name, bytes(made)) == (digits, name, bytes.fromhex(digits))


@given(names)
def test_every_printed_id_reads_back_without_its_name(name: str) -> None:
    """In upper case too; it prints in lower case, and equals the named one."""
    made = ids.from_name(name)
    for digits in (str(made), str(made).upper()):
        read = ids.from_string(digits)
        assert str(read) == str(made)
        assert read.name is None
        assert read == made
        assert read.equals(made)
        assert hash(read) == hash(made)


@given(names, st.sampled_from([None, *JURISDICTIONS]))
def test_an_id_tells_which_jurisdiction_made_it(name: str, jurisdiction: str | None) -> None:
    """By which key its second half verifies; an id of nobody is left to the namespace itself."""

    def ids_of(asked: str | None) -> IdFactory:
        return IdFactory("mykey", asked)

    made = ids_of(jurisdiction).from_name(name)
    assert maker_of(bytes(made), ids_of).jurisdiction == jurisdiction
    assert maker_of(bytes(32), ids_of).jurisdiction is None


@given(names, names)
def test_names_are_exact(one: str, other: str) -> None:
    """Two names share an id only when they are the same name."""
    assert (ids.from_name(one) == ids.from_name(other)) is (one == other)


def test_names_are_not_trimmed_folded_or_normalised() -> None:
    """The empty name, space, case, NUL and both forms of an accent are all different objects."""
    spellings = ["", " ", "a", "A", " a", "a ", "a\0", "\u00e9", "e\u0301", "\ufb01", "fi"]
    assert len({str(ids.from_name(name)) for name in spellings}) == len(spellings)


def test_a_name_that_utf8_cannot_hold_is_refused() -> None:
    """A lone surrogate is a ValueError, not another name's object."""
    with pytest.raises(ValueError, match="surrogate"):
        ids.from_name("\ud800")


GOOD = "3652ef6221834806dc8df802d1d216e27b7d07e0a6b7adf6cfdaeec90f06459a"


@pytest.mark.parametrize(
    "digits",
    [
        "",
        GOOD[:-1],
        GOOD + "0",
        GOOD[:-1] + "g",
        GOOD[:-2] + "  ",
        GOOD[:31] + " " + GOOD[32:],
        " " + GOOD[:-1],
        GOOD[:62] + "\n\n",
        GOOD + "\n",
        "0x" + GOOD[2:],
        "\uff11" + GOOD[1:],
        GOOD.encode(),
        None,
        5,
    ],
)
def test_what_is_not_64_hex_digits_is_refused_as_such(digits: Any) -> None:
    """White space is no digit, wherever it is, nor are bytes a string."""
    with pytest.raises(TypeError, match="must be 64 hex digits"):
        ids.from_string(digits)


@given(st.integers(0, 255))
def test_any_flipped_bit_is_noticed(bit: int) -> None:
    """The second half signs the first: a typo never opens another object."""
    data = bytearray.fromhex(GOOD)
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(TypeError, match="not valid for this namespace"):
        ids.from_string(data.hex())


def test_unique_ids_are_signed_and_nameless() -> None:
    """They read back in their own namespace and nowhere else."""
    made = [ids.unique() for _ in range(200)]
    assert len(set(made)) == 200
    assert all(each.name is None and ids.from_string(str(each)) == each for each in made)
    with pytest.raises(TypeError, match="not valid for this namespace"):
        IdFactory("otherkey").from_string(str(made[0]))


def test_equals_wants_an_id() -> None:
    """Its digits are not one; == says False of anything else."""
    made = ids.from_name("name")
    other: Any
    for other in (GOOD, bytes(made), None):
        with pytest.raises(TypeError, match="DurableObjectId"):
            made.equals(other)
        assert made != other


def test_jurisdictions_never_meet() -> None:
    """One name under none and under two is three objects; no factory takes another's."""
    factories = [IdFactory("mykey", each) for each in (None, "eu", "us")]
    made = [factory.from_name("name") for factory in factories]
    assert len(set(made)) == 3
    assert [each.jurisdiction for each in made] == [None, "eu", "us"]
    for factory in factories:
        for each in made:
            if each.jurisdiction == factory.jurisdiction:
                assert factory.from_string(str(each)).jurisdiction == factory.jurisdiction
            else:
                with pytest.raises(TypeError, match="not valid for this namespace"):
                    factory.from_string(str(each))


@pytest.mark.anyio
async def test_a_namespace_refuses_ids_that_are_not_its_own() -> None:
    """Another binding's, as an id or as digits; a string where an id belongs. Nothing starts."""
    async with host_for(app, clock=ManualClock()) as host:
        left, right = host.env.LEFT, host.env.RIGHT
        foreign = right.id_from_name("a")
        with pytest.raises(TypeError, match="not valid for this namespace"):
            left.get(foreign)
        with pytest.raises(TypeError, match="not valid for this namespace"):
            left.id_from_string(str(foreign))
        with pytest.raises(TypeError, match="DurableObjectId"):
            left.get(str(left.id_from_name("a")))
        for name in (None, 5, b"a"):
            with pytest.raises(TypeError, match="name"):
                left.id_from_name(name)
            with pytest.raises(TypeError, match="name"):
                left.get_by_name(name)
        left.get(left.id_from_name("a"))
        left.new_unique_id()
        assert host.statistics().objects_in_memory == 0


@pytest.mark.anyio
async def test_a_jurisdiction_is_a_namespace_of_its_own() -> None:
    """With its own objects; an id of another jurisdiction is refused, an unknown one too."""
    async with host_for(app, clock=ManualClock()) as host:
        left = host.env.LEFT
        europe = left.jurisdiction("eu")
        stubs = [left.get_by_name("a"), europe.get_by_name("a")]
        for value, stub in enumerate(stubs):
            await within(
                stub, lambda actor, value=value: actor.ctx.storage.put("value", value), value
            )
        got = [await within(stub, lambda actor: actor.ctx.storage.get("value")) for stub in stubs]
        assert got == [0, 1]

        made = europe.id_from_name("a")
        assert await within(left.get(made), lambda actor: actor.ctx.storage.get("value")) == 1
        for wrong in (left.id_from_name("a"), left.jurisdiction("us").id_from_name("a")):
            with pytest.raises(TypeError, match="different jurisdiction"):
                europe.get(wrong)
        assert left.jurisdiction(None).id_from_name("a") == left.id_from_name("a")
        assert left.new_unique_id("us").jurisdiction == "us"
        for unknown in ("EU", "", "mars", 5):
            with pytest.raises(TypeError, match="jurisdiction"):
                left.jurisdiction(unknown)
            with pytest.raises(TypeError, match="jurisdiction"):
                left.new_unique_id(unknown)


@pytest.mark.anyio
async def test_an_object_sees_the_name_it_was_started_by() -> None:
    """None by digits and for a unique id; the first caller decides until it is evicted."""

    def name_of(actor: Laboratory) -> list[str | None]:
        return [actor.name_in_constructor, actor.ctx.id.name]

    async with host_for(app, clock=ManualClock()) as host:
        left = host.env.LEFT
        by_name = left.get_by_name("a")
        by_digits = left.get(left.id_from_string(str(left.id_from_name("a"))))
        assert await within(by_digits, name_of) == [None, None]
        assert await within(by_name, name_of) == [None, None]
        await host.evict(by_name)
        assert await within(by_name, name_of) == ["a", "a"]
        assert await within(by_digits, name_of) == ["a", "a"]
        assert await within(left.get(left.new_unique_id()), name_of) == [None, None]
        assert await within(left.get_by_name(""), name_of) == ["", ""]
        for size, seen in ((1_024, True), (1_025, False)):
            name = "\u00e9" * (size // 2) + "x" * (size % 2)
            expected = name if seen else None
            assert await within(left.get_by_name(name), name_of) == [expected, expected]


def test_an_id_shows_its_digits_and_name() -> None:
    """In a repr, for logs."""
    made: DurableObjectId = ids.from_name("name")
    assert GOOD in repr(made)
    assert "'name'" in repr(made)


def test_ids_that_are_remembered_are_those_that_are_derived() -> None:
    """The id of a name does not depend on whether it was asked for before, or on the name's length."""
    for size in (1, limits.MAX_REMEMBERED_NAME, limits.MAX_REMEMBERED_NAME + 1):
        name = "n" * size
        first, again, other = ids.from_name(name), ids.from_name(name), IdFactory("mykey")
        assert first == again == other.from_name(name)
        assert first.name == again.name == name


def test_a_namespace_has_one_factory() -> None:
    """Whoever asks for it, so that what it remembers is of use; another one for each jurisdiction."""
    assert id_factory("key") is id_factory("key")
    assert id_factory("key", "eu") is id_factory("key", "eu")
    assert id_factory("key", "eu").from_name("a") != id_factory("key").from_name("a")
