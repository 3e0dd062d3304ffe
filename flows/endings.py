"""How a hand-over ends, and how the run says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect.client.schemas.objects import State
from prefect.exceptions import Abort
from prefect.states import Completed, Failed

from tasks.cancel_hand_over import cancel_run
from tasks.close_hand_over import close_hand_over
from tasks.core.errors import CertferryError, Drifted, LeaseLost, NotReady, Unavailable
from tasks.core.hand_over import describe_refusal
from tasks.core.model import Outcome
from tasks.destroy_drop import destroy_drop
from tasks.provision_edges import release_edges
from tasks.sweep_drop import sweep_drop

P = ParamSpec("P")
T = TypeVar("T")


def end(drop_id: str, outcome: Outcome, code: str | None = None, reason: str | None = None) -> Outcome:
    """
    Clear away a hand-over that did not complete: edges as before, vault copy and drop gone, ticket answered.

    Give the outcome on record, which is the first one.
    """
    release_edges(drop_id)
    ended = close_hand_over(drop_id, outcome, code, reason)
    destroy_drop(drop_id)
    sweep_drop(drop_id)
    return ended


def end_from_outside(drop_id: str, outcome: Outcome, code: str | None = None, reason: str | None = None) -> Outcome:
    """
    `end`, by another than the hand-over's own run, which must not go on asking a person.

    The run is cancelled first: once the drop is destroyed, no round looks after it again.
    """
    cancel_run(drop_id)
    return end(drop_id, outcome, code, reason)


def finish(drop_id: str, outcome: Outcome) -> State[Any]:
    """Make the rest of an ending true that was cut short, and give the run's final state."""
    if outcome is Outcome.COMPLETED:
        close_hand_over(drop_id, outcome)
        sweep_drop(drop_id)
    else:
        end(drop_id, outcome)
    return ended_as(drop_id, outcome)


def refuse(drop_id: str, refusal: CertferryError) -> State[Any]:
    """End a hand-over as rejected, and the run in a state of that name."""
    ended = end(drop_id, Outcome.REJECTED, refusal.code, describe_refusal(refusal))
    return ended_as(drop_id, ended, str(refusal))


def ended_as(drop_id: str, outcome: Outcome, message: str | None = None) -> State[Any]:
    """
    Give the final state of a run whose hand-over has ended.

    Its type is Completed although a refusal is no success: the run has done its work to the end, there is nothing
    left to retry (Prefect would offer to run a Failed one again), and nobody is to be paged. Its name says how.
    """
    name = "Completed" if outcome is Outcome.COMPLETED else outcome.value.title()
    return Completed(name=name, message=message, data={"drop_id": drop_id, "outcome": outcome.value})


def to_the_end(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | State[Any]:
    """
    Do the work of a run, and give its result, or the state that it stops in while its hand-over lives.

    A process whose lease was taken over ends without a state: another one goes on with the run, whose state is not
    this one's to set.
    """
    try:
        return work(*args, **kwargs)
    except LeaseLost as lost:
        raise Abort(str(lost)) from None
    except Drifted as drift:
        return _stopped("Drifted", drift)
    except NotReady as pending:
        return _stopped("NotReady", pending)
    except Unavailable as outage:
        return _stopped("Unavailable", outage)


def _stopped(name: str, error: CertferryError) -> State[Any]:
    """
    Give a state of type Failed, so that the run may be run again.

    `watch_drops` runs ``NotReady`` and ``Unavailable`` again; ``Drifted`` waits for a person.
    """
    return Failed(name=name, message=str(error))
