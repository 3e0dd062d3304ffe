"""The bundle of a certificate, out of the vault, in the form that an edge loads."""

from __future__ import annotations

import hashlib
from datetime import datetime

from tasks.clients.installation import Installation
from tasks.core.certificate import check_bundle
from tasks.core.errors import Drifted
from tasks.core.hand_over import check_key_clean, vault_context
from tasks.core.model import Certificate
from tasks.core.sealed import open_bundle


def fetch_bundle(here: Installation, certificate: Certificate, now: datetime) -> bytes:
    """
    Give key, leaf and chain of *certificate*; the caller keeps them in its frame and hands them to edges only.

    It is checked again from its bytes (THREATS T3): what was approved is what is pushed.

    Raises:
        BadBundle: The certificate has become unfit since it came in, for example by age.

        Rejected: Code ``key-compromised``: its key was seen in a ticket since it came in.

        Drifted: Code ``bundle-differs``: the vault holds something else than what is on record.

        NotFound: Its data key is shredded.
    """
    compromised = here.certificates.is_compromised(certificate.spki_sha256)
    check_key_clean(certificate.hostname, certificate.spki_sha256, compromised)
    context = vault_context(certificate.id, here.drops.fetch(certificate.drop_id))
    data_key = here.keys.unwrap(here.certificates.fetch_data_key(certificate.id), context)
    sealed = here.vault.get(certificate.vault_key, certificate.vault_version)
    files = open_bundle(sealed, data_key, certificate.id, certificate.hostname, certificate.account)
    checked = check_bundle(files, here.terms(certificate.hostname, now))
    bundle = checked.edge_pem(files)
    found = (checked.leaf_sha256, checked.spki_sha256, hashlib.sha256(bundle).hexdigest())
    if found != (certificate.leaf_sha256, certificate.spki_sha256, certificate.bundle_sha256):
        raise Drifted(
            certificate.hostname,
            got=f"the vault holds leaf {found[0]}, public key {found[1]}, bundle {found[2]}",
            wanted=f"leaf {certificate.leaf_sha256}, public key {certificate.spki_sha256}, "
            f"bundle {certificate.bundle_sha256}, as approved",
            do="Somebody rewrote the vault's object: look at the store's access log; then start a new hand-over.",
            code="bundle-differs",
        )
    return bundle
