"""
Match the tickets that wait with the runs that wait for them.

Requires: the records, the ticket desk, the Prefect API. Runs on a schedule, and at once when the front desk takes a
ticket in; a ticket that one pass missed, the next one finds.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.rounds import attempt, report
from tasks.core.errors import KeyInTicket, NotFound, Rejected
from tasks.core.hand_over import describe_refusal
from tasks.match_ticket import list_waiting, match_ticket
from tasks.refuse_ticket import refuse_ticket
from tasks.resume_provision import list_matched, resume_provision


@flow(name="watch-tickets", log_prints=False)
def watch_tickets() -> Any:
    """
    Match waiting tickets with hand-overs, answer those that count for nothing, and let the runs go on.

    A ticket counts if it comes from the address on the account and quotes the drop. One with key material in it ends
    its hand-over: the run goes on, finds it, and says so.
    """
    troubles = []
    for ticket_id, drop_id in list_waiting():
        troubles += attempt(judge, ticket_id, drop_id)
    for drop_id, ticket_id in list_matched():
        troubles += attempt(resume_provision, drop_id, ticket_id)
    return report(troubles)


def judge(ticket_id: str, drop_id: str) -> None:
    """Match one ticket, or answer it; one with key material goes to the run, which ends the hand-over."""
    try:
        match_ticket(drop_id, ticket_id, "watch-tickets")
    except KeyInTicket:
        resume_provision(drop_id, ticket_id)
    except (Rejected, NotFound) as refusal:
        refuse_ticket(ticket_id, describe_refusal(refusal))
