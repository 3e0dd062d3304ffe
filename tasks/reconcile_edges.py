"""Compare what the edges serve with what the records say, and repair what is safe to repair."""

from __future__ import annotations

from tasks.artifacts import note, show_repairs
from tasks.clients.bundles import fetch_bundle
from tasks.clients.edges import Edge
from tasks.clients.installation import Installation, current
from tasks.clients.proofs import prove_leaf
from tasks.clients.settings import Edge as EdgeSettings
from tasks.core.errors import EdgeUnavailable, NotFound
from tasks.core.hand_over import lease_name
from tasks.core.model import parse_hostname
from tasks.core.reconcile import Action, plan_discards, plan_repairs
from tasks.retries import step


@step(EdgeUnavailable, "compare the edges with the records")
def survey_edges() -> tuple[list[Action], list[str]]:
    """
    Give what is to be repaired, and the edges that did not answer.

    Repeat: Reads only; after the repairs it plans none.

    Undo: None is needed.
    """
    here = current()
    observed, loose, silent = {}, {}, []
    for edge in here.edges:
        try:
            edge.health()
            observed[edge.name], loose[edge.name] = edge.list(), edge.list_loose()
        except EdgeUnavailable as failure:
            silent.append(edge.name)
            note(str(failure))
    desired = here.certificates.list_assignments()
    bundles = {bundle for hosts in observed.values() for bundle in hosts.values()}.union(*loose.values())
    known = here.certificates.find_hostnames(bundles)
    hostnames = {each.hostname for each in desired}.union(known.values(), *observed.values())
    busy = {hostname for hostname in hostnames if here.leases.is_held(lease_name(hostname), here.now())}
    actions = [*plan_repairs(desired, observed, known, busy), *plan_discards(desired, loose, known, busy)]
    if actions or silent:
        show_repairs([f"{each.repair} {each.hostname} on {each.edge}" for each in actions], silent)
    return actions, silent


@step(EdgeUnavailable, "refill an edge from the vault")
def refill_edge(edge_name: str, name: str) -> None:
    """
    Put on an edge what it is meant to serve for the hostname *name*, and see it from outside.

    Repeat: An edge that serves it is left as it is, but for another handshake.

    Undo: None: it is what the records say.

    Raises:
        Rejected: The certificate can serve no more: a person must look.

        Drifted: The vault does not hold what is on record.

        ProofFailed: The edge shows something else all the same.

        EdgeUnavailable: It did not answer.
    """
    here, hostname = current(), parse_hostname(name)
    now = here.now()
    edge, settings = _edge(here, edge_name)
    assignment = here.certificates.find_assignment(edge_name, hostname)
    if assignment is None or not assignment.is_proven:
        return
    certificate = here.certificates.fetch(assignment.certificate_id)
    if edge.get(hostname) != certificate.bundle_sha256:
        edge.stage(certificate.bundle_sha256, fetch_bundle(here, certificate, now))
        edge.commit(hostname, certificate.bundle_sha256)
    prove_leaf(here, settings, certificate, now)
    here.audit.append("certferry", "edge.refilled", certificate.drop_id, {"edge": edge_name, "hostname": hostname}, now)


@step(EdgeUnavailable, "take off an edge what it is not meant to serve")
def clear_edge(edge_name: str, name: str) -> None:
    """
    Take the hostname *name* off an edge, with its bundle, unless it is meant to serve it after all.

    Repeat: What is gone is gone.

    Undo: None: the records know nothing of it.

    Raises:
        EdgeUnavailable: It did not answer.
    """
    here, hostname = current(), parse_hostname(name)
    edge, _ = _edge(here, edge_name)
    bundle = edge.get(hostname)
    if here.certificates.find_assignment(edge_name, hostname) is None and bundle:
        edge.remove(hostname)
        evidence = {"edge": edge_name, "bundle_sha256": bundle}
        here.audit.append("certferry", "edge.cleared", hostname, evidence, here.now())


@step(EdgeUnavailable, "delete a key that lies on an edge for nothing")
def discard_bundle(edge_name: str, name: str, bundle_sha256: str) -> None:
    """
    Delete a bundle of the hostname *name* that nothing points at, unless it is meant to be there after all.

    Repeat: What is gone is gone.

    Undo: None: whatever the records mean an edge to serve, `refill_edge` puts there again from the vault.

    Raises:
        EdgeUnavailable: It did not answer.
    """
    here, hostname = current(), parse_hostname(name)
    edge, _ = _edge(here, edge_name)
    meant = here.certificates.find_assignment(edge_name, hostname)
    kept = (meant.bundle_sha256, meant.previous_bundle_sha256) if meant else ()
    if bundle_sha256 not in kept and bundle_sha256 in edge.list_loose():
        edge.discard(bundle_sha256)
        evidence = {"edge": edge_name, "bundle_sha256": bundle_sha256}
        here.audit.append("certferry", "edge.discarded", hostname, evidence, here.now())


def _edge(here: Installation, name: str) -> tuple[Edge, EdgeSettings]:
    for edge, settings in zip(here.edges, here.settings.edges, strict=True):
        if edge.name == name:
            return edge, settings
    raise NotFound.named("edge", name)
