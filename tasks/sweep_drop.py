"""Step 7, once more: after the last upload capability has expired, nothing can come in any more; prove it empty."""

from __future__ import annotations

from tasks.clients.answers import answer_ticket
from tasks.clients.installation import current
from tasks.core.errors import Drifted, StoreUnavailable
from tasks.core.model import DropState
from tasks.retries import step


@step(StoreUnavailable, "(7) sweep the drop's place again")
def sweep_drop(drop_id: str) -> bool:
    """
    Delete what was uploaded after the drop was destroyed, see that nothing is left, and say whether it is done.

    As long as an upload capability lives nothing is done; `watch_drops` comes back for it.

    Repeat: A place that was found empty is not looked at again.

    Undo: None.

    Raises:
        Drifted: Code ``drop-not-destroyed``, or ``drop-not-empty``: an object is there that was just deleted.
    """
    here = current()
    now = here.now()
    drop = here.drops.fetch(drop_id)
    if drop.swept_at:
        return True
    if drop.state is not DropState.DESTROYED:
        raise Drifted(
            drop_id,
            got=f"the drop is {drop.state}",
            wanted="a destroyed drop",
            do="Destroy it first.",
            code="drop-not-destroyed",
        )
    if drop.upload_until and now < drop.upload_until:
        return False
    late = here.drop_store.sweep(drop_id)
    left = here.drop_store.sweep(drop_id)
    if not left.empty:
        raise Drifted(
            drop_id,
            got=f"{len(left.versions)} object versions came back after they were deleted",
            wanted="an empty place",
            do="Look at the store: something still writes there.",
            code="drop-not-empty",
        )
    evidence = {"late_versions": list(late.versions), "late_uploads": list(late.unfinished_uploads)}
    proof = here.audit.append_once("certferry", "drop.swept", drop_id, evidence, now)
    answer_ticket(
        here,
        drop_id,
        f"Second sweep of {drop_id}: the upload capability has expired and the place is empty "
        f"({len(late.versions)} late uploads deleted). Proof on the audit trail: {proof}.",
        f"swept-{drop_id}",
        now,
    )
    here.drops.mark_swept(drop_id, now)
    return True
