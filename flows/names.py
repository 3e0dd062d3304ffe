"""The parameters and run names of the flows, as an operator sees them."""

from __future__ import annotations

from typing import Annotated, Any

from prefect.runtime import flow_run
from pydantic import Field

from tasks.describe_hand_over import find_hostname


def form_field(title: str, description: str, example: object, pattern: str | None = None) -> Any:
    """
    Describe a parameter for the form in the UI.

    Prefect replaces a parameter's own title, description and examples by its bare name; what stands in
    ``json_schema_extra`` it leaves alone (prefect 3.9, `process_v2_params`).
    """
    shown: dict[str, Any] = {"title": title, "description": description, "examples": [example]}
    return Field(pattern=pattern, json_schema_extra=shown)


_DROP = "The id of the hand-over's drop, as `certferry status` and the tickets show it."
_EXAMPLE = "drop-abcdefghijklmnopqrstuvwxyz"
DropId = Annotated[str, form_field("Drop", _DROP, _EXAMPLE, "^drop-[a-z2-7]{26}$")]
NoDropId = Annotated[
    str, form_field("Drop", "Leave it empty: only the front desk fills it in.", _EXAMPLE, "^(drop-[a-z2-7]{26})?$")
]


def name_run() -> str:
    """Name a run after what it does and the hostname it does it for, as ``provision shop.example.com``."""
    subject = flow_run.parameters.get("drop_id") or flow_run.parameters.get("removal_id")
    hostname = find_hostname(subject) if subject else flow_run.parameters.get("hostname")
    return f"{flow_run.flow_name} {hostname or subject or ''}".strip()
