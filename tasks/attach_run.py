"""Tie a hand-over to the one run that carries it."""

from __future__ import annotations

from tasks.clients.installation import current
from tasks.core.errors import RecordsUnavailable
from tasks.core.model import Outcome
from tasks.retries import step


@step(RecordsUnavailable, "(0) attach this run to the drop")
def attach_run(drop_id: str, flow_run_id: str) -> Outcome | None:
    """
    Record that this run carries the drop, and give the outcome if the hand-over has ended already.

    Repeat: The same run changes nothing.

    Undo: None is needed: a run that has ended is started again under the same id.

    Raises:
        NotFound: There is no such drop.

        Drifted: Code ``other-run``: another run carries it; this one must do nothing.
    """
    return current().drops.attach_run(drop_id, flow_run_id).outcome
