"""Look at every live drop, and say what it needs."""

from __future__ import annotations

from datetime import datetime

from tasks.clients.installation import Installation, current
from tasks.core.care import Care, Phase, Run, plan_care
from tasks.core.errors import NotFound, RecordsUnavailable
from tasks.core.hand_over import lease_name
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
    needs = {drop.id: _look(here, drop, _find_run(here, drop, now), now) for drop in here.drops.list_live()}
    return {drop_id: care for drop_id, care in needs.items() if care is not Care.NOTHING}


@step(RecordsUnavailable, "look at one drop")
def survey_drop(drop_id: str) -> Care:
    """
    Give what one drop needs.

    Repeat: Reads only.

    Undo: None is needed.
    """
    here = current()
    now, drop = here.now(), here.drops.fetch(drop_id)
    return _look(here, drop, _find_run(here, drop, now), now)


@step(RecordsUnavailable, "look at the drops whose lease ran out")
def survey_abandoned() -> dict[str, Care]:
    """
    Give what the drops need on which a process was at work that died; a lease that nobody needs is given back.

    Repeat: The same again.

    Undo: None is needed.
    """
    here = current()
    now = here.now()
    live = here.drops.list_live()
    needs: dict[str, Care] = {}
    for lease in here.leases.list_run_out(now):
        drops = [drop for drop in live if lease_name(drop.hostname) == lease.name]
        runs = {drop.id: _find_run(here, drop, now) for drop in drops}
        found = {drop.id: _look(here, drop, runs[drop.id], now) for drop in drops}
        needs |= {drop_id: care for drop_id, care in found.items() if care is not Care.NOTHING}
        starting = any(run and run.phase is Phase.WORKING for run in runs.values())  # takes the lease in a moment
        if not starting and needs.keys().isdisjoint(found):
            here.leases.release(lease)
    return needs


@step(RecordsUnavailable, "list the drops to sweep again")
def list_unswept() -> list[str]:
    """
    Give the destroyed drops whose last upload capability has expired and whose second sweep is due.

    Repeat: Reads only.

    Undo: None is needed.
    """
    here = current()
    return [drop.id for drop in here.drops.list_unswept(here.now())]


def _look(here: Installation, drop: Drop, run: Run | None, now: datetime) -> Care:
    has_upload = drop.state is not DropState.REQUESTED and (
        drop.state is not DropState.OPEN or here.drop_store.has_upload(drop.id)
    )
    at_work = here.leases.is_held(lease_name(drop.hostname), now)
    return plan_care(drop, now, has_upload, run, at_work, _is_assigned(here, drop), _is_confirmed(here, drop))


def _find_run(here: Installation, drop: Drop, now: datetime) -> Run | None:
    """Give the drop's run; one that Prefect has forgotten is for a person to look at."""
    if drop.flow_run_id is None:
        return None
    try:
        return here.orchestrator.look(drop.flow_run_id)
    except NotFound:
        return Run("Forgotten", Phase.ENDED, now)


def _is_assigned(here: Installation, drop: Drop) -> bool:
    certificate = here.certificates.find_by_drop(drop.id)
    assignments = (here.certificates.find_assignment(edge.name, drop.hostname) for edge in here.settings.edges)
    return certificate is not None and any(found and found.certificate_id == certificate.id for found in assignments)


def _is_confirmed(here: Installation, drop: Drop) -> bool:
    certificate = here.certificates.find_by_drop(drop.id)
    return certificate is not None and here.certificates.find_confirmation(certificate.id) is not None
