"""
Put the previous certificate of a hostname back on both edges, or the newest again: in seconds, without an approval.

Requires: the records and both edges; the vault and the key provider only where an edge has no copy any more.
`certferry-operator rollback` does the same at once, without Prefect.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.endings import to_the_end
from flows.names import form_field, name_run
from tasks.core.errors import NotFound, Rejected
from tasks.core.model import parse_hostname
from tasks.hold_lease import hold_lease_on
from tasks.plan_rollback import plan_rollback
from tasks.roll_back_edges import roll_back_edges

_WHICH = "back: what was served before the newest certificate; forward: the newest one again."


@flow(name="rollback", flow_run_name=name_run, persist_result=True, result_serializer="json", log_prints=False)
def rollback(
    hostname: Annotated[str, form_field("Hostname", "The custom hostname.", "shop.example.com")],
    name: Annotated[str, form_field("Your name", "For the record.", "ana", r"\S")],
    reason: Annotated[str, form_field("Why", "For the record; the customer reads it.", "The app pins it.", r"\S")],
    direction: Annotated[Literal["back", "forward"], form_field("Direction", _WHICH, "back")] = "back",
) -> Any:
    """
    Let both edges serve the **previous** certificate again, proven by a handshake with each.

    Asked for twice it goes no further back. *Rejected* if that certificate has expired, its key is compromised, or it
    is kept no longer.
    """
    try:
        return to_the_end(plan_and_roll_back, hostname, name, reason, direction)
    except (Rejected, NotFound) as refusal:
        return Completed(name="Rejected", message=str(refusal), data={"hostname": hostname})


def plan_and_roll_back(hostname: str, name: str, reason: str, direction: str) -> str:
    """Do it as the one process at work on the hostname, and give the id of the certificate that is served now."""
    with hold_lease_on(parse_hostname(hostname), str(flow_run.id)):
        certificate_id = plan_rollback(hostname, direction)
        roll_back_edges(str(flow_run.id), certificate_id, name, reason)
        return certificate_id
