"""
The two gates: places where a run may wait for days.

A gate looks in the records first, so that nobody is asked twice: Prefect forgets answers when a crashed run is
started again. A run that must wait is suspended: its process ends, and the answer starts a new one from line 1.
The form's types are lenient and what was typed is judged here, since Prefect fails a run over a form that is wrong.
An answer that does not count is on record with the reason, and the gate asks again: the reason above the form, and a
fresh key. A process that was taken over asks nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.runtime import flow_run
from pydantic import ConfigDict, Field

from tasks.artifacts import render_plan, show_plan
from tasks.core import policy
from tasks.core.approval import check_approved
from tasks.core.errors import BadInput, CertferryError, Forbidden, KeyInTicket, NotFound, TicketRefused
from tasks.core.model import Plan, RemovalPlan, parse_id
from tasks.core.plan import digest_plan
from tasks.core.text import escape_markdown
from tasks.core.ticket_text import redact
from tasks.hold_lease import check_lease
from tasks.match_ticket import find_match, list_waiting, match_ticket
from tasks.record_approval import find_approval, record_approval
from tasks.refused_answers import find_refused_answers, record_refused_answer
from tasks.resume_provision import TICKET_GATE
from tasks.waive_approval import find_changes

PlanStep = Callable[[str], Plan | RemovalPlan]


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
        description="approve has done what is shown above; reject ends it for good.",
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
    while not (matched := find_match(drop_id)):
        question = _next_question(drop_id, TICKET_GATE)
        answer = _ask_ticket(drop_id, question)
        refusal = _try_ticket(drop_id, answer.ticket.strip(), _sign(answer.name))
        if refusal:
            record_refused_answer(drop_id, question.key, str(refusal))
    return match_ticket(drop_id, matched, "provision")  # also says on the ticket what a kill may have cut off


def await_approval(subject: str, plan_step: PlanStep) -> str:
    """
    Give the digest of the plan as it stands, once a person has approved it.

    The plan is written anew after every answer: one that changed meanwhile has another digest, so it is asked about.

    Args:
        plan_step: Writes the plan for *subject*.

    Raises:
        ApprovalDenied: A person said no to it.
    """
    while True:
        plan = plan_step(subject)
        digest = digest_plan(plan)
        approval = find_approval(subject, digest)
        if approval:
            check_approved(approval)
            return digest
        changes = find_changes(subject) if isinstance(plan, Plan) else ()
        show_plan(plan, digest, changes)
        # the digest is in the key: an answer to another plan is never read as one to this
        question = _next_question(subject, f"approval-{digest[:16]}")
        answer = _ask_approval(render_plan(plan, digest, changes), question)
        refusal = _try_decision(subject, digest, answer)
        if refusal:
            record_refused_answer(subject, question.key, str(refusal))


def _try_ticket(drop_id: str, ticket_id: str, by: str) -> CertferryError | None:
    """Match a ticket, and give why it does not count; None where it does."""
    try:
        match_ticket(drop_id, parse_id(ticket_id, "ticket"), by)
    except KeyInTicket:
        raise
    except (BadInput, TicketRefused, NotFound) as refusal:
        return refusal
    return None


def _sign(name: str) -> str:
    """Give who answered, for the record: whatever was pasted there, no key reaches it."""
    return redact(name.strip())[: policy.OPERATOR_NAME_CHARS] or "operator"


def _try_decision(drop_id: str, digest: str, answer: ApprovalAnswer) -> CertferryError | None:
    """Record a decision, and give why it does not count; None where it does."""
    try:
        record_approval(drop_id, digest, answer.decision, answer.name, answer.note)
    except Forbidden as refusal:
        return refusal
    return None


@dataclass(frozen=True)
class Question:
    """
    One suspension of a run.

    Attributes:
        key: A fresh one after each answer that did not count, and for each time the run was started again.

        reason: Markdown, above the form: why the last answer did not count; empty for the first question.
    """

    key: str
    reason: str


def _next_question(subject: str, gate: str) -> Question:
    refused = find_refused_answers(subject, gate)
    reason = f"**Your last answer does not count.** {escape_markdown(refused[-1])}\n\n" if refused else ""
    return Question(f"{gate}-a{len(refused) + 1}-r{flow_run.run_count}", reason)


def _ask_ticket(drop_id: str, question: Question) -> TicketAnswer:
    description = (
        f"{question.reason}## Waiting for the customer's ticket\n\n"
        f"The customer now files a ticket that quotes `{drop_id}` from the address on the "
        "account; `watch-tickets` finds it and lets this run go on, so there is nothing to do here.\n\n"
        "If the ticket is there and was not found, give its id. It is judged in the same way."
    )
    form = TicketAnswer.with_initial_data(description=description)
    check_lease()
    return suspend_flow_run(wait_for_input=form, key=question.key)


def _ask_approval(plan: str, question: Question) -> ApprovalAnswer:
    form = ApprovalAnswer.with_initial_data(description=f"{question.reason}{plan}")
    check_lease()
    return suspend_flow_run(wait_for_input=form, key=question.key)
