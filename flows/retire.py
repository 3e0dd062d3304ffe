"""
Destroy certificates whose time to be put back is over: key first, then the vault's copy, then those on the edges.

Requires: the records, the vault, both edges. Runs on a schedule; one that could not be finished comes round again.
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows.rounds import attempt, report
from tasks.core import policy
from tasks.core.model import Hostname
from tasks.hold_lease import hold_lease_on
from tasks.retire_certificate import list_due, retire_certificate


@flow(name="retire", log_prints=False)
def retire() -> Any:
    """Destroy every superseded certificate that is kept no longer, with proof on the audit trail."""
    troubles = []
    for certificate_id, hostname in list_due().items():
        troubles += attempt(retire_one, certificate_id, hostname)
    return report(troubles)


def retire_one(certificate_id: str, hostname: Hostname) -> None:
    """Destroy one, as the one process at work on its hostname: a rollback may be putting it back."""
    with hold_lease_on(hostname, str(flow_run.id), policy.NO_PATIENCE):
        retire_certificate(certificate_id)
