"""The ledger: one charge a pair, exact to the last digit, never without proof, and nothing on record ever changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tasks.clients.billing import Billing, EmbeddedLedger
from tasks.clients.database import Database, insert_once
from tasks.clients.records.accounts import Accounts
from tasks.clients.tables import LedgerRow
from tasks.core.errors import Drifted, NotFound
from tasks.core.ledger import draft_correction, draft_void
from tasks.core.model import Account, EntryKind, Hostname, LedgerEntry, Placement
from tests.clients.examples import (
    NOW,
    SHOP,
    a_certificate,
    a_confirmation,
    a_drop,
    a_recorded_certificate,
    an_enable,
    at_once,
    with_site,
)
from tests.clients.schema import build_schema, drop_everything, insert_as_was
from tests.fakes.billing import FakeBilling

DEARER = Decimal("0.03")


@dataclass
class Books:
    """A ledger, and a proof that is on record for acme's shop."""

    billing: Billing
    proof: int

    def begun(self, key: str = "charge-1", day: float = 0) -> LedgerEntry:
        """Give a charge that has begun."""
        return self.billing.charge(an_enable(self.proof, key, at=on(day)), NOW)

    def move(self, day: float, key: str = "move-1", to: Placement = Placement.DEDICATED) -> LedgerEntry:
        return self.billing.move("charge-1", to, DEARER, on(day), key, NOW)

    def end(self, day: float, key: str = "end-1", charge: str = "charge-1") -> LedgerEntry:
        return self.billing.end(charge, on(day), key, NOW)

    def written(self) -> list[str]:
        return [entry.idempotency_key for entry in self.billing.list_entries("acme")]

    def paid(self) -> str | None:
        """Give the key of the entry that says what is paid now."""
        entry = self.billing.find_open("acme", SHOP)
        return entry.idempotency_key if entry else None


def on(day: float) -> datetime:
    return NOW + timedelta(days=day)


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(Drifted) as refused:
        action()
    return refused.value.code


@pytest.fixture(name="books", params=["fake", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def _books(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Books]:
    """The contract: the fake and the ledger on both databases keep it."""
    if request.param == "fake":
        fake = FakeBilling()
        fake.proofs[1] = ("acme", SHOP)
        yield Books(fake, 1)
        return
    url = f"sqlite:///{tmp_path}/records.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    database = Database(url)
    if request.param == "postgresql":
        drop_everything(database)
    database.migrate()
    proof = a_confirmation(with_site(database), a_recorded_certificate(database))
    Accounts(database).create_account(Account("other", "ops@other.test"), NOW)
    yield Books(EmbeddedLedger(database), proof)
    database.dispose()


@pytest.fixture(name="proof")
def _proof(database: Database) -> int:
    """The id of a confirmation on record."""
    return a_confirmation(with_site(database), a_recorded_certificate(database))


class TestCharge:
    def test_a_repeated_charge_is_one_entry(self, books: Books) -> None:
        """A crash after the charge does not bill twice."""
        entry = an_enable(books.proof)
        assert books.billing.find("charge-1") is None

        assert entry == books.billing.charge(entry, NOW)
        assert entry == books.billing.charge(entry, on(1))
        assert entry == books.billing.find("charge-1") == books.billing.find_open("acme", SHOP)
        assert (entry,) == books.billing.list_entries("acme")

    @pytest.mark.parametrize(
        "difference",
        [{"megabytes": 320}, {"unit_price": Decimal("0.013")}, {"currency": "USD"}, {"at": on(1)}],
        ids=lambda difference: next(iter(difference)),
    )
    def test_another_charge_under_the_same_key_is_refused(self, books: Books, difference: dict[str, Any]) -> None:
        """A key that says two things is looked at by a person, and the entry on record stays."""
        entry = books.begun()

        assert refusal(lambda: books.billing.charge(replace(entry, **difference), NOW)) == "entry-differs"
        assert (entry,) == books.billing.list_entries("acme")

    def test_a_hostname_that_is_paid_for_is_not_charged_again(self, books: Books) -> None:
        """A renewal costs nothing, whatever key it comes with."""
        books.begun()

        assert refusal(lambda: books.begun("charge-2", 30)) == "already-charged"
        assert books.written() == ["charge-1"]

    def test_after_its_end_it_is(self, books: Books) -> None:
        """Enabled again, a pair serves again."""
        books.begun()
        books.end(10)

        assert books.begun("charge-2", 20) == books.billing.find_open("acme", SHOP)

    def test_no_proof_no_charge(self, books: Books) -> None:
        """Nobody pays for what was not seen to serve."""
        for proof in (books.proof + 1, None):
            assert refusal(lambda proof=proof: books.billing.charge(an_enable(proof), NOW)) == "no-confirmation"  # type: ignore[misc]
        assert books.written() == []

    @pytest.mark.parametrize("difference", [{"account": "other"}, {"hostname": Hostname("www.example.test")}], ids=str)
    def test_a_proof_for_something_else_is_none(self, books: Books, difference: dict[str, Any]) -> None:
        """One account's edges are no reason to bill another."""
        entry = an_enable(books.proof, **difference)
        assert refusal(lambda: books.billing.charge(entry, NOW)) == "no-confirmation"


class TestMove:
    def test_goes_on_elsewhere_at_another_price(self, books: Books) -> None:
        """It is the same charge, and the proof is that of its beginning."""
        begun = books.begun()

        moved = books.move(3)

        assert (moved.kind, moved.charge, moved.placement) == (EntryKind.MOVE, "charge-1", Placement.DEDICATED)
        assert (moved.unit_price, moved.at, moved.megabytes) == (DEARER, on(3), begun.megabytes)
        assert books.paid() == "move-1"

    def test_again_is_one_entry(self, books: Books) -> None:
        """The first time stays, also after more has happened."""
        books.begun()
        moved = books.move(3)
        assert books.move(4) == moved
        books.move(5, "move-2", Placement.SHARED)

        assert books.move(6) == moved
        assert books.written() == ["charge-1", "move-1", "move-2"]
        assert books.paid() == "move-2"

    def test_to_where_it_is_changes_nothing(self, books: Books) -> None:
        """The entry that put it there is given."""
        begun = books.begun()

        assert books.move(3, to=Placement.SHARED) == begun
        assert books.written() == ["charge-1"]

    def test_what_has_ended_does_not_move(self, books: Books) -> None:
        """Nor does what never was."""
        with pytest.raises(NotFound):
            books.move(1)
        books.begun()
        books.end(2)

        assert refusal(lambda: books.move(3)) == "charge-ended"

    def test_not_before_it_begins(self, books: Books) -> None:
        """Nothing is moved that does not serve."""
        books.begun()
        assert refusal(lambda: books.move(-1)) == "ledger-order"
        assert books.written() == ["charge-1"]


class TestEnd:
    def test_nothing_is_paid_any_more(self, books: Books) -> None:
        """The entry says what was paid until then."""
        begun = books.begun()

        ended = books.end(9)

        assert (ended.kind, ended.charge, ended.at) == (EntryKind.DISABLE, "charge-1", on(9))
        assert (ended.placement, ended.unit_price) == (begun.placement, begun.unit_price)
        assert books.paid() is None

    def test_again_is_one_entry_whoever_asks(self, books: Books) -> None:
        """The first end stays: a step that is repeated a day later, or another ticket, costs nobody a day."""
        books.begun()
        ended = books.end(9)

        assert ended == books.end(10) == books.end(11, "end-2")
        assert books.written() == ["charge-1", "end-1"]

    def test_of_a_charge_that_is_not_there(self, books: Books) -> None:
        """Ending nothing is a mistake of the caller's."""
        with pytest.raises(NotFound):
            books.end(1)

    def test_not_before_it_begins_nor_before_it_moved(self, books: Books) -> None:
        """An end that would undo days that were served takes a correction."""
        books.begun()
        assert refusal(lambda: books.end(-1)) == "ledger-order"
        books.move(3)
        assert refusal(lambda: books.end(2)) == "ledger-order"

    def test_a_key_of_something_else_is_refused(self, books: Books) -> None:
        """An end is not taken for done because a move had its key."""
        books.begun()
        books.move(3, "key")
        assert refusal(lambda: books.end(4, "key")) == "entry-differs"


class TestCorrect:
    def test_stands_in_the_place_of_the_wrong_one(self, books: Books) -> None:
        """Both stay on record, and one counts."""
        wrong = books.begun(day=5)
        right = draft_correction(wrong, "right", at=on(2), unit_price=DEARER)

        assert books.billing.correct(right, NOW) == right == books.billing.correct(right, on(1))
        assert books.written() == ["charge-1", "right"]
        assert books.billing.find_open("acme", SHOP) == right
        assert books.end(9).unit_price == DEARER

    def test_a_void_takes_it_away(self, books: Books) -> None:
        """A charge that never was ends nothing and leaves room for another one; an end that never was ends nothing."""
        books.begun()
        ended = books.end(5)
        books.billing.correct(draft_void(ended, "no-end"), NOW)
        assert books.paid() == "charge-1"
        assert books.end(6) == ended, "its key is used up"
        assert books.end(7, "end-2").at == on(7)

        begun = books.billing.find("charge-1")
        assert begun is not None
        books.billing.correct(draft_void(begun, "no-charge"), NOW)

        assert books.paid() is None
        with pytest.raises(NotFound):
            books.end(8, "end-3")
        books.begun("charge-2")

    def test_a_void_can_be_taken_back(self, books: Books) -> None:
        """By an entry of the kind that was taken away, in the void's place."""
        begun = books.begun()
        void = books.billing.correct(draft_void(begun, "void"), NOW)
        assert refusal(lambda: books.billing.correct(draft_correction(void, "x", kind=EntryKind.MOVE), NOW)) == (
            "correction-differs"
        )

        books.billing.correct(draft_correction(void, "again", kind=EntryKind.ENABLE), NOW)

        assert books.paid() == "again"

    def test_an_entry_is_corrected_once(self, books: Books) -> None:
        """The next one corrects the correction: what counts is never a matter of order."""
        begun = books.begun()
        right = books.billing.correct(draft_correction(begun, "right", at=on(1)), NOW)

        assert refusal(lambda: books.billing.correct(draft_void(begun, "other"), NOW)) == "corrected-already"
        books.billing.correct(draft_correction(right, "righter", at=on(2)), NOW)
        assert books.paid() == "righter"

    def test_what_remains_must_make_sense(self, books: Books) -> None:
        """No beginning after the end, no second open charge, no correction of another kind, none of nothing."""
        begun = books.begun()
        ended = books.end(5)
        books.begun("charge-2", 6)
        refused = {
            "ledger-order": draft_correction(begun, "a", at=on(7)),
            "already-charged": draft_void(ended, "b"),
            "correction-differs": draft_correction(ended, "c", kind=EntryKind.MOVE),
        }
        for code, entry in refused.items():
            assert refusal(lambda entry=entry: books.billing.correct(entry, NOW)) == code  # type: ignore[misc]
        with pytest.raises(NotFound):
            books.billing.correct(replace(begun, idempotency_key="d", corrects="nothing"), NOW)
        assert books.written() == ["charge-1", "end-1", "charge-2"]


class TestListEntries:
    def test_gives_an_accounts_own_in_the_order_they_were_written(self, books: Books) -> None:
        """Whatever times they speak of."""
        books.begun("b", 5)
        books.end(6, charge="b")
        books.begun("a", 1)

        assert books.written() == ["b", "end-1", "a"]
        assert books.billing.list_entries("other") == ()
        assert books.billing.find_open("other", SHOP) is None


class TestRecords:
    """What the database adds."""

    def test_of_charges_at_once_one_entry_stays(self, database: Database, proof: int) -> None:
        """Two processes on one run bill once, and both get the entry."""
        billing, entry = EmbeddedLedger(database), an_enable(proof)

        assert [entry] * 8 == at_once([partial(billing.charge, entry, NOW)] * 8)
        assert (entry,) == billing.list_entries("acme")

    def test_of_charges_under_other_keys_at_once_one_stays(self, database: Database, proof: int) -> None:
        """Two hand-overs of one hostname bill once: the others are told."""
        billing = EmbeddedLedger(database)

        def charge(number: int) -> str:
            try:
                return billing.charge(an_enable(proof, f"charge-{number}"), NOW).idempotency_key
            except Drifted as refused:
                return refused.code

        answers = at_once([partial(charge, number) for number in range(8)])

        assert answers.count("already-charged") == 7
        assert len(billing.list_entries("acme")) == 1

    def test_ended_by_many_at_once_it_ends_once(self, database: Database, proof: int) -> None:
        """All are given the one end."""
        billing = EmbeddedLedger(database)
        billing.charge(an_enable(proof), NOW)

        ends = at_once([partial(billing.end, "charge-1", on(n), f"end-{n}", NOW) for n in range(8)])

        assert len(set(ends)) == 1
        assert len(billing.list_entries("acme")) == 2

    def test_a_key_of_another_hostname_is_taken(self, database: Database, proof: int) -> None:
        """Keys are unique over all accounts."""
        billing = EmbeddedLedger(database)
        billing.charge(an_enable(proof), NOW)
        other = Hostname("www.example.test")
        Accounts(database).create_site(other, "shop", "acme", "challenge-2", NOW)
        certificate = a_recorded_certificate(database, "other", hostname=other)
        entry = an_enable(a_confirmation(database, certificate), hostname=other)

        assert refusal(lambda: billing.charge(entry, NOW)) == "entry-differs"

    @pytest.mark.parametrize(
        "price", ["0.012", "0.1", "12345678901.123456", "0.0000001", "0.30", "0", "1E+2", "0.10000000000000000555"]
    )
    def test_a_price_is_exact(self, database: Database, proof: int, price: str) -> None:
        """No float touches money, on either database, whatever the digits."""
        EmbeddedLedger(database).charge(an_enable(proof, unit_price=Decimal(price)), NOW)

        recorded = EmbeddedLedger(database).find("charge-1")

        assert recorded is not None
        assert Decimal(price) == recorded.unit_price

    @pytest.mark.parametrize("proof_given", [99, None])
    def test_the_database_itself_refuses_an_enable_without_proof(
        self, database: Database, proof: int, proof_given: int | None
    ) -> None:
        """A constraint, not a habit (THREATS R2)."""
        with pytest.raises(IntegrityError), database.transaction() as session:
            insert_once(session, LedgerRow, **vars(an_enable(proof_given)), created_at=NOW)


class TestMigration:
    def test_what_was_charged_before_is_an_open_charge(self, database: Database) -> None:
        """The lines of the first schema become enables on the shared pair, and nothing can change them."""
        build_schema(database, "0003")
        drop = a_drop()
        certificate = a_certificate(drop)
        with_site(database)
        insert_as_was(database, "drops", **asdict(drop))
        insert_as_was(database, "certificates", **asdict(certificate), created_at=NOW)
        insert_as_was(database, "confirmations", id=1, certificate_id=certificate.id, evidence={}, at=NOW)
        line = {"account": "acme", "host": SHOP, "proof": 1, "at": NOW.isoformat()}
        with database.engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO ledger (idempotency_key, account, hostname, megabytes, unit_price, currency, starts_at, "
                    "confirmation_id, created_at) VALUES ('old', :account, :host, 160, '0.05', 'EUR', :at, :proof, :at)"
                ),
                line,
            )

        database.migrate()

        billing = EmbeddedLedger(database)
        (entry,) = billing.list_entries("acme")
        assert entry == an_enable(line["proof"], "old", unit_price=Decimal("0.05"))  # type: ignore[arg-type]
        for change in ("UPDATE ledger SET megabytes = 1", "DELETE FROM ledger"):
            with pytest.raises(IntegrityError), database.engine.begin() as connection:
                connection.execute(text(change))
        assert billing.end("old", on(1), "end", NOW).kind is EntryKind.DISABLE
