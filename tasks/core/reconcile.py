"""
What must be done so that the edges serve what the records say: pure, so that every case is one line of a test.

Only what is proven is repaired: what is on its way is the business of the run that brings it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from tasks.core import policy
from tasks.core.errors import Drifted
from tasks.core.model import Hostname


class Desired(Protocol):
    """What an edge is meant to serve: an assignment on record."""

    @property
    def edge(self) -> str: ...
    @property
    def hostname(self) -> Hostname: ...
    @property
    def bundle_sha256(self) -> str: ...
    @property
    def is_proven(self) -> bool: ...


class Repair(StrEnum):
    REFILL = "refill"
    """The edge lacks a bundle that it has served, or serves another: put it there again, from the vault."""
    REMOVE = "remove"
    """The edge serves a hostname that it is not meant to."""
    ASK = "ask"
    """The same, of so many hostnames that it is the records that must be wrong: a person must look."""


@dataclass(frozen=True)
class Action:
    """One repair of one hostname on one edge."""

    repair: Repair
    edge: str
    hostname: Hostname


def plan_repairs(
    desired: Iterable[Desired], observed: Mapping[str, Mapping[Hostname, str]], busy: Collection[Hostname]
) -> Sequence[Action]:
    """
    Give what is to be repaired, by edge and hostname; a second plan after the repairs is empty.

    Args:
        observed: Hostname to SHA-256 of the bundle, for each edge that answered.

        busy: Hostnames on which somebody is at work, and which are left to him.
    """
    wanted = {(each.edge, each.hostname): each for each in desired}
    actions = []
    for edge, hosts in observed.items():
        for place, each in wanted.items():
            if place[0] == edge and each.is_proven and hosts.get(each.hostname) != each.bundle_sha256:
                actions.append(Action(Repair.REFILL, edge, each.hostname))
        actions += [Action(Repair.REMOVE, edge, hostname) for hostname in hosts if (edge, hostname) not in wanted]
    left = [action for action in actions if action.hostname not in busy]
    if sum(action.repair is Repair.REMOVE for action in left) > policy.MOST_REMOVALS:
        left = [replace(a, repair=Repair.ASK) if a.repair is Repair.REMOVE else a for a in left]
    return sorted(left, key=lambda action: (action.edge, action.hostname))


def unknown_to_records(action: Action) -> Drifted:
    """Say that an edge serves a hostname which, with too many others, the records know nothing of."""
    return Drifted(
        f"{action.hostname} on {action.edge}",
        got=f"one of more than {policy.MOST_REMOVALS} hostnames that the edges serve and the records do not know",
        wanted="records and edges of one installation",
        do="Check that the settings name this installation's database, and no older copy; nothing was removed.",
        code="records-behind-edges",
    )
