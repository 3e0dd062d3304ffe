"""Get the run of a hand-over going: the first time, or once more."""

from __future__ import annotations

from tasks.clients.installation import current
from tasks.clients.subjects import fetch_subject
from tasks.core.care import CANCELLED, STOPPED
from tasks.core.errors import PrefectUnavailable
from tasks.core.hand_over import flow_of
from tasks.core.model import Drop
from tasks.retries import step


@step(PrefectUnavailable, "start the run of the hand-over")
def start_provision(subject: str) -> str:
    """
    Start the run that carries a drop or a removal, or start it again from the top if it has stopped; give its id.

    Its flow is the one that the record is for.

    Repeat: A subject has one run, by its idempotency key; a run that is under way is left alone.

    Undo: `cancel_hand_over`.
    """
    here = current()
    found = fetch_subject(here, subject)
    flow, parameter = flow_of(found), "drop_id" if isinstance(found, Drop) else "removal_id"
    run = found.flow_run_id or here.orchestrator.start(
        f"{flow}/{flow}", {parameter: subject}, f"{flow}-{subject}", f"{flow} {found.hostname}"
    )
    if here.orchestrator.state(run) in STOPPED | {CANCELLED}:
        here.orchestrator.restart(run)
    return run
