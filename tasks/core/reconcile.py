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
    def previous_bundle_sha256(self) -> str | None: ...
    @property
    def is_proven(self) -> bool: ...


class Repair(StrEnum):
    REFILL = "refill"
    """The edge lacks a bundle that it has served, or serves another: put it there again, from the vault."""
    REMOVE = "remove"
    """The edge serves a hostname that it is not meant to."""
    DISCARD = "discard"
    """The edge holds a bundle, a key, that nothing points at and no record means it to serve or to go back to."""
    ASK = "ask"
    """What the records do not know would be taken off or replaced, so often that it is they that must be wrong."""


@dataclass(frozen=True)
class Action:
    """
    One repair of one hostname on one edge.

    Attributes:
        bundle_sha256: What is discarded; else empty.
    """

    repair: Repair
    edge: str
    hostname: Hostname
    bundle_sha256: str = ""


def plan_repairs(
    desired: Iterable[Desired],
    observed: Mapping[str, Mapping[Hostname, str]],
    known: Collection[str],
    busy: Collection[Hostname],
) -> Sequence[Action]:
    """
    Give what is to be repaired, by edge and hostname; a second plan after the repairs is empty.

    More than a few hostnames that are served, or served with a bundle, of which the records know nothing, are the sign
    of records that are older than the edges: then none of them is touched.

    Args:
        observed: Hostname to SHA-256 of the bundle, for each edge that answered.

        known: The bundles of all certificates on record, or of those observed.

        busy: Hostnames on which somebody is at work, and which are left to him.
    """
    wanted = {(each.edge, each.hostname): each for each in desired}
    repairs: list[Action] = []
    strays: list[Action] = []
    for (edge, hostname), each in wanted.items():
        found = observed[edge].get(hostname) if edge in observed else each.bundle_sha256
        if each.is_proven and found != each.bundle_sha256:
            (repairs if found is None or found in known else strays).append(Action(Repair.REFILL, edge, hostname))
    for edge, hosts in observed.items():
        strays += [Action(Repair.REMOVE, edge, hostname) for hostname in hosts if (edge, hostname) not in wanted]
    strays = [action for action in strays if action.hostname not in busy]
    if len(strays) > policy.MOST_REMOVALS:
        strays = [replace(action, repair=Repair.ASK) for action in strays]
    left = [*strays, *(action for action in repairs if action.hostname not in busy)]
    return sorted(left, key=lambda action: (action.edge, action.hostname))


def plan_discards(
    desired: Iterable[Desired],
    loose: Mapping[str, Collection[str]],
    known: Mapping[str, Hostname],
    busy: Collection[Hostname],
) -> Sequence[Action]:
    """
    Give the keys to be deleted that lie on an edge for nothing, by edge and bundle.

    One whose certificate is not on record stays: nothing says that it can be had again.

    Args:
        loose: The bundles that nothing points at, for each edge that answered.

        known: The hostname of each bundle whose certificate is on record.

        busy: Hostnames on which somebody is at work, and which are left to him.
    """
    kept = {(each.edge, bundle) for each in desired for bundle in (each.bundle_sha256, each.previous_bundle_sha256)}
    return [
        Action(Repair.DISCARD, edge, known[bundle], bundle)
        for edge, bundles in sorted(loose.items())
        for bundle in sorted(bundles)
        if bundle in known and known[bundle] not in busy and (edge, bundle) not in kept
    ]


def unknown_to_records(action: Action) -> Drifted:
    """Say that an edge serves something which, with too much else, the records know nothing of."""
    return Drifted(
        f"{action.hostname} on {action.edge}",
        got=f"one of more than {policy.MOST_REMOVALS} things that the edges serve and the records do not know",
        wanted="records and edges of one installation",
        do="Check that the settings name this installation's database, and no older copy; nothing was changed.",
        code="records-behind-edges",
    )
