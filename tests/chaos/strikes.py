"""What may happen at a call, and the plan of when it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from random import Random
from typing import Final

from tasks.core.errors import (
    CertferryError,
    DNSUnavailable,
    DomainNotLive,
    EdgeUnavailable,
    KeysUnavailable,
    PrefectUnavailable,
    RecordsUnavailable,
    StoreUnavailable,
    TicketsUnavailable,
)


class Kind(StrEnum):
    KILL_BEFORE = "killed before"
    KILL_AFTER = "killed after"
    REFUSE = "no answer"
    LOSE = "answer lost"
    OUTAGE = "outage"
    TAKEOVER = "taken over"
    CLOCK = "clock step"
    FORGET = "answers forgotten"
    TWIN = "second process"
    RENEWAL = "other hand-over"
    CANCEL = "cancelled"
    TICKETS = "ticket event"
    ANSWER = "two answers"
    UPLOAD = "uploaded again"
    PRICE = "price changed"
    ROUND = "round"
    TIMEOUT = "no answer in time"
    SLOW = "slower than its lease"


WEIGHTS: Final = {
    Kind.KILL_BEFORE: 3,
    Kind.KILL_AFTER: 5,
    Kind.REFUSE: 3,
    Kind.LOSE: 5,
    Kind.OUTAGE: 2,
    Kind.TAKEOVER: 2,
    Kind.CLOCK: 2,
    Kind.FORGET: 1,
    Kind.TWIN: 4,
    Kind.RENEWAL: 3,
    Kind.CANCEL: 2,
    Kind.TICKETS: 2,
    Kind.ANSWER: 1,
    Kind.UPLOAD: 3,
    Kind.PRICE: 2,
    Kind.ROUND: 2,
}
"""How often each comes in a storm, relative to the others. Those left out are for the sweep."""

MOST_STRIKES: Final = 10
SPAN_CALLS: Final = 500  # a hand-over that nothing happens to takes about 250 calls, with the rounds beside it
STEPS: Final = tuple(timedelta(hours=hours) for hours in (-24, -1, 1, 24))


@dataclass(frozen=True)
class Strike:
    """
    One thing that happens.

    Attributes:
        number: The call of its case from which on it is due.

        call: The call it waits for; None strikes the first one it can.

        chance: From 0 to 1, for what is left open: how long an outage lasts, whether the struck process sleeps.
    """

    number: int
    call: str | None
    kind: Kind
    chance: float


def plan_strikes(random: Random, calls: tuple[str, ...], weights: Mapping[Kind, int] = WEIGHTS) -> list[Strike]:
    """Draw the strikes of a case: half of them at a random time, half at a random one of *calls*."""
    kinds = random.choices(list(weights), list(weights.values()), k=random.randint(2, MOST_STRIKES))
    numbers = sorted(random.randrange(SPAN_CALLS) for _ in kinds)
    return [
        Strike(number, random.choice(calls) if random.random() < 0.5 else None, kind, random.random())
        for number, kind in zip(numbers, kinds, strict=True)
    ]


_ERRORS: Final[dict[str, type[CertferryError]]] = {
    "edge a": EdgeUnavailable,
    "edge b": EdgeUnavailable,
    "probe.handshake": EdgeUnavailable,
    "probe.http_status": DomainNotLive,
    "resolver": DNSUnavailable,
    "drop_store": StoreUnavailable,
    "vault": StoreUnavailable,
    "keys": KeysUnavailable,
    "tickets": TicketsUnavailable,
    "orchestrator": PrefectUnavailable,
} | dict.fromkeys(
    ("accounts", "drops", "certificates", "decisions", "leases", "audit", "billing", "database"), RecordsUnavailable
)


def find_error(call: str) -> type[CertferryError] | None:
    """Give what a client raises when the system behind *call* does not answer; None where there is no system."""
    return _ERRORS.get(call) or _ERRORS.get(call.partition(".")[0])


def make_error(error: type[CertferryError], call: str) -> CertferryError:
    return error(call, got="struck", wanted="an answer", do="Nothing: it is a storm.")
