"""`ctx.storage`: the storage calls of an actor, over its uncommitted writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from .storage_arguments import (
    WRONG_PUT,
    alarm_time,
    entry_bytes,
    key_bytes,
    keys_of,
    members_of,
    value_of,
    wanted_entries,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
    from datetime import datetime

    from ..storage import Overlay
    from .activation import Activation
    from .commits import Commits
    from .storage_arguments import Wanted
    from .transaction import DurableObjectTransaction

MISSING: Any = object()
T = TypeVar("T")


class Done(Generic[T]):
    """What a storage call returns: awaited it gives the result at once, without a suspension.

    Not a coroutine, because the call is done already (semantics.md 5.2: a value is taken when `put`
    is called): one that nobody awaits is no mistake.
    """

    __slots__ = ("_result",)

    def __init__(self, result: T) -> None:
        self._result = result

    def __await__(self) -> Generator[Any, None, T]:
        return self._result
        yield  # makes it a generator, as the protocol wants


DONE = Done(None)


class Operations:
    """The calls that storage and a transaction on it share (semantics.md 5.1 to 5.4 and 6.1).

    Each is done when it is called, awaited or not, and none of them suspends: nothing else of the
    object runs between two of them, so `get`, add one, `put` is atomic as it stands.
    `allow_concurrency` and `no_cache` are accepted and change nothing. Keys are strings of up to
    2,048 UTF-8 bytes; an int is taken as its decimal digits.
    """

    __slots__ = ("_activation",)

    def __init__(self, activation: Activation) -> None:
        self._activation = activation

    def _use(self, operation: str) -> Commits:
        """Where `operation` goes. Raises when it may not be called now."""
        raise NotImplementedError

    @overload
    def get(
        self, key: str, default: Any = None, *, allow_concurrency: bool = ..., no_cache: bool = ...
    ) -> Awaitable[Any]: ...

    @overload
    def get(
        self, key: Iterable[str], *, allow_concurrency: bool = ..., no_cache: bool = ...
    ) -> Awaitable[dict[str, Any]]: ...

    def get(
        self,
        key: str | Iterable[str],
        default: Any = None,
        *,
        allow_concurrency: bool = False,
        no_cache: bool = False,
    ) -> Awaitable[Any]:
        """The value of `key`, or `default` when there is none; a fresh copy each time.

        With several keys, a dict of those that exist, in ascending UTF-8 order (5.1).
        TypeError: a key is no string. ValueError: a key is over 2,048 bytes.
        """
        return Done(get_now(self._use("get").use(), key, default))

    @overload
    def put(
        self,
        key: str,
        value: Any,
        *,
        allow_concurrency: bool = ...,
        allow_unconfirmed: bool = ...,
        no_cache: bool = ...,
    ) -> Awaitable[None]: ...

    @overload
    def put(
        self,
        key: Mapping[str, Any],
        *,
        allow_concurrency: bool = ...,
        allow_unconfirmed: bool = ...,
        no_cache: bool = ...,
    ) -> Awaitable[None]: ...

    def put(
        self,
        key: str | Mapping[str, Any],
        value: Any = MISSING,
        *,
        allow_concurrency: bool = False,
        allow_unconfirmed: bool = False,
        no_cache: bool = False,
    ) -> Awaitable[None]:
        """Store `value`, as it is now, under `key`; or every member of a mapping, all or none (5.2).

        With `allow_unconfirmed` output does not wait for this write; a failure resets the object all
        the same. DataCloneError: an unsupported type, with its path. ValueError: key over 2,048
        bytes, or key and encoded value over 2 MiB together.
        """
        put_now(self._use("put"), key, value, confirmed=not allow_unconfirmed)
        return DONE

    @overload
    def delete(
        self,
        key: str,
        *,
        allow_concurrency: bool = ...,
        allow_unconfirmed: bool = ...,
        no_cache: bool = ...,
    ) -> Awaitable[bool]: ...

    @overload
    def delete(
        self,
        key: Iterable[str],
        *,
        allow_concurrency: bool = ...,
        allow_unconfirmed: bool = ...,
        no_cache: bool = ...,
    ) -> Awaitable[int]: ...

    def delete(
        self,
        key: str | Iterable[str],
        *,
        allow_concurrency: bool = False,
        allow_unconfirmed: bool = False,
        no_cache: bool = False,
    ) -> Awaitable[bool | int]:
        """Delete `key`; whether it existed. With several keys, how many of them did (5.3)."""
        return Done(delete_now(self._use("delete"), key, confirmed=not allow_unconfirmed))

    def list(
        self,
        *,
        start: str | None = None,
        start_after: str | None = None,
        end: str | None = None,
        prefix: str | None = None,
        reverse: bool = False,
        limit: int | None = None,
        allow_concurrency: bool = False,
        no_cache: bool = False,
    ) -> Awaitable[dict[str, Any]]:
        """The entries from `start` (or after `start_after`) up to, not including, `end`, with
        `prefix`, in ascending UTF-8 order, or descending; at most `limit` of them (5.4).

        TypeError: both starts are given, or `limit` is not positive.
        """
        # What is wrong with the options is said first, also where the call may not be made.
        limits = self._activation.commits.overlay.limits
        wanted = wanted_entries(start, start_after, end, prefix, limit, limits)
        return Done(list_now(self._use("list").use(), wanted, reverse))

    def get_alarm(self, *, allow_concurrency: bool = False) -> Awaitable[int | None]:
        """When the alarm is due, milliseconds since the epoch; None without one, and while its
        handler runs (6.2)."""
        return Done(self._use("getAlarm").use().get_alarm())

    def set_alarm(
        self,
        scheduled_time: int | float | datetime,
        *,
        allow_concurrency: bool = False,
        allow_unconfirmed: bool = False,
    ) -> Awaitable[None]:
        """Have `alarm()` run at a time: milliseconds since the epoch, or an aware datetime. It
        replaces the alarm there was; a time that has passed becomes now (6.1).

        TypeError: no valid time, not after 1970, after 2189, or the class has no `alarm` handler.
        """
        due_ms = alarm_time(scheduled_time)  # said first, as in `list`
        commits = self._use("setAlarm")
        activation = self._activation
        if not activation.actor_class.has_alarm and not activation.starting:
            raise TypeError(
                "Your Durable Object class must have an alarm() handler in order to call setAlarm()"
            )

        commits.use().set_alarm(max(due_ms, activation.now_ms()))
        if commits.overlay.open:
            commits.wrote(not allow_unconfirmed)
        return DONE

    def delete_alarm(
        self, *, allow_concurrency: bool = False, allow_unconfirmed: bool = False
    ) -> Awaitable[None]:
        """Have no alarm. A handler that runs is not stopped; its retry is cancelled (6.3)."""
        commits = self._use("deleteAlarm")
        commits.use().set_alarm(None)
        if commits.overlay.open:
            commits.wrote(not allow_unconfirmed)
        return DONE


def get_now(overlay: Overlay, key: str | Iterable[str], default: Any) -> Any:
    """`get`, synchronously."""
    if isinstance(key, (str, int)):
        encoded = key_bytes(key, overlay.limits)
        data = overlay.get(encoded)
        return default if data is None else value_of(encoded, data)

    found: dict[str, Any] = {}
    for encoded in sorted({key_bytes(each, overlay.limits) for each in keys_of("get", key)}):
        data = overlay.get(encoded)
        if data is not None:
            found[encoded.decode()] = value_of(encoded, data)
    return found


def put_now(commits: Commits, key: str | Mapping[str, Any], value: Any, confirmed: bool) -> None:
    """`put`, synchronously."""
    overlay = commits.use()
    if isinstance(key, (str, int)):
        if value is MISSING:
            raise TypeError("put() called with undefined value.")
        encoded = key_bytes(key, overlay.limits)
        overlay.put(encoded, entry_bytes(encoded, value, overlay.limits))
    else:
        if value is not MISSING:
            raise TypeError(WRONG_PUT)
        entries = members_of(key, overlay.limits)
        if not entries:
            return
        for encoded, data in entries:
            overlay.put(encoded, data)
    commits.wrote(confirmed)


def delete_now(commits: Commits, key: str | Iterable[str], confirmed: bool) -> bool | int:
    """`delete`, synchronously."""
    overlay = commits.use()
    result: bool | int
    if isinstance(key, (str, int)):
        result = overlay.delete(key_bytes(key, overlay.limits))
    else:
        doomed = {key_bytes(each, overlay.limits) for each in keys_of("delete", key)}
        result = sum(overlay.delete(each) for each in doomed)
    if result:
        commits.wrote(confirmed)
    return result


def list_now(overlay: Overlay, wanted: Wanted, reverse: bool) -> dict[str, Any]:
    """`list`, synchronously."""
    first, last, limit = wanted
    entries = overlay.list(first, last, reverse=reverse, limit=limit)
    return {key.decode(): value_of(key, data) for key, data in entries}


class DurableObjectStorage(Operations):
    """`ctx.storage`: the object's own key-value storage, strongly consistent, transactional.

    A write is visible to later reads at once; what the object sends after it waits until it is on
    disk. Writes made without a real suspension between them are durable together or not at all.
    """

    __slots__ = ("_commits", "_kv")

    def __init__(self, activation: Activation, commits: Commits) -> None:
        super().__init__(activation)
        self._commits = commits
        self._kv: SyncKeyValueStorage | None = None

    def _use(self, operation: str) -> Commits:
        return self._commits

    @property
    def kv(self) -> SyncKeyValueStorage:
        """The same entries, by synchronous calls."""
        if self._kv is None:
            self._kv = SyncKeyValueStorage(self._commits)
        return self._kv

    def delete_all(
        self, *, allow_concurrency: bool = False, allow_unconfirmed: bool = False
    ) -> Awaitable[None]:
        """Delete every entry and the alarm (5.6). RuntimeError: inside a transaction."""
        commits = self._commits
        commits.use().delete_all()
        commits.wrote(confirmed=True)
        return DONE

    async def sync(self) -> None:
        """Return once every write made before this call is on disk, unconfirmed ones too (4.6).

        Raises the storage error when one of them fails.
        """
        commits = self._commits
        commits.use()
        commits.flush()
        await self._activation.settled()

    def transaction(self, callback: Callable[[DurableObjectTransaction], Any]) -> Awaitable[Any]:
        """Run `callback(txn)`, sync or async, alone: nothing else is delivered to the object until
        it ends. Returns what it returns; when it raises, all its writes are undone and the error is
        raised here (5.7). `ctx.storage` takes part; nested transactions are savepoints.

        It is begun by the call, after the caller's own synchronous code, awaited or not.
        """
        from .transaction import transact

        return transact(self._activation, self._commits, callback)

    def transaction_sync(self, callback: Callable[[], Any]) -> Any:
        """Run the synchronous `callback()`; when it raises, undo its writes and raise (5.8)."""
        commits = self._commits
        commits.use()
        commits.begin()
        try:
            result = callback()
        except BaseException:
            commits.rollback()
            raise

        commits.release()
        return result


class SyncKeyValueStorage:
    """`ctx.storage.kv`: the storage calls as plain functions (semantics.md 5.9)."""

    __slots__ = ("_commits",)

    def __init__(self, commits: Commits) -> None:
        self._commits = commits

    def get(self, key: str, default: Any = None) -> Any:
        """The value of `key`, or `default`."""
        return get_now(self._commits.use(), key, default)

    def put(self, key: str, value: Any) -> None:
        """Store `value` under `key`."""
        put_now(self._commits, key, value, confirmed=True)

    def delete(self, key: str) -> bool:
        """Delete `key`; whether it existed."""
        return bool(delete_now(self._commits, key, confirmed=True))

    def list(
        self,
        *,
        start: str | None = None,
        start_after: str | None = None,
        end: str | None = None,
        prefix: str | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> dict[str, Any]:
        """The entries of a range, with the options of `DurableObjectStorage.list`."""
        overlay = self._commits.use()
        wanted = wanted_entries(start, start_after, end, prefix, limit, overlay.limits)
        return list_now(overlay, wanted, reverse)
