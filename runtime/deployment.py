"""An application on a host: what it makes of the data directory, and how another one takes its place."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING

import anyio

from ..storage import UNCHANGED, Batch, NamespaceState, StorageError
from . import limits
from .durable_object import ActorClass
from .errors import HostError
from .object_id import IdFactory
from .plan import Action
from .retirement import Retirement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..storage import NamespaceRecord
    from .application import Application
    from .engine import Engine
    from .host import Host
    from .plan import Plan

logger = logging.getLogger("roomhost.runtime")

LOUD = (Action.DELETED, Action.PARKED)


@dataclass(frozen=True, slots=True)
class Namespace:
    """One set of objects, as it stands in this host's data directory."""

    number: int
    name: str
    unique_key: str
    actor_class: ActorClass


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a deploy did. `instances`: that were in memory, of older code; `resets`: of which had to be
    reset, each with a retryable error for who waited; `seconds`: until the last one had ended."""

    plan: Plan
    instances: int
    resets: int
    seconds: float


def plan_for(host: Host, app: Application) -> Plan:
    """What becomes of the objects in the data directory of a running host. StorageError: it cannot
    be read."""
    partition = host.engine.partition
    count = partial(partition.count_objects, limit=limits.MAX_COUNTED_OBJECTS + 1)
    return app.plan(partition.catalogue.read(), count, host.clock.now_ms())


def check(plan: Plan) -> None:
    """HostError: it leaves objects without a class."""
    if plan.refusal is not None:
        raise HostError(plan.refusal)


def log(plan: Plan) -> None:
    """Say what is done to stored objects: above all what an operator should have meant."""
    if plan.refusal is not None:
        logger.warning("%s", plan.refusal)
    for step in plan.steps:
        logger.log(logging.WARNING if step.action in LOUD else logging.DEBUG, "%s", step.text)


def install(host: Host, app: Application, plan: Plan) -> dict[int, ActorClass]:
    """Make an application the host's, in one step, durably: the bindings, the `env`. Returns the
    classes by number of the namespace, which the engine does not have yet.

    What is raised, by the application or by storage, leaves everything as it was.
    """
    engine = host.engine
    keys = {record.number: record.unique_key for record in plan.catalogue.namespaces}
    before = host.app, host.namespaces
    host.app, host.namespaces = app, {}
    try:
        for declared in app.namespaces():
            number = plan.numbers[declared.name]
            actor_class = ActorClass(declared.actor)
            host.namespaces[declared.name] = Namespace(
                number, declared.name, keys[number], actor_class
            )
            host.observer.add(number, declared.name, actor_class.name, declared.observability)
        env = app.make_env(host)
        if plan.catalogue != engine.partition.catalogue.read():
            engine.partition.catalogue.write(plan.catalogue)
    except BaseException:
        host.app, host.namespaces = before
        raise

    host.env = env
    for namespace in host.namespaces.values():
        namespace.actor_class.env = env
        engine.ids_of[namespace.number] = cache(partial(IdFactory, namespace.unique_key))
    return {namespace.number: namespace.actor_class for namespace in host.namespaces.values()}


async def deploy(host: Host, app: Application) -> Deployment:
    """See `Host.deploy`."""
    engine = host.engine
    if engine.refusal is not None:
        raise HostError("the host is stopping: deploy to the one that takes its place")

    check(plan_for(host, app))
    try:
        front = await host.front.started(app.asgi_for(host))
    except HostError:
        raise
    except Exception as error:
        raise unbuilt(error) from error

    begun = anyio.current_time()
    try:
        # Objects may have been stored while the lifespan started. From here on it is one step.
        plan = plan_for(host, app)
        check(plan)
        classes = install(host, app, plan)
    except BaseException as error:
        with anyio.CancelScope(shield=True):
            await front.stop()
        if isinstance(error, Exception) and not isinstance(error, (HostError, StorageError)):
            raise unbuilt(error) from error
        raise

    log(plan)
    host.front.replace(front)
    retirement = Retirement(engine, classes)
    engine.alarms.look_again()
    with anyio.CancelScope(shield=True):  # the next deploy counts on it
        await retirement.ended(limits.DEPLOY_SECONDS)
    seconds = anyio.current_time() - begun
    host.delete_gone()
    return Deployment(plan, retirement.instances, retirement.resets, seconds)


def unbuilt(error: Exception) -> HostError:
    """An application that this host cannot run."""
    return HostError(f"the application cannot be built: {type(error).__name__}: {error}")


def gone_of(engine: Engine) -> list[NamespaceRecord]:
    """The namespaces whose objects are to be deleted."""
    records = engine.partition.catalogue.read().namespaces
    return [record for record in records if record.state is NamespaceState.DELETED]


async def delete_gone(engine: Engine, gone: Sequence[NamespaceRecord]) -> None:
    """Delete the objects of classes that migrations deleted: a few at a time, until none is left,
    however often the host is stopped meanwhile."""
    for record in gone:
        try:
            await _delete(engine, record)
        except StorageError as error:
            logger.warning(
                "the objects of %s are not all deleted (%s): that goes on when the host starts the "
                "next time",
                record.class_name,
                error,
            )


async def _delete(engine: Engine, gone: NamespaceRecord) -> None:
    """Nothing of these objects runs. What they wrote last is brought into LMDB first: from the log it
    would come again."""
    partition = engine.partition
    waiter = engine.backend.waiter()

    def written(error: StorageError | None) -> None:
        if not waiter.done():
            waiter.set_result(error)

    # Behind everything that was submitted before.
    partition.submit(Batch(partition.allocate(), None, False, {}, UNCHANGED), written)
    await waiter
    await anyio.to_thread.run_sync(partition.apply_now)
    while not await anyio.to_thread.run_sync(
        partition.delete_objects, gone.number, limits.DELETED_ROWS
    ):
        pass
    catalogue = partition.catalogue.read()
    left = tuple(record for record in catalogue.namespaces if record.number != gone.number)
    partition.catalogue.write(replace(catalogue, namespaces=left))
