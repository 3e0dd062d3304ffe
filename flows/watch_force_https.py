"""
Look after every hostname that is forced to HTTPS: prove it, move its HSTS on, end a withdrawal that is over.

Requires: the records, both edges. Runs every 5 minutes, the first stage's length.
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows.rounds import attempt, report
from tasks.apply_force_https import apply_force_https, list_switches
from tasks.core import policy
from tasks.core.model import Hostname
from tasks.hold_lease import hold_lease_on


@flow(name="watch-force-https", log_prints=False)
def watch_force_https() -> Any:
    """
    Prove each switch from outside, and let its HSTS go a stage on once it has lasted.

    A hostname with a fault keeps its stage, and begins it anew; the run then says what is wrong.
    """
    troubles = []
    for hostname in list_switches():
        troubles += attempt(look_after, hostname)
    return report(troubles)


def look_after(hostname: str) -> None:
    """Bring one hostname's switch to where it is to be by now."""
    with hold_lease_on(Hostname(hostname), str(flow_run.id), policy.NO_PATIENCE):
        apply_force_https(hostname)
