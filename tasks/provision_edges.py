"""Step 4, the act: put an approved certificate on both edges, and take it off again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from tasks.artifacts import note
from tasks.clients.bundles import fetch_bundle
from tasks.clients.edges import Edge
from tasks.clients.installation import Installation, current
from tasks.clients.plans import fetch_approved_plan
from tasks.clients.proofs import prove_leaf
from tasks.clients.settings import Edge as EdgeSettings
from tasks.core.errors import CertferryError, EdgeUnavailable
from tasks.core.hand_over import check_live
from tasks.core.model import Certificate, Outcome
from tasks.retries import step

_PUT_BACK = "Both edges were put back. Look at this edge before running the hand-over again."


@step(EdgeUnavailable, "(4) put the certificate on both edges")
def provision_edges(drop_id: str, plan_sha256: str) -> None:
    """
    Stage the bundle on both edges, then point one after the other at it, each proven by a handshake.

    The plan, and the bundle out of the vault, are compared with what was approved before an edge is touched.
    If anything fails, both edges go back to what they served before, at once; an edge that does not
    answer is then tried again from the table, from a pair that agrees.

    Repeat: Edges that have been proven are left alone; what they served before the first try stays on record.

    Undo: `release_edges`.

    Raises:
        ApprovalPending: Code ``plan-changed``: the plan is not the approved one any more.

        ApprovalDenied: The decision on this plan was no.

        Rejected: Code ``expired``; or ``key-compromised``: its key was seen in a ticket since it came in, or blocked.

        Drifted: The bundle is not the one that was approved, or an edge does not take it.

        ProofFailed: An edge showed something else than what was put on it.

        EdgeUnavailable: An edge did not answer.

        HandOverClosed: The hand-over was stopped.
    """
    here = current()
    now = here.now()
    drop = here.drops.fetch(drop_id)
    check_live(drop)
    certificate = here.certificates.fetch(fetch_approved_plan(here, drop, plan_sha256).certificate_id)
    if not (_is_newest(here, certificate) or all(_is_proven(here, edge, certificate) for edge in here.edges)):
        _provision(here, certificate, now)
    here.audit.append_once(
        "certferry",
        "edges.provisioned",
        drop_id,
        {"edges": [edge.name for edge in here.edges], "bundle_sha256": certificate.bundle_sha256},
        now,
    )


@step(EdgeUnavailable, "put both edges back")
def release_edges(drop_id: str) -> None:
    """
    Undo `provision_edges`: each edge serves what it served before this hand-over.

    A hand-over that completed is left alone: what it put on the edges is taken off by disabling the hostname.

    Repeat: An edge that is not meant to serve this certificate is left alone.

    Undo: `provision_edges`.

    Raises:
        EdgeUnavailable: An edge did not answer; the other one has been put back.
    """
    here = current()
    certificate = here.certificates.find_by_drop(drop_id)
    if certificate is None or here.drops.fetch(drop_id).outcome is Outcome.COMPLETED:
        return
    assigned = [edge.name for edge in here.edges if _is_assigned(here, edge, certificate)]
    failures = _put_back(here, certificate)
    if failures:
        raise failures[0]
    if assigned:
        here.audit.append("certferry", "edges.released", drop_id, {"edges": assigned}, here.now())


def _provision(here: Installation, certificate: Certificate, now: datetime) -> None:
    _put_others_back(here, certificate)
    try:
        _intend(here, certificate)
        _stage(here, certificate, now)
        for edge, settings in _pair(here):
            _point(here, edge, settings, certificate, now)
    except Exception:
        _put_back(here, certificate)
        raise


def _pair(here: Installation) -> Iterator[tuple[Edge, EdgeSettings]]:
    return zip(here.edges, here.settings.edges, strict=True)


def _is_assigned(here: Installation, edge: Edge, certificate: Certificate) -> bool:
    found = here.certificates.find_assignment(edge.name, certificate.hostname)
    return found is not None and found.certificate_id == certificate.id


def _is_proven(here: Installation, edge: Edge, certificate: Certificate) -> bool:
    found = here.certificates.find_assignment(edge.name, certificate.hostname)
    return (
        found is not None
        and found.certificate_id == certificate.id
        and found.proven_at is not None
        and edge.get(certificate.hostname) == certificate.bundle_sha256
    )


def _put_others_back(here: Installation, certificate: Certificate) -> None:
    """
    Undo what a killed run of another hand-over of the hostname left on the edges, unless it came as far as its proof.

    Otherwise its certificate would count as what the edges served before, and come back if this one is undone.
    """
    for edge in here.edges:
        found = here.certificates.find_assignment(edge.name, certificate.hostname)
        if found is None or found.certificate_id == certificate.id:
            continue
        if here.certificates.find_confirmation(found.certificate_id) is None:
            _put_one_back(here, edge, here.certificates.fetch(found.certificate_id))


def _is_newest(here: Installation, certificate: Certificate) -> bool:
    """Tell whether it is the last that both edges were seen serving: if they do no more, an operator rolled it back."""
    return here.certificates.list_confirmed(certificate.hostname)[-1:] == (certificate,)


def _intend(here: Installation, certificate: Certificate) -> None:
    """Record what both edges are meant to serve, and what they served, before the key is put on any."""
    for edge in here.edges:
        here.certificates.assign(edge.name, certificate, edge.get(certificate.hostname))


def _stage(here: Installation, certificate: Certificate, now: datetime) -> None:
    """Put the bundle on both edges without serving it: the private key lives in this frame and nowhere else."""
    for edge in here.edges:
        edge.health()
    bundle = fetch_bundle(here, certificate, now)
    for edge in here.edges:
        edge.stage(certificate.bundle_sha256, bundle)


def _point(here: Installation, edge: Edge, settings: EdgeSettings, certificate: Certificate, now: datetime) -> None:
    """Let the edge serve the certificate, and see it from outside."""
    edge.commit(certificate.hostname, certificate.bundle_sha256)
    shown = prove_leaf(here, settings, certificate, now, _PUT_BACK)
    here.certificates.mark_proven(edge.name, certificate.hostname, now)
    note(f"{edge.name} serves {certificate.hostname} with leaf {shown.leaf_sha256} ({shown.tls_version})")


def _put_back(here: Installation, certificate: Certificate) -> list[CertferryError]:
    """Put both edges back, and give the failures: what is wrong with one must not keep the other."""
    failures: list[CertferryError] = []
    for edge in here.edges:
        try:
            _put_one_back(here, edge, certificate)
        except CertferryError as failure:
            failures.append(failure)
    if failures:
        note(f"not put back yet: {'; '.join(str(failure) for failure in failures)}")
    return failures


def _put_one_back(here: Installation, edge: Edge, certificate: Certificate) -> None:
    """Let the edge serve what it did before it was assigned this certificate, and leave no copy of the key on it."""
    assignment = here.certificates.find_assignment(edge.name, certificate.hostname)
    if assignment is None or assignment.certificate_id != certificate.id:
        return
    edge.restore(certificate.hostname, assignment.previous_bundle_sha256)
    edge.discard(certificate.bundle_sha256)
    here.certificates.unassign(edge.name, certificate.hostname, certificate.id)
