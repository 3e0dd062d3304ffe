"""Step 4, the act: both edges or none, and only what was approved."""

from __future__ import annotations

import pytest

from tasks.close_hand_over import close_hand_over
from tasks.confirm_edges import confirm_edges
from tasks.core.errors import ApprovalPending, Drifted, EdgeUnavailable, HandOverClosed, ProofFailed
from tasks.core.model import Certificate, Outcome
from tasks.provision_edges import provision_edges, release_edges
from tests.office import SHOP, Office

CALLS = ("health", "get", "stage", "commit")


def provisioned(office: Office, certificate: Certificate) -> None:
    """Approve the plan as it stands, and put it on the edges."""
    provision_edges.fn(certificate.drop_id, office.approve(certificate.drop_id))


def keys_left(office: Office) -> list[list[str]]:
    """Give the bundles, and so the keys, that lie on each edge."""
    return [sorted(edge.bundles) for edge in office.edges]


class TestProvisionEdges:
    def test_both_serve_it_one_after_the_other(self, office: Office) -> None:
        """It is staged on both before either serves it, and the first is proven before the second is touched."""
        certificate = office.provision()

        assert office.served() == [certificate.bundle_sha256] * 2
        assigned = [office.here.certificates.find_assignment(edge.name, SHOP) for edge in office.edges]
        assert all(found and found.proven_at for found in assigned)
        assert "edges.provisioned" in office.actions(certificate.drop_id)

    def test_again_touches_nothing(self, office: Office) -> None:
        """Edges that have been proven are only looked at."""
        certificate = office.match()
        digest = office.approve(certificate.drop_id)
        provision_edges.fn(certificate.drop_id, digest)
        for edge in office.edges:
            edge.calls.clear()

        provision_edges.fn(certificate.drop_id, digest)

        assert [edge.calls for edge in office.edges] == [[("get", SHOP)], [("get", SHOP)]]

    def test_without_an_approval_nothing_is_touched(self, office: Office) -> None:
        """A digest that nobody approved opens no vault and reaches no edge."""
        certificate = office.match()

        with pytest.raises(ApprovalPending):
            provision_edges.fn(certificate.drop_id, "0" * 64)
        assert ("get" in office.vault.calls, [edge.calls for edge in office.edges]) == (False, [[], []])

    def test_a_cancelled_hand_over_touches_nothing(self, office: Office) -> None:
        """A hand-over that was given up after its approval stays off the edges."""
        certificate = office.match()
        digest = office.approve(certificate.drop_id)
        office.here.drops.close(certificate.drop_id, Outcome.CANCELLED, None, None)

        with pytest.raises(HandOverClosed):
            provision_edges.fn(certificate.drop_id, digest)
        assert [edge.calls for edge in office.edges] == [[], []]

    @pytest.mark.parametrize("call", CALLS)
    @pytest.mark.parametrize("after", [False, True], ids=["refused", "answer-lost"])
    @pytest.mark.parametrize("number", [0, 1])
    def test_an_edge_that_fails_leaves_neither_changed(
        self, office: Office, call: str, after: bool, number: int
    ) -> None:
        """Whichever edge fails, wherever: both serve what they did, no key lies on them, and the next try works."""
        certificate = office.match()
        office.edges[number].fail_next(call, after=after)

        with pytest.raises(EdgeUnavailable):
            provisioned(office, certificate)

        assert (office.served(), keys_left(office)) == ([None, None], [[], []])
        provisioned(office, certificate)
        assert office.served() == [certificate.bundle_sha256] * 2

    def test_a_swap_that_fails_brings_the_old_certificate_back(self, office: Office) -> None:
        """A site that was served goes on being served, by both edges alike."""
        old = office.provision("first")
        confirm_edges.fn(old.drop_id)
        new = office.match("second")
        office.edges[1].fail_next("commit", after=True)

        with pytest.raises(EdgeUnavailable):
            provisioned(office, new)

        assert (office.served(), keys_left(office)) == ([old.bundle_sha256] * 2, [[old.bundle_sha256]] * 2)
        assigned = office.here.certificates.find_assignment("a", SHOP)
        assert assigned is not None
        assert assigned.certificate_id == old.id

    def test_what_another_hand_over_left_half_done_is_not_what_is_put_back(self, office: Office) -> None:
        """The run of another hand-over was killed before its proof: nothing of it comes back when this one is undone."""
        killed = office.provision("first")
        new = office.match("second")

        provisioned(office, new)
        assert keys_left(office) == [[new.bundle_sha256]] * 2

        release_edges.fn(new.drop_id)
        assert (office.served(), keys_left(office)) == ([None, None], [[], []])
        assert office.here.certificates.find_assignment("a", SHOP) is None
        assert killed.bundle_sha256 != new.bundle_sha256

    def test_an_edge_that_shows_something_else_is_put_back(self, office: Office) -> None:
        """What counts is the handshake from outside, not that the edge said yes."""
        certificate = office.match()
        office.probe.wrong["b", SHOP] = "f" * 64

        with pytest.raises(ProofFailed, match="f" * 64):
            provisioned(office, certificate)
        assert (office.served(), keys_left(office)) == ([None, None], [[], []])

    def test_an_edge_that_stays_away_is_put_back_when_it_returns(self, office: Office) -> None:
        """What cannot be put back now stays on record, and is put back by the next try or by the undo."""
        certificate = office.match()
        a, b = office.edges
        b.fail_next("commit", after=True)
        b.fail_next("restore")

        with pytest.raises(EdgeUnavailable):
            provisioned(office, certificate)
        assert office.served() == [None, certificate.bundle_sha256]

        release_edges.fn(certificate.drop_id)
        assert (office.served(), keys_left(office)) == ([None, None], [[], []])
        assert a.hosts == {}

    def test_a_rewritten_vault_reaches_no_edge(self, office: Office) -> None:
        """Whoever can write to the vault cannot change what was approved: the bytes are checked again."""
        approved, other = office.match("one"), office.match("other")
        digest = office.approve(approved.drop_id)
        stored = office.vault.get(other.vault_key, other.vault_version)
        office.vault._objects.versions[approved.vault_version] = (approved.vault_key, stored)

        with pytest.raises(Drifted):
            provision_edges.fn(approved.drop_id, digest)
        assert (office.served(), keys_left(office)) == ([None, None], [[], []])


class TestReleaseEdges:
    def test_puts_both_back(self, office: Office) -> None:
        """The site falls back to piggyback, and no copy of the key stays."""
        certificate = office.provision()

        release_edges.fn(certificate.drop_id)
        release_edges.fn(certificate.drop_id)

        assert (office.served(), keys_left(office)) == ([None, None], [[], []])
        assert office.actions(certificate.drop_id).count("edges.released") == 1

    def test_leaves_a_hand_over_that_completed_alone(self, office: Office) -> None:
        """Who believes it still has to be undone comes too late: what completed goes on being served."""
        certificate = office.provision()
        close_hand_over.fn(certificate.drop_id, Outcome.COMPLETED)

        release_edges.fn(certificate.drop_id)

        assert office.served() == [certificate.bundle_sha256] * 2
        assert "edges.released" not in office.actions(certificate.drop_id)

    def test_leaves_another_hand_overs_certificate_alone(self, office: Office) -> None:
        """Undoing an old hand-over takes nothing off that a newer one has put there."""
        old, new = office.provision("old"), office.provision("new")

        release_edges.fn(old.drop_id)

        assert office.served() == [new.bundle_sha256] * 2

    def test_needs_no_edge_where_nothing_was_put(self, office: Office) -> None:
        """A refusal before the edges does not wait for an edge that is down."""
        certificate = office.ingest()
        office.edges[0].down = True

        release_edges.fn(certificate.drop_id)

        assert office.edges[0].calls == []

    def test_one_edge_that_is_down_does_not_keep_the_other(self, office: Office) -> None:
        """The other edge is put back at once, and the one that is down is tried again."""
        certificate = office.provision()
        office.edges[0].down = True

        with pytest.raises(EdgeUnavailable):
            release_edges.fn(certificate.drop_id)
        assert office.served()[1] is None

        office.edges[0].down = False
        release_edges.fn(certificate.drop_id)
        assert office.served() == [None, None]
