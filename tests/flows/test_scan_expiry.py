"""Customers hear in time that a certificate ends: once a rung, in one letter, and not while others must act."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from flows import scan_expiry as flow_module
from flows.scan_expiry import PaceName, scan_expiry
from flows.watch_drops import watch_drops
from tasks.clients.records.letters import Delivered
from tasks.confirm_edges import confirm_edges
from tasks.core import policy
from tasks.core.errors import KeysUnavailable, MessengerUnavailable
from tasks.core.expiry import LADDER, Audience, Pace, Rung
from tasks.core.model import PLATFORM, Certificate, DropState, Hostname, Outcome, Ticket, make_id
from tasks.deliver_letter import deliver_letter
from tasks.ingest_secrets import ingest_secrets
from tasks.match_ticket import match_ticket
from tasks.onboard import Onboarding, onboard
from tasks.open_drop import open_drop
from tasks.provision_edges import provision_edges
from tasks.request_drop import request_drop
from tasks.scan_expiry import survey_expiry
from tasks.start_provision import start_provision
from tasks.write_letters import list_renewals_due, write_letter
from tests.office import CONTACT, SHOP, Office

pytestmark = pytest.mark.usefixtures("theatre")

MAIL = {"mail": "mailtos://u:p@mail.test?to={contact}"}


def move_to(office: Office, certificate: Certificate, rung: Rung) -> datetime:
    """Put the clock to a minute after *certificate* has come to *rung*."""
    begins = LADDER.begins(rung, certificate.not_before, certificate.not_after)
    office.here.ahead += begins + timedelta(minutes=1) - office.here.now()
    watch_drops.fn()  # as every five minutes: a hand-over that is past its time has ended
    return begins


def letters(office: Office) -> list[Ticket]:
    """Give what was written to the customer, oldest first."""
    return [ticket for ticket in office.here.tickets.list_of(CONTACT) if ticket.state == "told"][::-1]


@pytest.fixture(name="certificate")
def _certificate(office: Office) -> Certificate:
    """What both edges serve for `SHOP`, confirmed, its hand-over at its end."""
    certificate = office.provision()
    confirm_edges.fn(certificate.drop_id)
    office.here.drops.close(certificate.drop_id, Outcome.COMPLETED, None, None)
    return certificate


class TestTheLadder:
    def test_far_from_its_end_nobody_hears_anything(self, office: Office, certificate: Certificate) -> None:
        """No renewal is opened, and no letter written."""
        assert scan_expiry.fn() is None
        assert letters(office) == []
        assert office.here.drops.find_renewal(SHOP, office.here.now()) is None

    def test_at_the_first_rung_the_renewal_is_open_and_the_letter_names_it(
        self, office: Office, certificate: Certificate
    ) -> None:
        """The customer can push into it by the name in the letter."""
        move_to(office, certificate, Rung.OPEN_RENEWAL)
        assert scan_expiry.fn() is None

        drop = office.here.drops.find_renewal(SHOP, office.here.now())
        assert drop is not None
        assert (drop.state, drop.requested_by) == (DropState.OPEN, PLATFORM)
        (letter,) = letters(office)
        assert letter.subject.startswith(f"The certificate of {SHOP} expires in ")
        assert f"certferry push {drop.name} " in letter.messages[0].body
        assert letter.messages[0].author == "certferry"

    def test_each_rung_is_told_once_in_order(self, office: Office, certificate: Certificate) -> None:
        """However often a scan comes round, at whichever pace; a letter is no request, so nobody answers it."""
        subjects = []
        for rung in Rung:
            move_to(office, certificate, rung)
            paces: tuple[PaceName, ...] = ("all", "last-days", "all")
            for pace in paces:
                assert scan_expiry.fn(pace) is None
            subjects.append(letters(office)[-1].subject)
            assert len(letters(office)) == len(subjects)
        assert [subject.split()[0] for subject in subjects] == ["The", "The", "URGENT:", "URGENT:", "EXPIRED:"]
        assert {ticket.state for ticket in office.here.tickets.list_waiting()} == set()

    def test_the_hourly_pace_sees_what_ends_within_days(self, office: Office, certificate: Certificate) -> None:
        """And leaves what is farther off to the daily one."""
        move_to(office, certificate, Rung.REMIND)
        scan_expiry.fn("last-days")
        assert letters(office) == []
        move_to(office, certificate, Rung.URGENT)
        scan_expiry.fn("last-days")
        assert len(letters(office)) == 1

    def test_after_an_outage_one_letter_and_not_all_that_were_missed(
        self, office: Office, certificate: Certificate
    ) -> None:
        """The rung that is due now."""
        move_to(office, certificate, Rung.LAST_DAYS)
        scan_expiry.fn()
        assert [ticket.subject.split()[0] for ticket in letters(office)] == ["URGENT:"]

    def test_a_clock_put_back_says_nothing(self, office: Office, certificate: Certificate) -> None:
        """Not even when it comes to the earlier rung a second time."""
        move_to(office, certificate, Rung.URGENT)
        scan_expiry.fn()
        move_to(office, certificate, Rung.REMIND)
        scan_expiry.fn()
        assert len(letters(office)) == 1


class TestSilence:
    def test_what_was_taken_off_the_edges_climbs_down(self, office: Office, certificate: Certificate) -> None:
        """Disabled or replaced: there is nothing left that could end."""
        move_to(office, certificate, Rung.OPEN_RENEWAL)
        for edge in office.here.edges:
            office.here.certificates.unassign(edge.name, SHOP, certificate.id)
        assert scan_expiry.fn() is None
        assert letters(office) == []

    def test_a_customer_whose_files_are_here_hears_nothing(self, office: Office, certificate: Certificate) -> None:
        """While the platform checks them, and while an operator decides."""
        move_to(office, certificate, Rung.REMIND)
        scan_expiry.fn()
        drop = office.here.drops.find_renewal(SHOP, office.here.now())
        assert drop is not None
        attach(office, drop.id)
        move_to(office, certificate, Rung.URGENT)
        scan_expiry.fn()
        assert len(letters(office)) == 1

    def test_when_it_is_the_customers_turn_again_the_rung_is_told(
        self, office: Office, certificate: Certificate
    ) -> None:
        """Silence at a rung is not on record as told: a refused hand-over needs the letter after all."""
        move_to(office, certificate, Rung.REMIND)
        drop = office.open("renewal")
        attach(office, drop.id)
        scan_expiry.fn()
        assert letters(office) == []
        office.here.drops.close(drop.id, Outcome.REJECTED, "expired", "It is no good.")
        scan_expiry.fn()
        assert len(letters(office)) == 1

    def test_what_was_decided_and_is_replaced_before_the_letter_is_taken_back(
        self, office: Office, certificate: Certificate
    ) -> None:
        """Between the look and the letter a scan may have been dead for a day."""
        move_to(office, certificate, Rung.REMIND)
        assert survey_expiry.fn(Pace.ALL) is None
        assert list_renewals_due.fn("acme") == (SHOP,)
        for edge in office.here.edges:
            office.here.certificates.unassign(edge.name, SHOP, certificate.id)
        write_letter.fn("acme")
        assert letters(office) == []
        assert office.here.letters.list_accounts_due("", 10) == ()


def attach(office: Office, drop_id: str) -> None:
    """Let a run be at work on what has arrived in a drop."""
    run = start_provision.fn(drop_id)
    office.here.drops.attach_run(drop_id, run)
    office.runs.runs[run] = "Running"
    office.here.drops.mark_verified(drop_id, office.here.now())


class TestChannels:
    def test_a_letter_goes_out_by_each_channel_once(self, office: Office, certificate: Certificate) -> None:
        """Ticket and mail, to the account's address."""
        office.set_section("notices", customers=MAIL)
        move_to(office, certificate, Rung.REMIND)
        for _ in range(3):
            assert scan_expiry.fn() is None
        (sent,) = office.messenger.sent
        assert (sent.audience, sent.channel, sent.contact) == (Audience.CUSTOMER, "mail", CONTACT)
        assert (sent.subject, sent.body) == (letters(office)[0].subject, letters(office)[0].messages[0].body)

    def test_a_channel_that_says_it_failed_is_asked_again_and_then_given_up(
        self, office: Office, certificate: Certificate
    ) -> None:
        """The ticket stands all the same; the run says what went wrong, and after three times is quiet."""
        office.set_section("notices", customers=MAIL)
        office.messenger.failing.add("mail")
        move_to(office, certificate, Rung.REMIND)
        states = [scan_expiry.fn() for _ in range(policy.LETTER_TRIES + 1)]
        assert [state and state.name for state in states] == ["Incomplete"] * policy.LETTER_TRIES + [None]
        assert len(letters(office)) == 1
        office.messenger.failing.clear()
        assert scan_expiry.fn() is None
        assert office.messenger.sent == []

    def test_it_recovers_in_between(self, office: Office, certificate: Certificate) -> None:
        """A mail server that was restarted takes it the next time, once."""
        office.set_section("notices", customers=MAIL)
        office.messenger.failing.add("mail")
        move_to(office, certificate, Rung.REMIND)
        scan_expiry.fn()
        office.messenger.failing.clear()
        assert [scan_expiry.fn() for _ in range(2)] == [None, None]
        assert len(office.messenger.sent) == 1

    def test_a_kill_after_the_mail_went_out_sends_no_second_one(self, office: Office, certificate: Certificate) -> None:
        """Nobody knows whether it went: it is lost rather than doubled, and the operators are told once."""
        office.set_section("notices", customers=MAIL)
        office.messenger.killed.add("mail")
        move_to(office, certificate, Rung.REMIND)
        with pytest.raises(KeyboardInterrupt):
            scan_expiry.fn()
        office.messenger.killed.clear()
        assert scan_expiry.fn() is None  # it may be alive yet
        office.here.ahead += policy.LETTER_UNSURE + timedelta(minutes=1)
        state = scan_expiry.fn()
        assert "letter-unsure" in state.message
        assert scan_expiry.fn() is None
        assert (len(office.messenger.sent), len(letters(office))) == (1, 1)

    def test_a_kill_before_the_ticket_was_recorded_writes_it_once(
        self, office: Office, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The desk knows the letter by its id."""
        move_to(office, certificate, Rung.REMIND)
        with monkeypatch.context() as patch:
            patch.setattr(type(office.here.letters), "end", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                scan_expiry.fn()
        assert len(letters(office)) == 1
        assert scan_expiry.fn() is None
        (letter,) = letters(office)
        assert len(letter.messages) == 1

    def test_a_channel_taken_out_of_the_settings_is_given_up(self, office: Office, certificate: Certificate) -> None:
        """Once, with a word."""
        office.set_section("notices", customers=MAIL)
        office.messenger.failing.add("mail")
        move_to(office, certificate, Rung.REMIND)
        scan_expiry.fn()
        ((letter_id, channel),) = office.here.letters.list_open(("", ""), 10)
        with pytest.raises(MessengerUnavailable):
            deliver_letter.fn(letter_id, channel)
        assert office.here.letters.fetch_delivery(letter_id, channel).outcome is None
        with pytest.raises(MessengerUnavailable):
            deliver_letter.fn(letter_id, channel)
        assert office.here.letters.fetch_delivery(letter_id, channel).outcome is Delivered.FAILED

    def test_a_customer_who_answers_a_letter_asks_for_it(self, office: Office, certificate: Certificate) -> None:
        """It waits from then on like any ticket; that the letter names the hand-over is no request."""
        move_to(office, certificate, Rung.REMIND)
        scan_expiry.fn()
        (letter,) = letters(office)
        drop = office.here.drops.find_renewal(SHOP, office.here.now())
        assert drop is not None
        assert letter.id not in [ticket.id for ticket in office.here.tickets.list_waiting()]
        office.here.tickets.say(letter.id, CONTACT, f"Please do {drop.id}.", "said-1", office.here.now())
        assert letter.id in [ticket.id for ticket in office.here.tickets.list_waiting()]


class TestOperators:
    CHAT: Mapping[str, str] = {"chat": "slack://a/b/c"}

    def test_they_hear_of_the_last_days_and_of_the_end(self, office: Office, certificate: Certificate) -> None:
        """Once each."""
        office.set_section("notices", operators=self.CHAT)
        for rung in Rung:
            move_to(office, certificate, rung)
            scan_expiry.fn()
            scan_expiry.fn()
        assert [sent.audience for sent in office.messenger.sent] == [Audience.OPERATORS] * 2
        last_days, expired = office.messenger.sent
        assert "Nothing has been handed over. Call the customer." in last_days.body
        assert expired.subject.startswith("DOWN: ")

    def test_without_a_channel_the_letter_is_on_record(self, office: Office, certificate: Certificate) -> None:
        """And the run is no failure for it."""
        move_to(office, certificate, Rung.LAST_DAYS)
        assert scan_expiry.fn() is None
        assert office.actions("operators") == ["letter.written"]


class TestMany:
    def test_an_account_gets_one_letter_a_scan(self, office: Office, certificate: Certificate) -> None:
        """Two hostnames, one letter that names both, and a renewal for each."""
        other = Hostname("www.example.test")
        serve(office, other)
        move_to(office, certificate, Rung.REMIND)
        assert scan_expiry.fn() is None
        (letter,) = letters(office)
        assert letter.subject.startswith("2 of your certificates expire soon")
        assert all(f"* {hostname}: expires on" in letter.messages[0].body for hostname in (SHOP, other))
        assert all(office.here.drops.find_renewal(hostname, office.here.now()) for hostname in (SHOP, other))

    def test_a_renewal_that_cannot_be_opened_keeps_no_letter(
        self, office: Office, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The customer reads how to open it, and the run says what went wrong."""

        def fail(hostname: str, requested_by: str) -> str:
            raise KeysUnavailable.because(hostname, "told to fail")

        monkeypatch.setattr(flow_module, "request_renewal", fail)
        move_to(office, certificate, Rung.REMIND)
        assert scan_expiry.fn().name == "Incomplete"
        assert (
            f"certferry create renew-shop-example-test --app shop --hostname {SHOP}"
            in letters(office)[0].messages[0].body
        )

    def test_a_long_letter_counts_what_it_does_not_list(
        self, office: Office, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """None of them is told of again."""
        serve(office, Hostname("www.example.test"))
        monkeypatch.setattr(policy, "MOST_IN_A_LETTER", 1)
        move_to(office, certificate, Rung.REMIND)
        for _ in range(2):
            scan_expiry.fn()
        (letter,) = letters(office)
        assert "and 1 more." in letter.messages[0].body


class TestResume:
    @pytest.mark.parametrize("pace", Pace)
    def test_a_scan_that_was_cut_short_goes_on_where_it_was(
        self, office: Office, certificate: Certificate, monkeypatch: pytest.MonkeyPatch, pace: Pace
    ) -> None:
        """Part by part, each certificate is counted once; what is done begins anew."""
        monkeypatch.setattr(policy, "SCAN_CHUNK", 1)
        for number in range(2):
            serve(office, Hostname(f"www{number}.example.test"))
        move_to(office, certificate, Rung.URGENT)
        assert [survey_expiry.fn(pace) for _ in range(2)] == [1, 2]
        # the process is killed here, and the next run comes
        assert [survey_expiry.fn(pace) for _ in range(2)] == [3, None]
        scan = office.here.scans.find(f"expiry-{pace}")
        assert scan is not None
        assert (scan.tally["total"], scan.tally["rungs"], scan.finished_at is None) == (3, {"urgent": 3}, False)
        assert survey_expiry.fn(pace) == 1

    def test_a_scan_that_stopped_long_ago_begins_anew(
        self, office: Office, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What it saw is no picture of today."""
        monkeypatch.setattr(policy, "SCAN_CHUNK", 1)
        assert survey_expiry.fn(Pace.ALL) == 1
        office.here.ahead += policy.SCAN_FRESH + timedelta(minutes=1)
        assert survey_expiry.fn(Pace.ALL) == 1


def serve(office: Office, hostname: Hostname) -> None:
    """Let both edges serve a certificate for another hostname of acme's."""
    here = office.here
    wish = {"account": "acme", "contact": CONTACT, "apps": [{"name": "shop", "hostnames": [hostname]}]}
    onboard(Onboarding.model_validate(wish), here.now())
    name = hostname.partition(".")[0]
    drop_id = make_id("drop", os.urandom(16))
    drop = request_drop(drop_id, name, "acme", "shop", hostname, "account:acme", here.now())
    open_drop.fn(drop.id)
    office.store.arrive(drop.id, office.seal(office.drop(drop.id), office.ca.issue([hostname]).files()))
    ingest_secrets.fn(drop.id)
    match_ticket.fn(drop.id, office.file(drop.id), "test")
    provision_edges.fn(drop.id, office.approve(drop.id))
    confirm_edges.fn(drop.id)
    here.drops.close(drop.id, Outcome.COMPLETED, None, None)
