"""
Disable HTTPS for a hostname: by ticket, with a person's approval.

Requires: the records, both edges, the ticket desk, DNS, the S3 store. A run may be started again from the top at any
time: each step looks at the records and the world before it acts.
"""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.endings import end_from_outside, to_the_end
from flows.gates import await_approval, await_ticket
from flows.names import form_field, name_run
from flows.rounds import attempt
from tasks.close_removal import attach_removal, close_removal, fetch_hostname, list_hand_overs
from tasks.core.errors import NotFound, Rejected
from tasks.core.hand_over import describe_refusal
from tasks.core.model import Outcome
from tasks.disable_edges import disable_edges, enable_edges
from tasks.end_billing import end_billing
from tasks.hold_lease import hold_lease_on
from tasks.look_for_dangling import look_for_dangling
from tasks.plan_removal import plan_removal
from tasks.request_removal import request_by_form


@flow(name="disable", flow_run_name=name_run, persist_result=True, result_serializer="json", log_prints=False)
def disable(
    hostname: Annotated[str, form_field("Hostname", "The custom hostname.", "shop.example.com")] = "",
    requested_by: Annotated[str, form_field("Your name", "You ask for it, so a colleague approves it.", "ana")] = "",
    removal_id: Annotated[
        str,
        form_field(
            "Removal",
            "Leave it empty: only the front desk fills it in.",
            "removal-abcdefghijklmnopqrstuvwxyz",
            "^(removal-[a-z2-7]{26})?$",
        ),
    ] = "",
) -> Any:
    """
    Disable HTTPS for a hostname: its certificate leaves both edges, its charge ends, plain HTTP goes on.

    Waits at two gates: for the customer's **ticket**, which quotes the removal's id, and for a person's **approval**.
    """
    try:
        return to_the_end(request_and_take_off, hostname, requested_by, removal_id)
    except (Rejected, NotFound) as refusal:
        return Completed(name="Rejected", message=str(refusal), data={"outcome": "rejected"})


def request_and_take_off(hostname: str, requested_by: str, removal_id: str) -> dict[str, str] | State[Any]:
    """Put the form's wish on record, unless the front desk has done so, and carry it."""
    return take_off_or_refuse(removal_id or request_by_form(hostname, requested_by, str(flow_run.id)))


def take_off_or_refuse(removal_id: str) -> dict[str, str] | State[Any]:
    """Carry the removal as the one process at work on its hostname; if it is refused, HTTPS goes on as before."""
    with hold_lease_on(fetch_hostname(removal_id), str(flow_run.id)):
        ended = attach_removal(removal_id, str(flow_run.id))
        if ended:
            return end_as(removal_id, ended)
        try:
            return take_off(removal_id)
        except Rejected as refusal:
            return end_as(removal_id, Outcome.REJECTED, refusal.code, describe_refusal(refusal))


def take_off(removal_id: str) -> dict[str, str]:
    """Do all steps, in order. What is done already is only looked at."""
    # (1) The customer asks for it, from the address on the account. May take days.
    ticket_id = await_ticket(removal_id)

    # (2) A person approves this very plan. May take days.
    plan_sha256 = await_approval(removal_id, plan_removal)

    # (3) Nobody is about to put another certificate of this hostname on the edges.
    for drop_id in list_hand_overs(removal_id):
        end_from_outside(drop_id, Outcome.CANCELLED, "disabled", "HTTPS was disabled for its hostname, by ticket.")

    # (4) The certificate leaves both edges, and each is seen refusing a handshake.
    disable_edges(removal_id, plan_sha256)

    # (5) The account pays no more for it.
    charge = end_billing(removal_id)

    # (6) The ticket is answered with what was seen. Copies in the vault, and DNS, are the round's from here on.
    close_removal(removal_id, Outcome.COMPLETED)
    attempt(look_for_dangling, removal_id)
    return {
        "removal_id": removal_id,
        "ticket_id": ticket_id,
        "plan_sha256": plan_sha256,
        "charge": charge,
        "outcome": Outcome.COMPLETED.value,
    }


def end_as(removal_id: str, outcome: Outcome, code: str | None = None, reason: str | None = None) -> State[Any]:
    """Make the rest of an ending true, and give the run's final state; what did not complete leaves HTTPS on."""
    if outcome is not Outcome.COMPLETED:
        enable_edges(removal_id)
    ended = close_removal(removal_id, outcome, code, reason)
    name = "Completed" if ended is Outcome.COMPLETED else ended.value.title()
    return Completed(name=name, message=reason, data={"removal_id": removal_id, "outcome": ended.value})
