"""What the regular round over all drops does about each: pure, so that every case is one line of a test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from tasks.core import policy
from tasks.core.model import Drop, DropState

STOPPED: Final = frozenset({"Crashed", "NotReady", "Unavailable"})
"""
The states of a run that may be started again without a person: its process died, or it waited in vain.

``Failed`` and ``Drifted`` are not among them: stop and look.
"""


CANCELLED: Final = "Cancelled"
"""The state of a run that a person has cancelled: it is undone, or goes on where it is too late for that."""


class Phase(StrEnum):
    """What a run is about, as its orchestrator believes."""

    SCHEDULED = "scheduled"
    WORKING = "working"
    WAITING = "waiting"
    ENDED = "ended"


@dataclass(frozen=True)
class Run:
    """
    A run as its orchestrator sees it.

    Attributes:
        state: The state's name, for example ``Suspended``.

        since: When it came into this state.

        asks: Whether a run that waits has its form, so that somebody can answer.
    """

    state: str
    phase: Phase
    since: datetime
    asks: bool = True


def is_lost(run: Run, at_work: bool, now: datetime) -> bool:
    """
    Tell whether the process of *run* is gone although its orchestrator believes it there.

    Killed with its worker, it reports nothing and is Running, or Pending, for ever; killed between the suspension
    and the saving of its form, it waits for an answer that nobody can give.

    Args:
        at_work: A lease of its hostname is in date.
    """
    if at_work or now - run.since < policy.RUN_START_TIME:
        return False
    return run.phase is Phase.WORKING or (run.phase is Phase.WAITING and not run.asks)


class Care(StrEnum):
    """What a drop needs from the round."""

    NOTHING = "nothing"
    START = "start"
    """Files have arrived and nobody started a run."""
    RESTART = "restart"
    """Its run has stopped and may go on."""
    RECOVER = "recover"
    """Its run is lost: it must be declared dead, and started again."""
    CANCEL = "cancel"
    """A person cancelled its run: what the run did is undone."""
    EXPIRE = "expire"
    """Its time is over, and no edge is meant to serve it."""
    FINISH = "finish"
    """It has ended, and was not cleared away to the end."""


def plan_care(
    drop: Drop, now: datetime, has_upload: bool, run: Run | None, at_work: bool, assigned: bool, confirmed: bool
) -> Care:
    """
    Say what *drop* needs.

    Args:
        has_upload: Something lies in the drop, or has been ingested from it.

        run: Its run; None where it has none.

        at_work: A lease of its hostname is in date.

        assigned: An edge is meant to serve its certificate.

        confirmed: Both edges were seen to serve it: then it is too late to cancel, and the account may pay already.
    """
    if drop.outcome:
        return Care.NOTHING if drop.state is DropState.DESTROYED or at_work else Care.FINISH
    if now >= drop.expires_at and not assigned:
        return Care.EXPIRE
    if run is None:
        return Care.START if has_upload else Care.NOTHING
    if run.state == CANCELLED:
        return Care.RESTART if confirmed else Care.CANCEL
    if is_lost(run, at_work, now):
        return Care.RECOVER
    return Care.RESTART if run.state in STOPPED and has_upload else Care.NOTHING
