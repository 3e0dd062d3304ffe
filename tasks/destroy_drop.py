"""Step 7: the temporary app, its key and its objects are gone for good, and there is proof."""

from __future__ import annotations

from datetime import datetime

from tasks.clients.answers import answer_ticket
from tasks.clients.installation import Installation, current
from tasks.clients.store import Sweep
from tasks.core.errors import StoreUnavailable
from tasks.core.model import Drop
from tasks.retries import step


@step(StoreUnavailable, "(7) destroy the temporary app")
def destroy_drop(drop_id: str) -> None:
    """
    Forget the drop's private key (the crypto-shred), then delete every object version, and leave the proof.

    The key goes first: from then on whatever is left of an envelope, in the store or in its backups, opens no more.

    Repeat: What is gone is gone; the first proof stays on the audit trail and the ticket.

    Undo: None, and that is the purpose. The customer opens another drop.
    """
    here = current()
    now = here.now()
    drop = here.drops.shred(drop_id, now)
    sweep = here.drop_store.sweep(drop_id)
    proof = here.audit.append_once("certferry", "drop.destroyed", drop_id, _evidence(drop, sweep), now)
    _tell(here, drop, proof, now)


def _evidence(drop: Drop, sweep: Sweep) -> dict[str, object]:
    return {
        "key_forgotten_at": drop.destroyed_at.isoformat() if drop.destroyed_at else None,
        "version_id": drop.version_id,
        "envelope_sha256": drop.envelope_sha256,
        "versions": list(sweep.versions),
        "delete_markers": list(sweep.delete_markers),
        "unfinished_uploads": list(sweep.unfinished_uploads),
    }


def _tell(here: Installation, drop: Drop, proof: str, now: datetime) -> None:
    answer_ticket(
        here,
        drop.id,
        f"The temporary app of {drop.hostname} ({drop.id}) is destroyed: its private key was forgotten first, then "
        f"every version of the envelope (SHA-256 {drop.envelope_sha256}) was deleted. "
        f"Proof on the audit trail: {proof}.",
        f"destroyed-{drop.id}",
        now,
    )
