"""Billing: the append-only ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from tasks.core.model import Charge


class Billing(Protocol):
    def charge(self, charge: Charge, at: datetime) -> Charge:
        """
        Write one line, and give the line that is on record under its idempotency key.

        Raises:
            Drifted: Code ``charge-differs``: the key is taken by a line that says something else.

            Drifted: Code ``no-confirmation``: *confirmation_id* is not on record.
        """

    def find(self, idempotency_key: str) -> Charge | None:
        """Give the line, or None."""

    def statement(self, account: str) -> tuple[Charge, ...]:
        """Give all lines of an account, oldest first."""
