"""
Look after all drops: start what was uploaded, start again what stopped, end what expired, sweep what was destroyed.

Requires: the records, the S3 store, the Prefect API, DNS. Runs on a schedule: events get lost, a round does not.
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows.endings import end_from_outside
from flows.rounds import attempt, report
from tasks.close_hand_over import close_hand_over
from tasks.core import policy
from tasks.core.care import Care
from tasks.core.errors import DomainNotLive
from tasks.core.model import DropKind, Outcome
from tasks.describe_hand_over import describe
from tasks.hold_lease import hold_lease
from tasks.recover_provision import recover_provision
from tasks.start_provision import start_provision
from tasks.survey_drops import list_unswept, survey_drop, survey_drops
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
        troubles += attempt(sweep_again, drop_id)
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
        case Care.CANCEL | Care.EXPIRE | Care.FINISH:
            with hold_lease(drop_id, str(flow_run.id), policy.NO_PATIENCE):
                end_as(drop_id, care)
        case Care.NOTHING:
            pass


def end_as(drop_id: str, care: Care) -> None:
    """End a hand-over, or clear it away, if it needs that still: before its lease was ours its run may have gone on."""
    match care:
        case Care.FINISH:
            end_from_outside(drop_id, describe(drop_id).drop.outcome or Outcome.EXPIRED)
        case Care.CANCEL if survey_drop(drop_id) is care:
            end_from_outside(drop_id, Outcome.CANCELLED, "cancelled", "An operator of the platform cancelled it.")
        case Care.EXPIRE if survey_drop(drop_id) is care:
            why = "Not everything arrived before the drop's time was over."
            end_from_outside(drop_id, Outcome.EXPIRED, "expired", why)


def sweep_again(drop_id: str) -> None:
    """Sweep the place of a hand-over that has ended, and say on its ticket how, if whoever ended it could not."""
    close_hand_over(drop_id, describe(drop_id).drop.outcome or Outcome.EXPIRED)
    sweep_drop(drop_id)


def restart(drop_id: str) -> None:
    """Start a stopped run again once its domain is live: one look here is cheaper than a run that waits for it."""
    try:
        if describe(drop_id).drop.kind is DropKind.SETUP:
            verify_domain(drop_id, wait=False)
    except DomainNotLive:
        return
    start_provision(drop_id)
