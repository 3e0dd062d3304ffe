"""The bundle of a certificate, out of the vault, in the form that an edge loads."""

from __future__ import annotations

import hashlib
from datetime import datetime

from tasks.clients.installation import Installation
from tasks.core.certificate import FILES
from tasks.core.errors import Drifted, Rejected
from tasks.core.hand_over import check_key_clean, vault_context
from tasks.core.model import Certificate
from tasks.core.sealed import open_bundle


def fetch_bundle(here: Installation, certificate: Certificate, now: datetime) -> bytes:
    """
    Give key, leaf and chain of *certificate*; the caller keeps them in its frame and hands them to edges only.

    Its bytes are compared with what is on record, and so with what was approved (THREATS T3). By the rules it was
    judged when it came in; here it must only still be good.

    Raises:
        Rejected: Code ``expired``; or ``key-compromised``: its key was seen in a ticket since it came in, or blocked.

        Drifted: Code ``bundle-differs``: the vault holds something else than what is on record.

        NotFound: Its data key is shredded.
    """
    check_still_good(here, certificate, now)
    context = vault_context(certificate.id, here.drops.fetch(certificate.drop_id))
    data_key = here.keys.unwrap(here.certificates.fetch_data_key(certificate.id), context)
    sealed = here.vault.get(certificate.vault_key, certificate.vault_version)
    files = open_bundle(sealed, data_key, certificate.id, certificate.hostname, certificate.account)
    bundle = b"".join(files.get(name, b"") for name in FILES[:3])
    found = hashlib.sha256(bundle).hexdigest()
    if found != certificate.bundle_sha256:
        raise Drifted(
            certificate.hostname,
            got=f"the vault holds the bundle {found}",
            wanted=f"{certificate.bundle_sha256}, as approved",
            do="Somebody rewrote the vault's object: look at the store's access log; then start a new hand-over.",
            code="bundle-differs",
        )
    return bundle


def check_still_good(here: Installation, certificate: Certificate, now: datetime) -> None:
    """
    Raise unless *certificate* may still be served.

    Raises:
        Rejected: Code ``expired``; or ``key-compromised``: its key was seen in a ticket since it came in, or blocked.
    """
    _check_still_valid(certificate, now)
    blocked = certificate.spki_sha256 in here.terms(certificate.hostname, now).rules.blocked_keys
    compromised = blocked or here.certificates.is_compromised(certificate.spki_sha256)
    check_key_clean(certificate.hostname, certificate.spki_sha256, compromised)


def _check_still_valid(certificate: Certificate, now: datetime) -> None:
    if now > certificate.not_after:
        raise Rejected(
            certificate.hostname,
            got=f"the certificate expired on {certificate.not_after:%Y-%m-%d %H:%M} UTC",
            wanted="one that is valid",
            do="Have it renewed, and open a new hand-over.",
            code="expired",
        )
