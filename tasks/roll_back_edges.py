"""The act of a rollback: both edges serve a certificate again that they have served before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

from tasks.artifacts import note, show_edges
from tasks.clients.bundles import check_still_good, fetch_bundle
from tasks.clients.edges import Edge
from tasks.clients.installation import Installation, current
from tasks.clients.proofs import prove_leaf
from tasks.core import policy
from tasks.core.errors import BadInput, CertferryError, Drifted, EdgeUnavailable, Who
from tasks.core.model import Certificate, Handshake
from tasks.core.ticket_text import redact
from tasks.retries import step

REASON_MAX_CHARS = 500


@step(EdgeUnavailable, "put both edges back to another certificate")
def roll_back_edges(request_id: str, certificate_id: str, name: str, reason: str) -> None:
    """
    Let both edges serve *certificate_id*, prove it by a handshake with each, and say so on the ticket.

    The bundle is the edge's own staged copy, or comes out of the vault where that is gone. What is meant is on record
    for both edges before either is touched, so a kill in between is repaired by whoever comes next. If an edge fails,
    both go back to what they served.

    Repeat: Edges that serve it are proven again; nothing else changes, and nobody is told twice.

    Undo: A rollback in the other direction.

    Args:
        request_id: Of this very rollback, for the record: its flow run, or what the operator's command made up.

        name: Of the operator who asks for it.

        reason: For the record and the ticket; key material is taken out.

    Raises:
        BadInput: Nobody's name is given, or no reason.

        Rejected: Code ``expired`` or ``key-compromised``.

        Drifted: The bundle is not what is on record, or an edge does not take it.

        ProofFailed: An edge shows something else all the same.

        EdgeUnavailable: An edge did not answer.
    """
    here = current()
    now = here.now()
    chosen = here.certificates.fetch(certificate_id)
    check_still_good(here, chosen, now)
    actor, why = _parse_asker(name), _parse_reason(reason)
    evidence = {"leaf_sha256": chosen.leaf_sha256, "certificate": chosen.id, "reason": why}
    tag = hashlib.sha256(request_id.encode()).hexdigest()[:16]
    here.audit.append_once(actor, f"hostname.rollback.{tag}", chosen.hostname, evidence, now)
    shown = _swap(here, chosen, now)
    here.certificates.mark_superseded(chosen.hostname, now)
    show_edges(chosen.hostname, shown)
    seen = {"handshakes": [each.as_dict() for each in shown], **evidence}
    here.audit.append_once(actor, f"hostname.rolled-back.{tag}", chosen.hostname, seen, now)
    _tell(here, chosen, request_id, why, now)


def _swap(here: Installation, chosen: Certificate, now: datetime) -> list[Handshake]:
    """Records first, then both edges, each seen from outside; or all of it back."""
    before = {edge.name: here.certificates.find_assignment(edge.name, chosen.hostname) for edge in here.edges}
    serving = {name: found.certificate_id for name, found in before.items() if found}
    here.certificates.reassign(chosen.hostname, {edge.name: chosen.id for edge in here.edges})
    try:
        for edge in here.edges:
            _point(here, edge, chosen, now)
        return [prove_leaf(here, settings, chosen, now) for settings in here.settings.edges]
    except Exception:
        _undo(here, chosen, serving)
        raise


def _point(here: Installation, edge: Edge, chosen: Certificate, now: datetime) -> None:
    try:
        edge.commit(chosen.hostname, chosen.bundle_sha256)
    except Drifted as missing:
        if missing.code != "bundle-not-staged":
            raise
        note(f"{edge.name} has no copy any more: it comes from the vault")
        edge.stage(chosen.bundle_sha256, fetch_bundle(here, chosen, now))
        edge.commit(chosen.hostname, chosen.bundle_sha256)


def _undo(here: Installation, chosen: Certificate, serving: Mapping[str, str]) -> None:
    """Let each edge serve what it did; one that fails is left to `reconcile`, which the records tell what is meant."""
    here.certificates.reassign(chosen.hostname, serving)
    for edge in here.edges:
        try:
            if edge.name in serving:
                edge.restore(chosen.hostname, here.certificates.fetch(serving[edge.name]).bundle_sha256)
        except CertferryError as failure:
            note(f"not put back yet: {failure}")


def _tell(here: Installation, chosen: Certificate, request_id: str, reason: str, now: datetime) -> None:
    """Say it on the ticket of the newest hand-over: it is that one's certificate which comes off, or comes again."""
    newest = here.certificates.list_confirmed(chosen.hostname)[-1]
    ticket = here.decisions.find_match(newest.drop_id)
    if ticket:
        again = "its newest" if newest == chosen else "its previous"
        body = (
            f"An operator let both edges serve {chosen.hostname} with {again} certificate again "
            f"(leaf SHA-256 {chosen.leaf_sha256}, valid until {chosen.not_after:%Y-%m-%d}), seen from outside. "
            f"Why: {reason}"
        )
        here.tickets.say(ticket, "certferry", body, f"rollback-{request_id}", now)


def _parse_asker(name: str) -> str:
    asker = " ".join(name.split()).casefold()
    if not asker or len(asker) > policy.OPERATOR_NAME_CHARS:
        raise _missing("name", f"a name of {len(asker)} characters")
    return f"operator:{asker}"


def _parse_reason(reason: str) -> str:
    why = redact(reason.strip())[:REASON_MAX_CHARS]
    if not why:
        raise _missing("reason", "an empty text")
    return why


def _missing(what: str, got: str) -> BadInput:
    return BadInput(
        f"the {what} of a rollback",
        got=got,
        wanted=f"your {what}, for the record",
        do="Fill it in.",
        who=Who.OPERATOR,
    )
