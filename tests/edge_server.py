"""A real edge for tests: the local stack's nginx on free loopback ports, with a gateway and an app behind it."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path

from deployments.local import nginx
from deployments.local.app import App
from deployments.local.gateway import Gateway
from deployments.local.reread import write_file
from tasks.clients import settings
from tasks.clients.edges import NginxEdge
from tasks.core.errors import EdgeUnavailable

NOBODY = "127.0.0.1:9"  # the discard port: a gateway that refuses
START_SECONDS = 20


@dataclass(frozen=True)
class RunningEdge:
    """An nginx that answers."""

    settings: settings.Edge
    process: subprocess.Popen[bytes]


@contextmanager
def running_edge(directory: Path, gateway: str = NOBODY, name: str = "edge-a") -> Iterator[RunningEdge]:
    """Start an edge in *directory* and stop it at the end; tries other ports if somebody took the free ones."""
    started = next(filter(None, (_try_start(directory, gateway, name) for _ in range(5))))
    try:
        yield started
    finally:
        started.process.terminate()
        started.process.wait(START_SECONDS)


@contextmanager
def running_platform(directory: Path, hostnames: list[str]) -> Iterator[str]:
    """Run the sample app behind the gateway, for *hostnames*; gives the gateway's HOST:PORT."""
    routes = directory / "routes.yaml"
    with _serving(App("127.0.0.1", 0)) as app:
        write_file(routes, dict.fromkeys(hostnames, app))
        with _serving(Gateway(routes, "127.0.0.1", 0)) as gateway:
            yield gateway


@contextmanager
def _serving(server: ThreadingHTTPServer) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _try_start(directory: Path, gateway: str, name: str) -> RunningEdge | None:
    http_port, https_port = _free_ports()
    process = subprocess.Popen(nginx.command(directory, "127.0.0.1", http_port, https_port, gateway))
    edge = settings.Edge(
        name=name, directory=directory, address="127.0.0.1", http_port=http_port, https_port=https_port
    )
    return RunningEdge(edge, process) if _is_up(edge, process) else None


def _is_up(edge: settings.Edge, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None:
        try:
            NginxEdge(edge).health()
        except EdgeUnavailable:
            if time.monotonic() > deadline:
                process.kill()
                raise
            time.sleep(0.02)
        else:
            return True
    return False


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        return one.getsockname()[1], two.getsockname()[1]
