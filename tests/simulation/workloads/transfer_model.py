"""Accounts of a bank, one call after the other: what `workloads.transfers` is held to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from ..linearizable import UNKNOWN

ACCOUNTS = ("account:0", "account:1", "account:2")
START = 100  # on each account and in each wallet at first
WALLET = "wallet"
Balances = tuple[int, ...]  # of the accounts
INITIAL: Balances = (START,) * len(ACCOUNTS)
Ending = Literal["keeps", "raises", "rolls back"]


@dataclass(frozen=True, slots=True)
class Transfer:
    """Between two accounts, in a transaction that waits in the middle and ends as `ending` says. With
    `inner` another transaction in it moves 1 back, and ends as that says."""

    source: int
    target: int
    amount: int
    ending: Ending = "keeps"
    inner: Ending | None = None
    pause_ms: int = 0

    @property
    def reads(self) -> bool:
        """Whether it leaves the accounts as they are."""
        return self.ending != "keeps"


@dataclass(frozen=True, slots=True)
class Look:
    """All that is stored."""

    reads: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Pay:
    """From the wallet of the object to that of another one, which is told after a pause."""

    reads: ClassVar[bool] = True  # of the accounts

    to: str
    amount: int
    pause_ms: int = 0


@dataclass(frozen=True, slots=True)
class Deliver:
    """Tell others again of the payments of which it is not known that they have arrived."""

    reads: ClassVar[bool] = True  # of the accounts


def balances_of(found: Mapping[str, Any]) -> Balances:
    """The accounts in what is stored."""
    return tuple(found.get(account, START) for account in ACCOUNTS)


def bank(state: Balances, op: Any, output: Any) -> Iterator[Balances]:
    """The model. A transfer answers with the balances after it; the wallet is not its concern."""
    if isinstance(op, Pay | Deliver):
        yield state
        return

    after = moved(state, op) if isinstance(op, Transfer) else state
    told = balances_of(output) if isinstance(output, Mapping) else output
    if told in (UNKNOWN, after):
        yield after


def moved(state: Balances, op: Transfer) -> Balances:
    """What a transfer leaves."""
    if op.ending != "keeps":
        return state

    balances = list(state)
    amount = op.amount - (op.inner == "keeps")
    balances[op.source] -= amount
    balances[op.target] += amount
    return tuple(balances)
