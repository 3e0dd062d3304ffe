"""Looks at the world from outside: a plain HTTP request to a live domain, a TLS handshake with an edge."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Protocol

from tasks.clients.settings import Edge, LiveCheck, Trust
from tasks.core import policy
from tasks.core.addresses import check_reachable
from tasks.core.errors import BadInput, DomainNotLive, EdgeUnavailable, Who
from tasks.core.model import Handshake, Hostname, PlainAnswer
from tasks.core.watch import Fault, Sight

HEAD_MAX_BYTES: Final = 16 * policy.KIB  # nginx's own limit for the head of an answer is 4 to 8 KiB

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})[ \r]")


class Probe(Protocol):
    def http_status(self, hostname: Hostname, address: str, check: LiveCheck) -> int:
        """
        Give the status of ``GET /`` with Host *hostname*, sent to *address* and nowhere else.

        No redirect is followed, no name is resolved, at most the head is read, nothing of the body is kept.

        Raises:
            Rejected: Code ``address-not-public``; nothing was sent.

            DomainNotLive: No connection or no HTTP answer.
        """

    def handshake(self, edge: Edge, hostname: Hostname, trust: Trust, at: datetime) -> Handshake:
        """
        Shake hands with *edge* under SNI *hostname*, verify chain and name, then ask ``GET /`` through it.

        The chain is judged against the trust store of the settings, and the verdict is in the result, not an error.
        The status is 0 if the edge shook hands and then gave no HTTP answer.

        Raises:
            EdgeUnavailable: No connection, or no handshake at all.
        """

    def find_refusal(self, edge: Edge, hostname: Hostname) -> str | None:
        """
        Give the TLS alert by which *edge* refuses a handshake under SNI *hostname*; None if it shakes hands.

        Raises:
            EdgeUnavailable: No connection, or one that ends without an alert.
        """

    def ask_plainly(self, edge: Edge, hostname: Hostname) -> PlainAnswer:
        """
        Give what *edge* answers to ``GET /`` for *hostname* over plain HTTP.

        Raises:
            EdgeUnavailable: No connection, or no HTTP answer.
        """

    def observe(self, address: str, port: int, hostname: Hostname, trust: Trust, timeout: timedelta) -> Sight:
        """
        Shake hands with *address* under SNI *hostname*, as a visitor's browser does, and say what that showed.

        Nothing is asked of the app. Everything that goes wrong is in the result; the caller has checked the address.
        """


class NetworkProbe:
    """Looks through real sockets. Each look has one deadline over all, so a slow answer cannot hold it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._judged: tuple[object, ssl.SSLContext] | None = None

    def http_status(self, hostname: Hostname, address: str, check: LiveCheck) -> int:
        check_reachable(address, check.allow_networks)
        deadline = _Deadline(check.timeout)
        try:
            with socket.create_connection((address, check.http_port), deadline.left()) as connection:
                head = _get_head(connection, hostname, deadline)
        except OSError as error:
            raise _not_live(hostname, address, error.strerror or type(error).__name__) from None
        if not head.status:
            raise _not_live(hostname, address, "no HTTP answer")
        return head.status

    def handshake(self, edge: Edge, hostname: Hostname, trust: Trust, at: datetime) -> Handshake:
        try:
            return self._shake(edge, hostname, _verifying(trust), at)
        except ssl.SSLCertVerificationError:
            return self._shake(edge, hostname, _curious(), at)

    def find_refusal(self, edge: Edge, hostname: Hostname) -> str | None:
        deadline = _Deadline(policy.HANDSHAKE_TIMEOUT)
        try:
            with (
                socket.create_connection((edge.address, edge.https_port), deadline.left()) as connection,
                _curious().wrap_socket(connection, server_hostname=hostname),
            ):
                return None
        except ssl.SSLError as error:
            if "ALERT" in (error.reason or ""):
                return error.reason
            raise _no_answer(edge, hostname, "TLS alert", error) from None
        except OSError as error:
            raise _no_answer(edge, hostname, "TLS alert", error) from None

    def ask_plainly(self, edge: Edge, hostname: Hostname) -> PlainAnswer:
        deadline = _Deadline(policy.HANDSHAKE_TIMEOUT)
        try:
            with socket.create_connection((edge.address, edge.http_port), deadline.left()) as connection:
                head = _get_head(connection, hostname, deadline)
        except OSError as error:
            raise _no_answer(edge, hostname, "HTTP answer", error) from None
        return PlainAnswer(head.status, head.find("location"))

    def observe(self, address: str, port: int, hostname: Hostname, trust: Trust, timeout: timedelta) -> Sight:
        try:
            return _observe(address, port, hostname, self._judge(trust), timeout)
        except ssl.SSLCertVerificationError as refusal:
            fault = _FAULTS.get(refusal.verify_code, Fault.UNTRUSTED)
        seen = _observe(address, port, hostname, _curious(), timeout)
        return replace(seen, fault=seen.fault or fault)

    def _judge(self, trust: Trust) -> ssl.SSLContext:
        """Give a context for *trust*, loaded once for as long as the file is the same: that takes 10 ms."""
        roots = trust.roots_file
        version = (roots, roots.stat().st_mtime_ns if roots and roots.exists() else 0)
        with self._lock:
            if self._judged is None or self._judged[0] != version:
                self._judged = (version, _verifying(trust))
            return self._judged[1]

    def _shake(self, edge: Edge, hostname: Hostname, context: ssl.SSLContext, at: datetime) -> Handshake:
        deadline = _Deadline(policy.HANDSHAKE_TIMEOUT)
        try:
            with (
                socket.create_connection((edge.address, edge.https_port), deadline.left()) as connection,
                context.wrap_socket(connection, server_hostname=hostname) as tls,
            ):
                head = _find_head(tls, hostname, deadline)
                return Handshake(
                    edge=edge.name,
                    hostname=hostname,
                    leaf_sha256=sha256(tls.getpeercert(binary_form=True) or b"").hexdigest(),
                    chain_trusted=context.verify_mode is ssl.CERT_REQUIRED,
                    tls_version=tls.version() or "",
                    http_status=head.status,
                    at=at,
                    hsts=head.find("strict-transport-security"),
                )
        except ssl.SSLCertVerificationError:
            raise
        except OSError as error:
            raise _no_answer(edge, hostname, "TLS handshake", error) from None


_FAULTS: Final = {10: Fault.EXPIRED, 62: Fault.WRONG_NAME}
"""OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED and X509_V_ERR_HOSTNAME_MISMATCH; all others are about the chain."""


def _observe(address: str, port: int, hostname: Hostname, context: ssl.SSLContext, timeout: timedelta) -> Sight:
    """Shake hands once; a certificate that *context* refuses is raised."""
    deadline = _Deadline(timeout)
    try:
        connection = socket.create_connection((address, port), deadline.left())
    except OSError:
        return Sight(None, Fault.SILENT)
    with connection:
        try:
            connection.settimeout(deadline.left())
            with context.wrap_socket(connection, server_hostname=hostname) as tls:
                return Sight(sha256(tls.getpeercert(binary_form=True) or b"").hexdigest(), None)
        except ssl.SSLCertVerificationError:
            raise
        except OSError:
            return Sight(None, Fault.NO_HANDSHAKE)


class _Deadline:
    """A length of time that began when this was made."""

    def __init__(self, timeout: timedelta) -> None:
        self._at = time.monotonic() + timeout.total_seconds()

    def left(self) -> float:
        """Give the seconds left, or raise `TimeoutError`."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left


@dataclass(frozen=True)
class _Head:
    """The head of an answer; its status is 0 if it is no HTTP, does not end, or is too long."""

    status: int
    lines: tuple[bytes, ...] = ()

    def find(self, name: str) -> str | None:
        """Give the value of a header field, joined if there are several; None where there is none."""
        pairs = (line.partition(b":") for line in self.lines)
        values = [value.strip().decode("latin-1") for field, _, value in pairs if field.lower() == name.encode()]
        return ", ".join(values) if values else None


def _find_head(connection: socket.socket, hostname: Hostname, deadline: _Deadline) -> _Head:
    try:
        return _get_head(connection, hostname, deadline)
    except OSError:
        return _Head(0)


def _get_head(connection: socket.socket, hostname: Hostname, deadline: _Deadline) -> _Head:
    """Send ``GET /`` and give the head of the answer."""
    request = f"GET / HTTP/1.1\r\nHost: {hostname}\r\nUser-Agent: certferry\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    connection.settimeout(deadline.left())
    connection.sendall(request.encode("ascii"))
    head = b""
    while b"\r\n\r\n" not in head:
        connection.settimeout(deadline.left())
        received = connection.recv(HEAD_MAX_BYTES - len(head))
        if not received:  # the other side is done, or the head is full
            return _Head(0)
        head += received
    status = _STATUS_LINE.match(head)
    lines = head.partition(b"\r\n\r\n")[0].split(b"\r\n")
    return _Head(int(status.group(1)), tuple(lines[1:])) if status else _Head(0)


def _verifying(trust: Trust) -> ssl.SSLContext:
    """Judge as a visitor's browser does: chain to a root of the store, validity, name."""
    roots = trust.roots_file
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        # not create_default_context: given no file, that trusts the system's roots
        context.load_verify_locations(roots or "")
    except OSError as error:
        raise BadInput(
            f"trust store {roots}",
            got=f"cannot be loaded ({type(error).__name__})",
            wanted="a PEM file of roots",
            do="Mend `trust.file` in the settings.",
            who=Who.OPERATOR,
        ) from None
    return context


def _curious() -> ssl.SSLContext:
    """Take any certificate, only to see which one it is: the verdict is already no."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _no_answer(edge: Edge, hostname: Hostname, wanted: str, error: OSError) -> EdgeUnavailable:
    return EdgeUnavailable(
        f"edge {edge.name}, {hostname}",
        got=f"no {wanted} ({type(error).__name__})",
        wanted=f"a {wanted}",
        do="certferry tries again by itself; if it lasts, look at the edge.",
    )


def _not_live(hostname: Hostname, address: str, cause: str) -> DomainNotLive:
    return DomainNotLive(
        hostname,
        got=f"no HTTP answer from {address} ({cause})",
        wanted="an answer to GET /",
        do="Start the app, and point the domain at the platform.",
    )
