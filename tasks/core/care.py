"""What the regular round over all drops does about each: pure, so that every case is one line of a test."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from tasks.core.model import Drop, DropState

STOPPED: Final = frozenset({"Crashed", "NotReady", "Unavailable"})
"""
The states of a run that may be started again without a person: its process died, or it waited in vain.

``Failed`` and ``Drifted`` are not among them: stop and look.
"""


class Care(StrEnum):
    """What a drop needs from the round."""

    NOTHING = "nothing"
    START = "start"
    """Files have arrived and nobody started a run."""
    RESTART = "restart"
    """Its run has stopped and may go on."""
    EXPIRE = "expire"
    """Its time is over, and no edge is meant to serve it."""
    FINISH = "finish"
    """It has ended, and was not cleared away to the end."""


def plan_care(drop: Drop, now: datetime, has_upload: bool, run_state: str | None, assigned: bool) -> Care:
    """
    Say what *drop* needs.

    Args:
        has_upload: Something lies in the drop, or has been ingested from it.

        run_state: The name of its run's state; None where it has no run.

        assigned: An edge is meant to serve its certificate.
    """
    if drop.outcome:
        return Care.NOTHING if drop.state is DropState.DESTROYED else Care.FINISH
    if now >= drop.expires_at and not assigned:
        return Care.EXPIRE
    if run_state is None:
        return Care.START if has_upload else Care.NOTHING
    return Care.RESTART if run_state in STOPPED and has_upload else Care.NOTHING
