"""The snippets of docs/force-https.md, taken from the page and run behind an edge: HTTP is redirected, HTTPS is not."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from http.client import HTTPResponse
from pathlib import Path

import pytest

from deployments.local.nginx import find_nginx
from tasks.clients.edges import NginxEdge
from tasks.core.model import Hostname
from tests.edge_server import running_edge
from tests.pki import CA

SHOP = Hostname("shop.example.test")
PAGE = Path(__file__).parents[2] / "docs" / "force-https.md"
START_SECONDS = 60


def snippet(language: str, mark: str = "") -> str:
    """Give the block of the page in *language* that has *mark* in it."""
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (found,) = [block for block in blocks if mark in block]
    return found


def nginx(directory: Path, port: int) -> list[str]:
    (directory / "logs").mkdir()
    (directory / "nginx.conf").write_text(
        "daemon off; master_process off; pid nginx.pid; error_log error.log; events {}\n"
        "http { access_log off; client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d;"
        f" scgi_temp_path e;\nserver {{ listen 127.0.0.1:{port};\n{snippet('nginx')}\n"
        'location / { return 200 "the app\\n"; } } }\n'
    )
    return [str(find_nginx()), "-p", f"{directory}/", "-c", "nginx.conf", "-e", "error.log"]


def wsgi(directory: Path, port: int) -> list[str]:
    (directory / "app.py").write_text(
        f"{snippet('python', 'environ')}\n"
        "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'the app\\n']\n"
        "from wsgiref.simple_server import make_server\n"
        f"make_server('127.0.0.1', {port}, force_https(app)).serve_forever()\n"
    )
    return [sys.executable, "app.py"]


def asgi(directory: Path, port: int) -> list[str]:
    (directory / "app.py").write_text(
        f"{snippet('python', 'async')}\n"
        "async def app(scope, receive, send):\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': b'the app\\n'})\n"
        "import uvicorn\n"
        f"uvicorn.run(force_https(app), port={port}, lifespan='off')\n"
    )
    return [sys.executable, "app.py"]


def node(directory: Path, port: int) -> list[str]:
    (directory / "app.js").write_text(
        f"{snippet('javascript')}\n"
        "require('http').createServer((request, response) =>\n"
        f"  forceHTTPS(request, response, () => response.end('the app\\n'))).listen({port}, '127.0.0.1');\n"
    )
    return ["node", "app.js"]


def java(directory: Path, port: int) -> list[str]:
    """Compile the filter with stand-ins for the servlet types, and serve with the JDK's own server."""
    servlet, http = directory / "jakarta" / "servlet", directory / "jakarta" / "servlet" / "http"
    http.mkdir(parents=True)
    package = "package jakarta.servlet;\n"
    throws = "throws java.io.IOException, ServletException"
    for name, body in {
        "ServletException": "public class ServletException extends Exception {}",
        "ServletRequest": "public interface ServletRequest {}",
        "ServletResponse": "public interface ServletResponse {}",
        "FilterChain": f"public interface FilterChain {{ void doFilter(ServletRequest q, ServletResponse r) {throws}; }}",
        "Filter": "public interface Filter {"
        f" void doFilter(ServletRequest q, ServletResponse r, FilterChain c) {throws}; }}",
    }.items():
        (servlet / f"{name}.java").write_text(package + body)
    (http / "HttpServletRequest.java").write_text(
        "package jakarta.servlet.http;\npublic interface HttpServletRequest extends jakarta.servlet.ServletRequest {"
        " String getHeader(String name); String getQueryString(); String getRequestURI(); }"
    )
    (http / "HttpServletResponse.java").write_text(
        "package jakarta.servlet.http;\npublic interface HttpServletResponse extends jakarta.servlet.ServletResponse {"
        " void setStatus(int status); void setHeader(String name, String value); }"
    )
    (directory / "ForceHTTPS.java").write_text(snippet("java"))
    (directory / "Serve.java").write_text(
        """
        import com.sun.net.httpserver.HttpServer;
        import jakarta.servlet.http.*;
        import java.net.InetSocketAddress;

        public class Serve {
            public static void main(String[] arguments) throws Exception {
                InetSocketAddress where = new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0]));
                HttpServer server = HttpServer.create(where, 0);
                server.createContext("/", exchange -> {
                    int[] status = {200};
                    byte[][] body = {new byte[0]};
                    HttpServletRequest request = new HttpServletRequest() {
                        public String getHeader(String name) { return exchange.getRequestHeaders().getFirst(name); }
                        public String getQueryString() { return exchange.getRequestURI().getRawQuery(); }
                        public String getRequestURI() { return exchange.getRequestURI().getRawPath(); }
                    };
                    HttpServletResponse response = new HttpServletResponse() {
                        public void setStatus(int to) { status[0] = to; }
                        public void setHeader(String name, String value) {
                            exchange.getResponseHeaders().set(name, value);
                        }
                    };
                    try {
                        new ForceHTTPS().doFilter(request, response, (q, r) -> body[0] = "the app\\n".getBytes());
                    } catch (jakarta.servlet.ServletException error) {
                        status[0] = 500;
                    }
                    exchange.sendResponseHeaders(status[0], body[0].length == 0 ? -1 : body[0].length);
                    exchange.getResponseBody().write(body[0]);
                    exchange.close();
                });
                server.start();
            }
        }
        """
    )
    subprocess.run(["javac", "Serve.java"], cwd=directory, check=True, timeout=START_SECONDS, capture_output=True)
    return ["java", "-Xmx64m", "Serve", str(port)]


@contextmanager
def serving(directory: Path, command: Callable[[Path, int], list[str]]) -> Iterator[str]:
    """Run an app on a free port, and give its HOST:PORT once it listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    directory.mkdir()
    process = subprocess.Popen(
        command(directory, port), cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, "the app ended"
                assert time.monotonic() < deadline, "the app does not listen"
                time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def ask(address: tuple[str, int], roots: Path | None) -> tuple[int, str | None, bytes]:
    """Ask as a visitor who lies about the port; over HTTPS where *roots* are given."""
    with socket.create_connection(address, timeout=10) as raw:
        context = ssl.create_default_context(cafile=str(roots)) if roots else None
        with closing(context.wrap_socket(raw, server_hostname=SHOP) if context else raw) as connection:
            claimed = "80" if roots else "443"
            connection.sendall(
                f"GET /buy%20it?a=1&b=%2F HTTP/1.1\r\nHost: {SHOP}\r\nX-Forwarded-Port: {claimed}\r\n"
                "Connection: close\r\n\r\n".encode()
            )
            answer = HTTPResponse(connection)
            answer.begin()
            return answer.status, answer.getheader("Location"), answer.read()


@pytest.mark.parametrize("command", [nginx, wsgi, asgi, node, java], ids=lambda command: command.__name__)
def test_snippet_sends_plain_http_to_https(tmp_path: Path, command: Callable[[Path, int], list[str]]) -> None:
    """Same path, same query; over HTTPS the app answers; a visitor who lies about the port changes neither."""
    ca = CA().intermediate()
    roots = tmp_path / "roots.pem"
    roots.write_bytes(ca.root.pem)
    issued = ca.issue([SHOP])
    with serving(tmp_path / "app", command) as app, running_edge(tmp_path / "edge", app) as running:
        edge, where = NginxEdge(running.settings), running.settings
        edge.stage(sha256(issued.edge_pem).hexdigest(), issued.edge_pem)
        edge.commit(SHOP, sha256(issued.edge_pem).hexdigest())

        status, location, _ = ask((where.address, where.http_port), None)
        assert (status, location) == (308, f"https://{SHOP}/buy%20it?a=1&b=%2F")
        assert ask((where.address, where.https_port), roots)[::2] == (200, b"the app\n")
