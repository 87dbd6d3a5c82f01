"""WebSockets: accepted by an object, with tags.

semantics.md 7.2: `ctx.acceptWebSocket`, what it refuses, and how the sockets are found again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from roomhost.runtime import DurableObjectError, LimitError, Response, WebSocket, WebSocketPair

from ..helpers.scripted import script
from .feature import Feature, mistake, shows
from .sockets import Room, close_of, connect, hall

pytestmark = pytest.mark.anyio

ACCEPT = Feature("ctx.acceptWebSocket(ws)", "7.2")
TAKEN = Feature("ctx.acceptWebSocket: a socket that is taken", "7.2")
TAGS = Feature("ctx.acceptWebSocket(ws, tags)", "7.2")
TAG_LIMITS = Feature("ctx.acceptWebSocket: limits of tags", "7.2")
COUNT = Feature("ctx.acceptWebSocket: 32,768 sockets", "7.2")
GET_TAGS = Feature("ctx.getTags(ws)", "7.2")
LIST = Feature("ctx.getWebSockets()", "7.2")
BY_TAG = Feature("ctx.getWebSockets(tag)", "7.2")
CLOSING_LISTED = Feature("ctx.getWebSockets: closing and closed sockets", "7.2")


@shows(ACCEPT)
async def test_messages_of_an_accepted_socket_are_events_of_the_object() -> None:
    """The handler gets the socket itself."""

    @script
    def message(actor: Room, ws: WebSocket, data: str) -> None:
        assert actor.ctx.get_web_sockets() == [ws]
        ws.send(f"got {data}")

    @script
    async def accept(actor: Room) -> list[str | bytes]:
        client, server = WebSocketPair()
        actor.ctx.accept_web_socket(server)
        client.accept()
        client.send("one")
        client.send("two")
        return [await client.receive(), await client.receive()]

    async with hall() as h:
        assert await h.room().run("accept") == ["got one", "got two"]


def accepted(pair: WebSocketPair, actor: Room) -> None:
    pair.server.accept()


def hibernating(pair: WebSocketPair, actor: Room) -> None:
    actor.ctx.accept_web_socket(pair.server)


def other_accepted(pair: WebSocketPair, actor: Room) -> None:
    pair.client.accept()


def other_hibernating(pair: WebSocketPair, actor: Room) -> None:
    actor.ctx.accept_web_socket(pair.client)


def other_used(pair: WebSocketPair, actor: Room) -> None:
    Response(status=101, web_socket=pair.client)


def used(pair: WebSocketPair, actor: Room) -> None:
    Response(status=101, web_socket=pair.server)


@pytest.mark.parametrize(
    ("before", "message"),
    [
        (accepted, r"already accepted via `accept\(\)`"),
        (hibernating, "already been accepted or used"),
        (other_hibernating, "already been accepted or used"),
        (used, "already been accepted or used"),
    ],
)
@shows(TAKEN)
async def test_a_socket_is_accepted_once(
    before: Callable[[WebSocketPair, Room], None], message: str
) -> None:
    """In one way, by one side."""

    @script
    def take(actor: Room) -> None:
        pair = WebSocketPair()
        before(pair, actor)
        with pytest.raises(DurableObjectError, match=message):
            actor.ctx.accept_web_socket(pair.server)
        # It keeps no instance and no other test waiting.
        for end in pair:
            end.terminate()

    async with hall() as h:
        await h.room().run("take")


@pytest.mark.parametrize("before", [other_accepted, other_used])
@shows(TAKEN)
async def test_an_end_whose_other_end_is_taken_cannot_be_accepted(
    before: Callable[[WebSocketPair, Room], None],
) -> None:
    """The object accepts first, then the other end leaves in the response."""

    @script
    def take(actor: Room) -> None:
        pair = WebSocketPair()
        before(pair, actor)
        with pytest.raises(DurableObjectError, match="its pair has already been accepted or used"):
            actor.ctx.accept_web_socket(pair.server)
        for end in pair:
            end.terminate()

    async with hall() as h:
        await h.room().run("take")


@shows(TAKEN)
async def test_accept_after_accept_web_socket_is_refused() -> None:
    """A TypeError; the object keeps the socket."""

    @script
    def take(actor: Room) -> int:
        server = WebSocketPair().server
        actor.ctx.accept_web_socket(server)
        with pytest.raises(TypeError, match="after enabling hibernation"):
            server.accept()
        return len(actor.ctx.get_web_sockets())

    async with hall() as h:
        assert await h.room().run("take") == 1


@mistake(32)
@shows(TAG_LIMITS)
async def test_mistake_32_a_tag_has_256_bytes_not_characters() -> None:
    """128 two-byte characters fit, one more does not; the refused socket is not accepted."""

    @script
    def tags(actor: Room) -> None:
        for tag in ("x" * 256, "é" * 128, "🙂" * 64):
            actor.ctx.accept_web_socket(WebSocketPair().server, [tag])
        for tag in ("x" * 257, "é" * 129, "🙂" * 65):
            server = WebSocketPair().server
            with pytest.raises(LimitError, match="longer than the max tag length"):
                actor.ctx.accept_web_socket(server, [tag])
            actor.ctx.accept_web_socket(server, ["another"])

    async with hall() as h:
        await h.room().run("tags")


@pytest.mark.parametrize(
    ("tags", "fits"),
    [
        ([f"{n}" for n in range(10)], True),
        ([f"{n}" for n in range(11)], False),
        (["0", "0", "0", *(f"{n}" for n in range(10))], True),
        ([*(f"{n}" for n in range(10)), "0"], False),
    ],
    ids=["ten", "eleven", "a duplicate before the tenth", "a duplicate after the tenth"],
)
@mistake(32)
@shows(TAG_LIMITS)
async def test_mistake_32_tags_are_counted_while_they_are_added(
    tags: list[str], fits: bool
) -> None:
    """Ten distinct ones and then one more of any kind are too many."""

    @script
    def attempt(actor: Room) -> int:
        try:
            actor.ctx.accept_web_socket(WebSocketPair().server, tags)
        except LimitError as error:
            assert "cannot have more than 10 tags" in str(error)
        return len(actor.ctx.get_web_sockets())

    async with hall() as h:
        assert await h.room().run("attempt") == (1 if fits else 0)


@shows(TAGS, GET_TAGS)
async def test_tags_keep_their_order_and_lose_their_duplicates() -> None:
    """The empty string is a tag, a number becomes its digits, a tuple is as good as a list."""

    @script
    def tags(actor: Room) -> list[str]:
        server = WebSocketPair().server
        given: Any = ("b", "a", "b", "", 7, "7")
        actor.ctx.accept_web_socket(server, given)
        assert actor.ctx.get_web_sockets("") == [server]
        return actor.ctx.get_tags(server)

    async with hall() as h:
        assert await h.room().run("tags") == ["b", "a", "", "7"]


@pytest.mark.parametrize("tags", ["tag", b"tag", 5, None, [None], [["a"]]], ids=repr)
@shows(TAGS)
async def test_tags_are_a_list_of_strings(tags: Any) -> None:
    """Anything else is a TypeError, one string too: its letters are no tags."""

    @script
    def attempt(actor: Room) -> int:
        with pytest.raises(TypeError):
            actor.ctx.accept_web_socket(WebSocketPair().server, tags)
        return len(actor.ctx.get_web_sockets())

    async with hall() as h:
        assert await h.room().run("attempt") == 0


@shows(TAGS, GET_TAGS)
async def test_tags_are_fixed_for_the_life_of_the_socket() -> None:
    """Neither the list that was given nor the one that is returned is the socket's own."""

    @script
    def tags(actor: Room) -> list[str]:
        server = WebSocketPair().server
        given = ["a", "b"]
        actor.ctx.accept_web_socket(server, given)
        given.append("c")
        actor.ctx.get_tags(server).append("d")
        assert actor.ctx.get_web_sockets("c") == actor.ctx.get_web_sockets("d") == []
        return actor.ctx.get_tags(server)

    async with hall() as h:
        assert await h.room().run("tags") == ["a", "b"]


@shows(GET_TAGS)
async def test_only_an_accepted_hibernatable_socket_has_tags() -> None:
    """Two errors, one for each of the others."""

    @script
    def attempt(actor: Room) -> None:
        client, server = WebSocketPair()
        with pytest.raises(DurableObjectError, match=r"must call 'acceptWebSocket\(\)' before"):
            actor.ctx.get_tags(server)
        client.accept()
        with pytest.raises(DurableObjectError, match="only hibernatable websockets"):
            actor.ctx.get_tags(client)
        client.terminate()

    async with hall() as h:
        await h.room().run("attempt")


@mistake(33)
@shows(LIST, BY_TAG)
async def test_mistake_33_all_are_listed_newest_first_and_a_tag_oldest_first() -> None:
    """An unknown tag has none; without a tag it is the union."""
    async with hall() as h:
        for who, *tags in (("1", "x"), ("2", "y"), ("3", "x", "y"), ("4",)):
            await connect(h.room(), *tags, who=who)
        assert await h.room().listed() == ["4", "3", "2", "1"]
        assert await h.room().listed("x") == ["1", "3"]
        assert await h.room().listed("y") == ["2", "3"]
        assert await h.room().listed("z") == []


@mistake(33)
@shows(CLOSING_LISTED)
async def test_mistake_33_a_closing_socket_is_listed_a_closed_one_is_not() -> None:
    """The object has closed it: listed until the client has accepted, and so answered."""
    async with hall() as h:
        pair = WebSocketPair()

        @script
        def close_first(actor: Room) -> list[int]:
            actor.ctx.accept_web_socket(pair.server, ["t"])
            pair.server.close(1_000)
            return [len(actor.ctx.get_web_sockets()), len(actor.ctx.get_web_sockets("t"))]

        assert await h.room().run("close_first") == [1, 1]
        pair.client.accept()
        await close_of(pair.client)
        await h.quiet()
        assert await h.room().listed() == await h.room().listed("t") == []


@shows(LIST)
async def test_the_list_gives_the_same_sockets_each_time() -> None:
    """The object that was accepted, the handler's argument and the listed one are one."""
    handled: list[WebSocket] = []

    @script
    def message(actor: Room, ws: WebSocket, data: str) -> None:
        handled.append(ws)

    @script
    def same(actor: Room) -> bool:
        (first,), (second,) = actor.ctx.get_web_sockets(), actor.ctx.get_web_sockets("t")
        return first is second is handled[0]

    async with hall() as h:
        client = await connect(h.room(), "t")
        client.send("hello")
        await h.quiet()
        assert await h.room().run("same")


@shows(LIST)
async def test_the_list_is_the_callers_own() -> None:
    """Changing it changes nothing."""

    @script
    def clear(actor: Room) -> int:
        actor.ctx.get_web_sockets().clear()
        actor.ctx.get_web_sockets("t").clear()
        return len(actor.ctx.get_web_sockets()) + len(actor.ctx.get_web_sockets("t"))

    async with hall() as h:
        await connect(h.room(), "t")
        assert await h.room().run("clear") == 2


@shows(LIST, BY_TAG)
async def test_sockets_are_those_of_one_object() -> None:
    """Another object's are not seen, though the tag is the same."""
    async with hall() as h:
        await connect(h.room("a"), "t", who="in a")
        await connect(h.room("b"), "t", who="in b")
        assert await h.room("a").listed("t") == ["in a"]
        assert await h.room("b").listed() == ["in b"]


@shows(BY_TAG)
async def test_tagged_sockets_are_addressed_apart() -> None:
    """A message to a tag reaches those that have it, once each."""

    @script
    def tell(actor: Room, tag: str | None, text: str) -> None:
        for ws in actor.ctx.get_web_sockets(tag):
            ws.send(text)

    async with hall() as h:
        red = await connect(h.room(), "red")
        both = await connect(h.room(), "red", "blue")
        for tag, text in (("red", "to red"), ("blue", "to blue"), (None, "to all")):
            await h.room().run("tell", tag, text)
        assert [await red.receive() for _ in range(2)] == ["to red", "to all"]
        assert [await both.receive() for _ in range(3)] == ["to red", "to blue", "to all"]


@shows(COUNT)
async def test_an_object_has_at_most_32768_sockets() -> None:
    """One more is refused, until one of them has closed."""

    @script
    def fill(actor: Room) -> int:
        servers = [WebSocketPair() for _ in range(32_768)]
        for pair in servers:
            actor.ctx.accept_web_socket(pair.server)
        with pytest.raises(LimitError, match="only 32768 websockets"):
            actor.ctx.accept_web_socket(WebSocketPair().server)
        servers[0].client.accept()
        servers[0].client.terminate()
        actor.ctx.accept_web_socket(WebSocketPair().server)
        return len(actor.ctx.get_web_sockets())

    async with hall() as h:
        assert await h.room().run("fill") == 32_768
