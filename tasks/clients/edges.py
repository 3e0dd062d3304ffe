"""
The edges: what certferry asks of one load balancer, and the nginx that does it.

An edge's directory, made by whoever installs the edge (`deployments/local/nginx.py` for the local stack):

    bundles/<sha256>.pem      key, leaf and chain in one file, 0600, never changed after it has this name
    hosts/<hostname>          a link to a bundle, replaced by a rename
    hosts/_wildcard.<domain>  the same for every name below a domain: the platform's own, with the piggyback bundle
    default                   a link to the piggyback bundle, for visitors who name no hostname
    force-https/<hostname>    one line: plain HTTP is sent on to HTTPS, and what HTTPS answers say of HSTS
    incoming/                 files on their way to one of the names above
    lock                      held by whoever changes anything above

A hostname without a bundle gets no handshake: it is served over plain HTTP only.
nginx reads the link at each handshake and keeps the bundle it leads to in memory. As a name never changes
its content, what it keeps is never stale, and key and chain never mix.
"""

from __future__ import annotations

import fcntl
import http.client
import os
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

from tasks.clients import settings
from tasks.clients.fence import check_fence
from tasks.core import policy
from tasks.core.errors import Drifted, EdgeUnavailable
from tasks.core.force_https import Rule, find_rule, render_rule
from tasks.core.model import Hostname, find_hostname, parse_hostname

DIRECTORIES: Final = ("bundles", "hosts", "force-https", "incoming")
HEALTH_HOST: Final = "edge.certferry.invalid"  # RFC 6761: no customer can own it
HEALTH_PATH: Final = "/.certferry/health"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_LOCK_INTERVAL_SECONDS = 0.005


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

    def list_loose(self) -> set[str]:
        """Give the SHA-256 of every bundle that is staged, and that neither a hostname nor piggyback points at."""

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
        """
        Point *hostname* back at *bundle_sha256*; None takes the hostname off (from then on it gets no handshake).

        Raises:
            Drifted: Code ``bundle-not-staged``.
        """

    def remove(self, hostname: Hostname) -> None:
        """Take *hostname* off, and delete its bundle unless another hostname, or piggyback, points at it."""

    def discard(self, bundle_sha256: str) -> None:
        """Delete a staged bundle unless a hostname, or piggyback, points at it."""

    def set_piggyback(self, domain: Hostname, bundle_sha256: str) -> None:
        """
        Serve a staged bundle for every name right below *domain* that has none of its own, and to who names nothing.

        Raises:
            Drifted: Code ``bundle-not-staged``.
        """

    def list_force_https(self) -> dict[Hostname, Rule | None]:
        """Give every hostname with a rule of `set_force_https`; None is a rule that the edge does not understand."""

    def set_force_https(self, hostname: Hostname, rule: Rule | None) -> None:
        """Do for *hostname* what *rule* says from the next request on; None leaves no trace of it."""


class NginxEdge:
    """An nginx whose directory this machine can write. Thread-safe and process-safe: changes take the edge's lock."""

    def __init__(self, edge: settings.Edge) -> None:
        self.name = edge.name
        self._edge = edge
        self._directory = edge.directory

    def health(self) -> None:
        timeout = policy.HANDSHAKE_TIMEOUT.total_seconds()
        with closing(http.client.HTTPConnection(self._edge.address, self._edge.http_port, timeout=timeout)) as asked:
            try:
                asked.request("GET", HEALTH_PATH, headers={"Host": HEALTH_HOST})
                status = asked.getresponse().status
            except (OSError, http.client.HTTPException) as error:
                raise self._unavailable(type(error).__name__) from error
        if status != http.client.OK:
            raise self._unavailable(f"status {status}")

    def list(self) -> dict[Hostname, str]:
        with self._translated():
            links = sorted(
                link for link in (self._directory / "hosts").iterdir() if find_hostname(link.name) == link.name
            )
            pointed = ((Hostname(link.name), self._served(link)) for link in links)
            return {hostname: bundle for hostname, bundle in pointed if bundle}

    def list_loose(self) -> set[str]:
        with self._translated():  # the files first: one that is pointed at meanwhile is not loose
            staged = {file.stem for file in (self._directory / "bundles").iterdir() if _SHA256.fullmatch(file.stem)}
            links = [self._directory / "default", *(self._directory / "hosts").iterdir()]
            return staged - {_target(link) for link in links}

    def get(self, hostname: Hostname) -> str | None:
        with self._translated():
            return self._served(self._host(hostname))

    def stage(self, bundle_sha256: str, bundle_pem: bytes) -> None:
        if sha256(bundle_pem).hexdigest() != bundle_sha256:
            raise self._drifted(bundle_sha256, "bundle-differs", "bytes with another SHA-256", "the bundle as checked")
        with self._changing():
            path = self._bundle(bundle_sha256)
            if not _holds(path, bundle_pem):
                self._write_proven(path, bundle_pem)

    def commit(self, hostname: Hostname, bundle_sha256: str) -> str | None:
        link = self._host(hostname)
        with self._changing():
            before = self._served(link)
            self._point(link, bundle_sha256)
            return before

    def restore(self, hostname: Hostname, bundle_sha256: str | None) -> None:
        link = self._host(hostname)
        with self._changing():
            if bundle_sha256 is None:
                _delete(link)
            else:
                self._point(link, bundle_sha256)

    def remove(self, hostname: Hostname) -> None:
        link = self._host(hostname)
        with self._changing():
            bundle = _target(link)
            # the key goes first: after a kill in between, the link still says what to delete
            if bundle and self._pointing_at(bundle) == {link}:
                _delete(self._bundle(bundle))
            _delete(link)

    def discard(self, bundle_sha256: str) -> None:
        with self._changing():
            if not self._pointing_at(bundle_sha256):
                _delete(self._bundle(bundle_sha256))

    def set_piggyback(self, domain: Hostname, bundle_sha256: str) -> None:
        with self._changing():
            self._point(self._directory / "hosts" / f"_wildcard.{parse_hostname(domain)}", bundle_sha256)
            self._point(self._directory / "default", bundle_sha256)

    def list_force_https(self) -> dict[Hostname, Rule | None]:
        with self._translated():
            files = sorted(
                file for file in (self._directory / "force-https").iterdir() if find_hostname(file.name) == file.name
            )
            return {Hostname(file.name): find_rule(file.read_bytes()) for file in files}

    def set_force_https(self, hostname: Hostname, rule: Rule | None) -> None:
        file = self._directory / "force-https" / parse_hostname(hostname)
        with self._changing():
            if rule is None:
                _delete(file)
            elif not _holds(file, render_rule(rule)):
                self._write(self._directory / "incoming" / "rule", render_rule(rule)).replace(file)
                _sync_directory(file.parent)

    def _host(self, hostname: Hostname) -> Path:
        # parsed again: a hostname that was not must never become a path
        return self._directory / "hosts" / parse_hostname(hostname)

    def _bundle(self, bundle_sha256: str) -> Path:
        if not _SHA256.fullmatch(bundle_sha256):
            raise self._not_staged(repr(bundle_sha256[:80]))
        return self._directory / "bundles" / f"{bundle_sha256}.pem"

    def _served(self, link: Path) -> str | None:
        """Give what *link* points at, if it is there: a link to nothing serves the piggyback bundle."""
        bundle = _target(link)
        return bundle if bundle and self._bundle(bundle).is_file() else None

    def _pointing_at(self, bundle_sha256: str) -> set[Path]:
        links = [self._directory / "default", *(self._directory / "hosts").iterdir()]
        return {link for link in links if _target(link) == bundle_sha256}

    def _point(self, link: Path, bundle_sha256: str) -> None:
        bundle = self._bundle(bundle_sha256)
        if not bundle.is_file():
            raise self._not_staged(bundle_sha256)
        if _target(link) == bundle_sha256:
            return
        incoming = self._directory / "incoming" / "link"
        incoming.symlink_to(os.path.relpath(bundle, link.parent))
        incoming.replace(link)
        _sync_directory(link.parent)

    def _write_proven(self, path: Path, bundle_pem: bytes) -> None:
        incoming = self._directory / "incoming" / "bundle"
        try:
            self._write(incoming, bundle_pem)
            self._check_loads(incoming, path.stem)
            incoming.replace(path)
        finally:
            incoming.unlink(missing_ok=True)  # it holds a key
        _sync_directory(path.parent)

    @staticmethod
    def _write(path: Path, content: bytes) -> Path:
        """Write a new file to the disk, for its owner alone."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return path

    def _check_loads(self, path: Path, bundle_sha256: str) -> None:
        # nginx validates nothing before the first handshake, so the very file it will read is loaded here
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path, password=lambda: b"")
        except (ssl.SSLError, ValueError):
            raise self._drifted(
                bundle_sha256, "bundle-does-not-load", "a bundle TLS cannot load", "key, leaf and chain that fit"
            ) from None

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the edge's lock, if this process is the one to. What a killed run left in ``incoming/`` goes."""
        with self._translated(), self._locked():
            check_fence()
            for left in (self._directory / "incoming").iterdir():
                left.unlink()
            yield

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + policy.ROLLBACK_DEADLINE.total_seconds()
            while not _take(descriptor):
                if time.monotonic() > deadline:
                    raise self._unavailable("its lock is held")
                time.sleep(_LOCK_INTERVAL_SECONDS)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._unavailable(error.strerror or type(error).__name__) from None

    def _unavailable(self, cause: str) -> EdgeUnavailable:
        return EdgeUnavailable(
            f"edge {self.name}",
            got=f"it did not answer ({cause})",
            wanted="an answer",
            do="certferry tries again by itself; if it lasts, look at the edge and its disk.",
        )

    def _not_staged(self, bundle_sha256: str) -> Drifted:
        return self._drifted(bundle_sha256, "bundle-not-staged", "no such bundle on the edge", "a staged bundle")

    def _drifted(self, bundle_sha256: str, code: str, got: str, wanted: str) -> Drifted:
        return Drifted(
            f"edge {self.name}, bundle {bundle_sha256}",
            got=got,
            wanted=wanted,
            do="Look at the certificate in the vault, then start the hand-over again.",
            code=code,
        )


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _target(link: Path) -> str | None:
    """Give the SHA-256 in the name *link* points at; None if there is no link, or it points anywhere else."""
    try:
        target = link.readlink()
    except FileNotFoundError:
        return None
    return target.stem if target.parent.name == "bundles" and _SHA256.fullmatch(target.stem) else None


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except FileNotFoundError:
        return False


def _delete(path: Path) -> None:
    path.unlink(missing_ok=True)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    """Make a rename or an unlink in *path* outlast a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
