"""Step 4, second half: put a person's decision on record."""

from __future__ import annotations

from tasks.clients.installation import current
from tasks.clients.subjects import fetch_subject
from tasks.core.approval import parse_approver
from tasks.core.errors import RecordsUnavailable
from tasks.core.model import Approval
from tasks.core.ticket_text import redact
from tasks.retries import step

NOTE_MAX_CHARS = 2000


@step(RecordsUnavailable, "(4) record the decision")
def record_approval(drop_id: str, plan_sha256: str, decision: str, name: str, note: str) -> None:
    """
    Judge who decides, and record the decision under the digest of the plan that person saw.

    Repeat: The first decision on a plan stays.

    Undo: None: another plan asks again.

    Raises:
        Forbidden: Nobody by that name may decide, or the name is the requester's.
    """
    here = current()
    now = here.now()
    drop = fetch_subject(here, drop_id)
    approver = parse_approver(name, here.settings.operators.approvers, drop.requested_by)
    # the trail first: once the decision is on record, no run comes by here again
    here.audit.append_once(
        f"operator:{approver}", f"plan.{decision}.{plan_sha256[:12]}", drop_id, {"plan_sha256": plan_sha256}, now
    )
    here.decisions.decide(
        Approval(drop_id, plan_sha256, decision, approver, redact(note.strip())[:NOTE_MAX_CHARS], now)
    )


def find_approval(drop_id: str, plan_sha256: str) -> Approval | None:
    """Give the decision on record for this very plan, or None."""
    return current().decisions.find(drop_id, plan_sha256)
