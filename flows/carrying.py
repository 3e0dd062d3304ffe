"""How a run carries a hand-over: as the one at work on its hostname, into a state that says how it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from flows.endings import finish, refuse, to_the_end
from tasks.attach_run import attach_run
from tasks.core.errors import ProofFailed, Rejected
from tasks.core.model import DropKind
from tasks.hold_lease import hold_lease
from tasks.provision_edges import release_edges

Receipt = dict[str, str | int]
"""Ids and digests of what was done; the flow's own result, which keeps a Completed run from being run again."""

Carry = Callable[[str], Receipt]
"""The steps of a flow, in order, for one drop."""


def run_hand_over(drop_id: str, kind: DropKind, carry: Carry) -> Receipt | State[Any]:
    """Carry the drop, and give the run's result, or the state it stops in while its hand-over lives."""
    return to_the_end(carry_or_refuse, drop_id, kind, carry)


def carry_or_refuse(drop_id: str, kind: DropKind, carry: Carry) -> Receipt | State[Any]:
    """
    Carry the drop that this run is for, as the one process at work on its hostname.

    Clear it away if it is refused, or has ended already; put the edges back if one shows something else.
    """
    with hold_lease(drop_id, str(flow_run.id)):
        ended = attach_run(drop_id, str(flow_run.id), kind.value)
        if ended:
            return finish(drop_id, ended)
        try:
            return carry(drop_id)
        except Rejected as refusal:
            return refuse(drop_id, refusal)
        except ProofFailed:
            release_edges(drop_id)
            raise
