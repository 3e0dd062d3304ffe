"""Step 4 of a renewal: an approval that nobody needs to be asked for."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.artifacts import show_changes
from tasks.clients.installation import Installation, current
from tasks.clients.plans import fetch_plan
from tasks.core.errors import RecordsUnavailable
from tasks.core.hand_over import check_live
from tasks.core.model import Approval, Drop
from tasks.core.renewal import POLICY, Change, compare_renewal
from tasks.retries import step


@step(RecordsUnavailable, "(4) see whether policy waives the approval")
def waive_approval(drop_id: str) -> None:
    """
    Approve the plan of a renewal that changes nothing but dates, if the settings say so; else leave it to a person.

    What each rule saw is on the audit trail, in the approval's note, and on the run's artifact.

    Repeat: A decision on this plan, by whomever, stays.

    Undo: None: another plan is judged anew.

    Raises:
        HandOverClosed: The hand-over was stopped.
    """
    here = current()
    drop = here.drops.fetch(drop_id)
    check_live(drop)
    _, digest = fetch_plan(here, drop)
    changes = _compare(here, drop)
    if here.decisions.find(drop_id, digest) or not changes:
        return
    waived = here.settings.renewals.waive_approval and all(change.holds for change in changes)
    show_changes(drop.hostname, changes, waived)
    if waived:
        _record(here, drop_id, digest, changes)


def find_changes(drop_id: str) -> Sequence[Change]:
    """Give what the drop's certificate changes about the one that is served; nothing where none is."""
    here = current()
    return _compare(here, here.drops.fetch(drop_id))


def _compare(here: Installation, drop: Drop) -> Sequence[Change]:
    old, new = here.certificates.find_served(drop.hostname), here.certificates.find_by_drop(drop.id)
    return compare_renewal(old, new) if old and new and old != new else ()


def _record(here: Installation, drop_id: str, digest: str, changes: Sequence[Change]) -> None:
    now = here.now()
    evidence = {"plan_sha256": digest, "rules": [change.as_dict() for change in changes]}
    here.audit.append_once(POLICY, f"plan.approve.{digest[:12]}", drop_id, evidence, now)
    note = f"Nothing but dates changes. {'; '.join(change.said for change in changes)}."
    here.decisions.decide(Approval(drop_id, digest, "approve", POLICY, note, now))
