"""Forcing HTTPS, from the wish to both edges, through the stages, and back without a trace."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flows import force_https, reconcile, watch_force_https
from tasks.core.errors import NotFound, Rejected
from tasks.core.force_https import Rule, Wish
from tasks.core.model import Hostname
from tasks.request_force_https import request_force_https, wish_by_form
from tests.office import RIVAL, SHOP, Office
from tests.theatre import Theatre, without_prefect

DAY = 24 * 3600


@pytest.fixture(autouse=True)
def _stage(office: Office, theatre: Theatre, monkeypatch: pytest.MonkeyPatch) -> None:
    without_prefect(monkeypatch, (force_https, watch_force_https, reconcile))
    office.provision()


def switch(wish: str, hostname: str = SHOP) -> Any:
    wanted: Any = wish
    return force_https.force_https.fn(hostname, wanted, "olga")


def look_round(office: Office, ahead: timedelta) -> Any:
    """Let time pass, and the round come by."""
    office.here.ahead += ahead
    return watch_force_https.watch_force_https.fn()


def rules(office: Office) -> list[Rule | None]:
    return [edge.force_https.get(SHOP) for edge in office.edges]


class TestOn:
    def test_both_edges_redirect(self, office: Office) -> None:
        """Plain HTTP is sent on by both edges, and it was seen from outside."""
        assert switch("on") == str(Rule(redirect=True, max_age=None))
        assert rules(office) == [Rule(redirect=True, max_age=None)] * 2
        recorded = office.here.switches.find(SHOP)
        assert recorded is not None
        assert recorded.proven_at is not None

    @pytest.mark.parametrize("hostname", [RIVAL, "nobody.example.test", "no hostname"])
    def test_is_refused_without_a_proven_certificate(self, office: Office, hostname: str) -> None:
        """Visitors are never sent to where no handshake is."""
        assert switch("on", hostname).name == "Rejected"
        assert office.here.switches.list() == ()
        assert [edge.force_https for edge in office.edges] == [{}, {}]

    def test_is_refused_when_the_certificate_has_expired(self, office: Office) -> None:
        """An expired certificate locks every visitor out."""
        with pytest.raises(Rejected, match="no-certificate"):
            request_force_https(SHOP, Wish.ON, "account:acme", office.here.now() + timedelta(days=4000))

    def test_a_site_that_fails_over_https_is_turned_off_again(self, office: Office) -> None:
        """The redirect would make a broken site of a working one: both edges are back, and a person is told."""
        office.probe.statuses[SHOP] = 503

        assert switch("on").name == "Drifted"
        assert rules(office) == [None, None]

    def test_an_edge_that_is_down_gets_it_from_the_round(self, office: Office) -> None:
        """What is on record is made true later."""
        office.edges[1].down = True
        assert switch("on").name == "Unavailable"
        office.edges[1].down = False

        assert look_round(office, timedelta()) is None
        assert rules(office) == [Rule(redirect=True, max_age=None)] * 2

    def test_a_second_time_changes_nothing(self, office: Office) -> None:
        """The same run from the top, after a kill anywhere, ends in the same place."""
        switch("on-with-hsts")
        before = (office.here.switches.find(SHOP), rules(office), len(office.here.audit.entries(SHOP)))
        switch("on-with-hsts")
        assert (office.here.switches.find(SHOP), rules(office), len(office.here.audit.entries(SHOP))) == before

    def test_operators_of_no_name_are_refused(self) -> None:
        """The record says who."""
        with pytest.raises(Rejected):
            wish_by_form(SHOP, Wish.ON, " ")
        with pytest.raises(NotFound):
            wish_by_form(Hostname("nobody.example.test"), Wish.OFF, "olga")


class TestStages:
    def test_hsts_grows_from_minutes_to_a_year(self, office: Office) -> None:
        """Each stage follows once the one before has lasted; a round too early moves nothing."""
        switch("on-with-hsts")
        seen = []
        for passed in (timedelta(minutes=4), timedelta(minutes=1), timedelta(days=1), timedelta(weeks=1)):
            assert look_round(office, passed) is None
            seen.append(rules(office)[0])
        assert [rule.max_age if rule else None for rule in seen] == [300, DAY, 7 * DAY, 365 * DAY]

    def test_a_fault_begins_the_stage_anew(self, office: Office) -> None:
        """The site failed on the fourth minute: five more must pass without fault. The round said so."""
        switch("on-with-hsts")
        office.probe.statuses[SHOP] = 502
        assert "not-forced" in look_round(office, timedelta(minutes=4)).message
        del office.probe.statuses[SHOP]

        assert look_round(office, timedelta(minutes=2)) is None
        assert look_round(office, timedelta(minutes=4)) is None
        assert rules(office) == [Rule(redirect=True, max_age=300)] * 2
        look_round(office, timedelta(minutes=1))
        assert rules(office) == [Rule(redirect=True, max_age=DAY)] * 2


class TestOff:
    def test_a_redirect_alone_leaves_no_trace(self, office: Office) -> None:
        """Edges and records are as if it had never been."""
        switch("on")
        switch("off")
        assert [edge.force_https for edge in office.edges] == [{}, {}]
        assert office.here.switches.list() == ()

    def test_hsts_is_withdrawn_until_visitors_have_forgotten(self, office: Office) -> None:
        """max-age=0 is said for as long as a day's promise lives in a browser; then the file is gone."""
        switch("on-with-hsts")
        look_round(office, timedelta(minutes=5))
        switch("off")

        look_round(office, timedelta(hours=23, minutes=59))
        assert rules(office) == [Rule(redirect=False, max_age=0)] * 2
        look_round(office, timedelta(minutes=1))
        assert rules(office) == [None, None]
        assert office.here.switches.list() == ()

    def test_a_failing_app_does_not_draw_the_withdrawal_out(self, office: Office) -> None:
        """Who fails promises nothing, so nobody remembers longer for it."""
        switch("on-with-hsts")
        switch("off")
        office.probe.statuses[SHOP] = 502
        for _ in range(2):
            look_round(office, timedelta(minutes=2, seconds=30))
        assert rules(office) == [None, None]


class TestReconcile:
    def test_a_lost_rule_is_restored_and_a_stray_one_taken_off(self, office: Office) -> None:
        """An edge does what the records say, whatever somebody did to its disk; the second pass finds nothing."""
        switch("on")
        office.edges[0].force_https.clear()
        office.edges[1].force_https[RIVAL] = Rule(redirect=True, max_age=None)
        office.edges[1].force_https[SHOP] = None

        for _ in range(2):
            assert reconcile.reconcile.fn() is None
            assert [edge.force_https for edge in office.edges] == [{SHOP: Rule(redirect=True, max_age=None)}] * 2
        assert office.here.audit.verify()
        assert [entry["action"] for entry in office.here.audit.entries(RIVAL)].count("force-https.restored") == 1
