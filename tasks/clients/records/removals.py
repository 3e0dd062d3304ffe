"""The records of removals: hostnames whose HTTPS is disabled, from the wish to the last copy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from tasks.clients.database import Database, insert_once
from tasks.clients.records.carried import attach
from tasks.clients.tables import AssignmentRow, RemovalRow, SwitchRow
from tasks.core.errors import NotFound
from tasks.core.model import Hostname, Outcome, Removal


class Removals:
    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, removal: Removal) -> Removal:
        """Record a removal, and give it; a hostname has one that is under way, and that one is given."""
        with self._database.transaction() as session:
            insert_once(session, RemovalRow, **vars(removal))
            there = select(RemovalRow).where(RemovalRow.hostname == removal.hostname, RemovalRow.outcome.is_(None))
            return _removal(session.scalars(there).one())

    def fetch(self, removal_id: str) -> Removal:
        """
        Give the removal.

        Raises:
            NotFound: There is none.
        """
        with self._database.reading() as session:
            row = session.get(RemovalRow, removal_id)
            if row is None:
                raise NotFound.named("removal", removal_id)
            return _removal(row)

    def find_of_run(self, flow_run_id: str) -> Removal | None:
        """Give the removal that a run carries, or None."""
        return next(iter(self._list(RemovalRow.flow_run_id == flow_run_id)), None)

    def list_live(self) -> tuple[Removal, ...]:
        """Give all that are under way, oldest first."""
        return self._list(RemovalRow.outcome.is_(None))

    def list_kept(self, now: datetime) -> tuple[Removal, ...]:
        """Give those whose copies in the vault are to be destroyed by *now*, and are not, oldest first."""
        return self._list(RemovalRow.destroy_at <= now, RemovalRow.destroyed_at.is_(None))

    def list_unlooked(self, before: datetime) -> tuple[Removal, ...]:
        """Give the completed ones whose DNS has not been looked at since *before*, oldest first."""
        return self._list(RemovalRow.outcome == Outcome.COMPLETED, RemovalRow.looked_at < before)

    def attach_run(self, removal_id: str, flow_run_id: str) -> Removal:
        """
        Record the run that carries this removal; the first one stays.

        Raises:
            Drifted: Code ``other-run``: another run carries it.
        """
        with self._database.transaction() as session:
            row = _locked(session, removal_id)
            attach(row, flow_run_id)
            return _removal(row)

    def mark_leaving(self, removal_id: str, on: bool) -> None:
        """Record that the edges are meant to serve the hostname no more, before they stop; or are after all."""
        with self._database.transaction() as session:
            hostname = _locked(session, removal_id).hostname
            for row in session.scalars(select(AssignmentRow).where(AssignmentRow.hostname == hostname)):
                row.leaving = on

    def mark_disabled(
        self, removal_id: str, evidence: Mapping[str, Any], at: datetime, destroy_at: datetime
    ) -> Removal:
        """Record that both edges were seen refusing the hostname, and that nothing is meant to serve it; once."""
        with self._database.transaction() as session:
            row = _locked(session, removal_id)
            if row.disabled_at is None:
                row.disabled_at, row.destroy_at, row.looked_at = at, destroy_at, at
                row.evidence = dict(evidence)
                session.execute(delete(AssignmentRow).where(AssignmentRow.hostname == row.hostname))
                session.execute(delete(SwitchRow).where(SwitchRow.hostname == row.hostname))
            return _removal(row)

    def close(self, removal_id: str, outcome: Outcome, code: str | None, reason: str | None) -> Removal:
        """Record how it ended, and give it; the first outcome stays, and one that disabled HTTPS has completed."""
        with self._database.transaction() as session:
            row = _locked(session, removal_id)
            if row.outcome is None:
                row.outcome, row.outcome_code, row.outcome_reason = outcome, code, reason
            return _removal(row)

    def mark_destroyed(self, removal_id: str, at: datetime) -> None:
        """Record that no copy is left in the vault; the first time stays."""
        with self._database.transaction() as session:
            row = _locked(session, removal_id)
            row.destroyed_at = row.destroyed_at or at

    def mark_looked(self, removal_id: str, dangling: bool, at: datetime) -> None:
        """Record what the DNS was seen to say."""
        with self._database.transaction() as session:
            row = _locked(session, removal_id)
            row.dangling_since = (row.dangling_since or at) if dangling else None
            row.looked_at = at

    def _list(self, *where: ColumnElement[bool]) -> tuple[Removal, ...]:
        wanted = select(RemovalRow).where(*where).order_by(RemovalRow.created_at, RemovalRow.id)
        with self._database.reading() as session:
            return tuple(_removal(row) for row in session.scalars(wanted))


def _locked(session: Session, removal_id: str) -> RemovalRow:
    row = session.get(RemovalRow, removal_id, with_for_update=True)
    if row is None:
        raise NotFound.named("removal", removal_id)
    return row


def _removal(row: RemovalRow) -> Removal:
    return Removal(
        id=row.id,
        account=row.account,
        app=row.app,
        hostname=Hostname(row.hostname),
        leaf_sha256=row.leaf_sha256,
        requested_by=row.requested_by,
        created_at=row.created_at,
        flow_run_id=row.flow_run_id,
        disabled_at=row.disabled_at,
        destroy_at=row.destroy_at,
        destroyed_at=row.destroyed_at,
        looked_at=row.looked_at,
        dangling_since=row.dangling_since,
        evidence=row.evidence,
        outcome=Outcome(row.outcome) if row.outcome else None,
        outcome_code=row.outcome_code,
        outcome_reason=row.outcome_reason,
    )
