"""Let a run go on that waits for its ticket."""

from __future__ import annotations

from tasks.clients.installation import current
from tasks.clients.subjects import fetch_subject
from tasks.core.errors import PrefectUnavailable
from tasks.core.model import DropState
from tasks.retries import step

TICKET_GATE = "ticket"
"""How the keys of the ticket gate begin; the approval gate, at which the same run waits later, is not answered here."""


@step(PrefectUnavailable, "resume the run that waits for the ticket")
def resume_provision(drop_id: str, ticket_id: str) -> bool:
    """
    Answer the ticket gate of the drop's run, and say whether it goes on.

    Repeat: A run that waits no longer, or not yet, is left alone; the next pass catches up.

    Undo: None: the run judges the ticket again from the desk.
    """
    here = current()
    run = fetch_subject(here, drop_id).flow_run_id
    if run is None or not (here.orchestrator.find_gate(run) or "").startswith(TICKET_GATE):
        return False
    return here.orchestrator.resume(run, {"ticket": ticket_id, "name": "watch-tickets"})


def list_matched() -> tuple[tuple[str, str], ...]:
    """Give (id, ticket id) of the live hand-overs and removals that have their ticket: a resume may have been lost."""
    here = current()
    ingested = (drop for drop in here.drops.list_live() if drop.state is DropState.INGESTED and drop.outcome is None)
    subjects = [drop.id for drop in ingested] + [removal.id for removal in here.removals.list_live()]
    matches = ((subject, here.decisions.find_match(subject)) for subject in subjects)
    return tuple((drop_id, ticket_id) for drop_id, ticket_id in matches if ticket_id)
