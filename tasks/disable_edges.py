"""Take a hostname's certificate off both edges, see from outside that it is gone, and put it back if that fails."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tasks.artifacts import note
from tasks.clients.installation import Installation, current
from tasks.clients.plans import check_plan_approved
from tasks.core.errors import CertferryError, EdgeUnavailable, ProofFailed
from tasks.core.force_https import remembered_until
from tasks.core.hand_over import check_live
from tasks.core.model import Hostname, Removal
from tasks.core.plan import digest_plan
from tasks.core.removal import draft_removal
from tasks.retries import step


@step(EdgeUnavailable, "take the certificate off both edges")
def disable_edges(removal_id: str, plan_sha256: str) -> None:
    """
    Take the hostname off both edges, with its redirect to HTTPS, and see each refuse a handshake.

    If anything fails, both edges serve it again, at once. Only when both have refused are the bundles deleted.

    Repeat: A hostname that both edges were seen refusing is left alone; bundles that are left are deleted.

    Undo: `enable_edges`.

    Raises:
        ApprovalPending: Code ``plan-changed``: nobody approved this plan.

        ApprovalDenied: The decision on it was no.

        ProofFailed: An edge shook hands all the same.

        EdgeUnavailable: An edge did not answer.

        HandOverClosed: The removal has ended.
    """
    here = current()
    now = here.now()
    removal = here.removals.fetch(removal_id)
    check_live(removal)
    plan = draft_removal(removal, [edge.name for edge in here.settings.edges], here.settings.disabling.vault_grace)
    check_plan_approved(here, removal.id, digest_plan(plan), plan_sha256)
    if removal.disabled_at is None:
        _take_off(here, removal, now)
    for certificate in here.certificates.list_of(removal.hostname, removal.account):
        for edge in here.edges:
            edge.discard(certificate.bundle_sha256)
    evidence = here.removals.fetch(removal_id).evidence
    here.audit.append_once("certferry", "https.disabled", removal_id, {"hostname": removal.hostname, **evidence}, now)


@step(EdgeUnavailable, "put both edges back")
def enable_edges(removal_id: str) -> None:
    """
    Undo `disable_edges` before it was done to the end: both edges serve the hostname as before.

    Repeat: Edges that serve it are left alone; so is a hostname that was disabled to the end.

    Undo: `disable_edges`.

    Raises:
        EdgeUnavailable: An edge did not answer; the other one has been put back.
    """
    here = current()
    removal = here.removals.fetch(removal_id)
    if removal.disabled_at is None:
        failures = _put_back(here, removal)
        if failures:
            raise failures[0]


def _take_off(here: Installation, removal: Removal, now: datetime) -> None:
    try:
        for edge in here.edges:
            edge.health()
        here.removals.mark_leaving(removal.id, on=True)
        for edge in here.edges:
            edge.set_force_https(removal.hostname, None)
            edge.restore(removal.hostname, None)
        evidence = _see(here, removal.hostname, now)
    except Exception:
        _put_back(here, removal)
        raise
    here.removals.mark_disabled(removal.id, evidence, now, now + here.settings.disabling.vault_grace)


def _see(here: Installation, hostname: Hostname, now: datetime) -> dict[str, Any]:
    """Look at both edges from outside, and give what was seen; plain HTTP is the app's affair, and only noted."""
    seen = {}
    for edge in here.settings.edges:
        alert = here.probe.find_refusal(edge, hostname)
        if alert is None:
            raise ProofFailed(
                f"{hostname} on {edge.name}",
                got="it shakes hands all the same",
                wanted="a handshake that is refused",
                do="Both edges were put back. Look at this edge, then run this again.",
                code="still-served",
            )
        seen[edge.name] = f"handshake refused ({alert}), plain HTTP {here.probe.ask_plainly(edge, hostname).status}"
        note(f"{edge.name}, {hostname}: {seen[edge.name]}")
    switch = here.switches.find(hostname)
    until = remembered_until(switch, now) if switch else None
    return {"edges": seen} | ({"remembered_until": until.isoformat()} if until else {})


def _put_back(here: Installation, removal: Removal) -> list[CertferryError]:
    """Let both edges serve what they are assigned, and give the failures: one edge must not keep the other."""
    here.removals.mark_leaving(removal.id, on=False)
    failures: list[CertferryError] = []
    switch = here.switches.find(removal.hostname)
    for edge in here.edges:
        assignment = here.certificates.find_assignment(edge.name, removal.hostname)
        try:
            if assignment:
                edge.restore(removal.hostname, assignment.bundle_sha256)
            edge.set_force_https(removal.hostname, switch.rule if switch else None)
        except CertferryError as failure:
            failures.append(failure)
    return failures
