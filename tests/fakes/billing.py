"""A ledger in memory, which forgets nothing, believes no proof it was not told of, and gives no second chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

from tasks.core import ledger
from tasks.core.errors import Drifted, NotFound
from tasks.core.model import EntryKind, Hostname, LedgerEntry, Placement


class FakeBilling:
    """
    As `tasks.clients.billing.Billing` says.

    Attributes:
        proofs: The confirmations on record: of which account and hostname each is.
    """

    def __init__(self) -> None:
        self.proofs: dict[int, tuple[str, Hostname]] = {}
        self._entries: list[LedgerEntry] = []

    def charge(self, entry: LedgerEntry, now: datetime) -> LedgerEntry:
        return self._write(entry, lambda history: ledger.begin(history, entry))

    def move(
        self, charge: str, to: Placement, unit_price: Decimal, at: datetime, idempotency_key: str, now: datetime
    ) -> LedgerEntry:
        begun = self._fetch(charge, "charge")
        return self._write(begun, lambda history: ledger.move(history, charge, to, unit_price, at, idempotency_key))

    def end(self, charge: str, at: datetime, idempotency_key: str, now: datetime) -> LedgerEntry:
        begun = self._fetch(charge, "charge")
        return self._write(begun, lambda history: ledger.end(history, charge, at, idempotency_key))

    def correct(self, entry: LedgerEntry, now: datetime) -> LedgerEntry:
        wrong = self._fetch(str(entry.corrects), "ledger entry")
        return self._write(wrong, lambda history: ledger.correct(history, entry))

    def find(self, idempotency_key: str) -> LedgerEntry | None:
        return next((e for e in self._entries if e.idempotency_key == idempotency_key), None)

    def find_open(self, account: str, hostname: Hostname) -> LedgerEntry | None:
        return ledger.find_open(e for e in self._entries if (e.account, e.hostname) == (account, hostname))

    def list_entries(self, account: str) -> tuple[LedgerEntry, ...]:
        return tuple(e for e in self._entries if e.account == account)

    def _fetch(self, key: str, kind: str) -> LedgerEntry:
        entry = self.find(key)
        if entry is None:
            raise NotFound.named(kind, key)
        return entry

    def _write(self, about: LedgerEntry, decide: Callable[[Sequence[LedgerEntry]], LedgerEntry]) -> LedgerEntry:
        place = (about.account, about.hostname)
        entry = decide([e for e in self._entries if (e.account, e.hostname) == place])
        if (recorded := self.find(entry.idempotency_key)) is None:
            self._check_confirmed(entry)
            self._entries.append(entry)
        elif recorded != entry:
            raise ledger.entry_differs(recorded, f"about {recorded.hostname} of {recorded.account}")
        return entry

    def _check_confirmed(self, entry: LedgerEntry) -> None:
        proof = self.proofs.get(entry.confirmation_id or 0)
        if entry.kind is EntryKind.ENABLE and proof != (entry.account, entry.hostname):
            raise Drifted(entry.charge, got="no such proof", wanted="proof", do="Confirm.", code="no-confirmation")
