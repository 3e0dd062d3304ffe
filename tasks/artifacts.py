"""
What an operator sees beside a run: the plan before the gate, the certificate, the edges, the receipt.

Prefect shows artifacts as Markdown, so all text out of a certificate or a form is escaped. An artifact is a
convenience: outside a run there is nobody to show it to, and a Prefect API that does not answer costs no step.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import cast
from uuid import UUID

import httpx
from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.context import FlowRunContext, TaskRunContext
from prefect.exceptions import PrefectHTTPStatusError

from tasks.core.approval import describe_price
from tasks.core.doctor.report import render_markdown
from tasks.core.doctor.verdict import Verdict
from tasks.core.live import describe_challenge
from tasks.core.model import Certificate, Handshake, Hostname, LedgerEntry, Plan, RemovalPlan, Site
from tasks.core.orphans import Orphans
from tasks.core.renewal import Change
from tasks.core.text import escape_markdown as escape
from tasks.core.watch import ADVICE, Sighting, say_where

_log = logging.getLogger(__name__)


def in_groups(digest: str) -> str:
    """Give a hex digest in groups of 16, so that the narrow Resume dialog wraps it: in one piece it is cut off."""
    return " ".join(digest[start : start + 16] for start in range(0, len(digest), 16))


def render_table(rows: Iterable[tuple[str, object]], header: tuple[str, str] = ("What", "Value")) -> str:
    """Give two columns as a Markdown table, every cell escaped."""
    lines = [f"| {header[0]} | {header[1]} |", "|---|---|"]
    lines += [f"| {escape(name)} | {escape(value)} |" for name, value in rows]
    return "\n".join(lines)


def render_changes(changes: Sequence[Change]) -> str:
    """Give what a renewal changes: what is served now, against what is to take its place."""
    lines = ["| | Served now | New | As before, or better |", "|---|---|---|---|"]
    for each in changes:
        holds = "yes" if each.holds else "**no**"
        lines.append(f"| {escape(each.rule)} | {escape(each.old)} | {escape(each.new)} | {holds} |")
    return "\n".join(lines)


def render_plan(plan: Plan | RemovalPlan, digest: str, changes: Sequence[Change] = ()) -> str:
    """Give the plan as an operator reads it before deciding; with *changes*, it is a renewal."""
    if isinstance(plan, RemovalPlan):
        return _render_removal(plan, digest)
    return "\n\n".join(
        (
            f"## Put the certificate of {escape(plan.hostname)} on both edges?",
            *(("### What changes", render_changes(changes), "### The new certificate") if changes else ()),
            render_table(
                (
                    ("Hostname", plan.hostname),
                    ("Account", plan.account),
                    ("App", plan.app),
                    ("Asked for by", plan.requested_by),
                    ("Subject of the leaf", plan.subject),
                    ("SANs", ", ".join(plan.dns_names)),
                    ("Issuer", plan.issuer),
                    ("Valid from", plan.not_before.isoformat()),
                    ("Valid until", plan.not_after.isoformat()),
                    ("Fingerprint (SHA-256)", in_groups(plan.leaf_sha256)),
                    ("Edges", ", ".join(plan.edges)),
                    ("Price", "nothing new: the pair is paid for" if changes else describe_price(plan)),
                    ("Drop", plan.drop_id),
                    ("Digest of this plan", in_groups(digest)),
                )
            ),
            "**Approve** puts the bundle on both edges, one after the other, proves each by a TLS handshake, and puts "
            "both back if one fails. Then the ticket is answered"
            f"{'.' if changes else ' and the account pays the price above.'}",
            "**Reject** changes no edge: the drop and the vault copy are destroyed, the ticket is answered with your "
            "note, and the run ends. The customer would have to start again.",
        )
    )


def _render_removal(plan: RemovalPlan, digest: str) -> str:
    return "\n\n".join(
        (
            f"## Disable HTTPS for {escape(plan.hostname)}?",
            render_table(
                (
                    ("Hostname", plan.hostname),
                    ("Account", plan.account),
                    ("App", plan.app),
                    ("Asked for by", plan.requested_by),
                    ("Leaf when asked (SHA-256)", in_groups(plan.leaf_sha256)),
                    ("Edges", ", ".join(plan.edges)),
                    ("Copies in the vault", f"destroyed after {plan.grace_days} days"),
                    ("Removal", plan.removal_id),
                    ("Digest of this plan", in_groups(digest)),
                )
            ),
            "**Approve** takes the certificate off both edges, ends the redirect to HTTPS and the charge, and cancels "
            "hand-overs of this hostname that are under way. Plain HTTP goes on. Browsers that remember HSTS cannot "
            "reach the site until they forget it: `certferry sites` says until when.",
            "**Reject** changes nothing; the ticket is answered with your note.",
        )
    )


def note(text: str) -> None:
    """Write one line into the run's log, or the process's where there is no run. Ids, names and digests only."""
    log = get_run_logger() if _in_run() else _log
    log.info(text)


def show_plan(plan: Plan | RemovalPlan, digest: str, changes: Sequence[Change] = ()) -> None:
    _show(f"plan-{_key(plan.hostname)}", render_plan(plan, digest, changes), f"The plan for {plan.hostname}")


def show_changes(hostname: Hostname, changes: Sequence[Change], waived: bool) -> None:
    """Show what a renewal changes, and why a person is asked about it, or not."""
    verdict = "Nothing but dates changes: policy approved it." if waived else "A person is asked about it."
    markdown = f"## The renewal of {escape(hostname)}\n\n{verdict}\n\n{render_changes(changes)}"
    _show(f"renewal-{_key(hostname)}", markdown, f"What the renewal of {hostname} changes")


def show_certificate(certificate: Certificate, warnings: Sequence[str]) -> None:
    rows = (
        ("Hostname", certificate.hostname),
        ("Account", certificate.account),
        ("Subject", certificate.subject),
        ("SANs", ", ".join(certificate.dns_names)),
        ("Issuer", certificate.issuer),
        ("Serial", certificate.serial),
        ("Valid from", certificate.not_before.isoformat()),
        ("Valid until", certificate.not_after.isoformat()),
        ("Leaf (SHA-256)", certificate.leaf_sha256),
        ("Public key (SHA-256)", certificate.spki_sha256),
        *(("Warning", warning) for warning in warnings),
    )
    _show(
        f"certificate-{_key(certificate.hostname)}",
        f"## The certificate of {escape(certificate.hostname)}\n\n{render_table(rows)}",
        f"The certificate that came in for {certificate.hostname}",
    )


def show_findings(hostname: Hostname, verdict: Verdict) -> None:
    """Show what the check found, with a letter for each finding that is ready to be sent to who must act."""
    _show(f"findings-{_key(hostname)}", render_markdown(verdict), f"What was found in the files for {hostname}")


def show_repairs(repairs: Sequence[str], silent: Sequence[str]) -> None:
    """Show what differs between the edges and the records, and what did not answer."""
    rows = [*(("repair", repair) for repair in repairs), *(("no answer", edge) for edge in silent)]
    _show("reconcile", render_table(rows), "What the edges serve, compared with the records")


def show_orphans(orphans: Orphans) -> None:
    """Show what lies in the drops' bucket and belongs to no hand-over; that there is nothing is shown too."""
    rows = [
        *(("not on record", drop_id) for drop_id in orphans.unknown),
        *(("came after the second sweep", drop_id) for drop_id in orphans.late),
        *(("in no drop's place", key) for key in orphans.strange),
    ]
    _show("sweep-drops", render_table(rows or [("orphans", "none")]), "What no hand-over needs in the drops' bucket")


def show_expiry_picture(markdown: str) -> None:
    _show("expiry", markdown, "Which certificates end when")


def show_served(sightings: Sequence[Sighting], total: int) -> None:
    """Show what the world gets wrongly; good news is shown too, or an old artifact would stand for ever."""
    _show("served", render_served(sightings, total), "What the world gets, compared with the records")


def render_served(sightings: Sequence[Sighting], total: int) -> str:
    """Give the findings in Markdown, those of one code below what to do about it; of *total*, those that are given."""
    if not sightings:
        return "## Everything is served as it should be"
    parts = [f"## {total} things are not as they should be"]
    for code, advice in ADVICE.items():
        lines = [f"- **{escape(say_where(each))}**: {escape(each.detail)}" for each in sightings if each.code is code]
        if lines:
            parts += [f"### {code}", advice, "\n".join(lines)]
    if total > len(sightings):
        parts.append(f"and {total - len(sightings)} more.")
    return "\n\n".join(parts)


class Progress:
    """
    How far a long run has got, as a bar beside it. Each look costs a call: it is for parts, not for single things.

    Args:
        key: Of the artifact.

        expected: How many there will be, by the last time; None shows no bar.
    """

    def __init__(self, key: str, expected: int | None) -> None:
        self._key, self._expected = key, expected
        self._artifact: UUID | None = None

    def __enter__(self) -> Progress:
        self.reach(0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._expected:
            self.reach(self._expected)

    def reach(self, number: int) -> None:
        """Show that *number* are done."""
        if not self._expected or not _in_run():
            return
        percent = min(100.0, 100 * number / self._expected)
        try:
            if self._artifact is None:
                about = f"{self._key}: how far it has got"
                self._artifact = cast("UUID", create_progress_artifact(percent, key=self._key, description=about))
            else:
                update_progress_artifact(self._artifact, percent)
        except (httpx.HTTPError, PrefectHTTPStatusError) as error:
            _log.warning("artifact %s was not kept (%s)", self._key, type(error).__name__)


def show_edges(hostname: Hostname, handshakes: Sequence[Handshake]) -> None:
    rows = (
        (
            shake.edge,
            f"{shake.tls_version}, HTTP {shake.http_status}, chain {'' if shake.chain_trusted else 'NOT '}trusted, "
            f"leaf {shake.leaf_sha256}, {shake.at.isoformat()}",
        )
        for shake in handshakes
    )
    _show(
        f"edges-{_key(hostname)}",
        f"## {escape(hostname)}, seen from outside\n\n{render_table(rows, ('Edge', 'What it showed'))}",
        f"Both edges serve {hostname}",
    )


def show_receipt(entry: LedgerEntry) -> None:
    rows = (
        ("Account", entry.account),
        ("Hostname", entry.hostname),
        ("Memory", f"{entry.megabytes} MB on a {entry.placement} pair"),
        ("Unit price", f"{entry.unit_price} {entry.currency} per MB and month"),
        ("From", entry.at.isoformat()),
        ("Confirmation", entry.confirmation_id),
        ("Ledger entry", entry.idempotency_key),
    )
    _show(
        f"receipt-{_key(entry.hostname)}",
        f"## Receipt\n\n{render_table(rows)}",
        f"What {entry.account} pays for {entry.hostname}",
    )


def show_invitation_command(drop_id: str, hostname: Hostname) -> None:
    """Tell the operator how to fetch the invitation, which itself never enters Prefect: it holds a secret."""
    _show(
        f"invitation-{_key(hostname)}",
        f"## The drop for {escape(hostname)} is open\n\n"
        "The customer's own `certferry create` fetches the invitation by itself. To hand it on as a file, run\n\n"
        f"```\ncertferry-operator invitation {drop_id} --out invitation.json\n```\n\n"
        "and send the file over a channel that only the customer reads: it holds a secret and lets one upload in.",
        f"How to invite the customer of {hostname}",
    )


def show_challenges(account: str, sites: Sequence[Site]) -> None:
    """List the records that prove the hostnames, for the operator to send on."""
    records = "\n".join(describe_challenge(site) for site in sites)
    _show(
        f"challenges-{account}",
        f"## TXT records for {escape(account)}\n\nThe customer adds these:\n\n```\n{records}\n```",
        f"What {account} must add to its DNS",
    )


def _key(hostname: Hostname) -> str:
    """Give the hostname in the letters an artifact key may have."""
    return hostname.replace(".", "-")


def _show(key: str, markdown: str, description: str) -> None:
    if not _in_run():
        return
    try:
        create_markdown_artifact(markdown=markdown, key=key, description=description)
    except (httpx.HTTPError, PrefectHTTPStatusError) as error:
        _log.warning("artifact %s was not kept (%s)", key, type(error).__name__)


def _in_run() -> bool:
    return FlowRunContext.get() is not None or TaskRunContext.get() is not None
