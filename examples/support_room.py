"""A support room on the realtime module: a ticket, its customers, its agents, and who is there.

    SUPPORT_AGENT_KEY=key roomhost serve examples.support_room:app

`/ticket/{id}` is the page of a ticket; whoever gives the key there is an agent. Member ids are made
here, `agent:...` or `customer:...`, and a token is good for its own member only: so the role that a
page reads from an id cannot be forged. A grant of a customer reads and is present, and records
nothing: with `publish` it could write the room's metadata, which are the ticket's title and status.
What people say is recorded by a route, in the name that the route has checked.
"""

from __future__ import annotations

import hmac
import os
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from roomhost.actors import RealtimePrincipal, realtime
from roomhost.bindings import App

from .pages import CLIENT, REFUSALS, answer, json_body, page, person

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_TEXT_CHARACTERS = 900  # of a message: with the rest of its body under the limit of a body
MAX_TITLE_CHARACTERS = 120
MAX_KEY_CHARACTERS = 64  # of the key that a page gives a message


class Role(StrEnum):
    """How a member id begins."""

    AGENT = "agent"
    CUSTOMER = "customer"


class Status(StrEnum):
    """What a ticket is."""

    OPEN = "open"
    PENDING = "pending"
    SOLVED = "solved"


CAPABILITIES = {
    Role.CUSTOMER: ("subscribe", "presence", "history"),
    Role.AGENT: ("subscribe", "presence", "history", "publish", "admin"),
}

live = realtime(name="support")


def check_agent(body: dict[str, Any]) -> None:
    """HTTPException: `agentKey` is not SUPPORT_AGENT_KEY; without that variable there are none."""
    expected, given = os.environ.get("SUPPORT_AGENT_KEY"), body.get("agentKey")
    if (
        not expected
        or not isinstance(given, str)
        or not hmac.compare_digest(encoded(given), encoded(expected))
    ):
        raise HTTPException(403, "agentKey is not the key of the agents")


def encoded(key: str) -> bytes:
    """A key in bytes, of which any can be compared: what is no Unicode, too."""
    return key.encode(errors="surrogatepass")


def role_of(body: dict[str, Any]) -> Role:
    """Who sends the agents' key is an agent. HTTPException: it is another key."""
    if body.get("agentKey") is None:
        return Role.CUSTOMER

    check_agent(body)
    return Role.AGENT


def actor_of(body: dict[str, Any], role: Role) -> RealtimePrincipal:
    """Who a page is; its role is in its id."""
    digest, name = person(body)
    return RealtimePrincipal(kind="user", user_id=f"{role}:{digest}", display_name=name)


def text_of(body: dict[str, Any], field: str, most_characters: int) -> str:
    """A text that a page sends. HTTPException: it is none, empty or too long."""
    text = body.get(field)
    if not isinstance(text, str) or not 0 < len(text.strip()) <= most_characters:
        raise HTTPException(400, f"{field} is a text of 1 to {most_characters} characters")

    return text.strip()


async def front(request: Request) -> RedirectResponse:
    """Lead whoever comes to a ticket."""
    return RedirectResponse("/ticket/1")


async def ticket(request: Request) -> Response:
    """The page of a ticket."""
    return page("support_room.html")


async def grant(request: Request) -> Response:
    """Let a page into the room of its ticket, as the member it is and with what its role may do."""
    body = await json_body(request)
    role = role_of(body)
    room = live.room(request.path_params["id"])
    return answer(await room.authorize(actor=actor_of(body, role), capabilities=CAPABILITIES[role]))


async def say(request: Request) -> Response:
    """Record a message; sent again with the same key, it is recorded once."""
    body = await json_body(request)
    actor = actor_of(body, role_of(body))
    text, key = text_of(body, "text", MAX_TEXT_CHARACTERS), text_of(body, "key", MAX_KEY_CHARACTERS)
    room = live.room(request.path_params["id"])
    return answer(
        await room.publish(
            type="chat",
            data={"text": text, "key": key},
            idempotency_key=f"{actor.user_id}:{key}",  # nobody takes the key of somebody else
            actor=actor,
        )
    )


async def entitle(request: Request) -> Response:
    """Give a ticket its title and status, as an agent."""
    body = await json_body(request)
    check_agent(body)
    title, status = text_of(body, "title", MAX_TITLE_CHARACTERS), body.get("status")
    if status not in list(Status):
        raise HTTPException(400, f"status is one of {', '.join(Status)}")

    room = live.room(request.path_params["id"])
    return answer(await room.metadata(metadata={"title": title, "status": status}))


app = App(
    name="support",
    bindings={"SUPPORT": live},
    main=Starlette(
        routes=[
            Route("/", front),
            Route("/ticket/{id}", ticket),
            Route("/ticket/{id}/grant", grant, methods=["POST"]),
            Route("/ticket/{id}/messages", say, methods=["POST"]),
            Route("/ticket/{id}/title", entitle, methods=["POST"]),
            CLIENT,
        ],
        exception_handlers=REFUSALS,
    ),
)
