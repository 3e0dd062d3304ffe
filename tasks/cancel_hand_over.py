"""Stop a hand-over before it has changed an edge, because its customer or an operator says so."""

from __future__ import annotations

from tasks.clients.installation import current
from tasks.core.errors import Forbidden, NotFound, PrefectUnavailable, RecordsUnavailable, Rejected
from tasks.core.model import Drop, Outcome
from tasks.retries import step


@step(RecordsUnavailable, "stop the hand-over")
def cancel_hand_over(drop_id: str, requested_by: str) -> Outcome:
    """
    Record that the hand-over is cancelled, and give the outcome on record.

    From then on no step of its run goes on: each finds the hand-over ended.

    Repeat: The first outcome stays.

    Undo: None. The customer opens another drop.

    Raises:
        Forbidden: An account asks for another account's drop.

        Rejected: Code ``too-late``: an edge is meant to serve the certificate already.
    """
    here = current()
    drop = here.drops.fetch(drop_id)
    if requested_by.startswith("account:") and requested_by != f"account:{drop.account}":
        raise Forbidden(
            drop_id,
            got="it is not this account's drop",
            wanted="a drop of this account",
            do="Check the name.",
        )
    drop = here.drops.close_unassigned(drop_id, Outcome.CANCELLED, "cancelled", f"Cancelled by {requested_by}.")
    if drop.outcome is None:
        raise _too_late(drop)
    if drop.outcome is Outcome.CANCELLED:
        here.audit.append_once(
            requested_by, "hand-over.cancelled", drop_id, {"reason": drop.outcome_reason}, here.now()
        )
    return drop.outcome


@step(PrefectUnavailable, "cancel the run that waits")
def cancel_run(drop_id: str) -> bool:
    """
    Cancel the drop's run if it waits at a gate or for a worker, and say whether it will not go on.

    A run that is at work is not killed: its next step finds the hand-over ended, and stops.

    Repeat: A run that has ended, or that Prefect has forgotten, is left alone.

    Undo: None.
    """
    here = current()
    run = here.drops.fetch(drop_id).flow_run_id
    if run is None:
        return True
    try:
        return here.orchestrator.cancel(run)
    except NotFound:
        return True


def _too_late(drop: Drop) -> Rejected:
    return Rejected(
        drop.id,
        got=f"the edges are being set up for {drop.hostname}, or serve it already",
        wanted="a hand-over that has changed no edge yet",
        do="Wait for its end; then have HTTPS disabled for the hostname if it is not wanted.",
        code="too-late",
    )
