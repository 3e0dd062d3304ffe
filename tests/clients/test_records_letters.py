"""Notices, letters and deliveries; what is served, page by page; how far a scan has got. On both databases."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from tasks.clients.database import Database
from tasks.clients.records.certificates import Certificates
from tasks.clients.records.letters import Delivered, Letters, Notice, PostedLetter
from tasks.clients.records.scans import Scans
from tasks.clients.records.served import ServedCertificates
from tasks.core.errors import NotFound
from tasks.core.expiry import Audience, Rung
from tasks.core.model import Certificate, Hostname
from tests.clients.examples import ACME, NOW, a_recorded_certificate, at_once, with_site

DAY = timedelta(days=1)


@pytest.fixture(name="letters")
def _letters(database: Database) -> Letters:
    return Letters(with_site(database))


@pytest.fixture(name="certificate")
def _certificate(database: Database, letters: Letters) -> Certificate:
    return a_recorded_certificate(database)


def a_notice(certificate: Certificate, rung: Rung = Rung.REMIND, audience: Audience = Audience.CUSTOMER) -> Notice:
    return Notice(certificate.id, rung, audience, "acme")


def a_letter(letter_id: str = "letter-1") -> PostedLetter:
    return PostedLetter(letter_id, Audience.CUSTOMER, "acme", "Subject", "Body\n", NOW)


class TestNotices:
    def test_one_a_rung_and_audience_for_ever(self, letters: Letters, certificate: Certificate) -> None:
        """Deciding again, before or after the letter, decides nothing."""
        notice = a_notice(certificate)
        letters.decide([notice, notice], NOW)
        assert letters.list_due(Audience.CUSTOMER, "acme") == (notice,)
        assert letters.post(a_letter(), ["ticket"], [notice])
        letters.decide([notice], NOW + DAY)
        assert letters.list_due(Audience.CUSTOMER, "acme") == ()
        assert letters.find_told([certificate.id]) == {(certificate.id, Audience.CUSTOMER): {Rung.REMIND}}

    def test_what_was_not_told_can_be_taken_back(self, letters: Letters, certificate: Certificate) -> None:
        """What stands in a letter can not."""
        told, untold = a_notice(certificate, Rung.REMIND), a_notice(certificate, Rung.URGENT)
        letters.decide([told, untold], NOW)
        letters.post(a_letter(), ["ticket"], [told])
        letters.withdraw([told, untold])
        assert letters.find_told([certificate.id]) == {(certificate.id, Audience.CUSTOMER): {Rung.REMIND}}

    def test_accounts_are_listed_by_name_and_once(self, letters: Letters, certificate: Certificate) -> None:
        """The operators' notices make no customer due."""
        letters.decide([a_notice(certificate, audience=Audience.OPERATORS)], NOW)
        assert letters.list_accounts_due("", 10) == ()
        letters.decide([a_notice(certificate), a_notice(certificate, Rung.URGENT)], NOW)
        assert letters.list_accounts_due("", 10) == (ACME.name,)
        assert letters.list_accounts_due(ACME.name, 10) == ()


class TestPost:
    def test_two_at_once_write_one_letter(self, letters: Letters, certificate: Certificate) -> None:
        """The quicker one; the other leaves nothing."""
        notices = [a_notice(certificate, rung) for rung in (Rung.REMIND, Rung.URGENT)]
        letters.decide(notices, NOW)
        posts = [partial(letters.post, a_letter(f"letter-{number}"), ["ticket"], notices) for number in range(4)]
        assert sorted(at_once(posts)) == [False, False, False, True]
        assert len(letters.list_open(("", ""), 10)) == 1

    def test_one_notice_of_two_taken_is_no_letter(self, letters: Letters, certificate: Certificate) -> None:
        """All or nothing: nobody reads half a letter twice."""
        taken, free = a_notice(certificate, Rung.REMIND), a_notice(certificate, Rung.URGENT)
        letters.decide([taken, free], NOW)
        letters.post(a_letter("letter-1"), [], [taken])
        assert not letters.post(a_letter("letter-2"), ["ticket"], [taken, free])
        assert letters.list_due(Audience.CUSTOMER) == (free,)
        with pytest.raises(NotFound):
            letters.fetch("letter-2")

    def test_a_letter_is_given_as_it_was_written(self, letters: Letters, certificate: Certificate) -> None:
        """What goes out is what is on record."""
        letters.decide([a_notice(certificate)], NOW)
        letters.post(a_letter(), [], [a_notice(certificate)])
        assert letters.fetch("letter-1") == a_letter()


class TestDeliveries:
    @pytest.fixture(autouse=True)
    def _posted(self, letters: Letters, certificate: Certificate) -> None:
        letters.decide([a_notice(certificate)], NOW)
        letters.post(a_letter(), ["mail", "ticket"], [a_notice(certificate)])

    def test_one_process_at_a_time_sends(self, letters: Letters) -> None:
        """Of many that try, one claims it; a channel is claimed for itself."""
        assert sorted(at_once([partial(letters.claim, "letter-1", "mail", NOW)] * 4)) == [False, False, False, True]
        assert letters.claim("letter-1", "ticket", NOW)

    def test_given_back_it_can_be_claimed_again(self, letters: Letters) -> None:
        """The tries are counted."""
        for _ in range(2):
            assert letters.claim("letter-1", "mail", NOW)
            letters.give_back("letter-1", "mail")
        assert letters.fetch_delivery("letter-1", "mail").tries == 2

    def test_ended_it_is_over(self, letters: Letters) -> None:
        """The first outcome stays, and nobody claims it any more."""
        letters.end("letter-1", "mail", Delivered.SENT, NOW)
        letters.end("letter-1", "mail", Delivered.FAILED, NOW)
        assert letters.fetch_delivery("letter-1", "mail").outcome is Delivered.SENT
        assert not letters.claim("letter-1", "mail", NOW)
        assert letters.list_open(("", ""), 10) == (("letter-1", "ticket"),)
        assert letters.list_open(("letter-1", "ticket"), 10) == ()

    def test_a_channel_it_does_not_go_by(self, letters: Letters) -> None:
        """Is not there."""
        with pytest.raises(NotFound):
            letters.fetch_delivery("letter-1", "pigeon")


class TestServed:
    @pytest.fixture(name="assigned")
    def _assigned(self, database: Database, letters: Letters) -> list[Certificate]:
        """Five hostnames, each on both edges, the later the longer; two that end in the same moment."""
        found = []
        for number, days in enumerate((1, 2, 2, 40, 90)):
            hostname = Hostname(f"n{number}.example.test")
            certificate = a_recorded_certificate(database, f"n{number}", hostname=hostname, not_after=NOW + days * DAY)
            for edge in "ab":
                Certificates(database).assign(edge, certificate, None)
            found.append(certificate)
        return found

    def test_pages_give_each_once_by_hostname(self, database: Database, assigned: list[Certificate]) -> None:
        """Whatever the size of a page."""
        served = ServedCertificates(database)
        for size in (1, 2, 5, 10):
            seen, bookmark = [], None
            while True:
                page = served.page(bookmark, size)
                seen += [each.certificate_id for each in page.served]
                bookmark = page.bookmark
                if bookmark is None:
                    break
            assert seen == [certificate.id for certificate in assigned]

    def test_pages_by_end_give_each_once(self, database: Database, assigned: list[Certificate]) -> None:
        """Two that end in the same moment too; what ends outside the span is left out."""
        served = ServedCertificates(database)
        for size in (1, 2, 10):
            seen, bookmark = [], None
            while True:
                page = served.page_ending(NOW, NOW + 40 * DAY, bookmark, size)
                seen += [each.certificate_id for each in page.served]
                bookmark = page.bookmark
                if bookmark is None:
                    break
            assert sorted(seen) == sorted(certificate.id for certificate in assigned[:4])
            assert [seen[0], seen[3]] == [assigned[0].id, assigned[3].id]

    def test_ready_is_seen_on_every_edge(self, database: Database, assigned: list[Certificate]) -> None:
        """On one is not enough."""
        served, certificates, first = ServedCertificates(database), Certificates(database), assigned[0]
        certificates.mark_proven("a", first.hostname, NOW)
        assert [each.ready for each in served.page(None, 1).served] == [False]
        certificates.mark_proven("b", first.hostname, NOW)
        assert [each.ready for each in served.page(None, 1).served] == [True]
        found = served.find_served(first.id)
        assert found is not None
        assert (found.ready, found.hostname, found.not_after) == (True, first.hostname, first.not_after)

    def test_what_no_edge_is_meant_to_serve_is_not_served(
        self, database: Database, assigned: list[Certificate]
    ) -> None:
        """Replaced, or disabled."""
        for edge in "ab":
            Certificates(database).unassign(edge, assigned[0].hostname, assigned[0].id)
        served = ServedCertificates(database)
        assert served.find_served(assigned[0].id) is None
        assert len(served.page(None, 10).served) == 4
        assert len(served.page_ending(NOW, NOW + 40 * DAY, None, 10).served) == 3


class TestScans:
    def test_goes_on_where_it_was(self, database: Database) -> None:
        """With what it had counted; ended, it begins anew."""
        scans = Scans(database)
        first = scans.open("expiry", NOW, DAY)
        scans.save(first, "m.example.test cert-1", {"total": 7}, NOW)
        second = scans.open("expiry", NOW + DAY / 2, DAY)
        assert (second.bookmark, second.tally, second.started_at) == ("m.example.test cert-1", {"total": 7}, NOW)
        scans.save(second, None, {"total": 9}, NOW + DAY / 2)
        third = scans.open("expiry", NOW + DAY, DAY)
        assert (third.bookmark, third.tally, third.started_at) == (None, {}, NOW + DAY)

    def test_two_at_once_count_a_part_once(self, database: Database) -> None:
        """Whoever comes second with the same part moves nothing."""
        scans = Scans(database)
        scan = scans.open("expiry", NOW, DAY)
        scans.save(scan, "b", {"total": 1}, NOW)
        scans.save(scan, None, {"total": 1}, NOW)
        found = scans.find("expiry")
        assert found is not None
        assert (found.bookmark, found.finished_at) == ("b", None)

    def test_there_may_have_been_none(self, database: Database) -> None:
        """A new installation."""
        assert Scans(database).find("expiry") is None
