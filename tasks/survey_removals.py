"""What each removal needs from the round."""

from __future__ import annotations

from datetime import datetime

from tasks.clients.installation import Installation, current
from tasks.core.care import CANCELLED, STOPPED, Care, Phase, Run, is_lost
from tasks.core.errors import NotFound, RecordsUnavailable
from tasks.core.hand_over import lease_name
from tasks.core.model import Removal
from tasks.retries import step


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
