"""A rollback puts the previous certificate back on both edges, is on record, and can be undone; later it can't be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flows import reconcile, retire, rollback
from tasks.core import policy
from tasks.core.errors import EdgeUnavailable
from tasks.core.model import Certificate, Hostname, Outcome
from tests.office import RIVAL, SHOP, Office
from tests.theatre import Theatre, Waiting, without_prefect

Pair = tuple[Certificate, Certificate]


@pytest.fixture(name="pair")
def _pair(theatre: Theatre, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """The first certificate, and the one that took its place."""
    without_prefect(monkeypatch, (reconcile,))
    return theatre.complete(), theatre.complete("renewal")


def roll_back(direction: Any = "back", hostname: Hostname = SHOP, reason: str = "The app pins the old one.") -> Any:
    return rollback.rollback.fn(hostname, "Olga", reason, direction)


def meant(office: Office) -> list[str]:
    """Give the id of what each edge is meant to serve."""
    found = [office.here.certificates.find_assignment(edge.name, SHOP) for edge in office.edges]
    return [each.certificate_id for each in found if each]


class TestBack:
    def test_puts_the_previous_one_on_both_edges(self, office: Office, pair: Pair) -> None:
        """From the copies that the edges have: neither the vault nor the key provider is asked."""
        first, _ = pair
        asked = len(office.keys.calls)

        assert roll_back() == first.id

        assert office.served() == [first.bundle_sha256] * 2
        assert meant(office) == [first.id] * 2
        assert len(office.keys.calls) == asked

    def test_who_and_why_are_on_record_and_on_the_ticket(self, office: Office, pair: Pair) -> None:
        """Before an edge is touched, and again with what both edges showed."""
        _, second = pair

        roll_back()

        asked, done = office.here.audit.entries(SHOP)[-2:]
        assert asked["actor"] == done["actor"] == "operator:olga"
        assert asked["evidence"]["reason"] == "The app pins the old one."
        assert [each["edge"] for each in done["evidence"]["handshakes"]] == ["a", "b"]
        assert "The app pins the old one." in office.answers(second.drop_id)

    def test_out_of_the_vault_where_an_edge_has_no_copy(self, office: Office, pair: Pair) -> None:
        """An edge that was rebuilt has only what it serves."""
        first, _ = pair
        del office.edges[1].bundles[first.bundle_sha256]

        roll_back()

        assert office.served() == [first.bundle_sha256] * 2

    def test_twice_goes_no_further_back(self, office: Office, theatre: Theatre, pair: Pair) -> None:
        """Whoever asks again because no answer came gets what they asked for."""
        third = theatre.complete("again")
        _, second = pair

        assert [roll_back(), roll_back()] == [second.id] * 2

        assert office.served() == [second.bundle_sha256] * 2
        assert third.bundle_sha256 not in office.served()

    def test_nothing_is_charged(self, office: Office, pair: Pair) -> None:
        before = office.here.billing.list_entries("acme")

        roll_back()

        assert office.here.billing.list_entries("acme") == before

    def test_reconcile_leaves_it(self, office: Office, pair: Pair) -> None:
        """What is served is what the records say: a round plans nothing."""
        first, _ = pair
        roll_back()

        assert reconcile.reconcile.fn() is None
        assert office.served() == [first.bundle_sha256] * 2

    def test_the_next_renewal_goes_on_from_there(self, office: Office, theatre: Theatre, pair: Pair) -> None:
        """And a rollback of that one comes back to what was served, not to what was rolled back."""
        first, _ = pair
        roll_back()
        third = theatre.complete("again")
        assert office.served() == [third.bundle_sha256] * 2

        assert roll_back() == first.id


class TestAnUnfinishedHandOver:
    def test_does_not_undo_the_rollback(self, office: Office, theatre: Theatre, pair: Pair) -> None:
        """Its run died after the proof; started again, it clears up and leaves the edges as the operator wants them."""
        _, second = pair
        drop = office.open("third")
        office.upload(drop)
        office.file(drop.id)
        with pytest.raises(Waiting):
            theatre.provision(drop.id)
        theatre.answer("approval", decision="approve", name="olga")
        office.store.fail = [KeyboardInterrupt()]  # type: ignore[list-item]
        with pytest.raises(KeyboardInterrupt):
            theatre.provision(drop.id)
        assert roll_back() == second.id

        theatre.provision(drop.id)

        assert office.drop(drop.id).outcome is Outcome.COMPLETED
        assert office.served() == [second.bundle_sha256] * 2


class TestForward:
    def test_the_newest_serves_again(self, office: Office, pair: Pair) -> None:
        """A rollback is no verdict: once the app is mended, the newer certificate comes back."""
        _, second = pair
        roll_back()

        assert [roll_back("forward"), roll_back("forward")] == [second.id] * 2

        assert office.served() == [second.bundle_sha256] * 2


class TestRefused:
    def test_without_a_previous_one(self, office: Office, theatre: Theatre, pair: Pair) -> None:
        """A hostname that has had one certificate, or none, has nothing to go back to."""
        assert roll_back(hostname=RIVAL).name == "Rejected"

    def test_without_a_reason(self, office: Office, pair: Pair) -> None:
        """Nothing happens that nobody gives a reason for."""
        _, second = pair

        assert "reason" in roll_back(reason=" ").message
        assert office.served() == [second.bundle_sha256] * 2

    def test_when_the_previous_one_has_expired(self, office: Office, pair: Pair) -> None:
        """An expired certificate locks every visitor out."""
        first, second = pair
        office.here.ahead += first.not_after - office.here.now() + timedelta(minutes=1)

        assert "[expired;" in roll_back().message
        assert office.served() == [second.bundle_sha256] * 2

    def test_when_its_key_is_compromised(self, office: Office, pair: Pair) -> None:
        """A key that others have seen serves nothing any more."""
        first, second = pair
        office.here.certificates.mark_compromised(first.spki_sha256, "seen", office.here.now())

        assert "[key-compromised;" in roll_back().message
        assert office.served() == [second.bundle_sha256] * 2

    def test_while_a_hand_over_is_on_the_edges(self, office: Office, theatre: Theatre, pair: Pair) -> None:
        """Its own run puts the edges back, or goes on: two at once would be one too many."""
        drop = office.open("third")
        office.upload(drop)
        office.file(drop.id)
        theatre.answer("approval", decision="approve", name="olga")
        office.edges[1].fail_next("commit", KeyboardInterrupt())  # type: ignore[arg-type]
        with pytest.raises(KeyboardInterrupt):
            theatre.provision(drop.id)

        assert "[hand-over-under-way;" in roll_back().message


class TestBrokenOff:
    def test_an_edge_that_fails_leaves_both_as_they_were(self, office: Office, pair: Pair) -> None:
        """The site never has two certificates for longer than it takes."""
        _, second = pair
        office.edges[1].fail_next("commit", EdgeUnavailable.because("edge b", "told to fail"))

        assert roll_back().name == "Unavailable"

        assert office.served() == [second.bundle_sha256] * 2
        assert meant(office) == [second.id] * 2

    def test_a_kill_between_the_edges_is_repaired_by_the_round(self, office: Office, pair: Pair) -> None:
        """What is meant was on record for both edges before the first was touched."""
        first, _ = pair
        office.edges[1].fail_next("commit", KeyboardInterrupt())  # type: ignore[arg-type]
        with pytest.raises(KeyboardInterrupt):
            roll_back()
        assert office.served()[0] == first.bundle_sha256

        reconcile.reconcile.fn()

        assert office.served() == [first.bundle_sha256] * 2
        assert roll_back() == first.id


class TestRetire:
    def test_is_kept_for_a_while(self, office: Office, pair: Pair) -> None:
        """Until the stated time is over, nothing is destroyed."""
        first, _ = pair
        office.here.ahead += policy.SUPERSEDED_KEPT - timedelta(minutes=1)

        assert retire.retire.fn() is None

        assert office.here.certificates.fetch_data_key(first.id)
        assert all(first.bundle_sha256 in edge.bundles for edge in office.edges)

    def test_then_it_is_gone_from_vault_and_edges_with_proof(self, office: Office, pair: Pair) -> None:
        """Key first; what is served stays; and a rollback says that it is too late."""
        first, second = pair
        office.here.ahead += policy.SUPERSEDED_KEPT + timedelta(minutes=1)

        assert retire.retire.fn() is None

        assert not any(first.bundle_sha256 in edge.bundles for edge in office.edges)
        assert office.served() == [second.bundle_sha256] * 2
        assert [entry["action"] for entry in office.here.audit.entries(first.id)] == ["certificate.destroyed"]
        assert "[not-kept;" in roll_back().message

    def test_what_could_not_be_finished_comes_round_again(self, office: Office, pair: Pair) -> None:
        """An edge that does not answer keeps the certificate on the list, without its vault copy."""
        first, _ = pair
        office.here.ahead += policy.SUPERSEDED_KEPT + timedelta(minutes=1)
        office.edges[0].fail_next("discard")

        assert retire.retire.fn().name == "Incomplete"
        assert retire.retire.fn() is None

        assert office.here.certificates.fetch(first.id).retired_at is not None

    def test_what_was_put_back_is_not_destroyed(self, office: Office, pair: Pair) -> None:
        """The time of the other one begins anew."""
        first, second = pair
        office.here.ahead += policy.SUPERSEDED_KEPT - timedelta(minutes=1)
        roll_back()
        office.here.ahead += timedelta(minutes=2)

        retire.retire.fn()

        assert office.served() == [first.bundle_sha256] * 2
        assert office.here.certificates.fetch(second.id).retired_at is None
