"""Step 2: open the envelope, check what is in it, and seal it again into the vault."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from tasks.artifacts import show_certificate, show_findings
from tasks.clients.installation import Installation, current
from tasks.clients.store import StoredObject
from tasks.core.certificate import CheckedBundle, Installed, KeyStanding, Terms, judge
from tasks.core.envelope import Binding, open_envelope
from tasks.core.errors import BadBundle, Drifted, StoreUnavailable
from tasks.core.hand_over import check_live, seed_context, vault_context
from tasks.core.model import Certificate, Drop, DropState, Severity, make_id
from tasks.core.sealed import seal_bundle
from tasks.retries import step


@step(StoreUnavailable, "(2) ingest the secrets")
def ingest_secrets(drop_id: str) -> str:
    """
    Open the drop's one envelope, check the certificate, seal it into the vault, and give the certificate id.

    What is sealed is what an edge serves: the key as it was sent, the leaf, the chain in order. It is chosen once,
    here: days later another leaf among the files might be valid, or another root be trusted.

    Which object version counts is on record before it is opened, so a later upload changes nothing.

    Repeat: A drop whose certificate is on record gives its id. After a kill in between, the same version is
        opened again and the vault object replaced under the same certificate id.

    Undo: `close_hand_over` forgets the vault's data key and deletes the vault object.

    Raises:
        UploadPending: Nothing has arrived.

        CannotOpen: The envelope is not one that the invited sender sealed for this drop.

        BadBundle: The files cannot serve; with all findings.

        Rejected: Code ``several-uploads``.

        Drifted: Code ``envelope-changed``: the pinned version does not hold what it held.

        HandOverClosed: The hand-over has ended.
    """
    here = current()
    now = here.now()
    drop = here.drops.fetch(drop_id)
    certificate = here.certificates.find_by_drop(drop_id)
    if certificate is None:
        check_live(drop)
        drop, stored = _read_upload(here, drop)
        certificate = _record(here, drop, _reseal(here, drop, stored.body, now), now)
    if drop.state is DropState.OPEN:
        here.drops.mark_ingested(drop_id)
    _report(here, drop_id, certificate, now)
    return certificate.id


@dataclass(frozen=True)
class _Resealed:
    """What leaves the frame that saw the key: digests, a wrapped data key, a sealed bundle."""

    checked: CheckedBundle
    bundle_sha256: str
    sealed: bytes
    wrapped_data_key: bytes


def _read_upload(here: Installation, drop: Drop) -> tuple[Drop, StoredObject]:
    """Pin the version that lies there, unless one is pinned, and read the pinned one."""
    stored = here.drop_store.fetch_envelope(drop.id, drop.version_id)
    pinned = here.drops.pin_upload(drop.id, stored.version_id, stored.sha256)
    if pinned.version_id != stored.version_id:
        stored = here.drop_store.fetch_envelope(drop.id, pinned.version_id)
    if pinned.envelope_sha256 != stored.sha256:
        raise Drifted(
            drop.id,
            got=f"version {stored.version_id} has SHA-256 {stored.sha256}",
            wanted=f"{pinned.envelope_sha256}, as when it was pinned",
            do="Somebody rewrote the drop's object: look at the store's access log; then destroy the drop.",
            code="envelope-changed",
        )
    return pinned, stored


def _reseal(here: Installation, drop: Drop, envelope: bytes, now: datetime) -> _Resealed:
    """
    Open, check and seal again: the private key lives in this frame and nowhere else.

    Nothing here is logged, shown, returned or raised but digests and findings.
    """
    wrapped_seed, secret_sha256 = here.drops.fetch_seed(drop.id)
    seed = here.keys.unwrap(wrapped_seed, seed_context(drop))
    files = open_envelope(envelope, drop.suite or 0, seed, secret_sha256, Binding(drop.id, drop.hostname, drop.account))
    checked = _check(files, _terms(here, drop, now), drop)
    data_key = os.urandom(32)
    certificate_id = certificate_id_of(drop.id)
    sealed = seal_bundle(
        checked.hand_over(files), data_key, os.urandom(12), certificate_id, drop.hostname, drop.account
    )
    wrapped = here.keys.wrap(data_key, vault_context(certificate_id, drop))
    return _Resealed(checked, hashlib.sha256(checked.edge_pem(files)).hexdigest(), sealed, wrapped)


def _check(files: Mapping[str, bytes], terms: Terms, drop: Drop) -> CheckedBundle:
    """Give the checked bundle; the operator sees what refuses it, and what is to be warned of."""
    verdict = judge(files, terms)
    if any(finding.severity is not Severity.NOTE for finding in verdict.findings):
        show_findings(drop.hostname, verdict)
    if verdict.bundle is None:
        raise BadBundle.of(drop.hostname, verdict.findings)
    return verdict.bundle


def _record(here: Installation, drop: Drop, resealed: _Resealed, now: datetime) -> Certificate:
    certificate_id = certificate_id_of(drop.id)
    key, version = here.vault.put(certificate_id, resealed.sealed)
    checked = resealed.checked
    certificate = here.certificates.create(
        Certificate(
            id=certificate_id,
            drop_id=drop.id,
            account=drop.account,
            hostname=drop.hostname,
            leaf_sha256=checked.leaf_sha256,
            spki_sha256=checked.spki_sha256,
            bundle_sha256=resealed.bundle_sha256,
            subject=checked.subject,
            issuer=checked.issuer,
            serial=checked.serial,
            dns_names=tuple(checked.dns_names),
            not_before=checked.not_before,
            not_after=checked.not_after,
            vault_key=key,
            vault_version=version,
            key_kind=checked.key_kind,
            root_sha256=checked.root_sha256,
            trust=here.settings.trust.store,
            warned=tuple(finding.code for finding in checked.warnings if finding.severity is Severity.WARN),
        ),
        resealed.wrapped_data_key,
        now,
    )
    show_certificate(certificate, [finding.cause for finding in checked.warnings])
    return certificate


def _report(here: Installation, drop_id: str, certificate: Certificate, now: datetime) -> None:
    drop = here.drops.fetch(drop_id)
    here.audit.append_once(
        "certferry",
        "secrets.ingested",
        drop_id,
        {
            "certificate": certificate.id,
            "leaf_sha256": certificate.leaf_sha256,
            "spki_sha256": certificate.spki_sha256,
            "version_id": drop.version_id,
            "envelope_sha256": drop.envelope_sha256,
        },
        now,
    )


def _terms(here: Installation, drop: Drop, now: datetime) -> Terms:
    """Give the installation's terms, with what the records know about keys and about what is served now."""

    def standing(spki_sha256: str) -> KeyStanding:
        if here.certificates.is_compromised(spki_sha256):
            return KeyStanding.COMPROMISED
        others = here.certificates.find_accounts_of_key(spki_sha256) - {drop.account}
        return KeyStanding.OF_ANOTHER_ACCOUNT if others else KeyStanding.UNKNOWN

    served = here.certificates.find_installed(drop.hostname)
    installed = (
        Installed(served.leaf_sha256, served.spki_sha256, served.not_before, served.not_after, served.dns_names)
        if served
        else None
    )
    return replace(here.terms(drop.hostname, now), standing=standing, installed=installed)


def certificate_id_of(drop_id: str) -> str:
    """
    Give the id of the one certificate that comes through a drop: 128 bits of the drop id's digest.

    Known before anything is written, so a repeat after a kill leaves no second object in the vault.
    """
    return make_id("cert", hashlib.sha256(f"certificate of {drop_id}".encode()).digest()[:16])
