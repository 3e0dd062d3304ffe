"""
What an operator's commands do. Each gives plain data, for ``--json`` and for `tasks.operator.views` to draw.

They work on the installation that ``CERTFERRY_SETTINGS`` names, with the operator's own access to its database,
store and Prefect. A gate is answered through Prefect, as in its UI: the run itself judges the answer and records it.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tasks.clients.installation import Installation, current
from tasks.clients.plans import fetch_plan
from tasks.clients.subjects import fetch_subject
from tasks.core.approval import describe_price, parse_approver
from tasks.core.errors import BadInput, CertferryError, NotReady, Who
from tasks.core.force_https import Wish
from tasks.core.invitation import render_invitation
from tasks.core.model import Drop, parse_hostname, parse_id
from tasks.customer.private import write_private
from tasks.describe_hand_over import describe
from tasks.describe_site import describe_site
from tasks.hold_lease import hold_lease_on
from tasks.issue_invitation import issue_invitation
from tasks.issue_token import issue_token
from tasks.onboard import Onboarding, onboard
from tasks.plan_rollback import plan_rollback
from tasks.request_force_https import wish_by_form
from tasks.roll_back_edges import roll_back_edges


def onboard_file(file: Path, now: datetime) -> list[dict[str, Any]]:
    """
    Record the customer in a YAML file, and give its sites.

    Raises:
        BadInput: The file is missing or does not say what `Onboarding` wants.
    """
    try:
        return _onboard(yaml.safe_load(file.read_bytes()), str(file), now)
    except (OSError, yaml.YAMLError) as error:
        got = "no such file" if isinstance(error, FileNotFoundError) else f"unreadable: {error}"
        raise _bad_onboarding(str(file), got) from None


def onboard_one(
    account: str, contact: str | None, app: str | None, hostnames: list[str], now: datetime
) -> list[dict[str, Any]]:
    """Record an account, an app of it and hostnames; an account that is there keeps its contact without *contact*."""
    apps = [{"name": app, "hostnames": hostnames}] if app else []
    address = contact or current().accounts.fetch_account(account).contact
    return _onboard({"account": account, "contact": address, "apps": apps}, account, now)


def list_accounts() -> list[dict[str, Any]]:
    """Give every account with its sites."""
    accounts = current().accounts
    return [
        {
            "account": each.name,
            "contact": each.contact,
            "hostnames": [s.hostname for s in accounts.list_sites(each.name)],
        }
        for each in accounts.list_accounts()
    ]


def give_token(account: str, out: Path | None, now: datetime) -> dict[str, Any]:
    """Issue a token for *account*, into *out* (0600) rather than onto the screen where that is given."""
    token_id, token = issue_token(account, now)
    if out is None:
        return {"account": account, "token_id": token_id, "token": token}
    write_private(out, f"{token}\n".encode())
    return {"account": account, "token_id": token_id, "file": str(out)}


def revoke_token(token_id: str, now: datetime) -> dict[str, Any]:
    """Let a token open nothing from now on."""
    here = current()
    here.accounts.revoke_token(parse_id(token_id, "token"), now)
    here.audit.append_once("operator", "token.revoked", token_id, {}, now)
    return {"token_id": token_id, "revoked": True}


def write_invitation(drop_id: str, out: Path, now: datetime) -> dict[str, Any]:
    """Write a fresh invitation to *out* (0600), for a customer who cannot reach the front desk; earlier ones stop."""
    invitation = issue_invitation(parse_id(drop_id, "drop"), now)
    write_private(out, render_invitation(invitation))
    return {"drop_id": drop_id, "file": str(out), "expires_at": invitation.expires_at.isoformat()}


def list_hand_overs() -> list[dict[str, Any]]:
    """Give every hand-over that has not ended, oldest first, with the state of its run."""
    here = current()
    return [_with_run(here, drop) for drop in here.drops.list_live() if drop.outcome is None]


def show_hand_over(drop_id: str) -> dict[str, Any]:
    """Give one hand-over: where it stands, its run, and the plan once there is one."""
    here = current()
    drop = here.drops.fetch(parse_id(drop_id, "drop"))
    shown = _with_run(here, drop)
    if shown["certificate"]:
        shown["plan"] = _describe_plan(here, drop)
    return shown


def answer_with_ticket(drop_id: str, ticket_id: str, name: str) -> dict[str, Any]:
    """
    Let the run of *drop_id* go on with a ticket that an operator has found.

    Raises:
        NotReady: Its run does not wait for a ticket.
    """
    return _answer(drop_id, "ticket", {"ticket": parse_id(ticket_id, "ticket"), "name": name})


def decide(drop_id: str, decision: str, name: str, note: str) -> dict[str, Any]:
    """
    Answer the approval gate of *drop_id*. Who decides is judged here for a quick answer, and by the run for good.

    Args:
        decision: ``approve`` or ``reject``.

        name: One of the settings' approvers.

    Raises:
        Forbidden: Nobody by that name may decide, or the name is the requester's.

        NotReady: Its run does not wait for an approval.
    """
    here = current()
    drop = fetch_subject(here, _parse_subject(drop_id))
    approver = parse_approver(name, here.settings.operators.approvers, drop.requested_by)
    return _answer(drop_id, "approval", {"decision": decision, "name": approver, "note": note})


def switch_https(hostname: str, switch: str, name: str) -> dict[str, Any]:
    """
    Record that *hostname* is forced to HTTPS, or no more, and start the run that makes it so.

    Args:
        switch: ``on``, ``on-with-hsts`` or ``off``.

    Raises:
        Rejected: Code ``no-certificate``: the edges were not seen serving it.
    """
    here = current()
    recorded = wish_by_form(parse_hostname(hostname), Wish(switch), name)
    key = f"force-https-{recorded.hostname}-{here.now().isoformat()}"
    wanted = {"hostname": recorded.hostname}
    run = here.orchestrator.start("force-https/force-https", wanted, key, f"force HTTPS for {recorded.hostname}")
    rule = recorded.rule.header or "none" if recorded.rule else "none"
    return {"hostname": recorded.hostname, "redirect": recorded.redirect, "hsts": rule, "run": run}


def roll_back(hostname: str, name: str, reason: str, forward: bool) -> dict[str, Any]:
    """
    Let both edges serve the previous certificate of *hostname*, or the newest again; at once, without Prefect.

    Raises:
        NotFound: It has no certificate.

        NotReady: A hand-over is at work on it.

        Rejected: Code ``no-previous``, ``not-kept``, ``expired`` or ``key-compromised``.
    """
    here, asked = current(), f"cli-{os.urandom(8).hex()}"
    with hold_lease_on(parse_hostname(hostname), asked):
        chosen = here.certificates.fetch(plan_rollback.fn(hostname, "forward" if forward else "back"))
        roll_back_edges.fn(asked, chosen.id, name, reason)
    return {"hostname": chosen.hostname, "served": chosen.leaf_sha256, "until": chosen.not_after.isoformat()}


def verify_audit() -> dict[str, Any]:
    """Recompute the chain of the audit trail."""
    return {"entries": current().audit.verify(), "intact": True}


def list_audit(subject: str | None) -> list[dict[str, Any]]:
    """Give the audit trail, oldest first, or the part about *subject*."""
    return [{**entry, "at": str(entry["at"])} for entry in current().audit.entries(subject)]


def list_ledger(account: str) -> list[dict[str, Any]]:
    """Give the ledger entries of *account*, in the order they were written."""
    here = current()
    here.accounts.fetch_account(account)
    return [
        {**dataclasses.asdict(entry), "unit_price": str(entry.unit_price), "at": entry.at.isoformat()}
        for entry in here.billing.list_entries(account)
    ]


def _onboard(values: object, subject: str, now: datetime) -> list[dict[str, Any]]:
    try:
        onboarding = Onboarding.model_validate(values)
    except ValidationError as faults:
        listed = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in faults.errors(include_input=False))
        raise _bad_onboarding(subject, listed) from None
    return [describe_site(site) for site in onboard(onboarding, now)]


def _bad_onboarding(subject: str, got: str) -> BadInput:
    return BadInput(
        subject,
        got=got,
        wanted="account, contact and apps: [{name, hostnames: [...]}]",
        do="Mend the file; deployments/onboarding.example.yaml is one.",
        who=Who.OPERATOR,
    )


def _with_run(here: Installation, drop: Drop) -> dict[str, Any]:
    run = {"flow_run_id": drop.flow_run_id, "run_state": None}
    if drop.flow_run_id:
        try:
            run["run_state"] = here.orchestrator.state(drop.flow_run_id)
        except CertferryError as error:  # records say where a hand-over stands, with Prefect or without
            run["run_state"] = f"unknown ({error.code})"
    return {**describe(drop).as_dict(), **run}


def _describe_plan(here: Installation, drop: Drop) -> dict[str, Any]:
    plan, digest = fetch_plan(here, drop)
    return {
        "sha256": digest,
        "hostname": plan.hostname,
        "account": plan.account,
        "subject": plan.subject,
        "issuer": plan.issuer,
        "dns_names": list(plan.dns_names),
        "not_after": plan.not_after.isoformat(),
        "leaf_sha256": plan.leaf_sha256,
        "edges": list(plan.edges),
        "price": describe_price(plan),
        "requested_by": plan.requested_by,
    }


def _parse_subject(text: str) -> str:
    return parse_id(text, "removal" if text.startswith("removal-") else "drop")


def _answer(drop_id: str, gate: str, answer: Mapping[str, str]) -> dict[str, Any]:
    here = current()
    run = fetch_subject(here, _parse_subject(drop_id)).flow_run_id
    waits_at = here.orchestrator.find_gate(run) if run else None
    if run is None or not (waits_at or "").startswith(gate) or not here.orchestrator.resume(run, answer):
        raise NotReady(
            drop_id,
            got=f"its run waits for {waits_at or 'nothing'}",
            wanted=f"a run that waits for: {gate}",
            do=f"Look at `certferry-operator status {drop_id}`.",
            who=Who.OPERATOR,
        )
    return {"drop_id": drop_id, "flow_run_id": run, "gate": gate, **answer}
