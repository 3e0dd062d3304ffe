"""
The platform's gateway in the local stack: brings each request to the app its Host belongs to.

    python -m deployments.local.gateway --config routes.yaml --port 8081

The file maps hostnames, or ``*.PARENT``, to HOST:PORT, and is read again when it changes:

    shop.example.test: 127.0.0.1:8082
    "*.apps.platform.test": 127.0.0.1:8082
"""

from __future__ import annotations

import argparse
import http.client
from collections.abc import Mapping
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from deployments.local.reread import RereadFile

TIMEOUT_SECONDS: Final = 30
HOP_BY_HOP: Final = frozenset(
    ("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade")  # RFC 9110, section 7.6.1
)


class Gateway(ThreadingHTTPServer):
    """A server that knows the routes."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, routes: Path, address: str, port: int) -> None:
        super().__init__((address, port), _Forward)
        self.routes = RereadFile(routes)


class _Forward(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gateway

    def _forward(self) -> None:
        app = _find_route(self.server.routes.content(), self.headers.get("Host", ""))
        if app is None:
            self._answer(404, "no app has this name\n")
            return
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True  # its body is not read, so the next request could not be told from it
            self._answer(411, "a body needs a Content-Length\n")
            return
        try:
            self._relay(app)
        except (OSError, http.client.HTTPException):
            self._answer(502, "the app does not answer\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _forward  # noqa: N815  # named so by the base class

    def _relay(self, app: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kept = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        with closing(http.client.HTTPConnection(app, timeout=TIMEOUT_SECONDS)) as asked:
            asked.request(self.command, self.path, body or None, kept)
            answer = asked.getresponse()
            content = answer.read()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP | {"content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _answer(self, status: int, text: str) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # the base class calls it so
        """Log nothing: paths are the app's affair."""


def _find_route(routes: Mapping[str, str], host: str) -> str | None:
    name = host.partition(":")[0].lower()
    _, _, parent = name.partition(".")
    return routes.get(name) or routes.get(f"*.{parent}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="deployments.local.gateway", description="Route requests to apps by Host.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    chosen = parser.parse_args()
    with suppress(KeyboardInterrupt):
        Gateway(chosen.config, chosen.address, chosen.port).serve_forever()


if __name__ == "__main__":
    main()
