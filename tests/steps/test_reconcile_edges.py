"""An edge that came back empty, a stray certificate, a hand-over under way: what reconcile does about each."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tasks.clients.bundles import fetch_bundle
from tasks.core import policy
from tasks.core.errors import EdgeUnavailable, ProofFailed, Rejected
from tasks.core.hand_over import lease_name
from tasks.core.model import Certificate, Hostname
from tasks.core.reconcile import Action, Repair
from tasks.provision_edges import release_edges
from tasks.reconcile_edges import clear_edge, discard_bundle, refill_edge, survey_edges
from tests.office import SHOP, Office


@pytest.fixture(name="certificate")
def _certificate(office: Office) -> Certificate:
    """What both edges serve for `SHOP`."""
    return office.provision()


def empty(office: Office, number: int) -> None:
    """Let an edge come back as if it had been installed anew."""
    office.edges[number].hosts.clear()
    office.edges[number].bundles.clear()


class TestRefill:
    def test_an_edge_that_came_back_empty_serves_again(self, office: Office, certificate: Certificate) -> None:
        """From the vault, proven by a handshake; the other edge is left alone, and a second pass plans nothing."""
        empty(office, 0)
        calls = list(office.edges[1].calls)

        assert survey_edges.fn() == ([Action(Repair.REFILL, "a", SHOP)], [])
        refill_edge.fn("a", SHOP)

        assert office.served() == [certificate.bundle_sha256] * 2
        assert survey_edges.fn() == ([], [])
        assert [
            call for call in office.edges[1].calls[len(calls) :] if call[0] not in ("health", "list", "list_loose")
        ] == []
        assert "edge.refilled" in office.actions(certificate.drop_id)

    def test_again_it_changes_nothing(self, office: Office, certificate: Certificate) -> None:
        """An edge that serves what it should gets no bundle."""
        refill_edge.fn("a", SHOP)
        assert [name for name, _ in office.edges[0].calls].count("stage") == 1
        assert office.served() == [certificate.bundle_sha256] * 2

    def test_what_may_serve_no_more_is_not_put_back(self, office: Office, certificate: Certificate) -> None:
        """Expired, or its key seen in a ticket since: a person must look."""
        empty(office, 0)
        office.here.certificates.mark_compromised(certificate.spki_sha256, "seen", office.here.now())
        with pytest.raises(Rejected, match="compromised"):
            refill_edge.fn("a", SHOP)
        assert office.served()[0] is None

    def test_an_expired_one_is_not_put_back(self, office: Office, certificate: Certificate) -> None:
        """Nobody would accept it."""
        empty(office, 0)
        office.here.ahead = timedelta(days=120)
        with pytest.raises(Rejected, match="expired"):
            refill_edge.fn("a", SHOP)

    def test_what_serves_is_put_back_whatever_the_rules_are_now(self, office: Office, certificate: Certificate) -> None:
        """It was judged when it came in: a stricter rule, or the last days of its life, must not empty an edge."""
        empty(office, 0)
        office.here.ahead = timedelta(days=85)
        office.set_rules(maximum_lifetime=timedelta(days=1))
        refill_edge.fn("a", SHOP)
        assert office.served() == [certificate.bundle_sha256] * 2

    def test_it_is_seen_from_outside(
        self, office: Office, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An edge that takes a bundle and shows another is no repaired edge."""
        empty(office, 0)
        monkeypatch.setattr(office.edges[0], "find_leaf", lambda _: office.ca.issue([SHOP]).leaf)
        with pytest.raises(ProofFailed):
            refill_edge.fn("a", SHOP)

    def test_a_hand_over_under_way_is_left_alone(self, office: Office) -> None:
        """What is assigned and not proven yet is its run's business."""
        certificate = office.match()
        for edge in office.here.edges:
            office.here.certificates.assign(edge.name, certificate, None)
        assert survey_edges.fn() == ([], [])
        refill_edge.fn("a", SHOP)
        assert office.served() == [None, None]

    def test_what_somebody_works_on_is_left_alone(self, office: Office, certificate: Certificate) -> None:
        """As long as his lease is in date."""
        empty(office, 0)
        office.here.leases.acquire(lease_name(SHOP), "run-1", office.here.now(), policy.LEASE_LIFETIME)
        assert survey_edges.fn() == ([], [])

    def test_a_silent_edge_is_named(self, office: Office, certificate: Certificate) -> None:
        """The other one is looked at all the same."""
        empty(office, 1)
        office.edges[0].down = True
        assert survey_edges.fn() == ([Action(Repair.REFILL, "b", SHOP)], ["a"])
        with pytest.raises(EdgeUnavailable):
            refill_edge.fn("a", SHOP)


class TestClear:
    def test_a_stray_certificate_is_taken_off(self, office: Office, certificate: Certificate) -> None:
        """With its key; what is meant to be there stays."""
        stray = Hostname("stray.example.test")
        bundle = office.edges[0].bundles[certificate.bundle_sha256]
        office.edges[0].commit(stray, certificate.bundle_sha256)
        assert bundle

        assert survey_edges.fn() == ([Action(Repair.REMOVE, "a", stray)], [])
        clear_edge.fn("a", stray)
        clear_edge.fn("a", stray)

        assert survey_edges.fn() == ([], [])
        assert office.served() == [certificate.bundle_sha256] * 2

    def test_what_is_assigned_meanwhile_stays(self, office: Office, certificate: Certificate) -> None:
        """The plan may be older than the records."""
        clear_edge.fn("a", SHOP)
        assert office.served() == [certificate.bundle_sha256] * 2

    def test_what_was_released_is_gone(self, office: Office, certificate: Certificate) -> None:
        """A hand-over that was put back leaves nothing for reconcile to do."""
        release_edges.fn(certificate.drop_id)
        assert survey_edges.fn() == ([], [])


class TestDiscard:
    @pytest.fixture(name="left")
    def _left(self, office: Office) -> Certificate:
        """A hand-over that is on record, and whose bundle was left on edge a by a process that died."""
        certificate = office.match()
        office.edges[0].stage(certificate.bundle_sha256, fetch_bundle(office.here, certificate, office.here.now()))
        return certificate

    def test_a_key_that_nothing_points_at_is_deleted(self, office: Office, left: Certificate) -> None:
        """A second pass plans nothing, and the audit trail says what went."""
        action = Action(Repair.DISCARD, "a", SHOP, left.bundle_sha256)

        assert survey_edges.fn() == ([action], [])
        for _ in range(2):
            discard_bundle.fn("a", SHOP, left.bundle_sha256)

        assert office.edges[0].bundles == {}
        assert survey_edges.fn() == ([], [])
        assert office.actions(SHOP) == ["edge.discarded"]

    def test_what_is_meant_to_be_there_meanwhile_stays(self, office: Office, left: Certificate) -> None:
        """The plan may be older than the records."""
        office.here.certificates.assign("a", left, None)
        discard_bundle.fn("a", SHOP, left.bundle_sha256)
        assert left.bundle_sha256 in office.edges[0].bundles
        assert survey_edges.fn() == ([], [])

    def test_what_is_served_meanwhile_stays(self, office: Office, left: Certificate) -> None:
        """Whoever pointed at it did so after the plan was made."""
        office.edges[0].commit(SHOP, left.bundle_sha256)
        discard_bundle.fn("a", SHOP, left.bundle_sha256)
        assert office.edges[0].hosts[SHOP] == left.bundle_sha256
