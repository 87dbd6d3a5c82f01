"""What `roomhost check` says of the application: it is imported and bound to a host of no data, whose
life is that of the check. No object is made, no request answered, and its lifespan does not run."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, cast

import anyio

from ..runtime import HostError
from ..runtime.commands import load_application
from ..runtime.testing import host_for
from .finding import error, ok

if TYPE_CHECKING:
    from ..runtime.application import Application
    from .finding import Finding

TOPIC = "application"


def check_application(reference: str) -> tuple[Application | None, list[Finding]]:
    """The application that `MODULE:APP` names, None when it cannot be used, and what is to be said."""
    try:
        app = load_application(reference)
    except HostError as refused:
        return None, [error(TOPIC, str(refused))]
    except (Exception, SystemExit) as raised:
        return None, [error(TOPIC, f"importing {reference} failed: {place_of(raised)}")]

    try:
        anyio.run(_bind, app)
    except Exception as raised:
        return None, [error(TOPIC, f"{reference} cannot be bound: {place_of(raised)}")]

    names = ", ".join(declared.name for declared in app.namespaces()) or "none"
    return app, [ok(TOPIC, f"{app.name} from {reference}, with the objects {names}")]


def place_of(raised: BaseException) -> str:
    """An error in one line: its class, its message, and the line of the file that raised it."""
    while isinstance(raised, BaseExceptionGroup):
        raised = cast("BaseExceptionGroup[BaseException]", raised).exceptions[0]
    text = " ".join(f"{type(raised).__name__}: {raised}".split())
    if isinstance(raised, SyntaxError):
        return f"{text} ({raised.filename}, line {raised.lineno})"

    frames = traceback.extract_tb(raised.__traceback__)
    return f"{text} ({frames[-1].filename}, line {frames[-1].lineno})" if frames else text


async def _bind(app: Application) -> None:
    # The settings of this host are nobody's: what they lack is no news.
    logging.disable(logging.WARNING)
    try:
        async with host_for(app) as host:
            _ = host.asgi
    finally:
        logging.disable(logging.NOTSET)
