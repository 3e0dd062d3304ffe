"""What the probe sees of a live domain and of an edge, through real sockets."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path

import pytest

from tasks.clients import settings
from tasks.clients.edges import NginxEdge
from tasks.clients.probes import HEAD_MAX_BYTES, NetworkProbe
from tasks.core import policy
from tasks.core.errors import BadInput, DomainNotLive, EdgeUnavailable, Rejected
from tasks.core.model import Hostname
from tasks.core.watch import Fault, Sight
from tests.edge_server import RunningEdge, running_edge, running_platform
from tests.fakes.edges import FakeEdge
from tests.fakes.probes import FakeProbe
from tests.pki import CA, Issued

SHOP = Hostname("shop.example.test")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
NOW = datetime.now(UTC)

Answer = Callable[[socket.socket], None]


@contextmanager
def answering(answer: Answer) -> Iterator[tuple[int, list[bytes]]]:
    """Run a server that reads one request a connection and does *answer*; gives its port and the requests."""
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.02)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(2)
                    requests.append(connection.recv(4096))
                    try:
                        answer(connection)
                    except OSError:  # the probe has hung up, as it may
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], requests
        finally:
            stop.set()
            thread.join()


def check(port: int, seconds: float = 5) -> settings.LiveCheck:
    return settings.LiveCheck(
        resolvers=["127.0.0.1"],
        allow_networks=[ip_network("127.0.0.0/8")],
        http_port=port,
        timeout=timedelta(seconds=seconds),
    )


def drip(connection: socket.socket) -> None:
    """Send a byte at a time, for ever: each read is quick, and the head never ends."""
    while True:
        connection.sendall(b"H")
        time.sleep(0.01)


class TestHTTPStatus:
    def test_live_domain_answers(self) -> None:
        """A domain that answers is live; the request is for `/`, under its own name."""
        with answering(lambda c: c.sendall(OK)) as (port, requests):
            assert NetworkProbe().http_status(SHOP, "127.0.0.1", check(port)) == 200
        assert requests[0].startswith(b"GET / HTTP/1.1\r\nHost: shop.example.test\r\n")

    @pytest.mark.parametrize("status", [204, 404, 503])
    def test_any_status_is_an_answer(self, status: int) -> None:
        """Whether the app is happy is for the caller to judge."""
        with answering(lambda c: c.sendall(b"HTTP/1.1 %d X\r\n\r\n" % status)) as (port, _):
            assert status == NetworkProbe().http_status(SHOP, "127.0.0.1", check(port))

    def test_redirect_is_not_followed(self) -> None:
        """A redirect to the metadata service, or to ourselves, is only a status."""
        redirect = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/secret\r\n\r\n"
        with answering(lambda c: c.sendall(redirect % c.getsockname()[1])) as (port, requests):
            assert NetworkProbe().http_status(SHOP, "127.0.0.1", check(port)) == 302
        assert len(requests) == 1

    @pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "localhost"])
    def test_address_that_is_not_public_is_never_asked(self, address: str) -> None:
        """Without an allow-list no connection is even tried to an inner address."""
        with answering(lambda c: c.sendall(OK)) as (port, requests):
            strict = check(port).model_copy(update={"allow_networks": []})
            with pytest.raises(Rejected, match="address-not-public"):
                NetworkProbe().http_status(SHOP, address, strict)
        assert requests == []

    @pytest.mark.parametrize(
        "answer",
        [b"", b"220 mail.example.test ESMTP\r\n\r\n", b"HTTP/1.1 200 OK\r\nnever: ends", b"HTTP/1.1 999 X\r\n\r\n",
         b"\x15\x03\x01\x00\x02\x02\x16", b"HTTP/1.1 200 OK\r\nX: " + b"x" * HEAD_MAX_BYTES + b"\r\n\r\n"],
        ids=["nothing", "mail", "cut-short", "no-status", "tls", "head-too-long"],
    )  # fmt: skip
    def test_what_is_no_http_is_not_live(self, answer: bytes) -> None:
        """A server that speaks something else, or too much, is not a live app yet."""
        with answering(lambda c: c.sendall(answer)) as (port, _), pytest.raises(DomainNotLive):
            NetworkProbe().http_status(SHOP, "127.0.0.1", check(port))

    def test_closed_port_is_not_live(self) -> None:
        """Nobody listening is the usual way of not being live yet."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        with pytest.raises(DomainNotLive):
            NetworkProbe().http_status(SHOP, "127.0.0.1", check(port))

    def test_slow_answer_cannot_hold_the_probe(self) -> None:
        """A server that sends a byte now and then is given up after the time-out, counted over all."""
        with answering(drip) as (port, _):
            began = time.monotonic()
            with pytest.raises(DomainNotLive):
                NetworkProbe().http_status(SHOP, "127.0.0.1", check(port, seconds=0.2))
        assert time.monotonic() - began < 2


@pytest.fixture(name="ca", scope="module")
def _ca() -> CA:
    return CA().intermediate()


@pytest.fixture(name="trust", scope="module")
def _trust(ca: CA, tmp_path_factory: pytest.TempPathFactory) -> settings.Trust:
    roots = tmp_path_factory.mktemp("trust") / "roots.pem"
    roots.write_bytes(ca.root.pem)
    return settings.Trust(store="private", file=roots)


@pytest.fixture(name="running", scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEdge]:
    directory = tmp_path_factory.mktemp("probed")
    with running_platform(directory, [SHOP]) as gateway, running_edge(directory / "edge", gateway) as running:
        yield running


def serve(running: RunningEdge, hostname: Hostname, issued: Issued) -> None:
    edge, digest = NginxEdge(running.settings), sha256(issued.edge_pem).hexdigest()
    edge.stage(digest, issued.edge_pem)
    edge.commit(hostname, digest)


class TestHandshake:
    def test_good_certificate_is_trusted(self, running: RunningEdge, ca: CA, trust: settings.Trust) -> None:
        """The probe tells which leaf it saw, that a visitor would trust it, and what the app answered through it."""
        issued = ca.issue()
        serve(running, SHOP, issued)
        seen = NetworkProbe().handshake(running.settings, SHOP, trust, NOW)
        assert (issued.leaf_sha256, True, "TLSv1.3", 200) == (
            seen.leaf_sha256,
            seen.chain_trusted,
            seen.tls_version,
            seen.http_status,
        )
        assert (seen.edge, seen.hostname, seen.at) == ("edge-a", SHOP, NOW)

    @pytest.mark.parametrize("defect", ["another-root", "no-intermediate", "expired", "another-name"])
    def test_certificate_a_browser_refuses_is_seen_and_not_trusted(
        self, running: RunningEdge, ca: CA, trust: settings.Trust, defect: str
    ) -> None:
        """A bad certificate is a verdict with its fingerprint, not an error: it tells what is really served."""
        issued = {
            "another-root": lambda: CA("Another Root").issue(),
            "no-intermediate": lambda: _without_chain(ca.issue()),
            "expired": lambda: ca.issue(days=10, age_days=20),
            "another-name": lambda: ca.issue(["other.example.test"]),
        }[defect]()
        serve(running, SHOP, issued)
        seen = NetworkProbe().handshake(running.settings, SHOP, trust, NOW)
        assert (issued.leaf_sha256, False, 200) == (seen.leaf_sha256, seen.chain_trusted, seen.http_status)

    def test_private_root_is_not_trusted_by_the_public_store(self, running: RunningEdge, ca: CA) -> None:
        """The public store is certifi's, whatever this machine trusts besides."""
        serve(running, SHOP, ca.issue())
        assert not NetworkProbe().handshake(running.settings, SHOP, settings.Trust(), NOW).chain_trusted

    def test_app_that_does_not_answer_is_in_the_result(
        self, running: RunningEdge, ca: CA, trust: settings.Trust
    ) -> None:
        """The handshake counts by itself; what came through it is the status."""
        name = Hostname("unrouted.example.test")
        serve(running, name, ca.issue([name]))
        seen = NetworkProbe().handshake(running.settings, name, trust, NOW)
        assert (seen.chain_trusted, seen.http_status) == (True, 404)

    @pytest.mark.parametrize("answer", [OK, b""], ids=["plain-http", "hangs-up"])
    def test_no_handshake_is_unavailable(self, trust: settings.Trust, answer: bytes) -> None:
        """What answers without TLS is not an edge."""
        with answering(lambda c: c.sendall(answer)) as (port, _):
            edge = settings.Edge(name="edge-a", directory=Path("nowhere"), address="127.0.0.1", https_port=port)
            with pytest.raises(EdgeUnavailable):
                NetworkProbe().handshake(edge, SHOP, trust, NOW)

    def test_silent_edge_is_given_up(self, trust: settings.Trust, monkeypatch: pytest.MonkeyPatch) -> None:
        """An edge that accepts and says nothing does not hold the probe."""
        monkeypatch.setattr(policy, "HANDSHAKE_TIMEOUT", timedelta(milliseconds=200))
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            edge = settings.Edge(name="edge-a", directory=Path("nowhere"), address="127.0.0.1", https_port=port)
            with pytest.raises(EdgeUnavailable):
                NetworkProbe().handshake(edge, SHOP, trust, NOW)

    @pytest.mark.parametrize("file", [None, Path("/nonexistent/roots.pem")])
    def test_private_store_without_roots_trusts_nobody(self, running: RunningEdge, ca: CA, file: Path | None) -> None:
        """A private store whose file is missing is a fault of the settings; the system's roots do not step in."""
        serve(running, SHOP, ca.issue())
        with pytest.raises(BadInput, match="trust store"):
            NetworkProbe().handshake(running.settings, SHOP, settings.Trust(store="private", file=file), NOW)


class TestObserve:
    SECOND = timedelta(seconds=5)

    def look(self, running: RunningEdge, trust: settings.Trust) -> Sight:
        where = (running.settings.address, running.settings.https_port)
        return NetworkProbe().observe(*where, SHOP, trust, self.SECOND)

    def test_a_good_certificate_has_no_fault(self, running: RunningEdge, ca: CA, trust: settings.Trust) -> None:
        """The leaf, and nothing to say."""
        issued = ca.issue()
        serve(running, SHOP, issued)
        assert self.look(running, trust) == Sight(issued.leaf_sha256, None)

    @pytest.mark.parametrize(
        ("defect", "fault"),
        [
            ("another-root", Fault.UNTRUSTED),
            ("no-intermediate", Fault.UNTRUSTED),
            ("expired", Fault.EXPIRED),
            ("another-name", Fault.WRONG_NAME),
        ],
    )
    def test_a_bad_one_is_seen_all_the_same(
        self, running: RunningEdge, ca: CA, trust: settings.Trust, defect: str, fault: Fault
    ) -> None:
        """With its fault, as a browser would name it."""
        issued = {
            "another-root": lambda: CA("Another Root").issue(),
            "no-intermediate": lambda: _without_chain(ca.issue()),
            "expired": lambda: ca.issue(days=10, age_days=20),
            "another-name": lambda: ca.issue(["other.example.test"]),
        }[defect]()
        serve(running, SHOP, issued)
        assert self.look(running, trust) == Sight(issued.leaf_sha256, fault)

    def test_nobody_there(self, trust: settings.Trust) -> None:
        """No connection is another thing than no handshake: it says nothing about the hostname."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        assert NetworkProbe().observe("127.0.0.1", port, SHOP, trust, self.SECOND) == Sight(None, Fault.SILENT)

    @pytest.mark.parametrize("answer", [OK, b""], ids=["plain-http", "hangs-up"])
    def test_no_tls_there(self, trust: settings.Trust, answer: bytes) -> None:
        """A connection, and nothing that shakes hands."""
        with answering(lambda c: c.sendall(answer)) as (port, _):
            seen = NetworkProbe().observe("127.0.0.1", port, SHOP, trust, self.SECOND)
        assert seen == Sight(None, Fault.NO_HANDSHAKE)

    def test_who_says_nothing_is_given_up(self, trust: settings.Trust) -> None:
        """One deadline over all."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            where = ("127.0.0.1", server.getsockname()[1])
            seen = NetworkProbe().observe(*where, SHOP, trust, timedelta(milliseconds=200))
        assert seen == Sight(None, Fault.NO_HANDSHAKE)

    def test_a_changed_trust_store_counts_at_once(
        self, running: RunningEdge, ca: CA, trust: settings.Trust, tmp_path: Path
    ) -> None:
        """Loaded once, and again when the file is another."""
        issued, probe, file = ca.issue(), NetworkProbe(), tmp_path / "roots.pem"
        serve(running, SHOP, issued)
        where = (running.settings.address, running.settings.https_port)
        changing = settings.Trust(store="private", file=file)
        seen: list[Fault | None] = []
        for roots in (CA("Another Root").root.pem, trust.roots_file.read_bytes() if trust.roots_file else b""):
            file.write_bytes(roots)
            os.utime(file, ns=(len(seen), len(seen)))
            seen.append(probe.observe(*where, SHOP, changing, self.SECOND).fault)
        assert seen == [Fault.UNTRUSTED, None]


class TestFakeProbe:
    """The twin refuses what the real probe refuses."""

    def test_inner_address_is_refused(self) -> None:
        """A test cannot pass with an address the real probe would not ask."""
        with pytest.raises(Rejected):
            FakeProbe().http_status(SHOP, "10.0.0.1", settings.LiveCheck(resolvers=[]))

    def test_edge_that_is_down_gives_no_handshake(self, trust: settings.Trust) -> None:
        """An edge that is down cannot be proven."""
        fake = FakeEdge("edge-a")
        fake.down = True
        where = settings.Edge(name="edge-a", directory=Path("nowhere"), address="192.0.2.1")
        with pytest.raises(EdgeUnavailable):
            FakeProbe([fake]).handshake(where, SHOP, trust, NOW)


def _without_chain(issued: Issued) -> Issued:
    return Issued(issued.key, issued.leaf, (), issued.root)
