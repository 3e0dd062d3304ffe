"""The ledger: one line a charge, exact to the last digit, and never without proof."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from tasks.clients.billing import Billing, EmbeddedLedger
from tasks.clients.database import Database, insert_once
from tasks.clients.records.accounts import Accounts
from tasks.clients.tables import LedgerRow
from tasks.core.errors import Drifted
from tasks.core.model import Account, Hostname
from tests.clients.examples import (
    NOW,
    SHOP,
    a_charge,
    a_confirmation,
    a_recorded_certificate,
    at_once,
    with_site,
)


@pytest.fixture(name="ledger")
def _ledger(database: Database) -> Billing:
    return EmbeddedLedger(with_site(database))


@pytest.fixture(name="proof")
def _proof(ledger: Billing, database: Database) -> int:
    """The id of a confirmation on record."""
    return a_confirmation(database, a_recorded_certificate(database))


class TestCharge:
    def test_a_repeated_charge_is_one_line(self, ledger: Billing, proof: int) -> None:
        """A crash after the charge does not bill twice."""
        charge = a_charge(proof)
        assert ledger.find("charge-1") is None

        assert charge == ledger.charge(charge, NOW)
        assert charge == ledger.charge(charge, NOW + timedelta(hours=1))
        assert charge == ledger.find("charge-1")
        assert (charge,) == ledger.statement("acme")

    def test_of_charges_at_once_one_line_stays(self, ledger: Billing, proof: int) -> None:
        """Two processes on one run bill once, and both get the line."""
        charge = a_charge(proof)

        assert [charge] * 8 == at_once([partial(ledger.charge, charge, NOW)] * 8)
        assert (charge,) == ledger.statement("acme")

    @pytest.mark.parametrize(
        "difference",
        [{"megabytes": 320}, {"unit_price": Decimal("0.013")}, {"currency": "USD"}, {"starts_at": NOW + timedelta(1)}],
        ids=lambda difference: next(iter(difference)),
    )
    def test_another_charge_under_the_same_key_is_refused(
        self, ledger: Billing, proof: int, difference: dict[str, Any]
    ) -> None:
        """A key that says two things is looked at by a person, and the line on record stays."""
        charge = ledger.charge(a_charge(proof), NOW)

        with pytest.raises(Drifted, match="charge-1") as refusal:
            ledger.charge(replace(charge, **difference), NOW)
        assert refusal.value.code == "charge-differs"
        assert (charge,) == ledger.statement("acme")

    @pytest.mark.parametrize(
        "price", ["0.012", "0.1", "12345678901.123456", "0.0000001", "0.30", "0", "1E+2", "0.10000000000000000555"]
    )
    def test_a_price_is_exact(self, ledger: Billing, proof: int, price: str) -> None:
        """No float touches money, on either database, whatever the digits."""
        charge = a_charge(proof, unit_price=Decimal(price))
        ledger.charge(charge, NOW)

        recorded = ledger.find("charge-1")

        assert recorded is not None
        assert Decimal(price) == recorded.unit_price

    def test_no_proof_no_charge(self, ledger: Billing, proof: int) -> None:
        """Nobody pays for what was not seen to serve."""
        with pytest.raises(Drifted, match=str(proof + 1)) as refusal:
            ledger.charge(a_charge(proof + 1), NOW)
        assert refusal.value.code == "no-confirmation"
        assert ledger.statement("acme") == ()

    @pytest.mark.parametrize(
        "difference", [{"account": "other"}, {"hostname": Hostname("www.example.test")}], ids=["account", "hostname"]
    )
    def test_a_proof_for_something_else_is_none(
        self, ledger: Billing, proof: int, database: Database, difference: dict[str, Any]
    ) -> None:
        """One account's edges are no reason to bill another."""
        Accounts(database).create_account(Account("other", "ops@other.test"), NOW)

        with pytest.raises(Drifted) as refusal:
            ledger.charge(a_charge(proof, **difference), NOW)
        assert refusal.value.code == "no-confirmation"

    def test_the_database_itself_refuses_a_line_without_proof(self, ledger: Billing, database: Database) -> None:
        """A constraint, not a habit (THREATS R2)."""
        line = {
            "idempotency_key": "charge-1",
            "account": "acme",
            "hostname": SHOP,
            "megabytes": 160,
            "unit_price": Decimal(1),
            "currency": "EUR",
            "starts_at": NOW,
            "created_at": NOW,
        }
        with pytest.raises(IntegrityError), database.transaction() as session:
            insert_once(session, LedgerRow, **line, confirmation_id=99)


class TestStatement:
    def test_gives_an_accounts_own_lines_oldest_first(self, ledger: Billing, proof: int) -> None:
        """By when they were written."""
        first = ledger.charge(a_charge(proof, idempotency_key="b", starts_at=NOW + timedelta(1)), NOW)
        second = ledger.charge(a_charge(proof, idempotency_key="a"), NOW)

        assert (first, second) == ledger.statement("acme")
        assert ledger.statement("other") == ()
