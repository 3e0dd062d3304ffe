"""After the grace period: no copy of a disabled hostname's key is left in the vault, and there is proof."""

from __future__ import annotations

from tasks.clients.answers import answer_ticket
from tasks.clients.installation import current
from tasks.core.errors import Drifted, StoreUnavailable
from tasks.retries import step


@step(StoreUnavailable, "destroy the copies in the vault")
def destroy_vault_copies(removal_id: str) -> None:
    """
    Shred the data key of every certificate that the hostname had, then delete all versions from the vault.

    What was handed over anew since, and what an edge is meant to serve, is spared.

    Repeat: What is gone is gone; the proof of each stays on the audit trail.

    Undo: None, and that is the purpose.

    Raises:
        Drifted: Code ``vault-not-empty``: a version is there that was just deleted.
    """
    here = current()
    now = here.now()
    removal = here.removals.fetch(removal_id)
    if removal.disabled_at is None or removal.destroy_at is None or now < removal.destroy_at:
        return
    for certificate in here.certificates.list_left(removal.hostname, removal.account, removal.disabled_at):
        here.certificates.shred(certificate.id)
        deleted = here.vault.delete(certificate.vault_key)
        if not here.vault.delete(certificate.vault_key).empty:
            raise Drifted(
                certificate.vault_key,
                got="a version came back after it was deleted",
                wanted="an empty place",
                do="Look at the store: something still writes there.",
                code="vault-not-empty",
            )
        evidence = {"removal": removal_id, "versions": list(deleted.versions), "leaf_sha256": certificate.leaf_sha256}
        here.audit.append_once("certferry", "vault.destroyed", certificate.id, evidence, now)
    here.removals.mark_destroyed(removal_id, now)
    proof = here.audit.append_once("certferry", "vault.cleared", removal_id, {"hostname": removal.hostname}, now)
    told = f"No copy of a key or certificate of {removal.hostname} is left. Proof on the audit trail: {proof}."
    answer_ticket(here, removal_id, told, f"vault-cleared-{removal_id}", now)


def list_kept() -> list[str]:
    """Give the removals whose copies in the vault are due."""
    here = current()
    return [removal.id for removal in here.removals.list_kept(here.now())]
