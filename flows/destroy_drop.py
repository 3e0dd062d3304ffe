"""
Give a hand-over up, before it has changed an edge.

Requires: the records, the S3 store, the Prefect API, the ticket desk.
"""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow
from prefect.runtime import flow_run

from flows.endings import end_from_outside, ended_as
from flows.names import DropId, form_field, name_run
from tasks.cancel_hand_over import cancel_hand_over
from tasks.hold_lease import hold_lease


@flow(name="destroy-drop", flow_run_name=name_run, persist_result=True, result_serializer="json", log_prints=False)
def destroy_drop(
    drop_id: DropId,
    requested_by: Annotated[
        str,
        form_field(
            "Asked for by",
            "operator: and your name; the front desk says account: and the customer's.",
            "operator:ana",
            "^(operator|account):.+$",
        ),
    ],
) -> Any:
    """
    Destroy a drop and everything that came through it, and answer the ticket.

    Only as long as **no edge was changed**: after that, have HTTPS disabled for the hostname instead.
    """
    outcome = cancel_hand_over(drop_id, requested_by)
    with hold_lease(drop_id, str(flow_run.id)):
        end_from_outside(drop_id, outcome)
    return ended_as(drop_id, outcome, f"Asked for by {requested_by}.")
