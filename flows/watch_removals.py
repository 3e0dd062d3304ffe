"""
Look after hostnames whose HTTPS is, or was, disabled: runs that stopped, copies whose grace is over, dangling DNS.

Requires: the records, the Prefect API, the vault, DNS, both edges.
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows.disable import end_as
from flows.rounds import attempt, report
from tasks.close_removal import fetch_hostname
from tasks.core import policy
from tasks.core.care import Care
from tasks.core.model import Outcome
from tasks.destroy_vault_copies import destroy_vault_copies, list_kept
from tasks.hold_lease import hold_lease_on
from tasks.look_for_dangling import list_unlooked, look_for_dangling
from tasks.recover_provision import recover_provision
from tasks.start_provision import start_provision
from tasks.survey_removals import survey_removals


@flow(name="watch-removals", log_prints=False)
def watch_removals() -> Any:
    """
    Start removals that nobody started, and those that stopped; undo one whose run was cancelled.

    Destroy the copies in the vault once their grace period is over. Say where a hostname dangles.
    """
    troubles = []
    for removal_id, care in survey_removals().items():
        troubles += attempt(look_after, removal_id, care)
    for removal_id in list_kept():
        troubles += attempt(destroy_vault_copies, removal_id)
    for removal_id in list_unlooked():
        troubles += attempt(look_for_dangling, removal_id)
    return report(troubles)


def look_after(removal_id: str, care: Care) -> None:
    """Do for one removal what the survey said it needs."""
    match care:
        case Care.START | Care.RESTART:
            start_provision(removal_id)
        case Care.RECOVER:
            recover_provision(removal_id)
        case Care.CANCEL:
            with hold_lease_on(fetch_hostname(removal_id), str(flow_run.id), policy.NO_PATIENCE):
                end_as(removal_id, Outcome.CANCELLED, "cancelled", "An operator of the platform cancelled it.")
