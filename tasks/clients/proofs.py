"""The proof that an edge serves a certificate: a handshake from outside."""

from __future__ import annotations

from datetime import datetime

from tasks.clients.installation import Installation
from tasks.clients.settings import Edge
from tasks.core.errors import ProofFailed
from tasks.core.model import Certificate, Handshake


def prove_leaf(
    here: Installation, edge: Edge, certificate: Certificate, now: datetime, do: str = "Look at this edge."
) -> Handshake:
    """
    Shake hands with *edge* under the certificate's hostname, and give what it showed.

    Args:
        do: What to do if that is something else, for the error.

    Raises:
        ProofFailed: It showed another leaf.

        EdgeUnavailable: It did not answer.
    """
    shown = here.probe.handshake(edge, certificate.hostname, here.settings.trust, now)
    if shown.leaf_sha256 != certificate.leaf_sha256:
        raise ProofFailed(
            f"{certificate.hostname} on {edge.name}",
            got=f"a handshake shows leaf {shown.leaf_sha256}",
            wanted=f"leaf {certificate.leaf_sha256}, which was put on it",
            do=do,
        )
    return shown
