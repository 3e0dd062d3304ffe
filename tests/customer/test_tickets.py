"""Tickets from the command line: words only."""

from __future__ import annotations

import pytest

from tests.desk import HOSTNAME, Customer, Town
from tests.pki import CA

KEY = CA().issue([HOSTNAME]).key_pem.decode()


def filed(customer: Customer) -> str:
    """File a ticket for a new drop, and give its id."""
    customer.create()
    ticket_id = customer.run("--json", "ticket", "file", "edge").json["id"]
    assert isinstance(ticket_id, str)
    return ticket_id


class TestTickets:
    def test_a_ticket_is_worded_for_the_customer(self, town: Town, customer: Customer) -> None:
        """Without subject and message it names the hostname and quotes the drop."""
        ticket = town.installation.tickets.fetch(filed(customer))
        assert ticket.subject == f"HTTPS for {HOSTNAME}"
        assert ticket.drop_id == town.drop().id
        assert town.drop().id in ticket.messages[0].body

    def test_it_is_read_written_on_and_listed(self, customer: Customer) -> None:
        """What was said is shown, by whom, in order."""
        ticket_id = filed(customer)
        assert customer.run("ticket", "say", ticket_id, "when?").code == 0
        shown = customer.run("ticket", "show", ticket_id).out
        assert shown.index("Please set up HTTPS") < shown.index("when?")
        assert "ops@acme.test" in shown
        assert ticket_id in customer.run("ticket", "list").out

    @pytest.mark.parametrize(
        "text", [KEY, KEY.replace("\n", "\\n"), "".join(KEY.splitlines()[1:-1]), f"see {KEY} thanks"]
    )
    def test_a_key_does_not_leave_the_machine(self, town: Town, customer: Customer, text: str) -> None:
        """The message is refused before anything is sent, whichever way the key is written, and is not repeated."""
        ticket_id = filed(customer)
        town.network.sent.clear()
        for arguments in (
            ("file", "edge", "--message", text),
            ("file", "edge", "--subject", text),
            ("say", ticket_id, text),
        ):
            ran = customer.run("--json", "ticket", *arguments)
            assert (ran.code, ran.error["code"]) == (1, "key-in-ticket")
            assert KEY.splitlines()[1] not in ran.out + ran.err
        assert town.network.sent == []

    def test_a_key_in_the_wrong_place_is_not_repeated(self, town: Town, customer: Customer) -> None:
        """A usage error shows the arguments it did not expect, but no key among them."""
        ran = customer.run("ticket", "file", "edge", "extra", KEY)
        assert ran.code == 2
        assert KEY.splitlines()[1] not in ran.out + ran.err

    def test_an_id_that_is_none_is_refused(self, customer: Customer) -> None:
        """Before it becomes part of an address."""
        ran = customer.run("--json", "ticket", "show", "../drops")
        assert (ran.code, ran.error["code"]) == (1, "bad-input")
