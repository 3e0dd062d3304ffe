"""The records of the switches that force HTTPS: what the edges are meant to do, before they do it."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select

from tasks.clients.database import Database, insert_once
from tasks.clients.tables import SwitchRow
from tasks.core.force_https import Switch
from tasks.core.model import Hostname


class Switches:
    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, hostname: Hostname) -> Switch | None:
        """Give the switch of *hostname*, or None: nobody ever turned it on, or nothing is left of it."""
        with self._database.reading() as session:
            row = session.get(SwitchRow, hostname)
            return _switch(row) if row else None

    def list(self) -> tuple[Switch, ...]:
        """Give all switches by hostname."""
        with self._database.reading() as session:
            return tuple(_switch(row) for row in session.scalars(select(SwitchRow).order_by(SwitchRow.hostname)))

    def change(self, hostname: Hostname, decide: Callable[[Switch], Switch]) -> Switch:
        """
        Replace the switch by what *decide* makes of it, as one transaction, and give the new one.

        *decide* is pure; where there is no switch it gets one that is off. One that has nothing to do, and was proven
        to do nothing, is forgotten.
        """
        off = Switch(hostname, redirect=False, stage=0, longest=0, proven_at=None, requested_by="")
        with self._database.transaction() as session:
            insert_once(session, SwitchRow, **vars(off))
            row = session.get_one(SwitchRow, hostname, with_for_update=True)
            decided = decide(_switch(row))
            for column, value in vars(decided).items():
                setattr(row, column, value)
            if decided.rule is None and (decided.proven_at or decided == off):
                session.delete(row)
            return decided


def _switch(row: SwitchRow) -> Switch:
    return Switch(Hostname(row.hostname), row.redirect, row.stage, row.longest, row.proven_at, row.requested_by)
