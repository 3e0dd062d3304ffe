"""A probe that looks at fakes: at `FakeEdge`s, and at addresses told to answer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tasks.clients.settings import Edge, LiveCheck, Trust
from tasks.core.addresses import check_reachable
from tasks.core.errors import DomainNotLive, EdgeUnavailable
from tasks.core.force_https import Rule
from tasks.core.model import Handshake, Hostname, PlainAnswer
from tasks.core.watch import Fault, Sight
from tests.fakes.edges import FakeEdge


class FakeProbe:
    """
    Sees what the fake edges serve.

    Attributes:
        live: (hostname, address) to the status it answers; all else is `DomainNotLive`.

        untrusted: Hostnames whose chain is judged not to reach the trust store.

        statuses: Hostname to the HTTP status through an edge, 200 unless set.

        at: Address to the edge that answers there, for `observe`; at all others nobody takes a connection.

        observed: Address and hostname of every `observe`, in no order that counts.

        wrong: (edge, hostname) to a leaf's SHA-256 shown instead of the one on the edge.
    """

    def __init__(self, edges: Iterable[FakeEdge] = ()) -> None:
        self.live: dict[tuple[str, str], int] = {}
        self.untrusted: set[str] = set()
        self.statuses: dict[str, int] = {}
        self.wrong: dict[tuple[str, str], str] = {}
        self.at: dict[str, FakeEdge] = {}
        self.observed: list[tuple[str, str]] = []
        self._edges = {edge.name: edge for edge in edges}

    def http_status(self, hostname: Hostname, address: str, check: LiveCheck) -> int:
        check_reachable(address, check.allow_networks)
        if (hostname, address) not in self.live:
            raise DomainNotLive(hostname, got=f"no HTTP answer from {address}", wanted="one", do="Start the app.")
        return self.live[hostname, address]

    def handshake(self, edge: Edge, hostname: Hostname, trust: Trust, at: datetime) -> Handshake:
        looked_at = self._edges[edge.name]
        leaf = looked_at.find_leaf(hostname)
        if looked_at.down or leaf is None:
            raise EdgeUnavailable.because(f"edge {edge.name}", "no handshake")
        return Handshake(
            edge=edge.name,
            hostname=hostname,
            leaf_sha256=self.wrong.get((edge.name, hostname), leaf.fingerprint(hashes.SHA256()).hex()),
            chain_trusted=hostname not in self.untrusted and _covers(leaf, hostname, at),
            tls_version="TLSv1.3",
            http_status=self.statuses.get(hostname, 200),
            at=at,
            hsts=_header(looked_at.force_https.get(hostname)),
        )

    def find_refusal(self, edge: Edge, hostname: Hostname) -> str | None:
        looked_at = self._edges[edge.name]
        if looked_at.down:
            raise EdgeUnavailable.because(f"edge {edge.name}", "no handshake")
        return None if looked_at.find_leaf(hostname) else "TLSV1_ALERT_INTERNAL_ERROR"

    def ask_plainly(self, edge: Edge, hostname: Hostname) -> PlainAnswer:
        looked_at = self._edges[edge.name]
        if looked_at.down:
            raise EdgeUnavailable.because(f"edge {edge.name}", "no HTTP answer")
        rule = looked_at.force_https.get(hostname)
        if rule and rule.redirect:
            return PlainAnswer(308, f"https://{hostname}/")
        return PlainAnswer(self.statuses.get(hostname, 200), None)

    def observe(self, address: str, port: int, hostname: Hostname, trust: Trust, timeout: timedelta) -> Sight:
        self.observed.append((address, hostname))
        edge = self.at.get(address)
        if edge is None or edge.down:
            return Sight(None, Fault.SILENT)
        leaf = edge.find_leaf(hostname)
        if leaf is None:
            return Sight(None, Fault.NO_HANDSHAKE)
        trusted = hostname not in self.untrusted and _covers(leaf, hostname, datetime.now(UTC))
        return Sight(leaf.fingerprint(hashes.SHA256()).hex(), None if trusted else Fault.UNTRUSTED)


def _header(rule: Rule | None) -> str | None:
    return rule.header if rule else None


def _covers(leaf: x509.Certificate, hostname: Hostname, at: datetime) -> bool:
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    wildcard = f"*.{hostname.partition('.')[2]}"
    return bool({hostname, wildcard} & set(names)) and leaf.not_valid_before_utc <= at <= leaf.not_valid_after_utc
