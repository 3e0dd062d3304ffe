"""Get the run of a hand-over going: the first time, or once more."""

from __future__ import annotations

from tasks.clients.installation import current
from tasks.core.care import CANCELLED, STOPPED
from tasks.core.errors import PrefectUnavailable
from tasks.core.hand_over import flow_of
from tasks.retries import step


@step(PrefectUnavailable, "start the run of the hand-over")
def start_provision(drop_id: str) -> str:
    """
    Start the run that carries the drop, or start it again from the top if it has stopped; give its id.

    Its flow is the one that the drop's record is for.

    Repeat: A drop has one run, by its idempotency key; a run that is under way is left alone.

    Undo: `cancel_hand_over`.
    """
    here = current()
    drop = here.drops.fetch(drop_id)
    flow = flow_of(drop)
    run = drop.flow_run_id or here.orchestrator.start(
        f"{flow}/{flow}", {"drop_id": drop_id}, f"{flow}-{drop_id}", f"{flow} {drop.hostname}"
    )
    if here.orchestrator.state(run) in STOPPED | {CANCELLED}:
        here.orchestrator.restart(run)
    return run
