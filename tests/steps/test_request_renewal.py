"""Having a renewal open: one a hostname, whoever asks and however often."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tasks.core import policy
from tasks.core.errors import BadHostname, NotFound, QuotaExceeded
from tasks.core.hand_over import name_renewals
from tasks.core.model import PLATFORM, Certificate, DropKind, DropState, Hostname, Outcome, parse_name
from tasks.request_renewal import request_renewal
from tests.office import SHOP, Office


@pytest.fixture(name="served")
def _served(office: Office) -> Certificate:
    """What the hostname is served with, confirmed."""
    certificate = office.provision()
    confirm(office, certificate)
    return certificate


def confirm(office: Office, certificate: Certificate) -> None:
    """Put the proof of both edges on record, and end the hand-over."""
    here, now = office.here, office.here.now()
    shown = [here.probe.handshake(edge, certificate.hostname, here.settings.trust, now) for edge in here.settings.edges]
    here.certificates.confirm(certificate.id, shown, now)
    here.drops.close(certificate.drop_id, Outcome.COMPLETED, None, None)


class TestRequestRenewal:
    def test_opens_a_renewal_with_its_key_pair(self, office: Office, served: Certificate) -> None:
        """Its customer can push at once, under a name that says what it is."""
        drop = office.drop(request_renewal.fn(SHOP, PLATFORM))

        assert (drop.kind, drop.state, drop.name) == (DropKind.RENEWAL, DropState.OPEN, "renew-shop-example-test")
        assert (drop.account, drop.app, drop.requested_by) == ("acme", "shop", PLATFORM)

    def test_asking_again_gives_the_same(self, office: Office, served: Certificate) -> None:
        """The ladder asks at every rung; the customer has one drop."""
        assert request_renewal.fn(SHOP, PLATFORM) == request_renewal.fn(f"{SHOP.upper()}.", "operator:ana")

    def test_one_that_the_customer_opened_counts(self, office: Office, served: Certificate) -> None:
        """Who is renewing already is not sent another drop."""
        own = office.open("mine")

        assert request_renewal.fn(SHOP, PLATFORM) == own.id

    def test_one_whose_time_is_over_does_not(self, office: Office, served: Certificate) -> None:
        """It takes no files any more, and keeps its name until it is cleared away."""
        first = request_renewal.fn(SHOP, PLATFORM)
        office.here.ahead += policy.DROP_LIFETIME + timedelta(seconds=1)

        second = office.drop(request_renewal.fn(SHOP, PLATFORM))

        assert second.id != first
        assert second.name == f"renew-shop-example-test-{second.id[-6:]}"

    def test_without_a_certificate_there_is_nothing_to_renew(self, office: Office) -> None:
        """It fails clearly, and leaves no drop; a set-up under way is no certificate yet."""
        office.provision()

        with pytest.raises(NotFound, match=f"certificate of {SHOP}"):
            request_renewal.fn(SHOP, PLATFORM)

        assert office.here.drops.find_renewal(SHOP, office.here.now()) is None

    def test_a_name_that_is_none_is_refused(self, office: Office) -> None:
        with pytest.raises(BadHostname):
            request_renewal.fn("not a name", PLATFORM)

    def test_what_certferry_asks_for_takes_nothing_from_the_quota(self, office: Office, served: Certificate) -> None:
        """An account with more hostnames than drops may renew them all, and set up another besides."""
        drops = office.here.settings.drops.model_copy(update={"max_open": 1})
        office.here.settings = office.here.settings.model_copy(update={"drops": drops})

        request_renewal.fn(SHOP, PLATFORM)
        office.request("one")

        with pytest.raises(QuotaExceeded):
            office.request("two")


class TestNameRenewals:
    def test_a_long_hostname_is_cut(self) -> None:
        """A name has 63 characters and a hostname 253; what tells two apart comes from the drop."""
        host = Hostname(f"{'a-very-long-name-of-a-shop-' * 2}x.example.test")

        short, long = name_renewals(host, "drop-abcdefghijklmnopqrstuvwxyz")

        assert parse_name(short, "hand-over") == short
        assert parse_name(long, "hand-over") == f"{short}-uvwxyz"
