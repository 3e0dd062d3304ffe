"""
When a certificate's customer is to be written to: a ladder in fractions of its lifetime. Pure; now is an argument.

A certificate of 398 days and one of 6 days climb the same five rungs. Floors keep the rungs of a short life apart by
hours that a person can use, ceilings keep those of a long life from coming months too early.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Final

from tasks.core import policy


class Rung(StrEnum):
    """How near its end a certificate is, the farthest first."""

    OPEN_RENEWAL = "open-renewal"
    REMIND = "remind"
    URGENT = "urgent"
    LAST_DAYS = "last-days"
    EXPIRED = "expired"


RUNGS: Final = tuple(Rung)
ESCALATED: Final = (Rung.URGENT, Rung.LAST_DAYS, Rung.EXPIRED)
"""The rungs at which the operators may be told too: a letter alone has not helped, or it is they who are waited for."""


class Audience(StrEnum):
    """Who is written to."""

    CUSTOMER = "customer"
    OPERATORS = "operators"


class Pace(StrEnum):
    """Which certificates a scan looks at."""

    ALL = "all"
    LAST_DAYS = "last-days"
    """Those that end soon, for the hours between two scans of all."""


@dataclass(frozen=True)
class RungRule:
    """A rung begins when *fraction* of the lifetime is left, but not before *most* and not after *least* is left."""

    fraction: float
    least: timedelta
    most: timedelta

    def left_at(self, lifetime: timedelta) -> timedelta:
        """Give how much time is left when the rung begins."""
        return min(max(lifetime * self.fraction, self.least), self.most)


@dataclass(frozen=True)
class Ladder:
    """
    The rule of each rung but the last, which begins when nothing is left.

    Raises:
        ValueError: A rung would begin no earlier than the one after it.
    """

    rules: Mapping[Rung, RungRule]

    def __post_init__(self) -> None:
        if tuple(self.rules) != RUNGS[:-1]:
            raise ValueError(f"a ladder has {', '.join(RUNGS[:-1])}, in this order")
        for (upper, early), (lower, late) in pairwise(self.rules.items()):
            if not (early.fraction > late.fraction and early.least > late.least and early.most > late.most):
                raise ValueError(f"{upper} must begin before {lower}: in fraction, least and most")

    @property
    def horizon(self) -> timedelta:
        """Give how much time is left at most on any rung: what has more is on none."""
        return self.rules[Rung.OPEN_RENEWAL].most

    def find_rung(self, not_before: datetime, not_after: datetime, now: datetime) -> Rung | None:
        """Give the rung on which a certificate stands, or None while it is far from its end."""
        left = not_after - now
        if left <= timedelta():
            return Rung.EXPIRED
        if left > self.horizon:
            return None
        lifetime = not_after - not_before
        begun = [rung for rung, rule in self.rules.items() if left <= rule.left_at(lifetime)]
        return begun[-1] if begun else None

    def begins(self, rung: Rung, not_before: datetime, not_after: datetime) -> datetime:
        """Give when a certificate comes to *rung*."""
        return not_after - (self.rules[rung].left_at(not_after - not_before) if rung in self.rules else timedelta())


def _policy_rule(row: tuple[float, timedelta, timedelta]) -> RungRule:
    return RungRule(*row)


LADDER: Final = Ladder({Rung(name): _policy_rule(row) for name, row in policy.EXPIRY_LADDER.items()})


def find_due(standing: Rung | None, told: Collection[Rung]) -> Rung | None:
    """
    Give the rung that is to be told of, or None: one at most, and never one at or above a rung told of before.

    What was missed in an outage is not made up for, and a clock put back tells nothing twice.

    Args:
        standing: From `Ladder.find_rung`.

        told: The rungs of this certificate on record.
    """
    if standing is None or any(RUNGS.index(rung) >= RUNGS.index(standing) for rung in told):
        return None
    return standing
