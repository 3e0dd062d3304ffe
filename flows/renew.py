"""
Carry the next certificate of a hostname to both edges: steps 2, 3, 4, 5 and 7, and no charge.

Requires: the records, the S3 store, the key provider, both edges and the ticket desk, as the settings name them.
A run may be started again from the top at any time: each step looks at the records and the world before it acts.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.carrying import Receipt, run_hand_over
from flows.gates import await_approval, await_ticket
from flows.names import DropId, name_run
from tasks.check_served import check_served
from tasks.close_hand_over import close_hand_over
from tasks.confirm_edges import confirm_edges
from tasks.core.model import DropKind, Outcome
from tasks.destroy_drop import destroy_drop
from tasks.ingest_secrets import ingest_secrets
from tasks.plan_provision import plan_provision
from tasks.provision_edges import provision_edges
from tasks.sweep_drop import sweep_drop
from tasks.waive_approval import waive_approval


@flow(
    name="renew",
    flow_run_name=name_run,
    persist_result=True,
    result_serializer="json",
    validate_parameters=True,
    log_prints=False,
)
def renew(drop_id: DropId) -> Any:
    """
    Swap the certificate of a hostname for its next one, in place: no interruption, no new charge.

    Waits and ends as `provision` does. A hostname that was disabled meanwhile has nothing to renew: *Rejected*, and the
    customer is told to have it set up.
    """
    return run_hand_over(drop_id, DropKind.RENEWAL, carry)


def carry(drop_id: str) -> Receipt:
    """Do the steps of a renewal, in order. What is done already is only looked at."""
    # The hostname is served, so its domain is live, and its account pays for the pair: steps 1 and 6 are done.
    check_served(drop_id)

    # (2) The files are opened, checked, and sealed into the vault.
    certificate_id = ingest_secrets(drop_id)

    # (3) The customer asks for it, from the address on the account. May take days.
    ticket_id = await_ticket(drop_id)

    # (4) A person approves this very plan, unless policy waives it: then nothing but dates may change. May take days.
    waive_approval(drop_id)
    plan_sha256 = await_approval(drop_id, plan_provision)
    provision_edges(drop_id, plan_sha256)  # swapped, one after the other

    # (5) Both edges show the certificate, seen from outside. The ticket is answered.
    confirmation_id = confirm_edges(drop_id)

    # (7) The temporary app and its key are gone, with proof. Swept last: until then, a round looks after the drop.
    destroy_drop(drop_id)
    close_hand_over(drop_id, Outcome.COMPLETED)
    sweep_drop(drop_id)
    return {
        "drop_id": drop_id,
        "certificate_id": certificate_id,
        "ticket_id": ticket_id,
        "plan_sha256": plan_sha256,
        "confirmation_id": confirmation_id,
        "outcome": Outcome.COMPLETED.value,
    }
