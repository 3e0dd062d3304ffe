"""The records of what the world was last seen to get wrongly. One transaction a method."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from tasks.clients.database import Database
from tasks.clients.tables import SightingRow
from tasks.core.model import Hostname
from tasks.core.watch import Code, Sighting


@dataclass(frozen=True)
class Look:
    """What was found when a hostname was looked at. Of places that are not among *seen*, nothing is known."""

    hostname: Hostname
    seen: frozenset[str]
    found: tuple[Sighting, ...]


class Sightings:
    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, looks: Collection[Look], at: datetime) -> None:
        """
        Bring the records to what was found now: what is gone is forgotten, what has changed is to be told again.

        What is as it was stays as it is, told or not.
        """
        with self._database.transaction() as session:
            wanted = select(SightingRow).where(SightingRow.hostname.in_({look.hostname for look in looks}))
            there = {_key(_sighting(row)): row for row in session.scalars(wanted.with_for_update())}
            for look in looks:
                found = {_key(each): each for each in look.found}
                for key, row in there.items():
                    if row.hostname == look.hostname and row.place in look.seen and key not in found:
                        session.delete(row)
                for key, each in found.items():
                    if key not in there:
                        session.add(_row(each, at))
                    elif there[key].detail != each.detail:
                        there[key].detail, there[key].since, there[key].letter_id = each.detail, at, None

    def list_untold(self, limit: int) -> tuple[Sighting, ...]:
        """Give what the operators have not been told of, by hostname and place."""
        return self._list(limit, untold=True)

    def list_all(self, limit: int) -> tuple[Sighting, ...]:
        """Give everything that is wrong, by hostname and place."""
        return self._list(limit, untold=False)

    def count(self) -> int:
        """Give how much is wrong."""
        with self._database.reading() as session:
            return session.scalar(select(func.count()).select_from(SightingRow)) or 0

    def _list(self, limit: int, untold: bool) -> tuple[Sighting, ...]:
        wanted = select(SightingRow).order_by(SightingRow.hostname, SightingRow.place, SightingRow.code).limit(limit)
        if untold:
            wanted = wanted.where(SightingRow.letter_id.is_(None))
        with self._database.reading() as session:
            return tuple(_sighting(row) for row in session.scalars(wanted))


def _key(sighting: Sighting) -> Sequence[str]:
    return sighting.hostname, sighting.place, sighting.code


def _row(each: Sighting, at: datetime) -> SightingRow:
    return SightingRow(
        hostname=each.hostname,
        place=each.place,
        code=each.code,
        account=each.account,
        detail=each.detail,
        since=at,
    )


def _sighting(row: SightingRow) -> Sighting:
    return Sighting(Hostname(row.hostname), row.place, Code(row.code), row.account, row.detail)
