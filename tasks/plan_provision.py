"""Step 4, first half: write down what an approval would be for."""

from __future__ import annotations

from tasks.clients.installation import current
from tasks.clients.plans import fetch_plan
from tasks.core.errors import RecordsUnavailable
from tasks.core.hand_over import check_live
from tasks.core.model import Plan
from tasks.retries import step


@step(RecordsUnavailable, "(4) plan what will be done")
def plan_provision(drop_id: str) -> Plan:
    """
    Give the plan for the drop, from records and settings as they are now. No secret is in it.

    Repeat: The same records and settings give the same plan.

    Undo: None is needed: nothing is changed.

    Raises:
        HandOverClosed: The hand-over was stopped.
    """
    here = current()
    drop = here.drops.fetch(drop_id)
    check_live(drop)
    return fetch_plan(here, drop)[0]
