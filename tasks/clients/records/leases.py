"""The leases: who is at work on what. One transaction a method."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks.clients.database import Database, insert_once
from tasks.clients.fence import Lease
from tasks.clients.tables import LeaseRow
from tasks.core.errors import AtWork, LeaseLost


class Leases:
    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(self, name: str, holder: str, now: datetime, lifetime: timedelta) -> Lease:
        """
        Take the lease *name* until *now* + *lifetime*.

        The same holder takes it over from itself at once, with a new token: it is a flow run, and whatever other
        process of that run may still be alive is fenced off.

        Raises:
            AtWork: Another holder has it.
        """
        with self._database.transaction() as session:
            insert_once(session, LeaseRow, name=name, holder="", token=0, expires_at=now)
            row = session.scalars(select(LeaseRow).where(LeaseRow.name == name).with_for_update()).one()
            if row.holder not in ("", holder) and row.expires_at > now:
                raise AtWork.on(name, row.holder)
            row.holder, row.token, row.expires_at = holder, row.token + 1, now + lifetime
            return Lease(name, holder, row.token)

    def renew(self, lease: Lease, now: datetime, lifetime: timedelta) -> None:
        """
        Keep *lease* until *now* + *lifetime*; one that has run out is kept too, if nobody took it over.

        Raises:
            LeaseLost: Somebody did.
        """
        with self._database.transaction() as session:
            self._row(session, lease).expires_at = now + lifetime

    def release(self, lease: Lease) -> None:
        """Give *lease* back; one that was taken over is left alone. Safe to repeat."""
        with self._database.transaction() as session:
            row = session.get(LeaseRow, lease.name, with_for_update=True)
            if row is not None and row.token == lease.token:
                row.holder = ""

    def check(self, lease: Lease) -> None:
        """
        Raise if *lease* has been taken over.

        Raises:
            LeaseLost: It has.
        """
        with self._database.reading() as session:
            if session.scalar(select(LeaseRow.token).where(LeaseRow.name == lease.name)) != lease.token:
                raise LeaseLost.of(lease.name)

    def is_held(self, name: str, now: datetime) -> bool:
        """Tell whether somebody is at work on *name*."""
        with self._database.reading() as session:
            row = session.get(LeaseRow, name)
            return row is not None and bool(row.holder) and row.expires_at > now

    def list_run_out(self, now: datetime) -> tuple[Lease, ...]:
        """Give the leases that ran out and were not given back, by name: their holders died, or their records did."""
        wanted = select(LeaseRow).where(LeaseRow.holder != "", LeaseRow.expires_at <= now).order_by(LeaseRow.name)
        with self._database.reading() as session:
            return tuple(Lease(row.name, row.holder, row.token) for row in session.scalars(wanted))

    @staticmethod
    def _row(session: Session, lease: Lease) -> LeaseRow:
        row = session.get(LeaseRow, lease.name, with_for_update=True)
        if row is None or row.token != lease.token:
            raise LeaseLost.of(lease.name)
        return row
