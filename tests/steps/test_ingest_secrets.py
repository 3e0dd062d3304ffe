"""Step 2: what is taken out of a drop, once, and what is kept of it."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tasks.clients.bundles import fetch_bundle
from tasks.core.errors import (
    BadBundle,
    CannotUnwrap,
    Drifted,
    HandOverClosed,
    Rejected,
    StoreUnavailable,
    UploadPending,
)
from tasks.core.hand_over import vault_context
from tasks.core.model import DropState, Outcome
from tasks.core.sealed import open_bundle
from tasks.ingest_secrets import certificate_id_of, ingest_secrets
from tests.fakes.keys import FakeKeyProvider
from tests.office import RIVAL, SHOP, Office


class TestIngestSecrets:
    def test_gives_an_id_and_keeps_the_files_sealed(self, office: Office) -> None:
        """The files lie in the vault byte for byte as they were sent; records hold digests only."""
        issued = office.ca.issue([SHOP])
        drop = office.open()
        version = office.upload(drop, issued.files())

        certificate = office.here.certificates.fetch(ingest_secrets.fn(drop.id))

        data_key = office.keys.unwrap(
            office.here.certificates.fetch_data_key(certificate.id), vault_context(certificate.id, drop)
        )
        sealed = office.vault.get(certificate.vault_key, certificate.vault_version)
        assert open_bundle(sealed, data_key, certificate.id, SHOP, "acme") == issued.files()
        assert (certificate.leaf_sha256, certificate.hostname) == (issued.leaf_sha256, SHOP)
        after = office.drop(drop.id)
        assert (after.state, after.version_id) == (DropState.INGESTED, version)

    def test_again_gives_the_same_certificate(self, office: Office) -> None:
        """A second run opens nothing and writes nothing."""
        certificate = office.ingest()
        office.store.calls.clear()
        office.vault.calls.clear()

        assert ingest_secrets.fn(certificate.drop_id) == certificate.id
        assert (office.store.calls, office.vault.calls) == ([], [])
        assert office.actions(certificate.drop_id).count("secrets.ingested") == 1

    def test_a_later_upload_changes_nothing(self, office: Office) -> None:
        """The version that was there first is pinned before it is opened; what follows it is never read."""
        drop = office.open()
        first = office.upload(drop)
        office.keys.fail.append(StoreUnavailable.because("keys", "told to fail"))
        with pytest.raises(StoreUnavailable):
            ingest_secrets.fn(drop.id)
        office.store.arrive(drop.id, b"later")

        ingest_secrets.fn(drop.id)

        assert office.drop(drop.id).version_id == first

    def test_two_uploads_before_the_first_look_are_refused(self, office: Office) -> None:
        """Nobody can say which of two counts, so neither does."""
        drop = office.open()
        office.upload(drop)
        office.store.arrive(drop.id, b"second")

        with pytest.raises(Rejected) as refused:
            ingest_secrets.fn(drop.id)
        assert refused.value.code == "several-uploads"

    def test_a_rewritten_version_stops_the_run(self, office: Office) -> None:
        """A version id whose bytes have changed is nobody's mistake: a person must look."""
        drop = office.open()
        version = office.upload(drop)
        office.here.drops.pin_upload(drop.id, version, "0" * 64)

        with pytest.raises(Drifted) as drift:
            ingest_secrets.fn(drop.id)
        assert drift.value.code == "envelope-changed"

    def test_nothing_there_is_not_ready(self, office: Office) -> None:
        """A run that was started too early waits; it does not refuse."""
        drop = office.open()
        office.seal(drop, {})

        with pytest.raises(UploadPending):
            ingest_secrets.fn(drop.id)

    def test_a_key_of_another_account_is_refused(self, office: Office) -> None:
        """Two customers with one key means that one of them has the other's."""
        theirs = office.ca.issue([RIVAL])
        rival = office.open(account="rival")
        office.upload(rival, theirs.files())
        ingest_secrets.fn(rival.id)
        drop = office.open()
        office.upload(drop, office.ca.issue([SHOP], key=theirs.key).files())

        with pytest.raises(Rejected) as refused:
            ingest_secrets.fn(drop.id)
        assert refused.value.code == "key-of-another-account"
        assert office.here.certificates.find_by_drop(drop.id) is None

    def test_a_compromised_key_is_refused_for_ever(self, office: Office) -> None:
        """A key that was seen in a ticket comes in no more, with whatever certificate."""
        issued = office.ca.issue([SHOP])
        first = office.open("first")
        office.upload(first, issued.files())
        spki = office.here.certificates.fetch(ingest_secrets.fn(first.id)).spki_sha256
        office.here.certificates.mark_compromised(spki, "seen in a ticket", office.here.now())
        drop = office.open("second")
        office.upload(drop, issued.files())

        with pytest.raises(Rejected) as refused:
            ingest_secrets.fn(drop.id)
        assert refused.value.code == "key-compromised"
        assert office.here.certificates.find_by_drop(drop.id) is None

    @pytest.mark.parametrize("content", [b"not a digest\n", b"\xff\xfe", None])
    def test_an_operators_mistake_destroys_no_drop(self, office: Office, tmp_path: Path, content: bytes | None) -> None:
        """A list or a trust store that cannot be used stops the run; the customer did nothing wrong."""
        blocked = tmp_path / "blocked"
        if content is not None:
            blocked.write_bytes(content)
        office.set_rules(blocked_keys=blocked)
        drop = office.open()
        office.upload(drop)

        with pytest.raises(Drifted) as drift:
            ingest_secrets.fn(drop.id)
        assert drift.value.code == "settings-unusable"

    def test_an_empty_trust_store_destroys_no_drop(self, office: Office, tmp_path: Path) -> None:
        """Half-written by somebody who updates it."""
        (tmp_path / "root.pem").write_bytes(b"")
        drop = office.open()
        office.upload(drop)

        with pytest.raises(Drifted):
            ingest_secrets.fn(drop.id)

    def test_what_is_sealed_is_what_an_edge_serves(self, office: Office) -> None:
        """Chosen once: whatever else was among the files, and whatever will be valid or trusted later."""
        issued = office.ca.issue([SHOP])
        drop = office.open()
        later = office.ca.issue([SHOP], key=issued.key, age_days=-30)
        office.upload(drop, issued.files(crt=later.leaf_pem + issued.chain_pem + issued.leaf_pem, chain=None))

        certificate = office.here.certificates.fetch(ingest_secrets.fn(drop.id))

        office.here.ahead = timedelta(days=40)
        assert fetch_bundle(office.here, certificate, office.here.now()) == issued.edge_pem

    def test_a_blocked_key_is_refused(self, office: Office, tmp_path: Path) -> None:
        """The installation's list of keys that nobody may use is read at every hand-over."""
        issued = office.ca.issue([SHOP])
        spki = issued.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        (tmp_path / "blocked").write_text(f"# leaked in 2025\n{hashlib.sha256(spki).hexdigest()}\n")
        office.set_rules(blocked_keys=tmp_path / "blocked")
        drop = office.open()
        office.upload(drop, issued.files())

        with pytest.raises(BadBundle) as refused:
            ingest_secrets.fn(drop.id)
        assert refused.value.code == "key-blocked"

    def test_a_renewal_is_compared_with_what_is_served(self, office: Office) -> None:
        """The same key as before warns; an installation may refuse it, and then it does."""
        first = office.ca.issue([SHOP])
        served = office.provision("first", first.files())
        issued = office.ca.issue([SHOP], key=first.key)
        second, third = office.open("second"), office.open("third")
        office.upload(second, issued.files())
        office.upload(third, issued.files())

        assert ingest_secrets.fn(second.id) != served.id
        office.set_rules(refused_warnings=["renewal-same-key"])
        with pytest.raises(BadBundle) as refused:
            ingest_secrets.fn(third.id)
        assert refused.value.code == "renewal-same-key"

    def test_a_hand_over_that_has_ended_is_not_opened(self, office: Office) -> None:
        """Nothing is decrypted for a customer who has given it up."""
        drop = office.open()
        office.upload(drop)
        office.here.drops.close(drop.id, Outcome.CANCELLED, None, None)

        with pytest.raises(HandOverClosed):
            ingest_secrets.fn(drop.id)
        assert "unwrap" not in office.keys.calls

    def test_a_wrong_key_file_refuses_no_customer(self, office: Office) -> None:
        """An installation with the wrong wrapping key stops and looks; the customer's drop lives on."""
        drop = office.open()
        office.upload(drop)
        office.here.__dict__["keys"] = FakeKeyProvider()

        with pytest.raises(CannotUnwrap) as drift:
            ingest_secrets.fn(drop.id)
        assert isinstance(drift.value, Drifted)

    def test_the_certificate_id_is_known_beforehand(self, office: Office) -> None:
        """The id follows from the drop's, so a repeat writes under the same name in the vault."""
        certificate = office.ingest()

        assert certificate.id == certificate_id_of(certificate.drop_id)
