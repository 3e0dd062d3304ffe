"""The ticket desk."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from tasks.clients.database import Database
from tasks.clients.tickets import EmbeddedDesk, TicketDesk
from tasks.core.errors import NotFound
from tasks.core.model import Message, Ticket
from tests.clients.examples import NOW, at_once

SENDER = "ops@acme.test"


@pytest.fixture(name="desk")
def _desk(database: Database) -> TicketDesk:
    return EmbeddedDesk(database)


def _file(desk: TicketDesk, ticket_id: str = "ticket-1", minutes: int = 0, refused: bool = False) -> Ticket:
    at = NOW + timedelta(minutes=minutes)
    return desk.file(ticket_id, SENDER, "Set it up", "Please set up drop-1.", "drop-1", at, refused=refused)


class TestFile:
    def test_a_ticket_opens_with_its_body_as_first_message(self, desk: TicketDesk) -> None:
        """As the customer wrote it."""
        message = Message(SENDER, "Please set up drop-1.", NOW)
        wanted = Ticket("ticket-1", SENDER, "Set it up", "drop-1", "open", (message,))

        assert wanted == _file(desk)
        assert wanted == desk.fetch("ticket-1")

    def test_the_same_id_again_gives_the_first(self, desk: TicketDesk) -> None:
        """A repeated request is one ticket with one message, also when it is closed already."""
        first = _file(desk)
        again = desk.file("ticket-1", "mallory@other.test", "Other", "Other", None, NOW)

        assert first == again
        desk.close("ticket-1", NOW)
        assert _file(desk).state == "closed"

    def test_the_same_at_once_is_one(self, desk: TicketDesk) -> None:
        """Two requests at the same moment, one ticket, one message."""
        answers = at_once([partial(_file, desk)] * 6)

        assert [desk.fetch("ticket-1")] * 6 == answers
        assert len(answers[0].messages) == 1

    def test_a_refused_ticket_is_kept_and_waits(self, desk: TicketDesk) -> None:
        """The hand-over it speaks of must be stopped."""
        assert _file(desk, refused=True).state == "refused"
        assert [ticket.id for ticket in desk.list_waiting()] == ["ticket-1"]

    def test_odd_text_is_kept_readable(self, desk: TicketDesk) -> None:
        """NUL and lone surrogates, which no database takes, become visible; the rest stays; a subject has an end."""
        ticket = desk.file("ticket-1", SENDER, "s" * 500, "a\0b\ud800c \N{SNOWMAN} 'quoted'", None, NOW)

        assert ticket.messages[0].body == "a\N{REPLACEMENT CHARACTER}b?c \N{SNOWMAN} 'quoted'"
        assert ticket.subject == "s" * 200


class TestLists:
    def test_waiting_are_open_or_refused_oldest_first(self, desk: TicketDesk) -> None:
        """A closed ticket is nobody's turn."""
        _file(desk, "ticket-c", minutes=3)
        _file(desk, "ticket-a", minutes=1, refused=True)
        _file(desk, "ticket-b", minutes=2)
        desk.close("ticket-b", NOW)

        assert [ticket.id for ticket in desk.list_waiting()] == ["ticket-a", "ticket-c"]

    def test_a_senders_own_newest_first(self, desk: TicketDesk) -> None:
        """Nobody reads another's."""
        _file(desk, "ticket-a", minutes=1)
        _file(desk, "ticket-b", minutes=2)

        assert [ticket.id for ticket in desk.list_of(SENDER)] == ["ticket-b", "ticket-a"]
        assert desk.list_of("ops@other.test") == ()


class TestSay:
    def test_messages_stay_in_order_and_come_once(self, desk: TicketDesk) -> None:
        """A step that runs twice answers once."""
        _file(desk)
        desk.say("ticket-1", "certferry", "Both edges serve it.", "confirmed", NOW)
        desk.say("ticket-1", "certferry", "Both edges still serve it.", "confirmed", NOW)
        desk.say("ticket-1", SENDER, "Thank you.", "thanks", NOW - timedelta(minutes=1))

        assert [message.body for message in desk.fetch("ticket-1").messages] == [
            "Please set up drop-1.",
            "Both edges serve it.",
            "Thank you.",
        ]

    def test_one_key_counts_per_ticket(self, desk: TicketDesk) -> None:
        """The same step answers on every ticket."""
        for ticket_id in ("ticket-1", "ticket-2"):
            _file(desk, ticket_id)
            desk.say(ticket_id, "certferry", "Done.", "confirmed", NOW)

        assert [len(desk.fetch(ticket_id).messages) for ticket_id in ("ticket-1", "ticket-2")] == [2, 2]

    def test_the_same_at_once_comes_once(self, desk: TicketDesk) -> None:
        """Also from two processes."""
        _file(desk)
        at_once([partial(desk.say, "ticket-1", "certferry", "Done.", "confirmed", NOW)] * 6)

        assert len(desk.fetch("ticket-1").messages) == 2

    def test_a_closed_ticket_still_takes_the_proof(self, desk: TicketDesk) -> None:
        """The second sweep ends after the hand-over does."""
        _file(desk)
        desk.close("ticket-1", NOW)
        desk.close("ticket-1", NOW)
        desk.say("ticket-1", "certferry", "The drop is gone.", "destroyed", NOW)

        assert (desk.fetch("ticket-1").state, len(desk.fetch("ticket-1").messages)) == ("closed", 2)

    def test_no_ticket_is_not_found(self, desk: TicketDesk) -> None:
        """An answer never goes nowhere."""
        with pytest.raises(NotFound):
            desk.say("ticket-9", "certferry", "Done.", "confirmed", NOW)
        with pytest.raises(NotFound):
            desk.close("ticket-9", NOW)
        with pytest.raises(NotFound):
            desk.fetch("ticket-9")
