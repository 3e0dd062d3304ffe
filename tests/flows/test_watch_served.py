"""What the world gets is looked at from outside, and the operators are told of each thing once, until it changes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from flows.watch_served import watch_served
from tasks.artifacts import render_served
from tasks.core import policy
from tasks.core.caa import Property
from tasks.core.hand_over import lease_name
from tasks.core.model import Certificate
from tasks.core.watch import ADVICE, DNS, EVERYBODY, Code, Sighting
from tasks.watch_served import Patience, survey_served
from tests.office import SHOP, Office

pytestmark = pytest.mark.usefixtures("theatre")

CHAT: Mapping[str, str] = {"chat": "slack://a/b/c"}
PUBLIC = "192.0.2.1"  # one of the platform's addresses in the settings of the tests


@pytest.fixture(name="certificate")
def _certificate(office: Office) -> Certificate:
    """What both edges serve for `SHOP`; each edge is found at its address, and the public one leads to the first."""
    certificate = office.provision()
    office.set_section("notices", operators=CHAT)
    for settings, edge in zip(office.here.settings.edges, office.edges, strict=True):
        office.probe.at[settings.address] = edge
    office.probe.at[PUBLIC] = office.edges[0]
    return certificate


def codes(office: Office) -> list[tuple[str, str]]:
    """Give place and code of all that is on record as wrong."""
    return [(each.place, each.code.value) for each in office.here.sightings.list_all(100)]


def serve_another(office: Office, edge: int) -> None:
    """Put another certificate on an edge by hand."""
    issued = office.ca.issue([SHOP])
    office.edges[edge].hosts[SHOP] = "0" * 64
    office.edges[edge].bundles["0" * 64] = issued.edge_pem


class TestSeen:
    def test_all_is_well(self, office: Office, certificate: Certificate) -> None:
        """Both edges and the public address have been looked at; nobody is told."""
        assert watch_served.fn() is None
        assert codes(office) == []
        assert office.messenger.sent == []
        assert {address for address, _ in office.probe.observed} == {"127.0.0.11", "127.0.0.12", PUBLIC}

    def test_a_wrong_leaf_on_one_edge(self, office: Office, certificate: Certificate) -> None:
        """The other edge is right, and is not blamed."""
        serve_another(office, 1)
        watch_served.fn()
        assert codes(office) == [("b", Code.WRONG_LEAF)]

    def test_a_wrong_leaf_at_the_public_address(self, office: Office, certificate: Certificate) -> None:
        """What visitors get counts, wherever it comes from."""
        serve_another(office, 0)
        watch_served.fn()
        assert codes(office) == [("a", Code.WRONG_LEAF), (f"address {PUBLIC}", Code.WRONG_LEAF)]

    def test_an_edge_that_lost_it(self, office: Office, certificate: Certificate) -> None:
        """A connection, and no handshake."""
        office.edges[1].hosts.clear()
        watch_served.fn()
        assert codes(office) == [("b", Code.NO_HANDSHAKE)]

    def test_a_chain_that_is_trusted_no_more(self, office: Office, certificate: Certificate) -> None:
        """A root has left the store."""
        office.probe.untrusted.add(SHOP)
        watch_served.fn()
        assert {code for _, code in codes(office)} == {Code.CHAIN_BROKEN}

    def test_expired(self, office: Office, certificate: Certificate) -> None:
        """By our clock, whatever the probe's says."""
        office.here.ahead = timedelta(days=120)
        watch_served.fn()
        assert {code for _, code in codes(office)} == {Code.EXPIRED}

    def test_a_domain_that_left(self, office: Office, certificate: Certificate) -> None:
        """Its new addresses get no handshake from us."""
        office.resolver.addresses[SHOP] = ("198.51.100.7",)
        watch_served.fn()
        assert codes(office) == [(DNS, Code.DNS_ELSEWHERE)]
        assert "198.51.100.7" not in {address for address, _ in office.probe.observed}

    def test_a_domain_that_lapsed(self, office: Office, certificate: Certificate) -> None:
        """No address at all."""
        del office.resolver.addresses[SHOP]
        watch_served.fn()
        assert codes(office) == [(DNS, Code.DNS_NO_ADDRESS)]

    def test_an_inner_address_behind_our_name_is_not_asked(self, office: Office, certificate: Certificate) -> None:
        """The customer's CNAME passes our name, and leads inside all the same."""
        office.resolver.cnames[SHOP] = "edge.platform.test"
        office.resolver.addresses["edge.platform.test"] = ("169.254.169.254",)
        watch_served.fn()
        assert codes(office) == [(DNS, Code.ADDRESS_NOT_PUBLIC)]
        assert "169.254.169.254" not in {address for address, _ in office.probe.observed}

    @pytest.mark.parametrize(
        ("name", "value", "refused"),
        [(SHOP, ";", True), ("example.test", ";", True), ("test", ";", True), (SHOP, "any.example", False)],
    )
    def test_caa_is_looked_for_up_to_the_top(
        self, office: Office, certificate: Certificate, name: str, value: str, refused: bool
    ) -> None:
        """Of an authority we do not know, only a refusal of everybody is sure."""
        office.resolver.properties[name] = (Property(0, "issue", value),)
        watch_served.fn()
        assert codes(office) == ([(DNS, Code.CAA_REFUSES)] if refused else [])

    def test_the_nearest_caa_decides(self, office: Office, certificate: Certificate) -> None:
        """A parent that refuses is not asked where the name itself allows."""
        office.resolver.properties[SHOP] = (Property(0, "issue", "any.example"),)
        office.resolver.properties["example.test"] = (Property(0, "issue", ";"),)
        watch_served.fn()
        assert codes(office) == []

    def test_a_hand_over_at_work_is_left_alone(self, office: Office, certificate: Certificate) -> None:
        """In the middle of a swap an edge shows what the records did not say a moment ago."""
        serve_another(office, 0)
        office.here.leases.acquire(lease_name(SHOP), "run-1", office.here.now(), policy.LEASE_LIFETIME)
        watch_served.fn()
        assert codes(office) == []


class TestNotSeen:
    def test_an_address_that_is_dead_is_one_finding(self, office: Office, certificate: Certificate) -> None:
        """Not one a hostname; it is gone when the address answers again."""
        office.edges[1].down = True
        watch_served.fn()
        assert office.here.sightings.list_all(9) == (
            Sighting(EVERYBODY, "b", Code.ADDRESS_SILENT, "-", "takes no connection"),
        )
        office.edges[1].down = False
        watch_served.fn()
        assert codes(office) == []

    def test_a_dead_address_is_given_up_and_holds_nobody(self, office: Office, certificate: Certificate) -> None:
        """After three in a row it is not asked again; the rest is."""
        patience = Patience(limit=3)
        for heard in (False, False, True, False, False):
            patience.note("a", heard)
            assert patience.is_left("a")
        patience.note("a", heard=False)
        assert not patience.is_left("a")
        assert patience.is_left("b")
        assert patience.verdicts() == {"a": True}

    def test_without_dns_an_earlier_finding_stays(self, office: Office, certificate: Certificate) -> None:
        """What is not seen is not mended."""
        office.resolver.addresses[SHOP] = ("198.51.100.7",)
        watch_served.fn()
        office.resolver.down = True
        assert watch_served.fn() is None
        assert codes(office) == [(DNS, Code.DNS_ELSEWHERE)]


class TestTold:
    def test_once_until_it_changes(self, office: Office, certificate: Certificate) -> None:
        """The same is not news; another leaf is."""
        serve_another(office, 1)
        for _ in range(3):
            watch_served.fn()
        assert len(office.messenger.sent) == 1
        assert office.messenger.sent[0].subject.startswith(f"Served wrongly: 1 finding; first {SHOP} of acme at b")
        serve_another(office, 1)
        watch_served.fn()
        assert len(office.messenger.sent) == 2

    def test_mended_and_broken_again_is_news(self, office: Office, certificate: Certificate) -> None:
        """It is forgotten when it is gone."""
        office.probe.untrusted.add(SHOP)
        watch_served.fn()
        office.probe.untrusted.clear()
        watch_served.fn()
        assert codes(office) == []
        office.probe.untrusted.add(SHOP)
        watch_served.fn()
        assert len(office.messenger.sent) == 2

    def test_nothing_is_repaired(self, office: Office, certificate: Certificate) -> None:
        """That is another flow's."""
        serve_another(office, 1)
        before = [list(edge.calls) for edge in office.edges]
        watch_served.fn()
        assert [edge.calls for edge in office.edges] == before


class TestArtifact:
    def test_shows_what_to_do(self) -> None:
        """Below the code and what to do about it; text from DNS breaks nothing."""
        shown = render_served([Sighting(SHOP, DNS, Code.DNS_ELSEWHERE, "acme", "it leads to a|b<i>")], 3)
        assert f"### dns-elsewhere\n\n{ADVICE[Code.DNS_ELSEWHERE]}\n\n" in shown
        assert "- **shop.example.test of acme**: it leads to a\\|b&lt;i&gt;" in shown
        assert "and 2 more." in shown
        assert render_served([], 0) == "## Everything is served as it should be"


def test_goes_on_where_it_was(office: Office, certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Part by part; the number seen grows."""
    monkeypatch.setattr(policy, "WATCH_CHUNK", 1)
    assert [survey_served.fn(), survey_served.fn()] == [1, None]
    scan = office.here.scans.find("served")
    assert scan is not None
    assert scan.tally == {"total": 1}
