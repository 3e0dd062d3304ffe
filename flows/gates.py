"""
The two gates of `provision`: places where a run may wait for days.

A gate looks in the records first, so that nobody is asked twice: Prefect forgets answers when a crashed run is
started again. A run that must wait is suspended: its process ends, and the answer starts a new one from line 1.
The form's types are lenient and what was typed is judged here, since Prefect fails a run over a form that is wrong;
then the gate asks again, with the reason above the form and a fresh key. A process that was taken over asks nobody.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal

from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.runtime import flow_run
from pydantic import ConfigDict, Field

from tasks.artifacts import render_plan, show_plan
from tasks.core.approval import check_approved
from tasks.core.errors import CertferryError, Forbidden, KeyInTicket, NotFound, TicketRefused
from tasks.core.plan import digest_plan
from tasks.core.text import escape_markdown
from tasks.hold_lease import check_lease
from tasks.match_ticket import find_match, list_waiting, match_ticket
from tasks.plan_provision import plan_provision
from tasks.record_approval import find_approval, record_approval
from tasks.resume_provision import TICKET_GATE


class TicketAnswer(RunInput):
    """Which ticket asks for this hand-over."""

    model_config = ConfigDict(extra="forbid")

    ticket: str = Field(
        title="Ticket",
        description="The id of the customer's ticket, as the desk shows it: ticket- and 26 characters.",
        json_schema_extra={"position": 1},
    )
    name: str = Field(
        default="",
        title="Your name",
        description="For the record: who found the ticket.",
        json_schema_extra={"position": 2},
    )


class ApprovalAnswer(RunInput):
    """The decision on a plan. No field that decides has a default: an empty form passes no gate."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["approve", "reject"] = Field(
        title="Decision",
        description="approve puts the certificate on both edges; reject ends this hand-over for good.",
        json_schema_extra={"position": 1},
    )
    name: str = Field(
        title="Your name",
        description="As operators.approvers in the settings has it. Whoever asked for this may not decide.",
        json_schema_extra={"position": 2},
    )
    note: str = Field(
        default="",
        title="Note",
        description="For the record; with reject, the customer reads it on the ticket.",
        json_schema_extra={"position": 3},
    )


def await_ticket(drop_id: str) -> str:
    """
    Give the ticket that asks for the drop: the one on record, one that waits on the desk, or the one in the answer.

    Raises:
        KeyInTicket: A ticket for this drop had key material in it.
    """
    for waiting, _ in () if find_match(drop_id) else list_waiting(drop_id):
        _try_ticket(drop_id, waiting, "provision")
    reason, attempt = "", 0
    while not (matched := find_match(drop_id)):
        attempt += 1
        answer = _ask_ticket(drop_id, reason, attempt)
        reason = _try_ticket(drop_id, answer.ticket.strip(), answer.name.strip() or "operator")
    return match_ticket(drop_id, matched, "provision")  # also says on the ticket what a kill may have cut off


def await_approval(drop_id: str) -> str:
    """
    Give the digest of the plan as it stands, once a person has approved it.

    The plan is written anew after every answer: one that changed meanwhile has another digest, so it is asked about.

    Raises:
        ApprovalDenied: A person said no to it.
    """
    reason, attempts = "", Counter[str]()  # of each plan: its first question has the same key in every process
    while True:
        plan = plan_provision(drop_id)
        digest = digest_plan(plan)
        approval = find_approval(drop_id, digest)
        if approval:
            check_approved(approval)
            return digest
        attempts[digest] += 1
        show_plan(plan, digest)
        answer = _ask_approval(render_plan(plan, digest), digest, reason, attempts[digest])
        reason = _try_decision(drop_id, digest, answer)


def _try_ticket(drop_id: str, ticket_id: str, by: str) -> str:
    """Match a ticket, and give why it does not count; empty where it does."""
    try:
        match_ticket(drop_id, ticket_id, by)
    except KeyInTicket:
        raise
    except (TicketRefused, NotFound) as refusal:
        return _explain(refusal)
    return ""


def _try_decision(drop_id: str, digest: str, answer: ApprovalAnswer) -> str:
    """Record a decision, and give why it does not count; empty where it does."""
    try:
        record_approval(drop_id, digest, answer.decision, answer.name, answer.note)
    except Forbidden as refusal:
        return _explain(refusal)
    return ""


def _ask_ticket(drop_id: str, reason: str, attempt: int) -> TicketAnswer:
    description = (
        f"{reason}## Waiting for the customer's ticket\n\n"
        f"The certificate is checked. The customer now files a ticket that quotes `{drop_id}` from the address on the "
        "account; `watch-tickets` finds it and lets this run go on, so there is nothing to do here.\n\n"
        "If the ticket is there and was not found, give its id. It is judged in the same way."
    )
    form = TicketAnswer.with_initial_data(description=description)
    check_lease()
    return suspend_flow_run(wait_for_input=form, key=_gate_key(TICKET_GATE, attempt))


def _ask_approval(plan: str, digest: str, reason: str, attempt: int) -> ApprovalAnswer:
    form = ApprovalAnswer.with_initial_data(description=f"{reason}{plan}")
    check_lease()
    # the digest is in the key: an answer to another plan is never read as one to this
    return suspend_flow_run(wait_for_input=form, key=_gate_key(f"approval-{digest[:16]}", attempt))


def _gate_key(gate: str, attempt: int) -> str:
    """Name this very question: a fresh key for each attempt, and for each time the run was started again."""
    return f"{gate}-a{attempt}-r{flow_run.run_count}"


def _explain(refusal: CertferryError) -> str:
    return f"**Your last answer does not count.** {escape_markdown(refusal)}\n\n"
