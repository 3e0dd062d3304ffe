"""Get the run of a removal going, and say what each needs from the round."""

from __future__ import annotations

from datetime import datetime

from tasks.clients.installation import Installation, current
from tasks.core.care import CANCELLED, STOPPED, Care, Phase, Run, is_lost
from tasks.core.errors import NotFound, PrefectUnavailable, RecordsUnavailable
from tasks.core.hand_over import lease_name
from tasks.core.model import Removal
from tasks.retries import step


@step(PrefectUnavailable, "start the run that disables HTTPS")
def start_removal(removal_id: str) -> str:
    """
    Start the run that carries the removal, or start it again from the top if it has stopped; give its id.

    Repeat: A removal has one run, by its idempotency key; a run that is under way is left alone.

    Undo: Cancel the run.
    """
    here = current()
    removal = here.removals.fetch(removal_id)
    run = removal.flow_run_id or here.orchestrator.start(
        "disable/disable", {"removal_id": removal_id}, f"disable-{removal_id}", f"disable {removal.hostname}"
    )
    if here.orchestrator.state(run) in STOPPED | {CANCELLED}:
        here.orchestrator.restart(run)
    return run


@step(PrefectUnavailable, "recover the run whose process is gone")
def recover_removal(removal_id: str) -> bool:
    """
    Declare the removal's run dead, and start it again from the top; say whether it is scheduled.

    Repeat: A run that has ended otherwise is left alone.

    Undo: None is needed.
    """
    here = current()
    run = here.removals.fetch(removal_id).flow_run_id
    return run is not None and here.orchestrator.declare_crashed(run) and here.orchestrator.restart(run)


@step(RecordsUnavailable, "look at every removal")
def survey_removals() -> dict[str, Care]:
    """
    Give what each removal needs that needs anything, oldest first.

    Repeat: Reads only.

    Undo: None is needed.
    """
    here = current()
    now = here.now()
    needs = {removal.id: _look(here, removal, now) for removal in here.removals.list_live()}
    return {removal_id: care for removal_id, care in needs.items() if care is not Care.NOTHING}


def _look(here: Installation, removal: Removal, now: datetime) -> Care:
    if removal.flow_run_id is None:
        return Care.START
    try:
        run = here.orchestrator.look(removal.flow_run_id)
    except NotFound:  # Prefect has forgotten it: a person must look
        run = Run("Forgotten", Phase.ENDED, now)
    if run.state == CANCELLED:
        return Care.RESTART if removal.disabled_at else Care.CANCEL
    if is_lost(run, here.leases.is_held(lease_name(removal.hostname), now), now):
        return Care.RECOVER
    return Care.RESTART if run.state in STOPPED else Care.NOTHING
