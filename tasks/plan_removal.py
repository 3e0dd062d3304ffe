"""Write down what an approval to disable HTTPS would be for."""

from __future__ import annotations

from tasks.clients.installation import current
from tasks.core.errors import RecordsUnavailable
from tasks.core.hand_over import check_live
from tasks.core.model import RemovalPlan
from tasks.core.removal import draft_removal
from tasks.retries import step


@step(RecordsUnavailable, "plan what will be done")
def plan_removal(removal_id: str) -> RemovalPlan:
    """
    Give the plan for the removal, from records and settings.

    Repeat: The same plan, also after it was carried out.

    Undo: None is needed: nothing is changed.

    Raises:
        HandOverClosed: It has ended.
    """
    here = current()
    removal = here.removals.fetch(removal_id)
    check_live(removal)
    return draft_removal(removal, [edge.name for edge in here.settings.edges], here.settings.disabling.vault_grace)
