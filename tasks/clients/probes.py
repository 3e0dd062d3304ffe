"""Looks at the world from outside: a plain HTTP request to a live domain, a TLS handshake with an edge."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from tasks.clients.settings import Edge, LiveCheck, Trust
from tasks.core.model import Handshake, Hostname


class Probe(Protocol):
    def http_status(self, hostname: Hostname, address: str, check: LiveCheck) -> int:
        """
        Give the status of ``GET /`` with Host *hostname*, sent to *address* and nowhere else.

        No redirect is followed, no name is resolved, at most the head is read, nothing of the body is kept.

        Raises:
            DomainNotLive: No connection or no HTTP answer.
        """

    def handshake(self, edge: Edge, hostname: Hostname, trust: Trust, at: datetime) -> Handshake:
        """
        Shake hands with *edge* under SNI *hostname*, verify chain and name, then ask ``GET /`` through it.

        The chain is judged against the trust store of the settings, and the verdict is in the result, not an error.

        Raises:
            EdgeUnavailable: No connection, or no handshake at all.
        """
