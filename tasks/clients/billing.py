"""Billing: the append-only ledger. A pair is charged once for as long as it serves; nothing on record is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from tasks.clients.database import Database, insert_once
from tasks.clients.tables import AccountRow, CertificateRow, ConfirmationRow, LedgerRow
from tasks.core import ledger
from tasks.core.errors import Drifted, NotFound
from tasks.core.model import EntryKind, Hostname, LedgerEntry, Placement


class Billing(Protocol):
    """
    Each call that writes is safe to repeat: its idempotency key gives the entry that is on record under it.

    *now* is when an entry is written down, its `at` from when it holds.
    """

    def charge(self, entry: LedgerEntry, now: datetime) -> LedgerEntry:
        """
        Begin a charge by an ``enable``.

        Raises:
            Drifted: Code ``entry-differs``: the key is taken by an entry that says something else;
                ``no-confirmation``: *confirmation_id* is not on record for this account and hostname;
                ``already-charged``: the hostname has an open charge, under another key.
        """

    def move(
        self, charge: str, to: Placement, unit_price: Decimal, at: datetime, idempotency_key: str, now: datetime
    ) -> LedgerEntry:
        """
        Let a charge go on at another placement and price, and give the entry that says so.

        A charge that is at *to* already is left alone, and the entry that put it there is given.

        Raises:
            NotFound: There is no such charge.

            Drifted: Code ``charge-ended``: it is not open; ``entry-differs``: as for `charge`; ``ledger-order``: *at*
                is before something else that is on record of the charge.
        """

    def end(self, charge: str, at: datetime, idempotency_key: str, now: datetime) -> LedgerEntry:
        """
        End a charge, and give the ``disable``. A charge that has ended stays as it is, and what ended it is given.

        Raises:
            NotFound: There is no such charge.

            Drifted: Code ``entry-differs``: as for `charge`; ``ledger-order``: *at* is before something else that is
                on record of the charge.
        """

    def correct(self, entry: LedgerEntry, now: datetime) -> LedgerEntry:
        """
        Put *entry* in the place of the one that it names in `corrects`; a ``void`` only takes that one away.

        Raises:
            NotFound: There is no such entry.

            Drifted: Code ``correction-differs``: it is about another charge or of another kind;
                ``corrected-already``: by another entry, which is the one to correct; ``ledger-order``,
                ``already-charged``: what is on record would make no sense any more; ``entry-differs``: as for `charge`.
        """

    def find(self, idempotency_key: str) -> LedgerEntry | None:
        """Give the entry, or None."""

    def find_open(self, account: str, hostname: Hostname) -> LedgerEntry | None:
        """Give the entry that says what *account* pays for *hostname* now, or None; its `charge` is the charge's."""

    def list_entries(self, account: str) -> tuple[LedgerEntry, ...]:
        """Give all entries of an account, in the order they were written."""


class EmbeddedLedger:
    """The ledger in certferry's own records. The database refuses to change or delete an entry."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def charge(self, entry: LedgerEntry, now: datetime) -> LedgerEntry:
        """As `Billing.charge`."""
        return self._write(entry, now, lambda history: ledger.begin(history, entry))

    def move(
        self, charge: str, to: Placement, unit_price: Decimal, at: datetime, idempotency_key: str, now: datetime
    ) -> LedgerEntry:
        """As `Billing.move`."""
        begun = self._fetch(charge, "charge")
        return self._write(
            begun, now, lambda history: ledger.move(history, charge, to, unit_price, at, idempotency_key)
        )

    def end(self, charge: str, at: datetime, idempotency_key: str, now: datetime) -> LedgerEntry:
        """As `Billing.end`."""
        begun = self._fetch(charge, "charge")
        return self._write(begun, now, lambda history: ledger.end(history, charge, at, idempotency_key))

    def correct(self, entry: LedgerEntry, now: datetime) -> LedgerEntry:
        """As `Billing.correct`."""
        wrong = self._fetch(str(entry.corrects), "ledger entry")
        return self._write(wrong, now, lambda history: ledger.correct(history, entry))

    def find(self, idempotency_key: str) -> LedgerEntry | None:
        """As `Billing.find`."""
        with self._database.reading() as session:
            row = session.scalars(_under(idempotency_key)).one_or_none()
            return _entry(row) if row else None

    def find_open(self, account: str, hostname: Hostname) -> LedgerEntry | None:
        """As `Billing.find_open`."""
        with self._database.reading() as session:
            return ledger.find_open(_read(session, _of(account).where(LedgerRow.hostname == hostname)))

    def list_entries(self, account: str) -> tuple[LedgerEntry, ...]:
        """As `Billing.list_entries`."""
        with self._database.reading() as session:
            return _read(session, _of(account))

    def _fetch(self, idempotency_key: str, kind: str) -> LedgerEntry:
        entry = self.find(idempotency_key)
        if entry is None:
            raise NotFound.named(kind, idempotency_key)
        return entry

    def _write(
        self, about: LedgerEntry, now: datetime, decide: Callable[[Sequence[LedgerEntry]], LedgerEntry]
    ) -> LedgerEntry:
        """Give what *decide* makes of the history of a hostname, and write it down if it is not in there."""
        with self._database.transaction() as session:
            _lock_account(session, about.account)
            history = _read(session, _of(about.account).where(LedgerRow.hostname == about.hostname))
            entry = decide(history)
            if entry not in history:
                _append(session, entry, now)
            return entry


def _under(idempotency_key: str) -> Select[LedgerRow]:
    return select(LedgerRow).where(LedgerRow.idempotency_key == idempotency_key)


def _of(account: str) -> Select[LedgerRow]:
    return select(LedgerRow).where(LedgerRow.account == account).order_by(LedgerRow.id)


def _read(session: Session, wanted: Select[LedgerRow]) -> tuple[LedgerEntry, ...]:
    return tuple(_entry(row) for row in session.scalars(wanted))


def _lock_account(session: Session, account: str) -> None:
    """Let one writer at a time look at an account's history and add to it; others may refer to the account."""
    session.scalars(select(AccountRow.name).where(AccountRow.name == account).with_for_update(key_share=True)).all()


def _append(session: Session, entry: LedgerEntry, now: datetime) -> None:
    if entry.kind is EntryKind.ENABLE:
        _check_confirmed(session, entry)
    insert_once(session, LedgerRow, **vars(entry), created_at=now)
    recorded = _entry(session.scalars(_under(entry.idempotency_key)).one())
    if recorded != entry:
        raise ledger.entry_differs(recorded, f"about {recorded.hostname} of {recorded.account}")


def _check_confirmed(session: Session, entry: LedgerEntry) -> None:
    """Raise unless the confirmation is there, and is of a certificate of the entry's account and hostname."""
    proof = (
        select(ConfirmationRow.id)
        .join(CertificateRow, CertificateRow.id == ConfirmationRow.certificate_id)
        .where(
            ConfirmationRow.id == entry.confirmation_id,
            CertificateRow.account == entry.account,
            CertificateRow.hostname == entry.hostname,
        )
    )
    if session.scalars(proof).one_or_none() is None:
        raise Drifted(
            f"charge {entry.charge}",
            got=f"confirmation {entry.confirmation_id}, not on record for {entry.hostname} of {entry.account}",
            wanted="proof that both edges serve the certificate",
            do="Confirm the edges first; nothing was written.",
            code="no-confirmation",
        )


def _entry(row: LedgerRow) -> LedgerEntry:
    values = {field.name: getattr(row, field.name) for field in fields(LedgerEntry)}
    return LedgerEntry(**values | {"kind": EntryKind(row.kind), "placement": Placement(row.placement)})
