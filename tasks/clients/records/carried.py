"""What the records of drops and removals have in common: a flow run carries each."""

from __future__ import annotations

from tasks.clients.tables import DropRow, RemovalRow
from tasks.core.errors import Drifted


def attach(row: DropRow | RemovalRow, flow_run_id: str) -> None:
    """
    Let the run carry what *row* is about; the first one stays.

    Raises:
        Drifted: Code ``other-run``: another run carries it.
    """
    what = "drop" if isinstance(row, DropRow) else "removal"
    if row.flow_run_id not in (None, flow_run_id):
        raise Drifted(
            row.id,
            got=f"the flow run {flow_run_id}",
            wanted=f"the flow run {row.flow_run_id}, which carries this {what}",
            do="Leave this run, and look at the other one.",
            code="other-run",
        )
    row.flow_run_id = flow_run_id
