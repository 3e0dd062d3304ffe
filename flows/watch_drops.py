"""
Look after all drops: start what was uploaded, start again what stopped, end what expired, sweep what was destroyed.

Requires: the records, the S3 store, the Prefect API, DNS. Runs on a schedule: events get lost, a round does not.
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows.endings import end
from flows.rounds import attempt, report
from tasks.cancel_hand_over import cancel_run
from tasks.core import policy
from tasks.core.care import Care
from tasks.core.errors import DomainNotLive
from tasks.core.model import Outcome
from tasks.describe_hand_over import describe
from tasks.hold_lease import hold_lease
from tasks.recover_provision import recover_provision
from tasks.start_provision import start_provision
from tasks.survey_drops import list_unswept, survey_drops
from tasks.sweep_drop import sweep_drop
from tasks.verify_domain import verify_domain


@flow(name="watch-drops", log_prints=False)
def watch_drops() -> Any:
    """
    Give every drop what it needs: a run, another try, an end, or a second sweep.

    A run that was cancelled is undone, and its customer told; once both edges were confirmed it is too late for that.

    A drop that is past its time ends *expired*, unless an edge is meant to serve its certificate.
    """
    troubles = []
    for drop_id, care in survey_drops().items():
        troubles += attempt(look_after, drop_id, care)
    for drop_id in list_unswept():
        troubles += attempt(sweep_drop, drop_id)
    return report(troubles)


def look_after(drop_id: str, care: Care) -> None:
    """Do for one drop what the survey said it needs."""
    match care:
        case Care.START:
            start_provision(drop_id)
        case Care.RESTART:
            restart(drop_id)
        case Care.RECOVER:
            recover_provision(drop_id)
        case Care.CANCEL:
            with hold_lease(drop_id, str(flow_run.id), policy.NO_PATIENCE):
                end(drop_id, Outcome.CANCELLED, "cancelled", "An operator of the platform cancelled it.")
        case Care.EXPIRE:
            with hold_lease(drop_id, str(flow_run.id), policy.NO_PATIENCE):
                end(drop_id, Outcome.EXPIRED, "expired", "Not everything arrived before the drop's time was over.")
            cancel_run(drop_id)
        case Care.FINISH:
            with hold_lease(drop_id, str(flow_run.id), policy.NO_PATIENCE):
                end(drop_id, describe(drop_id).drop.outcome or Outcome.EXPIRED)
        case Care.NOTHING:
            pass


def restart(drop_id: str) -> None:
    """Start a stopped run again once its domain is live: one look here is cheaper than a run that waits for it."""
    try:
        verify_domain(drop_id, wait=False)
    except DomainNotLive:
        return
    start_provision(drop_id)
