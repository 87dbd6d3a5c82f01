"""Which object a name means."""

from __future__ import annotations

import pytest

from roomhost.admin.bindings import find_object, namespaces_of
from roomhost.admin.errors import OperationError
from roomhost.runtime.testing import host_for

from ..helpers.admin_app import app

DIGITS = "ab" * 32


@pytest.mark.parametrize(
    ("binding", "found"),
    [
        ("COUNTER", ["COUNTER"]),
        ("COLLAB", ["COLLAB.rooms", "COLLAB.channels"]),
        ("COLLAB.rooms", ["COLLAB.rooms"]),
        ("COLLAB.directory", ["COLLAB.directory"]),
    ],
)
async def test_a_binding_is_one_set_of_objects_or_those_of_a_module(
    binding: str, found: list[str]
) -> None:
    """Without what the module keeps its books in, unless that is named."""
    async with host_for(app) as host:
        assert namespaces_of(host, binding) == found


@pytest.mark.parametrize("binding", ["", "counter", "COLLAB.", ".rooms", "COUNTER\0", "C" * 9_999])
async def test_an_unknown_binding_is_told_which_there_are(binding: str) -> None:
    """In one short line."""
    async with host_for(app) as host:
        with pytest.raises(OperationError, match="there are COUNTER, COLLAB") as caught:
            namespaces_of(host, binding)
    assert len(str(caught.value)) < 250
    assert caught.value.status == 404


async def test_a_name_is_exact_and_an_id_stands_in_for_it() -> None:
    """An object that is called like an id is found by that name first."""
    async with host_for(app) as host:
        a = host.env.COUNTER.id_from_name("a")
        await host.env.COUNTER.get(a).increment()
        assert find_object(host, "COUNTER", "a", None) == ("COUNTER", a)
        assert find_object(host, "COUNTER", str(a), None)[1].name == "a"
        assert find_object(host, "COUNTER", None, str(a))[1].name == "a"
        likewise = host.env.COUNTER.get_by_name(str(a))
        await likewise.increment()
        assert find_object(host, "COUNTER", str(a), None)[1] == likewise.id
        assert find_object(host, "COUNTER", None, str(a))[1] == a


async def test_an_id_of_a_jurisdiction_or_without_a_name_is_found() -> None:
    """Its own bytes say what made it."""
    async with host_for(app) as host:
        for made in (
            host.env.COUNTER.new_unique_id(),
            host.env.COUNTER.jurisdiction("eu").id_from_name("a"),
        ):
            await host.env.COUNTER.get(made).increment()
            assert find_object(host, "COUNTER", None, str(made))[1] == made


@pytest.mark.parametrize(
    ("name", "object_id", "told"),
    [
        ("b", None, "has no object 'b'; there are 'a'"),
        ("A", None, "has no object 'A'"),
        ("", None, "has no object ''"),
        ("a\0", None, r"has no object 'a\x00'"),
        ("\x1b[2J", None, r"has no object '\x1b[2J'"),
        ("x" * 5_000, None, "has no object 'xxx"),
        ("\ud800", None, "no valid Unicode"),
        (DIGITS, None, "has no object 'abab"),
        (None, DIGITS, "is no id of an object of COUNTER"),
        (None, "zz" * 32, "is no id"),
        (None, "ab", "is no id"),
        (None, "", "is no id"),
        (None, " " * 64, "is no id"),
        (None, None, "either the name"),
        ("a", DIGITS, "either the name"),
    ],
    ids=range(15),
)
async def test_what_is_not_there_is_refused_by_name(
    name: str | None, object_id: str | None, told: str
) -> None:
    """With what is there; in one line that a terminal can show."""
    async with host_for(app) as host:
        await host.env.COUNTER.get_by_name("a").increment()
        with pytest.raises(OperationError) as caught:
            find_object(host, "COUNTER", name, object_id)
    message = str(caught.value)
    assert told in message
    assert message.isprintable()
    assert len(message) < 350


async def test_a_new_object_is_found_only_where_one_is_wanted() -> None:
    """An id is made for its name."""
    async with host_for(app) as host:
        wanted = host.env.COUNTER.id_from_name("new")
        assert find_object(host, "COUNTER", "new", None, new=True) == ("COUNTER", wanted)
        with pytest.raises(OperationError, match="no object"):
            find_object(host, "COLLAB", "new", None, new=True)


async def test_a_name_in_a_module_is_a_room_or_a_channel() -> None:
    """Whichever is there; with both, one has to be named."""
    async with host_for(app) as host:
        collab = host.env.COLLAB
        await collab.room("lobby").publish(type="chat")
        await collab.channel("news").publish(type="chat")
        assert find_object(host, "COLLAB", "lobby", None)[0] == "COLLAB.rooms"
        space, channel = find_object(host, "COLLAB", "news", None)
        assert space == "COLLAB.channels"
        assert find_object(host, "COLLAB", None, str(channel)) == (space, channel)
        await collab.channel("lobby").publish(type="chat")
        with pytest.raises(OperationError, match=r"in COLLAB\.rooms and COLLAB\.channels"):
            find_object(host, "COLLAB", "lobby", None)
        assert find_object(host, "COLLAB.rooms", "lobby", None)[0] == "COLLAB.rooms"
