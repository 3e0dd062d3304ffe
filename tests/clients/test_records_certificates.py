"""The records of certificates, assignments and confirmations."""

from __future__ import annotations

import os
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from tasks.clients.database import Database
from tasks.clients.records.accounts import Accounts
from tasks.clients.records.certificates import Assignment, Certificates
from tasks.clients.records.drops import Drops
from tasks.core.errors import HandOverClosed, NotFound, ProofFailed
from tasks.core.model import Account, Hostname, Outcome
from tests.clients.examples import (
    NOW,
    SHOP,
    a_certificate,
    a_confirmation,
    a_handshake,
    a_recorded_certificate,
    a_recorded_drop,
    at_once,
    with_site,
)


@pytest.fixture(name="certificates")
def _certificates(database: Database) -> Certificates:
    return Certificates(with_site(database))


class TestCreate:
    def test_a_certificate_comes_back_as_it_was_recorded(self, certificates: Certificates, database: Database) -> None:
        """Every field round-trips, and the data key with it."""
        certificate = a_certificate(a_recorded_drop(database))

        assert certificate == certificates.create(certificate, b"wrapped data key", NOW)
        assert certificate == certificates.fetch(certificate.id)
        assert certificate == certificates.find_by_drop(certificate.drop_id)
        assert certificates.fetch_data_key(certificate.id) == b"wrapped data key"

    def test_a_drop_has_one_certificate(self, certificates: Certificates, database: Database) -> None:
        """An ingest that runs twice keeps the first, with the data key of the vault object on record."""
        drop = a_recorded_drop(database)
        first = certificates.create(a_certificate(drop), b"first", NOW)

        assert first == certificates.create(a_certificate(drop), b"second", NOW)
        assert certificates.fetch_data_key(first.id) == b"first"

    def test_of_ingests_at_once_one_wins_and_all_know(self, certificates: Certificates, database: Database) -> None:
        """Two processes on one run end with one certificate."""
        drop = a_recorded_drop(database)
        ingests = [partial(certificates.create, a_certificate(drop), b"wrapped", NOW) for _ in range(6)]

        answers = at_once(ingests)

        assert {certificates.find_by_drop(drop.id)} == set(answers)

    def test_unknown_is_not_found(self, certificates: Certificates) -> None:
        """Nothing is made up."""
        with pytest.raises(NotFound):
            certificates.fetch("cert-none")
        with pytest.raises(NotFound):
            certificates.fetch_data_key("cert-none")
        with pytest.raises(NotFound):
            certificates.shred("cert-none")
        assert certificates.find_by_drop("drop-none") is None


class TestShred:
    def test_forgets_the_data_key_alone(self, certificates: Certificates, database: Database) -> None:
        """The certificate stays on record, its vault copy can never be opened again; safe to repeat."""
        certificate = a_recorded_certificate(database)

        certificates.shred(certificate.id)
        certificates.shred(certificate.id)

        with pytest.raises(NotFound, match="data key"):
            certificates.fetch_data_key(certificate.id)
        assert certificate == certificates.fetch(certificate.id)

    def test_leaves_no_byte_of_the_data_key_in_the_files(self, sqlite_database: Database, tmp_path: Path) -> None:
        """Neither in the SQLite file nor in its log."""
        certificates, data_key = Certificates(with_site(sqlite_database)), os.urandom(60)
        certificate = certificates.create(a_certificate(a_recorded_drop(sqlite_database)), data_key, NOW)
        assert _is_in_files(data_key, tmp_path)

        certificates.shred(certificate.id)

        assert not _is_in_files(data_key, tmp_path)


class TestKeys:
    def test_a_compromised_key_stays_so(self, certificates: Certificates) -> None:
        """Said twice, known once."""
        assert not certificates.is_compromised("4" * 64)

        certificates.mark_compromised("4" * 64, "seen in ticket-1", NOW)
        certificates.mark_compromised("4" * 64, "seen in ticket-2", NOW)

        assert certificates.is_compromised("4" * 64)
        assert not certificates.is_compromised("5" * 64)

    def test_the_accounts_of_a_key(self, certificates: Certificates, database: Database) -> None:
        """A key that two accounts send is noticed."""
        Accounts(database).create_account(Account("other", "ops@other.test"), NOW)
        a_recorded_certificate(database, "a", spki_sha256="6" * 64)
        a_recorded_certificate(database, "b", spki_sha256="6" * 64)
        certificates.create(
            a_certificate(a_recorded_drop(database, "c", account="other"), spki_sha256="6" * 64), b"", NOW
        )

        assert frozenset({"acme", "other"}) == certificates.find_accounts_of_key("6" * 64)
        assert frozenset() == certificates.find_accounts_of_key("7" * 64)


class TestAssign:
    def test_the_same_again_keeps_the_way_back(self, certificates: Certificates, database: Database) -> None:
        """A repeated step does not take the new bundle for the old one."""
        certificate = a_recorded_certificate(database)
        wanted = Assignment("a", SHOP, certificate.id, certificate.bundle_sha256, "0" * 64, None)

        assert wanted == certificates.assign("a", certificate, "0" * 64)
        assert wanted == certificates.assign("a", certificate, certificate.bundle_sha256)
        assert wanted == certificates.find_assignment("a", SHOP)
        assert certificates.find_assignment("b", SHOP) is None

    def test_a_renewal_must_be_proven_again(self, certificates: Certificates, database: Database) -> None:
        """What was proven for the old certificate says nothing of the new one."""
        old = a_recorded_certificate(database, "old")
        new = a_recorded_certificate(database, "new", bundle_sha256="7" * 64)
        certificates.assign("a", old, None)
        certificates.mark_proven("a", SHOP, NOW)

        assert Assignment("a", SHOP, new.id, "7" * 64, old.bundle_sha256, None) == certificates.assign(
            "a", new, old.bundle_sha256
        )

    def test_proven_keeps_the_first_time(self, certificates: Certificates, database: Database) -> None:
        """A repeated proof changes nothing; one of nothing is refused."""
        with pytest.raises(NotFound):
            certificates.mark_proven("a", SHOP, NOW)
        certificates.assign("a", a_recorded_certificate(database), None)
        certificates.mark_proven("a", SHOP, NOW)
        certificates.mark_proven("a", SHOP, NOW + timedelta(hours=1))

        assert [assignment.proven_at for assignment in certificates.list_assignments()] == [NOW]

    def test_installed_is_what_has_been_proven(self, certificates: Certificates, database: Database) -> None:
        """What an edge is only meant to serve is nothing that a renewal is compared with."""
        certificate = a_recorded_certificate(database)
        certificates.assign("a", certificate, None)
        assert certificates.find_installed(SHOP) is None
        certificates.mark_proven("a", SHOP, NOW)
        assert certificate == certificates.find_installed(SHOP)
        assert certificates.find_installed(Hostname("other.example.test")) is None

    @pytest.mark.parametrize("outcome", Outcome)
    def test_what_has_ended_is_put_on_no_edge(
        self, certificates: Certificates, database: Database, outcome: Outcome
    ) -> None:
        """However it ended: a step that comes late leaves what the edges are meant to serve as it is."""
        old, late = a_recorded_certificate(database, "old"), a_recorded_certificate(database, "late")
        wanted = certificates.assign("a", old, None)
        Drops(database).close(late.drop_id, outcome, None, None)

        with pytest.raises(HandOverClosed):
            certificates.assign("a", late, old.bundle_sha256)
        assert certificates.list_assignments() == (wanted,)

    def test_of_assignments_at_once_one_row_stays(self, certificates: Certificates, database: Database) -> None:
        """Two processes that assign the same certificate agree."""
        certificate = a_recorded_certificate(database)

        assert len(set(at_once([partial(certificates.assign, "a", certificate, None)] * 6))) == 1
        assert len(certificates.list_assignments()) == 1


class TestUnassign:
    def test_goes_back_to_the_certificate_before(self, certificates: Certificates, database: Database) -> None:
        """After a failed swap the record again says what the edge serves."""
        old = a_recorded_certificate(database, "old")
        new = a_recorded_certificate(database, "new", bundle_sha256="7" * 64)
        certificates.assign("a", old, None)
        certificates.assign("a", new, old.bundle_sha256)

        certificates.unassign("a", SHOP, new.id)
        certificates.unassign("a", SHOP, new.id)

        assert Assignment("a", SHOP, old.id, old.bundle_sha256, None, None) == certificates.find_assignment("a", SHOP)

    def test_goes_back_to_nothing(self, certificates: Certificates, database: Database) -> None:
        """Where the edge served nothing, or what no record knows."""
        certificate = a_recorded_certificate(database)
        certificates.assign("a", certificate, None)
        certificates.assign("b", certificate, "9" * 64)

        certificates.unassign("a", SHOP, certificate.id)
        certificates.unassign("b", SHOP, certificate.id)

        assert certificates.list_assignments() == ()

    def test_leaves_what_was_assigned_since(self, certificates: Certificates, database: Database) -> None:
        """A late undo does not take a newer certificate off."""
        old = a_recorded_certificate(database, "old")
        new = certificates.assign("a", a_recorded_certificate(database, "new", bundle_sha256="7" * 64), None)

        certificates.unassign("a", SHOP, old.id)

        assert new == certificates.find_assignment("a", SHOP)


class TestConfirm:
    def test_the_first_proof_stays(self, certificates: Certificates, database: Database) -> None:
        """A certificate is confirmed once, with the evidence of both edges."""
        certificate = a_recorded_certificate(database)
        assert certificates.find_confirmation(certificate.id) is None

        first = a_confirmation(database, certificate)

        assert first == a_confirmation(database, certificate) == certificates.find_confirmation(certificate.id)

    def test_of_confirmations_at_once_one_stays(self, certificates: Certificates, database: Database) -> None:
        """One id for the charge to refer to."""
        certificate = a_recorded_certificate(database)

        assert len(set(at_once([partial(a_confirmation, database, certificate)] * 6))) == 1

    def test_another_leaf_is_no_proof(self, certificates: Certificates, database: Database) -> None:
        """Nor is no handshake at all: nothing gets on record that a charge could refer to."""
        certificate = a_recorded_certificate(database)
        stale = a_handshake(certificate, "b", leaf_sha256="f" * 64)

        for handshakes in ([], [stale], [a_handshake(certificate), stale]):
            with pytest.raises(ProofFailed):
                certificates.confirm(certificate.id, handshakes, NOW)
        assert certificates.find_confirmation(certificate.id) is None


def _is_in_files(value: bytes, tmp_path: Path) -> bool:
    return any(value[:16] in path.read_bytes() for path in (tmp_path / "records").iterdir())
