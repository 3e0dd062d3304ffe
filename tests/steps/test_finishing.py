"""Steps 5 to 7, and the ends: seen from outside, paid for, destroyed, closed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tasks.adjust_billing import adjust_billing
from tasks.cancel_hand_over import cancel_hand_over, cancel_run
from tasks.close_hand_over import close_hand_over
from tasks.confirm_edges import confirm_edges
from tasks.core.errors import (
    ApprovalPending,
    Drifted,
    EdgeUnavailable,
    Forbidden,
    HandOverClosed,
    NotFound,
    ProofFailed,
    Rejected,
    StoreUnavailable,
)
from tasks.core.model import DropState, Outcome
from tasks.destroy_drop import destroy_drop
from tasks.provision_edges import provision_edges
from tasks.sweep_drop import sweep_drop
from tests.desk import at_price
from tests.office import SHOP, Office


class TestConfirmEdges:
    def test_the_proof_is_on_record_and_the_ticket_answered(self, office: Office) -> None:
        """Both handshakes are on record, and the customer reads which leaf is served."""
        certificate = office.provision()

        confirmation = confirm_edges.fn(certificate.drop_id)

        assert office.here.certificates.find_confirmation(certificate.id) == confirmation
        assert certificate.leaf_sha256 in office.answers(certificate.drop_id)

    def test_again_gives_the_first_proof(self, office: Office) -> None:
        """A second run shakes no hands and answers no second time."""
        certificate = office.provision()
        first = confirm_edges.fn(certificate.drop_id)
        said = office.answers(certificate.drop_id)
        for edge in office.edges:
            edge.down = True

        assert confirm_edges.fn(certificate.drop_id) == first
        assert office.answers(certificate.drop_id) == said

    @pytest.mark.parametrize("status", [0, 500, 502, 503])
    def test_an_app_that_fails_through_the_edge_is_no_proof(self, office: Office, status: int) -> None:
        """A certificate before a site that does not answer is not what the customer asked for."""
        certificate = office.provision()
        office.probe.statuses[SHOP] = status

        with pytest.raises(ProofFailed, match="the app answers"):
            confirm_edges.fn(certificate.drop_id)
        assert office.here.certificates.find_confirmation(certificate.id) is None

    def test_a_page_that_asks_for_a_login_is_an_answer(self, office: Office) -> None:
        """401 and 404 come from a running app."""
        certificate = office.provision()
        office.probe.statuses[SHOP] = 401

        assert confirm_edges.fn(certificate.drop_id)

    def test_an_untrusted_chain_is_no_proof(self, office: Office) -> None:
        """What a browser would refuse is not confirmed, whatever was checked before."""
        certificate = office.provision()
        office.probe.untrusted.add(SHOP)

        with pytest.raises(ProofFailed, match="trusted root"):
            confirm_edges.fn(certificate.drop_id)

    def test_one_edge_is_not_enough(self, office: Office) -> None:
        """Both edges of the pair must show it."""
        certificate = office.provision()
        office.edges[1].down = True

        with pytest.raises(EdgeUnavailable):
            confirm_edges.fn(certificate.drop_id)
        assert office.here.certificates.find_confirmation(certificate.id) is None


class TestAdjustBilling:
    def test_one_line_from_when_both_edges_served(self, office: Office) -> None:
        """The account pays the approved price for 160 MB, and however late the line is written it says the same."""
        certificate = office.provision()
        confirmation = confirm_edges.fn(certificate.drop_id)
        office.here.ahead = timedelta(hours=5)

        key = adjust_billing.fn(certificate.drop_id)

        (line,) = office.here.billing.list_entries("acme")
        assert (line.idempotency_key, line.megabytes, line.unit_price) == (key, 160, Decimal("0.02"))
        assert (line.currency, line.confirmation_id, line.hostname) == ("EUR", confirmation, SHOP)
        assert line.at < office.here.now() - timedelta(hours=4)

    def test_again_writes_nothing(self, office: Office) -> None:
        """A second run, at any later time, finds the line."""
        certificate = office.provision()
        confirm_edges.fn(certificate.drop_id)
        key = adjust_billing.fn(certificate.drop_id)
        office.here.ahead = timedelta(days=3)

        assert adjust_billing.fn(certificate.drop_id) == key
        assert len(office.here.billing.list_entries("acme")) == 1

    def test_nothing_is_charged_without_a_proof(self, office: Office) -> None:
        """What nobody has seen being served is not paid for."""
        certificate = office.provision()

        with pytest.raises(Drifted) as drift:
            adjust_billing.fn(certificate.drop_id)
        assert drift.value.code == "no-confirmation"
        assert office.here.billing.list_entries("acme") == ()

    def test_a_swap_costs_nothing_more(self, office: Office) -> None:
        """A hostname that is paid for gets a new certificate in place: the pair serves it already."""
        for name in ("first", "second"):
            certificate = office.provision(name)
            confirm_edges.fn(certificate.drop_id)
            adjust_billing.fn(certificate.drop_id)

        assert len(office.here.billing.list_entries("acme")) == 1

    def test_enabled_again_it_is_paid_again(self, office: Office) -> None:
        """A charge that has ended is over: the next hand-over begins another one."""
        first = office.provision("first")
        confirm_edges.fn(first.drop_id)
        charge = adjust_billing.fn(first.drop_id)
        office.here.billing.end(charge, office.here.now(), "disable", office.here.now())
        second = office.provision("second")
        confirm_edges.fn(second.drop_id)

        again = adjust_billing.fn(second.drop_id)

        running = office.here.billing.find_open("acme", SHOP)
        assert running is not None
        assert running.idempotency_key == again != charge
        assert adjust_billing.fn(first.drop_id) == charge, "the first one's run, once more, begins nothing"

    def test_what_was_taken_off_since_is_not_charged(self, office: Office) -> None:
        """A run that was late to the bill finds the hostname disabled: nobody pays for what no edge is meant to serve."""
        certificate = office.provision()
        confirm_edges.fn(certificate.drop_id)
        for edge in office.edges:
            office.here.certificates.unassign(edge.name, SHOP, certificate.id)

        with pytest.raises(Drifted) as drift:
            adjust_billing.fn(certificate.drop_id)
        assert drift.value.code == "not-assigned"
        assert office.here.billing.list_entries("acme") == ()

    def test_a_price_that_nobody_approved_is_not_charged(self, office: Office) -> None:
        """A price that was raised after the approval waits for another approval."""
        certificate = office.provision()
        confirm_edges.fn(certificate.drop_id)
        office.here.settings = at_price(office.here.settings, Decimal("9"))

        with pytest.raises(ApprovalPending):
            adjust_billing.fn(certificate.drop_id)
        assert office.here.billing.list_entries("acme") == ()


class TestDestroyDrop:
    def test_key_and_object_are_gone_with_proof(self, office: Office) -> None:
        """The seed is off the records, the store holds nothing, and the proof is on the trail and the ticket."""
        certificate = office.match()
        version = office.drop(certificate.drop_id).version_id

        destroy_drop.fn(certificate.drop_id)

        assert office.drop(certificate.drop_id).state is DropState.DESTROYED
        with pytest.raises(HandOverClosed):
            office.here.drops.fetch_seed(certificate.drop_id)
        assert not office.store.has_upload(certificate.drop_id)
        (proof,) = (e for e in office.here.audit.entries(certificate.drop_id) if e["action"] == "drop.destroyed")
        assert proof["evidence"]["versions"] == [version]
        assert str(proof["sha256"]) in office.answers(certificate.drop_id)

    def test_the_key_goes_first(self, office: Office) -> None:
        """If the store is down, what lies there opens no more all the same."""
        certificate = office.match()
        office.store.fail.append(StoreUnavailable.because("store", "told to fail"))

        with pytest.raises(StoreUnavailable):
            destroy_drop.fn(certificate.drop_id)
        with pytest.raises(HandOverClosed):
            office.here.drops.fetch_seed(certificate.drop_id)

        destroy_drop.fn(certificate.drop_id)
        assert not office.store.has_upload(certificate.drop_id)

    def test_again_tells_nobody_twice(self, office: Office) -> None:
        """The first proof stays."""
        certificate = office.match()
        destroy_drop.fn(certificate.drop_id)
        said = office.answers(certificate.drop_id)

        destroy_drop.fn(certificate.drop_id)

        assert office.answers(certificate.drop_id) == said
        assert office.actions(certificate.drop_id).count("drop.destroyed") == 1

    def test_a_drop_that_was_never_opened_goes_too(self, office: Office) -> None:
        """A wish that is given up leaves nothing behind."""
        drop = office.request()

        destroy_drop.fn(drop.id)

        assert office.drop(drop.id).state is DropState.DESTROYED


class TestSweepDrop:
    def test_waits_for_the_last_upload_capability(self, office: Office) -> None:
        """As long as somebody could still upload, a sweep proves nothing."""
        certificate = office.match()
        destroy_drop.fn(certificate.drop_id)

        assert sweep_drop.fn(certificate.drop_id) is False
        assert office.drop(certificate.drop_id).swept_at is None

    def test_what_came_late_goes(self, office: Office) -> None:
        """An upload after the destruction, by an URL that was still good, is gone, and the ticket says the place is empty."""
        certificate = office.match()
        destroy_drop.fn(certificate.drop_id)
        late = office.store.arrive(certificate.drop_id, b"late")
        office.store.leave_unfinished(certificate.drop_id)
        office.here.ahead = timedelta(hours=1)

        assert sweep_drop.fn(certificate.drop_id) is True

        assert not office.store.has_upload(certificate.drop_id)
        (proof,) = (e for e in office.here.audit.entries(certificate.drop_id) if e["action"] == "drop.swept")
        assert proof["evidence"]["late_versions"] == [late]
        assert "Second sweep" in office.answers(certificate.drop_id)

    def test_again_does_nothing(self, office: Office) -> None:
        """A place that was found empty is not looked at again."""
        certificate = office.match()
        destroy_drop.fn(certificate.drop_id)
        office.here.ahead = timedelta(hours=1)
        sweep_drop.fn(certificate.drop_id)
        office.store.calls.clear()

        assert sweep_drop.fn(certificate.drop_id) is True
        assert office.store.calls == []

    def test_a_living_drop_is_not_swept(self, office: Office) -> None:
        """A sweep takes nothing from a customer whose hand-over is under way."""
        certificate = office.ingest()
        office.here.ahead = timedelta(hours=1)

        with pytest.raises(Drifted):
            sweep_drop.fn(certificate.drop_id)
        assert office.store.has_upload(certificate.drop_id)


class TestCloseHandOver:
    def test_a_completed_one_keeps_its_vault_copy(self, office: Office) -> None:
        """Edges can be rebuilt for as long as the certificate serves; the ticket is closed."""
        certificate = office.provision()

        assert close_hand_over.fn(certificate.drop_id, Outcome.COMPLETED) is Outcome.COMPLETED

        assert office.vault.get(certificate.vault_key, certificate.vault_version)
        assert office.here.certificates.fetch_data_key(certificate.id)
        ticket = office.here.decisions.find_match(certificate.drop_id)
        assert ticket is not None
        assert office.here.tickets.fetch(ticket).state == "closed"

    @pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.CANCELLED, Outcome.EXPIRED])
    def test_any_other_end_shreds_the_vault_copy(self, office: Office, outcome: Outcome) -> None:
        """The key of a certificate that will not serve is kept nowhere, and the customer reads why it ended."""
        certificate = office.match()

        close_hand_over.fn(certificate.drop_id, outcome, "some-code", "Because.")

        with pytest.raises(NotFound):
            office.here.certificates.fetch_data_key(certificate.id)
        with pytest.raises(NotFound):
            office.vault.get(certificate.vault_key, certificate.vault_version)
        assert "Because." in office.answers(certificate.drop_id)

    def test_the_first_end_stays(self, office: Office) -> None:
        """A hand-over ends once, for one reason, and is answered once."""
        certificate = office.match()
        close_hand_over.fn(certificate.drop_id, Outcome.REJECTED, "first", "First.")
        said = office.answers(certificate.drop_id)

        assert close_hand_over.fn(certificate.drop_id, Outcome.CANCELLED, "second", "Second.") is Outcome.REJECTED
        assert office.answers(certificate.drop_id) == said
        assert office.drop(certificate.drop_id).outcome_code == "first"

    def test_a_strangers_ticket_is_not_told_the_reason(self, office: Office) -> None:
        """Only the account reads why its hand-over ended."""
        certificate = office.match()
        foreign = office.file(certificate.drop_id, "eve@evil.test")

        close_hand_over.fn(certificate.drop_id, Outcome.REJECTED, "code", "Because.")

        assert len(office.here.tickets.fetch(foreign).messages) == 1


class TestCancelHandOver:
    def test_the_customer_gives_it_up(self, office: Office) -> None:
        """Before an edge was changed a customer may, and nothing goes on from then."""
        certificate = office.match()

        assert cancel_hand_over.fn(certificate.drop_id, "account:acme") is Outcome.CANCELLED
        assert office.drop(certificate.drop_id).outcome is Outcome.CANCELLED

    def test_not_another_customer(self, office: Office) -> None:
        """A drop is its own account's to destroy."""
        certificate = office.match()

        with pytest.raises(Forbidden):
            cancel_hand_over.fn(certificate.drop_id, "account:rival")
        assert office.drop(certificate.drop_id).outcome is None

    def test_not_once_an_edge_was_changed(self, office: Office) -> None:
        """What the edges serve is taken off by disabling it, not by destroying the drop it came through."""
        certificate = office.provision()

        with pytest.raises(Rejected) as refused:
            cancel_hand_over.fn(certificate.drop_id, "operator:olga")
        assert refused.value.code == "too-late"

    def test_once_cancelled_no_edge_is_changed(self, office: Office) -> None:
        """A run that was about to provision finds it closed; who cancelled is on record once."""
        certificate = office.match()
        digest = office.approve(certificate.drop_id)
        for _ in range(2):
            cancel_hand_over.fn(certificate.drop_id, "account:acme")

        with pytest.raises(HandOverClosed):
            provision_edges.fn(certificate.drop_id, digest)
        assert office.served() == [None, None]
        assert office.actions(certificate.drop_id).count("hand-over.cancelled") == 1

    def test_what_has_ended_stays_as_it_ended(self, office: Office) -> None:
        """A second request gives the first outcome."""
        certificate = office.match()
        close_hand_over.fn(certificate.drop_id, Outcome.REJECTED, "code", "Because.")

        assert cancel_hand_over.fn(certificate.drop_id, "account:acme") is Outcome.REJECTED

    @pytest.mark.parametrize(("state", "after"), [("Suspended", "Cancelled"), ("Running", "Running")])
    def test_a_run_that_waits_is_cancelled_and_one_at_work_is_not(self, office: Office, state: str, after: str) -> None:
        """A run at work finds by itself that its hand-over has ended; killing it could leave half a step."""
        certificate = office.match()
        run = office.runs.start("provision/provision", {}, "key", "name")
        office.here.drops.attach_run(certificate.drop_id, run)
        office.runs.runs[run] = state

        cancel_run.fn(certificate.drop_id)

        assert office.runs.runs[run] == after

    def test_a_run_that_prefect_has_forgotten_is_no_trouble(self, office: Office) -> None:
        """Prefect's own retention may have removed it."""
        certificate = office.match()
        office.here.drops.attach_run(certificate.drop_id, "3f2c1f6e-0000-4000-8000-000000000000")

        assert cancel_run.fn(certificate.drop_id) is True
