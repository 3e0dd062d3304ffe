"""
Send a hostname's visitors to HTTPS, or stop doing so.

Requires: the records, both edges. What is wished for is on record first; `watch_force_https` does what this leaves.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.endings import to_the_end
from flows.names import form_field, name_run
from tasks.apply_force_https import apply_force_https, release_force_https
from tasks.core.errors import NotFound, ProofFailed, Rejected
from tasks.core.force_https import Wish
from tasks.core.model import parse_hostname
from tasks.hold_lease import hold_lease_on
from tasks.request_force_https import wish_by_form

_SWITCH = "on redirects plain HTTP; on-with-hsts also has browsers remember it, in growing stages; off withdraws both."


@flow(name="force-https", flow_run_name=name_run, persist_result=True, result_serializer="json", log_prints=False)
def force_https(
    hostname: Annotated[str, form_field("Hostname", "The custom hostname.", "shop.example.com")],
    switch: Annotated[
        Literal["on", "on-with-hsts", "off", "as-recorded"], form_field("Switch", _SWITCH, "on")
    ] = "as-recorded",
    requested_by: Annotated[str, form_field("Your name", "For the record.", "ana")] = "",
) -> Any:
    """
    Send a hostname's visitors to HTTPS (308), with HSTS if wanted, or stop doing so.

    It is refused for a hostname that both edges were not seen serving. If the site turns out not to work over HTTPS,
    the switch is turned off again.
    """
    try:
        return to_the_end(wish_and_apply, hostname, switch, requested_by)
    except (Rejected, NotFound) as refusal:
        return Completed(name="Rejected", message=str(refusal), data={"hostname": hostname})


def wish_and_apply(hostname: str, switch: str, requested_by: str) -> str:
    """Put the wish on record, unless it is there; do what is on record, as the one at work on the hostname."""
    name = parse_hostname(hostname)
    if switch != "as-recorded":
        wish_by_form(name, Wish(switch), requested_by)
    with hold_lease_on(name, str(flow_run.id)):
        return apply_or_release(name)


def apply_or_release(hostname: str) -> str:
    """Do what is on record; a site that does not work over HTTPS must not have its visitors sent there."""
    try:
        return apply_force_https(hostname)
    except ProofFailed:
        release_force_https(hostname)
        raise
