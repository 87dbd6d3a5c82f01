"""Money is neither made nor lost, in any state that anybody sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .events import Constructed, Looked, Seen

SENT, ARRIVED, OUT = "sent:", "in:", "out:"  # prefixes of keys; behind them the number of a payment


def states(
    history: Sequence[Seen], names: Sequence[str]
) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """What anybody found stored, of these objects, and whether it is so now: a client hears of it
    some time after."""
    for seen in history:
        match seen.event:
            case Constructed(name, found=found) if name in names:
                yield name, found, True
            case Looked(name, found) if name in names:
                yield name, found, False
            case _:
                pass


def sum_is_invariant(
    history: Sequence[Seen], names: Sequence[str], accounts: Sequence[str], start: int
) -> Iterator[str]:
    """Of the accounts in each of the objects, which have `start` each at first: half a transaction is
    never seen (semantics 5.7)."""
    for name, found, _ in states(history, names):
        balances = [found.get(account, start) for account in accounts]
        if sum(balances) != start * len(accounts):
            yield f"the accounts of {name} are {balances}: they come to {sum(balances)}"


def books_balance(
    history: Sequence[Seen], names: Sequence[str], wallet: str, start: int
) -> Iterator[str]:
    """Each object has what it had at first, less what it sent, and what arrived; what arrived had been
    sent, and what is not on its way any more has arrived."""
    arrived: dict[str, str] = {}  # the payments of which anybody saw that they have, and where
    for name, found, now in states(history, names):
        paid, received = amounts(found, SENT), amounts(found, ARRIVED)
        expected = start - sum(paid.values()) + sum(received.values())
        if found.get(wallet, start) != expected:
            yield f"{name} has {found.get(wallet, start)}, its books say {expected}"
        yield from (
            f"payment {payment} has arrived at {at}, and {name} has not sent it"
            for payment, at in arrived.items()
            if now and payment not in paid and payment.startswith(f"{name}-")
        )
        yield from (
            f"payment {payment} is on its way, and {name} has not sent it"
            for payment in amounts(found, OUT)
            if payment not in paid
        )
        arrived |= dict.fromkeys(received, name)


def everything_arrived(
    history: Sequence[Seen], names: Sequence[str], wallet: str, start: int
) -> Iterator[str]:
    """At the end nothing is on its way, and together the objects have what they had at first."""
    last = {name: found for name, found, _ in states(history, names)}
    total = sum(found.get(wallet, start) for found in last.values())
    if last and total != start * len(last):
        yield f"at the end there are {total}, not {start * len(last)}"
    for name, found in last.items():
        if amounts(found, OUT):
            yield f"at the end {name} has not delivered {sorted(amounts(found, OUT))}"


def amounts(found: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The entries of a prefix, without it."""
    return {key[len(prefix) :]: value for key, value in found.items() if key.startswith(prefix)}
