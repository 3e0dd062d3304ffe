"""Step 1, over time: when a domain is looked at, and when its proof is still good."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from tasks.core import policy
from tasks.core.errors import DNSUnavailable, DomainNotLive, HandOverClosed
from tasks.core.live import challenge_name
from tasks.core.model import Outcome
from tasks.verify_domain import verify_domain
from tests.office import ADDRESS, SHOP, Office


@pytest.fixture(name="pauses")
def _pauses(office: Office, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Lets pauses pass at once, by putting the clock forward, and lists them."""
    pauses: list[float] = []

    def pass_by(seconds: float) -> None:
        pauses.append(seconds)
        office.here.ahead += timedelta(seconds=seconds)

    monkeypatch.setattr(time, "sleep", pass_by)
    return pauses


class TestVerifyDomain:
    def test_a_live_domain_is_on_record(self, office: Office) -> None:
        """What held is on record with its time and the address that answered."""
        drop = office.open()

        verify_domain.fn(drop.id)

        assert office.drop(drop.id).verified_at is not None
        (entry,) = (e for e in office.here.audit.entries(drop.id) if e["action"] == "domain.verified")
        assert entry["evidence"] == {"address": ADDRESS, "http_status": 200}

    def test_a_cname_to_the_platform_will_do(self, office: Office) -> None:
        """A name that leads here by CNAME need not know the platform's addresses."""
        office.resolver.cnames[SHOP] = "edge.platform.test"
        office.resolver.addresses["edge.platform.test"] = ("192.0.2.77",)
        office.probe.live[SHOP, "192.0.2.77"] = 403
        drop = office.open()

        verify_domain.fn(drop.id)

        assert office.drop(drop.id).verified_at is not None

    def test_one_stray_address_is_not_live(self, office: Office) -> None:
        """If one of several addresses is another server's, some visitors never reach the edges."""
        office.resolver.addresses[SHOP] = (ADDRESS, "198.51.100.7")

        with pytest.raises(DomainNotLive) as pending:
            verify_domain.fn(office.open().id, wait=False)
        assert pending.value.code == "leads-elsewhere"

    def test_a_fresh_proof_is_not_asked_for_again(self, office: Office) -> None:
        """A run that is started again asks no DNS server what it knows."""
        drop = office.open()
        verify_domain.fn(drop.id)
        office.resolver.asked.clear()

        verify_domain.fn(drop.id)

        assert office.resolver.asked == []

    def test_a_domain_that_lapsed_while_an_approval_waited_is_not_live(self, office: Office) -> None:
        """After a day the proof is asked for anew, since a run that waited goes on from the top."""
        drop = office.open()
        verify_domain.fn(drop.id)
        office.here.ahead = policy.DOMAIN_FRESH + timedelta(minutes=1)
        office.resolver.texts[challenge_name(SHOP)] = ()

        with pytest.raises(DomainNotLive):
            verify_domain.fn(drop.id, wait=False)

    def test_a_domain_that_is_served_is_not_asked_about(self, office: Office) -> None:
        """Once both edges are confirmed, a run that only has to finish is not held up by DNS."""
        certificate = office.provision()
        verify_domain.fn(certificate.drop_id)
        shown = [
            office.probe.handshake(e, SHOP, office.here.settings.trust, office.here.now())
            for e in office.here.settings.edges
        ]
        office.here.certificates.confirm(certificate.id, shown, office.here.now())
        office.here.ahead = 2 * policy.DOMAIN_FRESH
        office.resolver.down = True

        verify_domain.fn(certificate.drop_id)

    def test_waits_at_growing_intervals_until_the_deadline(self, office: Office, pauses: list[float]) -> None:
        """Not live yet is polled, ever less often, and not for ever; the last answer is what the customer reads."""
        office.resolver.addresses[SHOP] = ()

        with pytest.raises(DomainNotLive, match="no-address"):
            verify_domain.fn(office.open().id)

        assert pauses[:5] == [30, 60, 120, 240, 300]
        assert max(pauses) == policy.DOMAIN_INTERVAL_MAX.total_seconds()
        deadline = policy.DOMAIN_DEADLINE.total_seconds()
        assert deadline - 300 < sum(pauses) <= deadline

    def test_goes_on_as_soon_as_it_is_live(
        self, office: Office, pauses: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A record added while the run waits is found at the next look."""
        drop = office.open()
        record = office.resolver.texts.pop(challenge_name(SHOP))
        looks = iter([(), (), record])
        monkeypatch.setattr(office.resolver, "txt", lambda _name: next(looks))

        verify_domain.fn(drop.id)

        assert len(pauses) == 2

    def test_stops_waiting_for_what_was_given_up(self, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        """A hand-over that is cancelled while its run polls ends at the next look."""
        drop = office.open()
        office.resolver.addresses[SHOP] = ()
        monkeypatch.setattr(time, "sleep", lambda _: office.here.drops.close(drop.id, Outcome.CANCELLED, None, None))

        with pytest.raises(HandOverClosed):
            verify_domain.fn(drop.id)

    def test_a_resolver_that_does_not_answer_is_no_verdict(self, office: Office) -> None:
        """An outage is for the retry table, and is not the customer's fault."""
        office.resolver.down = True

        with pytest.raises(DNSUnavailable):
            verify_domain.fn(office.open().id)
