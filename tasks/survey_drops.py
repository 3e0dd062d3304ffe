"""Look at every live drop, and say what it needs."""

from __future__ import annotations

from datetime import datetime

from tasks.clients.installation import Installation, current
from tasks.core.care import Care, plan_care
from tasks.core.errors import NotFound, RecordsUnavailable
from tasks.core.model import Drop, DropState
from tasks.retries import step


@step(RecordsUnavailable, "look at every drop")
def survey_drops() -> dict[str, Care]:
    """
    Give what each drop needs that needs anything, oldest first.

    Repeat: Reads only.

    Undo: None is needed.
    """
    here = current()
    now = here.now()
    needs = {drop.id: _look(here, drop, now) for drop in here.drops.list_live()}
    return {drop_id: care for drop_id, care in needs.items() if care is not Care.NOTHING}


@step(RecordsUnavailable, "list the drops to sweep again")
def list_unswept() -> list[str]:
    """
    Give the destroyed drops whose last upload capability has expired and whose second sweep is due.

    Repeat: Reads only.

    Undo: None is needed.
    """
    here = current()
    return [drop.id for drop in here.drops.list_unswept(here.now())]


def _look(here: Installation, drop: Drop, now: datetime) -> Care:
    has_upload = drop.state is not DropState.REQUESTED and (
        drop.state is not DropState.OPEN or here.drop_store.has_upload(drop.id)
    )
    return plan_care(drop, now, has_upload, _run_state(here, drop), _is_assigned(here, drop))


def _run_state(here: Installation, drop: Drop) -> str | None:
    """Give the state of the drop's run; a run that Prefect has forgotten is for a person to look at."""
    if drop.flow_run_id is None:
        return None
    try:
        return here.orchestrator.state(drop.flow_run_id)
    except NotFound:
        return "Forgotten"


def _is_assigned(here: Installation, drop: Drop) -> bool:
    certificate = here.certificates.find_by_drop(drop.id)
    assignments = (here.certificates.find_assignment(edge.name, drop.hostname) for edge in here.settings.edges)
    return certificate is not None and any(found and found.certificate_id == certificate.id for found in assignments)
