"""
Make the edges serve what the records say: an edge that came back empty is refilled, a stray certificate taken off.

Requires: the records, both edges, the vault, the key provider. Runs every minute, and is cheap where nothing differs.
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows.rounds import attempt, report
from tasks.apply_force_https import restore_force_https, survey_force_https
from tasks.core import policy
from tasks.core.errors import CertferryError, EdgeUnavailable
from tasks.core.model import Hostname
from tasks.core.reconcile import Action, Repair, unknown_to_records
from tasks.hold_lease import hold_lease_on
from tasks.reconcile_edges import clear_edge, discard_bundle, refill_edge, survey_edges


@flow(name="reconcile", log_prints=False)
def reconcile() -> Any:
    """
    Compare the edges with the records, show the plan, and repair.

    A hostname on which a hand-over is at work is left to it. A second run plans nothing.
    """
    actions, silent = survey_edges()
    troubles: list[CertferryError] = [EdgeUnavailable.because(f"edge {edge}", "no answer") for edge in silent]
    for action in actions:
        troubles += attempt(repair, action)
    for edge, hostname in survey_force_https():
        troubles += attempt(restore_rule, edge, hostname)
    return report(troubles)


def restore_rule(edge: str, hostname: str) -> None:
    """Have one edge force a hostname to HTTPS as recorded, as the one process at work on it."""
    with hold_lease_on(Hostname(hostname), str(flow_run.id), policy.NO_PATIENCE):
        restore_force_https(edge, hostname)


def repair(action: Action) -> None:
    """Do one repair, as the one process at work on its hostname."""
    if action.repair is Repair.ASK:
        raise unknown_to_records(action)
    with hold_lease_on(action.hostname, str(flow_run.id), policy.NO_PATIENCE):
        match action.repair:
            case Repair.REFILL:
                refill_edge(action.edge, action.hostname)
            case Repair.REMOVE:
                clear_edge(action.edge, action.hostname)
            case Repair.DISCARD:
                discard_bundle(action.edge, action.hostname, action.bundle_sha256)
