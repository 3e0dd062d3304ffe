"""Tie a hand-over to the one run that carries it."""

from __future__ import annotations

from tasks.clients.installation import current
from tasks.core.errors import Drifted, RecordsUnavailable
from tasks.core.hand_over import flow_of
from tasks.core.model import Outcome
from tasks.retries import step


@step(RecordsUnavailable, "(0) attach this run to the drop")
def attach_run(drop_id: str, flow_run_id: str, kind: str) -> Outcome | None:
    """
    Record that this run carries the drop, and give the outcome if the hand-over has ended already.

    Args:
        kind: What the run's flow carries, a word of `DropKind`.

    Repeat: The same run changes nothing.

    Undo: None is needed: a run that has ended is started again under the same id.

    Raises:
        NotFound: There is no such drop.

        Drifted: Code ``other-run``: another run carries it; ``other-flow``: it is not what this flow is for. This run
            must do nothing.
    """
    drops = current().drops
    drop = drops.fetch(drop_id)
    if drop.kind != kind:
        raise Drifted(
            drop_id,
            got=f"a run of the flow for a {kind}",
            wanted=f"the flow {flow_of(drop)}: this hand-over is a {drop.kind}",
            do=f"Start {flow_of(drop)} for it; or leave it to watch-drops.",
            code="other-flow",
        )
    return drops.attach_run(drop_id, flow_run_id).outcome
