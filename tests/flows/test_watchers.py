"""The rounds: tickets find their runs, drops get what they need, and one that is in trouble keeps no other waiting."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flows.destroy_drop import destroy_drop
from flows.watch_drops import look_after, watch_drops
from flows.watch_tickets import watch_tickets
from tasks.confirm_edges import confirm_edges
from tasks.core.care import Care
from tasks.core.errors import KeyInTicket, PrefectUnavailable, Rejected
from tasks.core.live import challenge_name
from tasks.core.model import Certificate, DropState, Outcome
from tasks.destroy_drop import destroy_drop as destroy
from tasks.start_provision import start_provision
from tests.office import SHOP, Office

pytestmark = pytest.mark.usefixtures("theatre")


def waiting_run(office: Office, drop_id: str, gate: str = "ticket-a1-r1") -> str:
    """Give the drop a run that waits at a gate."""
    run = start_provision.fn(drop_id)
    office.here.drops.attach_run(drop_id, run)
    office.runs.suspend(run, gate)
    return run


def stopped_run(office: Office, drop_id: str, state: str) -> str:
    run = start_provision.fn(drop_id)
    office.here.drops.attach_run(drop_id, run)
    office.runs.runs[run] = state
    return run


@pytest.fixture(name="certificate")
def _certificate(office: Office) -> Certificate:
    return office.ingest()


class TestWatchTickets:
    def test_a_ticket_lets_its_run_go_on(self, office: Office, certificate: Certificate) -> None:
        """The match is on record before the run is resumed, so a run that dies then finds it."""
        run = waiting_run(office, certificate.drop_id)
        ticket = office.file(certificate.drop_id)

        assert watch_tickets.fn() is None

        assert office.here.decisions.find_match(certificate.drop_id) == ticket
        assert office.runs.runs[run] == "Resuming"

    def test_a_resume_that_failed_is_made_up_for(self, office: Office, certificate: Certificate) -> None:
        """A pass that matched and then lost Prefect reports it; the next one resumes."""
        run = waiting_run(office, certificate.drop_id)
        office.file(certificate.drop_id)
        office.runs.down = True
        assert watch_tickets.fn().name == "Incomplete"
        office.runs.down = False

        assert watch_tickets.fn() is None
        assert office.runs.runs[run] == "Resuming"

    def test_a_key_in_it_wakes_the_run_that_then_refuses(self, office: Office, certificate: Certificate) -> None:
        """The run itself ends the hand-over; nothing is matched."""
        run = waiting_run(office, certificate.drop_id)
        with pytest.raises(KeyInTicket):
            office.file(certificate.drop_id, body=office.ca.issue([SHOP]).key_pem.decode())

        watch_tickets.fn()

        assert office.runs.runs[run] == "Resuming"
        assert office.here.decisions.find_match(certificate.drop_id) is None

    @pytest.mark.parametrize("passes", [1, 3])
    def test_a_strangers_ticket_is_answered_once(self, office: Office, certificate: Certificate, passes: int) -> None:
        """The stranger reads why it does not count, and not whose address would; the run waits on."""
        run = waiting_run(office, certificate.drop_id)
        ticket = office.file(certificate.drop_id, "eve@evil.test")

        for _ in range(passes):
            watch_tickets.fn()

        found = office.here.tickets.fetch(ticket)
        assert [message.author for message in found.messages] == ["eve@evil.test", "certferry"]
        assert "ops@acme.test" not in found.messages[1].body
        assert (found.state, office.runs.runs[run]) == ("closed", "Suspended")

    def test_a_drop_that_does_not_exist_is_said_to(self, office: Office) -> None:
        """A mistyped drop id is answered instead of waited for."""
        ticket = office.file("drop-" + "a" * 26)

        watch_tickets.fn()

        assert office.here.tickets.fetch(ticket).state == "closed"


class TestWatchDrops:
    def test_an_upload_gets_its_run(self, office: Office) -> None:
        """Files that nobody told of are found."""
        drop = office.open()
        office.upload(drop)

        watch_drops.fn()

        assert [parameters for _, parameters, _ in office.runs.started.values()] == [{"drop_id": drop.id}]

    def test_a_crashed_run_is_started_again(self, office: Office, certificate: Certificate) -> None:
        """What an automation missed, the round does."""
        run = stopped_run(office, certificate.drop_id, "Crashed")

        watch_drops.fn()

        assert office.runs.runs[run] == "AwaitingRetry"

    def test_a_run_that_an_operator_cancelled_is_undone(self, office: Office) -> None:
        """Cancel in the UI: both edges as before, drop and vault copy gone, the customer told; nothing is charged."""
        certificate = office.provision()
        stopped_run(office, certificate.drop_id, "Cancelled")

        watch_drops.fn()
        watch_drops.fn()

        drop = office.drop(certificate.drop_id)
        assert (drop.outcome, drop.state) == (Outcome.CANCELLED, DropState.DESTROYED)
        assert office.served() == [None, None]
        assert office.vault.calls.count("delete") == 1
        assert office.here.billing.list_entries("acme") == ()
        assert office.answers(drop.id).count("An operator of the platform cancelled it.") == 1

    def test_after_the_confirmation_it_is_too_late_to_cancel(self, office: Office) -> None:
        """The edges serve it and the account may pay: the run is started again, to do the rest."""
        certificate = office.provision()
        run = stopped_run(office, certificate.drop_id, "Cancelled")
        confirm_edges.fn(certificate.drop_id)

        watch_drops.fn()

        assert office.runs.runs[run] == "AwaitingRetry"
        assert office.served() == [certificate.bundle_sha256] * 2

    def test_a_run_that_waited_in_vain_is_started_when_the_domain_is_live(
        self, office: Office, certificate: Certificate
    ) -> None:
        """One look by the round is cheaper than a process that polls for days."""
        run = stopped_run(office, certificate.drop_id, "NotReady")
        record = office.resolver.texts.pop(challenge_name(SHOP))
        watch_drops.fn()
        assert office.runs.runs[run] == "NotReady"

        office.resolver.texts[challenge_name(SHOP)] = record
        watch_drops.fn()
        assert office.runs.runs[run] == "AwaitingRetry"

    def test_what_is_past_its_time_expires(self, office: Office, certificate: Certificate) -> None:
        """The drop and the vault copy are gone, and the run that waited is cancelled."""
        run = waiting_run(office, certificate.drop_id)
        office.here.ahead = timedelta(days=15)

        watch_drops.fn()

        drop = office.drop(certificate.drop_id)
        assert (drop.outcome, drop.state) == (Outcome.EXPIRED, DropState.DESTROYED)
        assert office.runs.runs[run] == "Cancelled"
        assert not office.vault._objects.versions

    @pytest.mark.parametrize("care", [Care.EXPIRE, Care.CANCEL])
    def test_under_the_lease_it_looks_again(self, office: Office, care: Care) -> None:
        """The survey is from before: what has been put on the edges since then is neither expired nor cancelled."""
        certificate = office.provision()
        run = stopped_run(office, certificate.drop_id, "Running")
        office.here.ahead = timedelta(days=15)

        look_after(certificate.drop_id, care)

        assert office.drop(certificate.drop_id).outcome is None
        assert office.served() == [certificate.bundle_sha256] * 2
        assert office.runs.runs[run] == "Running"

    def test_the_run_is_cancelled_before_the_drop_is_gone(self, office: Office, certificate: Certificate) -> None:
        """Without Prefect nothing is ended yet: no round would look after the run of a drop that is destroyed."""
        run = waiting_run(office, certificate.drop_id)
        office.here.ahead = timedelta(days=15)
        office.runs.down = True
        with pytest.raises(PrefectUnavailable):
            look_after(certificate.drop_id, Care.EXPIRE)
        assert office.drop(certificate.drop_id).state is not DropState.DESTROYED
        office.runs.down = False

        watch_drops.fn()

        assert office.drop(certificate.drop_id).outcome is Outcome.EXPIRED
        assert office.runs.runs[run] == "Cancelled"

    def test_the_second_sweep_closes_the_ticket(self, office: Office) -> None:
        """Whoever ended it was cut short before the answer: the round says it, once, and closes the ticket."""
        certificate = office.match()
        ticket = office.here.decisions.find_match(certificate.drop_id)
        assert ticket is not None
        office.here.drops.close(certificate.drop_id, Outcome.CANCELLED, "cancelled", "Given up.")
        destroy.fn(certificate.drop_id)
        assert office.here.tickets.fetch(ticket).state == "open"
        office.here.ahead = timedelta(hours=1)

        watch_drops.fn()
        watch_drops.fn()

        assert office.drop(certificate.drop_id).swept_at is not None
        assert office.here.tickets.fetch(ticket).state == "closed"
        assert office.answers(certificate.drop_id).count("The hand-over of ") == 1

    def test_the_second_sweep_comes_in_time(self, office: Office, certificate: Certificate) -> None:
        """What came in by an old upload capability goes, and the proof is on the trail."""
        destroy_drop.fn(certificate.drop_id, "operator:olga")
        office.store.arrive(certificate.drop_id, b"late")
        office.here.ahead = timedelta(hours=1)

        watch_drops.fn()

        assert not office.store.has_upload(certificate.drop_id)
        assert office.drop(certificate.drop_id).swept_at is not None

    def test_one_in_trouble_keeps_no_other_waiting(self, office: Office) -> None:
        """A drop that cannot be cleared away is reported, and the next one gets what it needs all the same."""
        stuck, fine = office.provision("stuck"), office.open("fine")
        office.upload(fine)
        office.here.drops.close(stuck.drop_id, Outcome.REJECTED, "code", "Because.")
        office.edges[0].down = True

        state = watch_drops.fn()

        assert (state.name, "edge a" in state.message) == ("Incomplete", True)
        assert [parameters for _, parameters, _ in office.runs.started.values()] == [{"drop_id": fine.id}]


class TestDestroyDrop:
    def test_a_customer_gives_a_hand_over_up(self, office: Office, certificate: Certificate) -> None:
        """Everything that came through the drop is gone, the ticket is answered, the run is cancelled."""
        run = waiting_run(office, certificate.drop_id)
        ticket = office.file(certificate.drop_id)

        state = destroy_drop.fn(certificate.drop_id, "account:acme")

        assert (state.name, office.runs.runs[run]) == ("Cancelled", "Cancelled")
        assert "cancelled" in office.here.tickets.fetch(ticket).messages[-1].body
        assert not office.store._objects.versions
        assert not office.vault._objects.versions

    def test_not_what_the_edges_serve(self, office: Office) -> None:
        """Too late is too late: nothing is destroyed."""
        certificate = office.provision()

        with pytest.raises(Rejected):
            destroy_drop.fn(certificate.drop_id, "account:acme")
        assert office.drop(certificate.drop_id).state is DropState.INGESTED
