"""An edge in memory: as strict as the real one, and it fails when told to."""

from __future__ import annotations

import re
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from tasks.clients.fence import check_fence
from tasks.core.errors import CertferryError, Drifted, EdgeUnavailable
from tasks.core.force_https import Rule, find_rule, render_rule
from tasks.core.model import Hostname, parse_hostname


class FakeEdge:
    """
    One edge of a pair.

    Attributes:
        down: While True, every call raises `EdgeUnavailable`.

        calls: The name of every call and its hostname or bundle, in order.

        bundles, hosts, piggyback, piggyback_domain, force_https: What lies on the edge.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.down = False
        self.calls: list[tuple[str, str]] = []
        self.bundles: dict[str, bytes] = {}
        self.hosts: dict[Hostname, str] = {}
        self.piggyback: str | None = None
        self.piggyback_domain: str | None = None
        self.force_https: dict[Hostname, Rule | None] = {}
        self._failures: dict[str, list[tuple[CertferryError, bool]]] = {}

    def fail_next(self, call: str, error: CertferryError | None = None, *, after: bool = False) -> None:
        """
        Make the next *call* raise, once; twice asked, the next two.

        Args:
            after: The call takes effect, and only its answer is lost: what a caller must survive.
        """
        failure = error or EdgeUnavailable.because(f"edge {self.name}", "told to fail")
        self._failures.setdefault(call, []).append((failure, after))

    def health(self) -> None:
        self._begin("health", "")
        self._end("health")

    def list(self) -> dict[Hostname, str]:
        self._begin("list", "")
        self._end("list")
        return {hostname: bundle for hostname, bundle in sorted(self.hosts.items()) if bundle in self.bundles}

    def list_loose(self) -> set[str]:
        self._begin("list_loose", "")
        self._end("list_loose")
        return set(self.bundles) - {*self.hosts.values(), self.piggyback}

    def get(self, hostname: Hostname) -> str | None:
        self._begin("get", hostname)
        self._end("get")
        return self._served(parse_hostname(hostname))

    def stage(self, bundle_sha256: str, bundle_pem: bytes) -> None:
        self._begin("stage", bundle_sha256)
        check_fence()
        if sha256(bundle_pem).hexdigest() != bundle_sha256:
            raise self._drifted(bundle_sha256, "bundle-differs")
        if not _loads(bundle_pem):
            raise self._drifted(bundle_sha256, "bundle-does-not-load")
        self.bundles[bundle_sha256] = bundle_pem
        self._end("stage")

    def commit(self, hostname: Hostname, bundle_sha256: str) -> str | None:
        self._begin("commit", hostname)
        check_fence()
        before = self._served(parse_hostname(hostname))
        self._check_staged(bundle_sha256)
        self.hosts[hostname] = bundle_sha256
        self._end("commit")
        return before

    def restore(self, hostname: Hostname, bundle_sha256: str | None) -> None:
        self._begin("restore", hostname)
        check_fence()
        parse_hostname(hostname)
        if bundle_sha256 is None:
            self.hosts.pop(hostname, None)
        else:
            self._check_staged(bundle_sha256)
            self.hosts[hostname] = bundle_sha256
        self._end("restore")

    def remove(self, hostname: Hostname) -> None:
        self._begin("remove", hostname)
        check_fence()
        bundle = self.hosts.pop(parse_hostname(hostname), None)
        if bundle and bundle not in (*self.hosts.values(), self.piggyback):
            self.bundles.pop(bundle, None)
        self._end("remove")

    def discard(self, bundle_sha256: str) -> None:
        self._begin("discard", bundle_sha256)
        check_fence()
        self._check_digest(bundle_sha256)
        if bundle_sha256 not in (*self.hosts.values(), self.piggyback):
            self.bundles.pop(bundle_sha256, None)
        self._end("discard")

    def set_piggyback(self, domain: Hostname, bundle_sha256: str) -> None:
        self._begin("set_piggyback", bundle_sha256)
        check_fence()
        self._check_staged(bundle_sha256)
        self.piggyback, self.piggyback_domain = bundle_sha256, parse_hostname(domain)
        self._end("set_piggyback")

    def list_force_https(self) -> dict[Hostname, Rule | None]:
        self._begin("list_force_https", "")
        self._end("list_force_https")
        return dict(sorted(self.force_https.items()))

    def set_force_https(self, hostname: Hostname, rule: Rule | None) -> None:
        self._begin("set_force_https", hostname)
        check_fence()
        parse_hostname(hostname)
        self.force_https.pop(hostname, None)
        if rule is not None:
            self.force_https[hostname] = find_rule(render_rule(rule))
        self._end("set_force_https")

    def find_leaf(self, hostname: Hostname) -> x509.Certificate | None:
        """Give the leaf a handshake under *hostname* would see; None where it gets no handshake."""
        below = hostname.partition(".")[2] == self.piggyback_domain
        bundle = self._served(hostname) or (self.piggyback if below else None)
        return x509.load_pem_x509_certificates(self.bundles[bundle])[0] if bundle else None

    def _served(self, hostname: Hostname) -> str | None:
        bundle = self.hosts.get(hostname)
        return bundle if bundle in self.bundles else None

    def _begin(self, call: str, subject: str) -> None:
        self.calls.append((call, subject))
        if self.down:
            raise EdgeUnavailable.because(f"edge {self.name}", "it is down")
        self._raise(call, after=False)

    def _end(self, call: str) -> None:
        self._raise(call, after=True)

    def _raise(self, call: str, *, after: bool) -> None:
        waiting = self._failures.get(call, [])
        if waiting and waiting[0][1] is after:
            raise waiting.pop(0)[0]

    def _check_digest(self, bundle_sha256: str) -> None:
        if not re.fullmatch(r"[0-9a-f]{64}", bundle_sha256):
            raise self._drifted(bundle_sha256, "bundle-not-staged")

    def _check_staged(self, bundle_sha256: str) -> None:
        if bundle_sha256 not in self.bundles:
            raise self._drifted(bundle_sha256, "bundle-not-staged")

    def _drifted(self, bundle_sha256: str, code: str) -> Drifted:
        return Drifted(
            f"edge {self.name}, bundle {bundle_sha256!r}", got=code, wanted="a bundle", do="Look.", code=code
        )


def _loads(bundle_pem: bytes) -> bool:
    try:
        key = load_pem_private_key(bundle_pem, None)
        leaf, *_ = x509.load_pem_x509_certificates(bundle_pem)
    except (ValueError, TypeError):
        return False
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return key.public_key().public_bytes(*form) == leaf.public_key().public_bytes(*form)
