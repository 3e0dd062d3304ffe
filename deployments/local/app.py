"""
The sample app of the local stack: ``/`` is a small page, ``/headers`` says what reached it, as JSON.

    python -m deployments.local.app --port 8082
"""

from __future__ import annotations

import argparse
import html
import json
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class App(ThreadingHTTPServer):
    """The app's server."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: str, port: int) -> None:
        super().__init__((address, port), _Answer)


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/":
            self._send(200, "text/html", _page(self.headers.get("Host", ""), self.headers.get("X-Forwarded-Proto", "")))
        elif path == "/headers":
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._send(200, "application/json", json.dumps(headers, indent=2))
        else:
            self._send(404, "text/plain", "not found\n")

    def _send(self, status: int, media_type: str, text: str) -> None:
        content = text.encode()
        self.send_response_only(status)
        self.send_header("Content-Type", f"{media_type}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # the base class calls it so
        """Log nothing."""


def _page(host: str, proto: str) -> str:
    host, proto = html.escape(host), html.escape(proto)
    return f"<!doctype html>\n<title>{host}</title>\n<h1>{host}</h1>\n<p>A sample app, asked over {proto}.</p>\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="deployments.local.app", description="Run the sample app.")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    chosen = parser.parse_args()
    with suppress(KeyboardInterrupt):
        App(chosen.address, chosen.port).serve_forever()


if __name__ == "__main__":
    main()
