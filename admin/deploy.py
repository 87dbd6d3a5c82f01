"""`deploy`: the classes of an application over the objects of a data directory, in a running host or
without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio.to_thread

from ..runtime import limits
from ..runtime.deployment import delete_gone, gone_of, plan_for
from ..runtime.stored_application import StoredApplication
from .code import import_anew
from .structs import Input, Result

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ..runtime import Host
    from ..runtime.deployment import Deployment
    from ..runtime.plan import Plan
    from .operations import Line


class DeployInput(Input, kw_only=True):
    """`application`: MODULE:APP, as the host imports it from its working directory. `dry_run`: only say
    what would happen."""

    application: str
    dry_run: bool = False


class StepInfo(Result, kw_only=True):
    """One thing that is done to a set of objects, as `Step`. `more_objects`: there are more than were
    counted."""

    action: str
    class_name: str
    text: str
    objects: int | None = None
    more_objects: bool = False


class DeployResult(Result, kw_only=True):
    """What was done, or would be. `deletes`: it deletes stored objects; `refusal`: why it cannot be
    done, which a dry run alone returns. The rest as in `Deployment`."""

    name: str
    running: bool
    plan: list[StepInfo]
    deletes: bool = False
    refusal: str | None = None
    instances: int = 0
    resets: int = 0
    seconds: float = 0.0


async def deploy_application(host: Host, given: DeployInput) -> AsyncGenerator[Line]:
    """Lines `{"progress": {"step"}}`, then the result.

    Without a host the objects of deleted classes are deleted when it returns; in a running one that
    goes on behind it. HostError: the code cannot be imported or built, or lacks the class of stored
    objects; StorageError: what changes cannot be recorded. Then nothing has changed.
    """
    yield {"progress": {"step": "importing"}}
    imported = await anyio.to_thread.run_sync(import_anew, given.application)
    app, running = imported.app, not isinstance(host.app, StoredApplication)
    kept = False
    try:
        if given.dry_run:
            yield {"result": describe(app.name, plan_for(host, app), running=running)}
            return

        yield {"progress": {"step": "deploying"}}
        done = await host.deploy(app)
        kept = True
    finally:
        if not kept and host.app is not app:
            imported.restore()
    if not running:
        yield {"progress": {"step": "deleting"}}
        await delete_gone(host.engine, gone_of(host.engine))
    yield {"result": describe(app.name, done.plan, done, running=running)}


def describe(
    name: str, plan: Plan, done: Deployment | None = None, *, running: bool
) -> DeployResult:
    """A plan, and what became of it, for another process."""
    steps = [
        StepInfo(
            action=step.action.value,
            class_name=step.class_name,
            text=step.text,
            objects=None if step.objects is None else min(step.objects, limits.MAX_COUNTED_OBJECTS),
            more_objects=step.objects is not None and step.objects > limits.MAX_COUNTED_OBJECTS,
        )
        for step in plan.steps
    ]
    result = DeployResult(
        name=name, running=running, plan=steps, deletes=plan.deletes, refusal=plan.refusal
    )
    if done is not None:
        result.instances = done.instances
        result.resets = done.resets
        result.seconds = round(done.seconds, 3)
    return result
