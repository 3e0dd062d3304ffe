"""Begin and end a removal on record, and answer its ticket with what was seen."""

from __future__ import annotations

from tasks.clients.answers import list_tickets
from tasks.clients.installation import Installation, current
from tasks.core.errors import RecordsUnavailable
from tasks.core.matching import DESK
from tasks.core.model import Hostname, Outcome, Removal
from tasks.core.removal import confirm_removal
from tasks.retries import step


@step(RecordsUnavailable, "attach this run to the removal")
def attach_removal(removal_id: str, flow_run_id: str) -> Outcome | None:
    """
    Record that this run carries the removal, and give the outcome if it has ended already.

    Repeat: The same run changes nothing.

    Undo: None is needed: a run that has ended is started again under the same id.

    Raises:
        NotFound: There is no such removal.

        Drifted: Code ``other-run``: another run carries it; this one must do nothing.
    """
    return current().removals.attach_run(removal_id, flow_run_id).outcome


@step(RecordsUnavailable, "list the hand-overs of the hostname that are under way")
def list_hand_overs(removal_id: str) -> list[str]:
    """
    Give the drops of the removal's hostname whose hand-over has not ended, oldest first.

    Repeat: Reads only.

    Undo: None is needed.
    """
    here = current()
    hostname = here.removals.fetch(removal_id).hostname
    return [drop.id for drop in here.drops.list_live() if drop.hostname == hostname and drop.outcome is None]


@step(RecordsUnavailable, "close the removal")
def close_removal(removal_id: str, outcome: Outcome, code: str | None = None, reason: str | None = None) -> Outcome:
    """
    Record how the removal ended, and answer and close its tickets.

    Repeat: The first outcome and reason stay, and are given; the rest is made true again.

    Undo: None. The customer asks again.
    """
    here = current()
    now = here.now()
    removal = here.removals.close(removal_id, outcome, code, reason)
    ended = removal.outcome or outcome
    for ticket_id in list_tickets(here, removal):
        here.tickets.say(ticket_id, DESK, _farewell(here, removal, ended), f"closed-{removal_id}", now)
        here.tickets.close(ticket_id, now)
    evidence = {"outcome": ended, "code": removal.outcome_code}
    here.audit.append_once("certferry", "removal.closed", removal_id, evidence, now)
    return ended


def fetch_hostname(removal_id: str) -> Hostname:
    """Give the removal's hostname."""
    return current().removals.fetch(removal_id).hostname


def _farewell(here: Installation, removal: Removal, outcome: Outcome) -> str:
    if outcome is Outcome.COMPLETED:
        ended = here.billing.find(f"disable-{removal.id}")
        return confirm_removal(removal, ended.at if ended else None)
    why = f" {removal.outcome_reason}" if removal.outcome_reason else ""
    return f"HTTPS goes on for {removal.hostname}: the wish to disable it ({removal.id}) is {outcome}.{why}"
