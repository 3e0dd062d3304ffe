"""The renewal of a hostname that has a certificate: swapped in place, without a charge."""

from __future__ import annotations

import pytest

from flows import provision, watch_drops
from tasks.core.errors import EdgeUnavailable
from tasks.core.model import Certificate, DropKind, DropState, Outcome
from tests.office import SHOP, Office
from tests.theatre import Theatre, Waiting

YES = {"decision": "approve", "name": "olga"}


@pytest.fixture(name="first")
def _first(theatre: Theatre) -> Certificate:
    """The certificate that the hostname was set up with."""
    return theatre.complete()


def disable(office: Office) -> None:
    """Take the hostname off both edges, on record and in the world."""
    for edge in office.edges:
        edge.remove(SHOP)
        assignment = office.here.certificates.find_assignment(edge.name, SHOP)
        assert assignment is not None
        office.here.certificates.unassign(edge.name, SHOP, assignment.certificate_id)


class TestRenew:
    def test_swaps_in_place_without_a_charge(self, office: Office, theatre: Theatre, first: Certificate) -> None:
        """A new drop, ticket and confirmation; the same pair, and the line on the bill that there was."""
        paid = office.here.billing.list_entries("acme")

        second = theatre.complete("renewal")

        assert office.drop(second.drop_id).kind is DropKind.RENEWAL
        assert office.served() == [second.bundle_sha256] * 2
        assert second.bundle_sha256 != first.bundle_sha256
        assert office.here.billing.list_entries("acme") == paid
        assert office.drop(second.drop_id).outcome is Outcome.COMPLETED
        assert office.drop(second.drop_id).state is DropState.DESTROYED
        assert "domain.verified" not in office.actions(second.drop_id)
        assert "billing.charged" not in office.actions(second.drop_id)

    def test_its_receipt_is_ids_and_digests(self, office: Office, theatre: Theatre, first: Certificate) -> None:
        """What Prefect keeps of the run could be shown to anybody."""
        drop = office.open("renewal")
        office.upload(drop)
        office.file(drop.id)
        theatre.answer("approval", **YES)

        receipt = theatre.provision(drop.id)

        assert set(receipt) == {
            "drop_id", "certificate_id", "ticket_id", "plan_sha256", "confirmation_id", "outcome",
        }  # fmt: skip

    def test_a_refused_one_leaves_what_is_served(self, office: Office, theatre: Theatre, first: Certificate) -> None:
        """The site goes on with the certificate it has, and the bill with its line."""
        drop = office.open("renewal")
        office.upload(drop)
        office.file(drop.id)
        theatre.answer("approval", decision="reject", name="olga", note="Not now.")

        state = theatre.provision(drop.id)

        assert state.name == "Rejected"
        assert office.served() == [first.bundle_sha256] * 2

    def test_an_edge_that_fails_in_between_costs_nothing(
        self, office: Office, theatre: Theatre, first: Certificate
    ) -> None:
        """Both edges go back to the old certificate; the next start swaps both."""
        drop = office.open("renewal")
        office.upload(drop)
        office.file(drop.id)
        theatre.answer("approval", **YES)
        office.edges[1].fail_next("commit", EdgeUnavailable.because("edge b", "told to fail"))

        assert theatre.provision(drop.id).name == "Unavailable"
        assert office.served() == [first.bundle_sha256] * 2
        theatre.provision(drop.id)

        assert office.drop(drop.id).outcome is Outcome.COMPLETED

    def test_the_next_one_is_a_renewal_too(self, office: Office, theatre: Theatre, first: Certificate) -> None:
        """However often: one line on the bill."""
        theatre.complete("renewal")

        third = theatre.complete("again")

        assert office.drop(third.drop_id).kind is DropKind.RENEWAL
        assert len(office.here.billing.list_entries("acme")) == 1


class TestDisabledMeanwhile:
    def test_ends_rejected_and_says_what_to_do(self, office: Office, theatre: Theatre, first: Certificate) -> None:
        """Whoever had HTTPS disabled pays no more, so nothing is put on the edges; a set-up would be asked for anew."""
        drop = office.open("renewal")
        office.upload(drop)
        disable(office)

        state = theatre.provision(drop.id)

        assert state.name == "Rejected"
        assert office.drop(drop.id).outcome_code == "nothing-to-renew"
        assert "certferry create" in str(office.drop(drop.id).outcome_reason)
        assert office.drop(drop.id).state is DropState.DESTROYED
        assert office.served() == [None, None]

    def test_while_it_waits_for_its_approval(self, office: Office, theatre: Theatre, first: Certificate) -> None:
        """The hostname is looked at again at each start of the run, before anything is put on an edge."""
        drop = office.open("renewal")
        office.upload(drop)
        office.file(drop.id)
        with pytest.raises(Waiting):
            theatre.provision(drop.id)
        disable(office)
        theatre.answer("approval", **YES)

        assert theatre.provision(drop.id).name == "Rejected"
        assert office.served() == [None, None]
        assert office.here.certificates.find_assignment("a", SHOP) is None

    def test_a_drop_that_is_asked_for_afterwards_is_a_set_up(
        self, office: Office, theatre: Theatre, first: Certificate
    ) -> None:
        """All seven steps, as the first time."""
        disable(office)

        assert office.request("anew").kind is DropKind.SETUP


class TestTheRightFlow:
    def test_the_wrong_one_does_nothing(self, office: Office, theatre: Theatre, first: Certificate) -> None:
        """An operator who starts `provision` for a renewal by hand is told which flow it is."""
        drop = office.open("renewal")
        office.upload(drop)

        state = provision.provision.fn(drop.id)

        assert (state.name, office.drop(drop.id).flow_run_id) == ("Drifted", None)
        assert "other-flow" in state.message

    def test_the_round_starts_the_right_one(self, office: Office, theatre: Theatre, first: Certificate) -> None:
        """Whoever finds an upload on record starts the flow that the record is for."""
        drop = office.open("renewal")
        office.upload(drop)

        watch_drops.watch_drops.fn()

        ((deployment, parameters, name),) = office.runs.started.values()
        assert (deployment, parameters, name) == ("renew/renew", {"drop_id": drop.id}, f"renew {SHOP}")
