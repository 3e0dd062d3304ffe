"""How a request reaches the app, byte for byte, when a visitor lies about where it came from."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tasks.clients.edges import NginxEdge
from tasks.core.model import Hostname
from tests.edge_server import RunningEdge, running_edge
from tests.pki import CA

SHOP = Hostname("shop.example.test")
TRUTH = {True: ("443", "https"), False: ("80", "http")}


class Mirror(BaseHTTPRequestHandler):
    """An app that answers with every header line that reached it, in order, also those that came twice."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        content = json.dumps([self.path, self.headers.items()]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@dataclass
class Platform:
    """An edge that serves SHOP, with the mirror right behind it."""

    running: RunningEdge
    roots: Path

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.roots))

    def send(self, request: str, *, tls: bool, answers: int = 1) -> list[tuple[int, Any]]:
        """Send bytes as they are, and give status and what the mirror says for each of the answers."""
        where = self.running.settings
        port = where.https_port if tls else where.http_port
        with socket.create_connection((where.address, port), timeout=5) as raw:
            connection = self.context().wrap_socket(raw, server_hostname=SHOP) if tls else raw
            with closing(connection):
                connection.sendall(request.encode("latin-1"))
                return [_read(connection) for _ in range(answers)]


def _read(connection: socket.socket) -> tuple[int, Any]:
    answer = HTTPResponse(connection)
    stream = answer.fp
    answer.fp = _OneByOne(stream)  # type: ignore[assignment]  # a buffer would swallow the next answer
    answer.begin()
    body = answer.read()
    return answer.status, json.loads(body) if answer.status == 200 else body


class _OneByOne:
    """Reads a buffered stream's socket byte by byte for heads, so that pipelined answers stay apart."""

    def __init__(self, stream: Any) -> None:
        self._raw = stream.raw

    def readline(self, limit: int = -1) -> bytes:
        line = b""
        while not line.endswith(b"\n") and (byte := self._raw.read(1)):
            line += byte
        return line

    def read(self, size: int) -> bytes:
        content = b""
        while len(content) < size and (more := self._raw.read(size - len(content))):
            content += more
        return content

    def flush(self) -> None:
        """Nothing is written here."""

    def close(self) -> None:
        """The connection stays."""


@pytest.fixture(name="platform", scope="module")
def _platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    directory = tmp_path_factory.mktemp("forwarded")
    mirror = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    thread = threading.Thread(target=mirror.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    ca = CA().intermediate()
    (directory / "roots.pem").write_bytes(ca.root.pem)
    issued = ca.issue([SHOP])
    with running_edge(directory / "edge", f"127.0.0.1:{mirror.server_address[1]}") as running:
        edge = NginxEdge(running.settings)
        edge.stage(sha256(issued.edge_pem).hexdigest(), issued.edge_pem)
        edge.commit(SHOP, sha256(issued.edge_pem).hexdigest())
        yield Platform(running, directory / "roots.pem")
    mirror.shutdown()
    mirror.server_close()


def forwarded(headers: list[list[str]]) -> dict[str, list[str]]:
    """Give all values of what tells the app how a visitor came, under any spelling that an app may fold to one."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        folded = name.lower().replace("_", "-")
        if folded in ("x-forwarded-port", "x-forwarded-proto", "x-forwarded-for", "forwarded", "x-real-ip"):
            found.setdefault(folded, []).append(value)
    return found


def truth(tls: bool) -> dict[str, list[str]]:
    port, proto = TRUTH[tls]
    return {
        "x-forwarded-port": [port],
        "x-forwarded-proto": [proto],
        "x-forwarded-for": ["127.0.0.1"],
        "x-real-ip": ["127.0.0.1"],
    }


LIES = {
    "plain": ["X-Forwarded-Port: 1", "X-Forwarded-Proto: gopher", "X-Forwarded-For: 203.0.113.7"],
    "twice": ["X-Forwarded-Port: 443", "X-Forwarded-Port: 80", "X-Forwarded-Proto: https", "X-Forwarded-Proto: http"],
    "underscores": ["X_Forwarded_Port: 1", "X_Forwarded_Proto: gopher", "X-Forwarded_For: 203.0.113.7"],
    "casing": ["x-forwarded-port: 1", "X-FORWARDED-PROTO: gopher", "x-FoRwArDeD-fOr: 203.0.113.7"],
    "standard": ["Forwarded: for=203.0.113.7;proto=gopher", "X-Real-IP: 203.0.113.7"],
    "listed": ["X-Forwarded-For: 203.0.113.7, 127.0.0.1", "X-Forwarded-Port: 443, 80"],
    "spaced": ["X-Forwarded-Port:\t443 ", "X-Forwarded-Proto:     https"],
    "h2c": ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"],
    "dropped by name": ["Connection: X-Forwarded-Port, X-Forwarded-Proto", "X-Forwarded-Port: 1"],
}


@pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])
class TestLies:
    @pytest.mark.parametrize("lie", LIES)
    def test_app_is_told_the_truth_once(self, platform: Platform, tls: bool, lie: str) -> None:
        """One value each, the edge's own, whatever a visitor sends, over HTTP and HTTPS."""
        request = "\r\n".join(["GET / HTTP/1.1", f"Host: {SHOP}", *LIES[lie], "", ""])
        ((status, (_, headers)),) = platform.send(request, tls=tls)
        assert (status, forwarded(headers)) == (200, truth(tls))
        assert not [name for name, _ in headers if name.lower() in ("upgrade", "http2-settings")] or lie != "h2c"

    @pytest.mark.parametrize("line", ["X-Forwarded-Port : 443", " X-Forwarded-Port: 443", "X-Forwarded-Port\0: 443"])
    def test_malformed_line_is_refused_or_dropped(self, platform: Platform, tls: bool, line: str) -> None:
        """A line that one server reads and another does not is not passed on (request smuggling)."""
        request = f"GET / HTTP/1.1\r\nHost: {SHOP}\r\nX-A: 1\r\n{line}\r\n\r\n"
        ((status, answer),) = platform.send(request, tls=tls)
        assert status == 400 or forwarded(answer[1]) == truth(tls)

    def test_each_of_a_pipeline_is_told_the_truth(self, platform: Platform, tls: bool) -> None:
        """Requests that are sent at once, one lying, get an answer each, in order."""
        first = f"GET /1 HTTP/1.1\r\nHost: {SHOP}\r\nX-Forwarded-Port: 1\r\n\r\n"
        second = f"GET /2 HTTP/1.1\r\nHost: {SHOP}\r\nX_Forwarded_Proto: gopher\r\n\r\n"
        answers = platform.send(first + second, tls=tls, answers=2)
        assert [(status, path, forwarded(headers)) for status, (path, headers) in answers] == [
            (200, "/1", truth(tls)),
            (200, "/2", truth(tls)),
        ]


class TestHTTP2:
    def test_app_is_told_the_truth(self, platform: Platform) -> None:
        """Over HTTP/2, as browsers come, nothing else holds."""
        where = platform.running.settings
        lies = [("x-forwarded-port", "80"), ("x-forwarded-port", "1"), ("x_forwarded_proto", "gopher"),
                ("x-forwarded-for", "203.0.113.7")]  # fmt: skip
        with httpx.Client(http2=True, verify=platform.context(), trust_env=False) as client:
            answer = client.get(
                f"https://{where.address}:{where.https_port}/",
                headers=[("host", SHOP), *lies],
                extensions={"sni_hostname": SHOP},
            )
        assert (answer.http_version, forwarded(answer.json()[1])) == ("HTTP/2", truth(tls=True))
