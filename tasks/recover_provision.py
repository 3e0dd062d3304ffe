"""Get a run going again whose process is gone without a word."""

from __future__ import annotations

from tasks.clients.installation import current
from tasks.clients.subjects import fetch_subject
from tasks.core.errors import PrefectUnavailable
from tasks.retries import step


@step(PrefectUnavailable, "recover the run whose process is gone")
def recover_provision(subject: str) -> bool:
    """
    Declare the run of a drop or removal dead, and start it again from the top under its id; say if it is scheduled.

    If its process lives after all, the new one takes the lease over, and the old one changes nothing more.

    Repeat: A run that has ended otherwise, or was started `policy.MOST_RESTARTS` times, is left alone.

    Undo: None is needed.
    """
    here = current()
    run = fetch_subject(here, subject).flow_run_id
    return run is not None and here.orchestrator.declare_crashed(run) and here.orchestrator.restart(run)
