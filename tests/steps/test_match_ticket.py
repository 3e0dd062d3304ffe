"""Step 3: which ticket lets a hand-over go on, and which stops it."""

from __future__ import annotations

import os

import pytest

from tasks.core.errors import BadInput, HandOverClosed, KeyInTicket, Rejected, TicketRefused
from tasks.core.model import Outcome, make_id
from tasks.file_ticket import add_message, file_ticket
from tasks.ingest_secrets import ingest_secrets
from tasks.match_ticket import list_waiting, match_ticket
from tasks.provision_edges import provision_edges
from tasks.refuse_ticket import refuse_ticket
from tests.office import CONTACT, SHOP, Office
from tests.pki import key_pem


class TestMatchTicket:
    def test_the_account_asks_for_it(self, office: Office) -> None:
        """A ticket from the account's address that quotes the drop counts, and is answered."""
        certificate = office.ingest()
        ticket = office.file(certificate.drop_id)

        assert match_ticket.fn(certificate.drop_id, ticket, "test") == ticket
        assert "matched" in office.answers(certificate.drop_id)

    def test_again_changes_nothing(self, office: Office) -> None:
        """A second run finds the match and answers no second time."""
        certificate = office.match()
        ticket = office.here.decisions.find_match(certificate.drop_id)
        assert ticket is not None

        assert match_ticket.fn(certificate.drop_id, ticket, "again") == ticket
        assert len(office.here.tickets.fetch(ticket).messages) == 2
        assert office.actions(certificate.drop_id).count("ticket.matched") == 1

    def test_the_first_of_two_counts(self, office: Office) -> None:
        """A second ticket for the same hand-over changes nothing."""
        certificate = office.match()
        second = office.file(certificate.drop_id)

        assert match_ticket.fn(certificate.drop_id, second, "test") != second

    def test_one_ticket_asks_for_one_drop(self, office: Office) -> None:
        """A ticket that quotes another drop of the same customer does not count for this one."""
        one, other = office.ingest("one"), office.ingest("other")

        with pytest.raises(TicketRefused) as refused:
            match_ticket.fn(one.drop_id, office.file(other.drop_id), "test")
        assert refused.value.code == "other-drop"

    def test_a_strangers_ticket_with_some_key_stops_nothing(self, office: Office) -> None:
        """Whoever knows a drop's id cannot end it by writing any key into a ticket."""
        certificate = office.ingest()
        with pytest.raises(KeyInTicket):
            office.file(certificate.drop_id, "eve@evil.test", office.ca.issue([SHOP]).key_pem.decode())
        ((ticket, _),) = list_waiting(certificate.drop_id)

        with pytest.raises(TicketRefused) as refused:
            match_ticket.fn(certificate.drop_id, ticket, "test")
        assert refused.value.code == "foreign-sender"
        assert not office.here.certificates.is_compromised(certificate.spki_sha256)

    def test_whoever_has_this_very_key_stops_it(self, office: Office) -> None:
        """If a stranger shows the key of this certificate, it is compromised, whoever the stranger is."""
        issued = office.ca.issue([SHOP])
        drop = office.open()
        office.upload(drop, issued.files())
        ingest_secrets.fn(drop.id)
        with pytest.raises(KeyInTicket):
            office.file(drop.id, "eve@evil.test", issued.key_pem.decode())

        with pytest.raises(KeyInTicket):
            match_ticket.fn(drop.id, list_waiting(drop.id)[0][0], "test")

    @pytest.mark.parametrize("when", ["in a second ticket", "in a message"])
    def test_a_key_given_away_after_the_match_keeps_it_off_the_edges(self, office: Office, when: str) -> None:
        """Also an encrypted key, that nobody can tell from another, and also after the approval."""
        certificate = office.match()
        digest = office.approve(certificate.drop_id)
        secret = key_pem(office.ca.issue([SHOP]).key, passphrase=b"hunter2").decode()
        ticket = office.here.decisions.find_match(certificate.drop_id)
        assert ticket is not None

        with pytest.raises(KeyInTicket):
            if when == "in a message":
                add_message(ticket, CONTACT, secret, "m1", office.here.now())
            else:
                office.file(certificate.drop_id, body=secret)
        with pytest.raises(Rejected) as refused:
            provision_edges.fn(certificate.drop_id, digest)

        assert refused.value.code == "key-compromised"
        assert office.served() == [None, None]

    def test_a_ticket_for_what_has_ended_is_refused(self, office: Office) -> None:
        """A late ticket is answered instead of waiting for ever."""
        certificate = office.match()
        late = office.file(certificate.drop_id)
        office.here.drops.close(certificate.drop_id, Outcome.CANCELLED, None, None)

        with pytest.raises(HandOverClosed):
            match_ticket.fn(certificate.drop_id, late, "test")


class TestListWaiting:
    def test_an_early_ticket_waits(self, office: Office) -> None:
        """A ticket that is filed before the files have come in is neither matched nor refused by the watcher."""
        drop = office.open()
        ticket = office.file(drop.id)

        assert list_waiting() == ()
        assert list_waiting(drop.id) == ((ticket, drop.id),)

    def test_a_ticket_about_something_else_is_left_to_people(self, office: Office) -> None:
        """The desk is not certferry's alone."""
        ticket = make_id("ticket", os.urandom(16))
        file_ticket(ticket, CONTACT, "Hello", "Where is my invoice?", None, office.here.now())

        assert list_waiting() == ()


class TestRefuseTicket:
    def test_answers_once_and_closes(self, office: Office) -> None:
        """The sender reads why, once, and nobody looks at the ticket again."""
        certificate = office.ingest()
        ticket = office.file(certificate.drop_id, "eve@evil.test")

        refuse_ticket.fn(ticket, "Not from the address on the account.")
        refuse_ticket.fn(ticket, "Not from the address on the account.")

        found = office.here.tickets.fetch(ticket)
        assert [message.author for message in found.messages] == ["eve@evil.test", "certferry"]
        assert (found.state, list_waiting()) == ("closed", ())


class TestFileTicket:
    def test_the_drop_is_found_in_the_text(self, office: Office) -> None:
        """A customer who writes by hand quotes the drop, and need not know a field for it."""
        drop = office.open()

        assert office.here.tickets.fetch(office.file(drop.id)).drop_id == drop.id

    def test_filing_twice_is_one_ticket(self, office: Office) -> None:
        """A request whose answer was lost is sent again without harm."""
        ticket = make_id("ticket", os.urandom(16))

        first = file_ticket(ticket, CONTACT, "Hello", "Please.", None, office.here.now())

        assert file_ticket(ticket, CONTACT, "Hello", "Please.", None, office.here.now()) == first
        assert len(office.here.tickets.list_of(CONTACT)) == 1

    @pytest.mark.parametrize(("subject", "body"), [("", "text"), ("Hello", "  \n"), ("x" * 201, "text")])
    def test_says_nothing_or_too_much(self, office: Office, subject: str, body: str) -> None:
        """An empty ticket, or one that the desk could not hold, is refused before it is filed."""
        with pytest.raises(BadInput):
            file_ticket(make_id("ticket", os.urandom(16)), CONTACT, subject, body, None, office.here.now())
