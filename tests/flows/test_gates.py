"""The gate of the approval: one plan is one question, in whatever process it is asked."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.desk import at_price
from tests.leaks import Secrets, scan_bytes, scan_database
from tests.office import SHOP, Office
from tests.pki import CA
from tests.theatre import Theatre, Waiting


@pytest.fixture(name="drop_id")
def _drop_id(office: Office) -> str:
    """A hand-over whose files and ticket have arrived."""
    drop = office.open()
    office.upload(drop)
    office.file(drop.id)
    return drop.id


def key_asked_by(theatre: Theatre, drop_id: str) -> str:
    """Run the flow in a process of its own, and give the key of the question that it waits at."""
    with pytest.raises(Waiting) as waiting:
        theatre.provision(drop_id)
    return str(waiting.value)


class TestAwaitApproval:
    def test_the_same_plan_has_the_same_key_in_every_process(self, theatre: Theatre, drop_id: str) -> None:
        """A process that was killed before the answer is followed by one that reads the answer to its question."""
        keys = {key_asked_by(theatre, drop_id) for _ in range(3)}

        assert len(keys) == 1

    def test_an_answer_to_a_dead_process_counts_in_the_next(
        self, office: Office, theatre: Theatre, drop_id: str
    ) -> None:
        """Nobody is asked again: the question that was answered is the one that is looked up."""
        key = key_asked_by(theatre, drop_id)
        theatre._given[key] = {"decision": "approve", "name": "olga"}
        asked = len(theatre.asked)

        theatre.provision(drop_id)

        assert len(theatre.asked) == asked
        assert None not in office.served()

    def test_another_plan_has_another_key(self, office: Office, theatre: Theatre, drop_id: str) -> None:
        """What was said to the old price is never read as an answer to the new one; the old price's key is as it was."""
        first = key_asked_by(theatre, drop_id)
        settings = office.here.settings

        office.here.settings = at_price(settings, Decimal("9"))
        changed = key_asked_by(theatre, drop_id)
        office.here.settings = settings

        assert changed != first
        assert key_asked_by(theatre, drop_id) == first

    def test_after_an_answer_that_does_not_count_the_fresh_key_is_the_same_in_every_process(
        self, theatre: Theatre, drop_id: str
    ) -> None:
        """The refused answer is on record, so the process after a kill asks what the killed one asked."""
        first = key_asked_by(theatre, drop_id)
        theatre.answer("approval", decision="approve", name="nobody-we-know")
        second = key_asked_by(theatre, drop_id)
        theatre.forget_answers()

        assert second != first
        assert {key_asked_by(theatre, drop_id) for _ in range(2)} == {second}


class TestKeyInAForm:
    def test_goes_no_further_than_the_field_it_was_pasted_into(
        self, office: Office, theatre: Theatre, authority: CA
    ) -> None:
        """Pasted for a ticket, for its finder's name or for the approver's: no question and no record repeats it."""
        drop = office.open()
        office.upload(drop)
        pem = authority.issue([SHOP]).key_pem
        key, secrets = pem.decode(), Secrets.of_key(pem)
        theatre.answer("ticket", ticket=key, name="olga")
        key_asked_by(theatre, drop.id)
        ticket = office.file(drop.id)
        office.here.tickets.close(ticket, office.here.now())
        theatre.answer("ticket", ticket=ticket, name=key)
        theatre.answer("approval", decision="approve", name=key)

        assert "approval" in key_asked_by(theatre, drop.id)

        assert scan_bytes(key.encode(), secrets), "the scanner must know it"
        assert scan_bytes("\n".join(text for _, text in theatre.asked).encode(), secrets) == []
        assert scan_database(office.here.settings.database.url, secrets) == []
        assert len({key for key, text in theatre.asked if "does not count" in text}) == 2
