"""Billing: the append-only ledger."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Protocol

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from tasks.clients.database import Database, insert_once
from tasks.clients.tables import CertificateRow, ConfirmationRow, LedgerRow
from tasks.core.errors import Drifted
from tasks.core.model import Charge, Hostname


class Billing(Protocol):
    def charge(self, charge: Charge, at: datetime) -> Charge:
        """
        Write one line, and give the line that is on record under its idempotency key.

        Raises:
            Drifted: Code ``charge-differs``: the key is taken by a line that says something else.

            Drifted: Code ``no-confirmation``: *confirmation_id* is not on record for this account and hostname.
        """

    def find(self, idempotency_key: str) -> Charge | None:
        """Give the line, or None."""

    def statement(self, account: str) -> tuple[Charge, ...]:
        """Give all lines of an account, oldest first."""


class EmbeddedLedger:
    """The ledger in certferry's own records. The database refuses to change or delete a line."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def charge(self, charge: Charge, at: datetime) -> Charge:
        """As `Billing.charge`."""
        with self._database.transaction() as session:
            _check_confirmed(session, charge)
            insert_once(session, LedgerRow, **asdict(charge), created_at=at)
            recorded = _charge(session.scalars(_line(charge.idempotency_key)).one())
        if recorded != charge:
            raise Drifted(
                f"charge {charge.idempotency_key}",
                got=f"another line under this key: {recorded}",
                wanted=f"{charge}",
                do="Compare the two with the hand-over; nothing was written.",
                code="charge-differs",
            )
        return recorded

    def find(self, idempotency_key: str) -> Charge | None:
        """As `Billing.find`."""
        with self._database.reading() as session:
            row = session.scalars(_line(idempotency_key)).one_or_none()
            return _charge(row) if row else None

    def statement(self, account: str) -> tuple[Charge, ...]:
        """As `Billing.statement`."""
        wanted = select(LedgerRow).where(LedgerRow.account == account).order_by(LedgerRow.id)
        with self._database.reading() as session:
            return tuple(_charge(row) for row in session.scalars(wanted))


def _line(idempotency_key: str) -> Select[LedgerRow]:
    return select(LedgerRow).where(LedgerRow.idempotency_key == idempotency_key)


def _check_confirmed(session: Session, charge: Charge) -> None:
    """Raise unless the confirmation is there, and is of a certificate of the charge's account and hostname."""
    proof = (
        select(ConfirmationRow.id)
        .join(CertificateRow, CertificateRow.id == ConfirmationRow.certificate_id)
        .where(
            ConfirmationRow.id == charge.confirmation_id,
            CertificateRow.account == charge.account,
            CertificateRow.hostname == charge.hostname,
        )
    )
    if session.scalars(proof).one_or_none() is None:
        raise Drifted(
            f"charge {charge.idempotency_key}",
            got=f"confirmation {charge.confirmation_id}, not on record for {charge.hostname} of {charge.account}",
            wanted="proof that both edges serve the certificate",
            do="Confirm the edges first; nothing was written.",
            code="no-confirmation",
        )


def _charge(row: LedgerRow) -> Charge:
    return Charge(
        idempotency_key=row.idempotency_key,
        account=row.account,
        hostname=Hostname(row.hostname),
        megabytes=row.megabytes,
        unit_price=row.unit_price,
        currency=row.currency,
        starts_at=row.starts_at,
        confirmation_id=row.confirmation_id,
    )
