"""
Carry one certificate from a drop to both edges: the seven steps.

Requires: the records, the S3 store, the key provider, DNS, both edges and the ticket desk, as the settings name them.
A run may be started again from the top at any time: each step looks at the records and the world before it acts.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.carrying import Receipt, run_hand_over
from flows.gates import await_approval, await_ticket
from flows.names import DropId, name_run
from tasks.adjust_billing import adjust_billing
from tasks.close_hand_over import close_hand_over
from tasks.confirm_edges import confirm_edges
from tasks.core.model import DropKind, Outcome
from tasks.destroy_drop import destroy_drop
from tasks.ingest_secrets import ingest_secrets
from tasks.plan_provision import plan_provision
from tasks.provision_edges import provision_edges
from tasks.sweep_drop import sweep_drop
from tasks.verify_domain import verify_domain


@flow(
    name="provision",
    flow_run_name=name_run,
    persist_result=True,
    result_serializer="json",
    validate_parameters=True,
    log_prints=False,
)
def provision(drop_id: DropId) -> Any:
    """
    Carry one certificate from its drop to both edges.

    Waits at two gates: for the customer's **ticket**, and for a person's **approval** (Resume, in the run's menu).
    Ends *Completed*; or *Rejected*, if the customer must change something: then no edge was changed, the drop is gone
    and the ticket says why. *NotReady* and *Unavailable* are tried again; *Drifted* wants a person's eyes.
    """
    return run_hand_over(drop_id, DropKind.SETUP, carry)


def carry(drop_id: str) -> Receipt:
    """Do the seven steps, in order. What is done already is only looked at."""
    # (1) The domain is the customer's, leads here, and answers.
    verify_domain(drop_id)

    # (2) The files are opened, checked, and sealed into the vault.
    certificate_id = ingest_secrets(drop_id)

    # (3) The customer asks for it, from the address on the account. May take days.
    ticket_id = await_ticket(drop_id)

    # (4) A person approves this very plan; both edges are set up. May take days.
    plan_sha256 = await_approval(drop_id, plan_provision)
    provision_edges(drop_id, plan_sha256)

    # (5) Both edges show the certificate, seen from outside. The ticket is answered.
    confirmation_id = confirm_edges(drop_id)

    # (6) The account pays for the pair.
    charge = adjust_billing(drop_id)

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
        "charge": charge,
        "outcome": Outcome.COMPLETED.value,
    }
