"""Step 5: see the certificate on both edges, from outside."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tasks.artifacts import show_edges
from tasks.clients.answers import answer_ticket
from tasks.clients.installation import Installation, current
from tasks.core.errors import EdgeUnavailable, NotFound, ProofFailed
from tasks.core.model import Certificate, Handshake
from tasks.retries import step


@step(EdgeUnavailable, "(5) confirm both edges from outside")
def confirm_edges(drop_id: str) -> int:
    """
    Shake hands with both edges under the hostname, ask the app through each, and record the proof; give its id.

    What was served before is superseded from now on: it can be put back for a while.

    The leaf must be the approved one, the chain must lead to a trusted root, and the app must answer 200 to 499.

    Repeat: A proof on record is given, and the ticket is not answered twice.

    Undo: None: it happened. `release_edges` takes the certificate off.

    Raises:
        ProofFailed: An edge does not serve the hostname as it must.

        EdgeUnavailable: An edge did not answer.
    """
    here = current()
    now = here.now()
    certificate = here.certificates.find_by_drop(drop_id)
    if certificate is None:
        raise NotFound.named("certificate of drop", drop_id)
    confirmation = here.certificates.find_confirmation(certificate.id)
    if confirmation is None:
        confirmation = _prove(here, certificate, now)
    here.certificates.mark_superseded(certificate.hostname, now)
    here.audit.append_once("certferry", "edges.confirmed", drop_id, {"confirmation": confirmation}, now)
    _answer(here, certificate, now)
    return confirmation


def _prove(here: Installation, certificate: Certificate, now: datetime) -> int:
    shown = [here.probe.handshake(edge, certificate.hostname, here.settings.trust, now) for edge in here.settings.edges]
    for handshake in shown:
        check_serves(handshake, certificate)
    show_edges(certificate.hostname, shown)
    return here.certificates.confirm(certificate.id, shown, now)


def check_serves(shown: Handshake, certificate: Certificate) -> None:
    """
    Raise unless a handshake shows the certificate, a trusted chain, and an app that answers.

    Raises:
        ProofFailed: With all that is wrong.
    """
    wrong = _list_wrong(shown, certificate)
    if wrong:
        raise ProofFailed(
            f"{certificate.hostname} on {shown.edge}",
            got="; ".join(wrong),
            wanted=f"leaf {certificate.leaf_sha256}, a trusted chain, and an answer of the app (200 to 499)",
            do="Both edges are put back. Look at the edge and the app before running the hand-over again.",
        )


def _list_wrong(shown: Handshake, certificate: Certificate) -> Sequence[str]:
    wrong = []
    if shown.leaf_sha256 != certificate.leaf_sha256:
        wrong.append(f"it shows leaf {shown.leaf_sha256}")
    if not shown.chain_trusted:
        wrong.append("its chain does not lead to a trusted root")
    if not 200 <= shown.http_status < 500:
        wrong.append(f"the app answers {shown.http_status or 'nothing'} through it")
    return wrong


def _answer(here: Installation, certificate: Certificate, now: datetime) -> None:
    answer_ticket(
        here,
        certificate.drop_id,
        f"https://{certificate.hostname}/ is served by both edges with your certificate "
        f"(leaf SHA-256 {certificate.leaf_sha256}, valid until {certificate.not_after:%Y-%m-%d}), seen from outside.",
        f"confirmed-{certificate.drop_id}",
        now,
    )
