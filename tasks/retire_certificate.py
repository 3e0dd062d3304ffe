"""The end of a superseded certificate: its key is gone from the vault and from the edges, and there is proof."""

from __future__ import annotations

from tasks.clients.installation import Installation, current
from tasks.core.errors import EdgeUnavailable, RecordsUnavailable
from tasks.core.model import Certificate, Hostname
from tasks.retries import step


@step(RecordsUnavailable, "list the certificates that are kept no longer")
def list_due() -> dict[str, Hostname]:
    """
    Give the superseded certificates, by id with their hostname, whose time to be put back is over.

    Repeat: Reads only.

    Undo: None is needed.
    """
    here = current()
    due = here.certificates.list_superseded(here.now() - here.settings.renewals.kept)
    return {certificate.id: certificate.hostname for certificate in due}


@step(EdgeUnavailable, "destroy a superseded certificate")
def retire_certificate(certificate_id: str) -> None:
    """
    Forget the vault's data key, delete the vault's object and the edges' copies, and leave the proof.

    One that was put back on the edges meanwhile is left alone. A bundle that another hostname points at stays there.

    Repeat: What is gone is gone; the first proof stays.

    Undo: None, and that is the purpose.

    Raises:
        EdgeUnavailable: An edge did not answer; its copy is still there.

        StoreUnavailable: The vault did not answer; its object opens no more.
    """
    here = current()
    now = here.now()
    certificate = here.certificates.fetch(certificate_id)
    superseded_at = certificate.superseded_at
    if superseded_at is None or certificate not in here.certificates.list_superseded(now - here.settings.renewals.kept):
        return
    here.certificates.shred(certificate.id)
    sweep = here.vault.delete(certificate.vault_key)
    for edge in here.edges:
        edge.discard(certificate.bundle_sha256)
    evidence = {
        "hostname": certificate.hostname,
        "leaf_sha256": certificate.leaf_sha256,
        "bundle_sha256": certificate.bundle_sha256,
        "superseded_at": superseded_at.isoformat(),
        "versions": list(sweep.versions),
        "edges": _list_clean(here, certificate),
    }
    here.audit.append_once("certferry", "certificate.destroyed", certificate.id, evidence, now)
    here.certificates.mark_retired(certificate.id, now)


def _list_clean(here: Installation, certificate: Certificate) -> list[str]:
    """Give the edges on which its hostname does not point at it."""
    return [edge.name for edge in here.edges if edge.get(certificate.hostname) != certificate.bundle_sha256]
