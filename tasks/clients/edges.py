"""The edges: what certferry asks of one load balancer, and the nginx that does it."""

from __future__ import annotations

from typing import Protocol

from tasks.core.model import Hostname


class Edge(Protocol):
    """
    One edge of a pair.

    A bundle is staged under its SHA-256 and is immutable from then on; a hostname points at one bundle, and
    pointing is atomic: a handshake sees the old bundle or the new one, whole. No call reloads the edge.
    Every call is safe to repeat and raises `EdgeUnavailable` if the edge cannot be reached or written.
    """

    name: str

    def health(self) -> None:
        """Raise `EdgeUnavailable` unless the edge answers."""

    def list(self) -> dict[Hostname, str]:
        """Give every hostname with the SHA-256 of the bundle it points at."""

    def get(self, hostname: Hostname) -> str | None:
        """Give the SHA-256 of the bundle *hostname* points at, or None."""

    def stage(self, bundle_sha256: str, bundle_pem: bytes) -> None:
        """
        Put a bundle (key, leaf, chain as PEM) on the edge and prove that it loads; nothing serves it yet.

        Raises:
            Drifted: Code ``bundle-does-not-load``, or *bundle_pem* does not hash to *bundle_sha256*.
        """

    def commit(self, hostname: Hostname, bundle_sha256: str) -> str | None:
        """
        Point *hostname* at a staged bundle, and give what it pointed at before.

        Raises:
            Drifted: Code ``bundle-not-staged``.
        """

    def restore(self, hostname: Hostname, bundle_sha256: str | None) -> None:
        """Point *hostname* back at *bundle_sha256*; None takes the hostname off (it falls back to piggyback)."""

    def remove(self, hostname: Hostname) -> None:
        """Take *hostname* off, and delete its bundle unless another hostname points at it."""

    def set_force_https(self, hostname: Hostname, on: bool) -> None:
        """Answer plain HTTP for *hostname* with a 308 to HTTPS, or stop doing so."""
