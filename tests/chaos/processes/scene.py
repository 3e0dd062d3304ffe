"""The scene: every part of the local stack real, rods in each flow's process, and a supervisor for what dies."""

from __future__ import annotations

import operator
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

import psutil

from deployments.local.ports import EDGE_ADDRESSES, Ports
from deployments.local.prefect_server import WORK_POOL
from deployments.local.stack import Stack
from tasks.clients.edges import NginxEdge
from tasks.clients.installation import Installation
from tasks.clients.settings import load_settings
from tasks.core.errors import BadInput, EdgeUnavailable
from tests.chaos.processes.rods import Kill, Line
from tests.leaks import ProcessWatch
from tests.stack.world import Prefect

UPLOAD_LIFETIME: Final = timedelta(minutes=2)  # a push takes a second; the second sweep follows soon
PORT_TRIES: Final = 5  # free ports may be taken by the time they are needed
TICK_SECONDS: Final = 0.2
LOCAL_COMMAND: Final = "deployments.local.flow_process"
OUR_COMMAND: Final = "tests.chaos.processes.flow_process"


class Victim(StrEnum):
    FLOW = "flow process"
    WORKER = "worker"
    SERVER = "Prefect server"
    EDGE = "edge, master and worker"
    EDGE_WORKER = "edge, worker only"
    S3 = "S3"


@dataclass
class Death:
    """
    One kill -9.

    Attributes:
        at: Unix time.

        runs: The runs whose process it took along, each with its flow.

        back_at: When what was killed served again; for a flow's process and a worker the trace knows.
    """

    at: float
    victim: Victim
    name: str
    runs: dict[str, str] = field(default_factory=dict)
    back_at: float | None = None


class Scene:
    """
    A running stack under a supervisor.

    Attributes:
        deaths: Every kill of this scene, those that the rods did excepted.
    """

    def __init__(
        self, root: Path, records_url: str | None = None, upload_lifetime: timedelta = UPLOAD_LIFETIME
    ) -> None:
        self.root, self.directory = root, root / "rods"
        self.records_url = records_url
        self.deaths: list[Death] = []
        self.watch = ProcessWatch()
        self.stack = self._make(upload_lifetime)
        self.began_at = time.time()
        for name in ("pending", "struck"):
            (self.directory / name).mkdir(parents=True)
        (self.directory / "trace").touch()

    def _make(self, upload_lifetime: timedelta) -> Stack:
        where = self.root / "stack"
        return Stack(where, Ports.free(), upload_lifetime, die_with_parent=True, records_url=self.records_url)

    @contextmanager
    def running(self) -> Iterator[Scene]:
        """Have everything up inside the block."""
        with self.watch:
            self._up()
            try:
                self.view = Installation(load_settings(self.stack.place.settings_file))
                self.prefect = Prefect(self.stack)
                self._put_rods_up()
                yield self
            finally:
                self.stack.down()
                self.view.database.dispose()

    def _up(self) -> None:
        for tries_left in reversed(range(PORT_TRIES)):
            try:
                self.stack.up()
                return
            except BadInput as taken:
                if taken.code != "ports-taken" or not tries_left:
                    raise
                self.stack = self._make(UPLOAD_LIFETIME)

    def _put_rods_up(self) -> None:
        """Have the worker start flows with rods; it reads the work pool when it starts."""
        pool = self.prefect.call("GET", f"/work_pools/{WORK_POOL}")
        template = pool["base_job_template"]
        command = template["job_configuration"]["command"]
        ours = command.replace(LOCAL_COMMAND, f"{OUR_COMMAND} {self.directory}")
        assert ours != command
        template["job_configuration"]["command"] = ours
        self.prefect.call("PATCH", f"/work_pools/{WORK_POOL}", {"base_job_template": template})
        self.stack.processes.end("worker")
        self.stack.supervise()

    # --- What is to come and what was --------------------------------------------------------------

    def plan(self, kill: Kill, pids: str = "") -> None:
        """Have a process die at a call; with *pids*, those of other processes, these die instead."""
        draft = self.directory / "pending" / ".draft"
        draft.write_text(pids)
        draft.rename(draft.with_name(kill.file))

    def pending(self) -> list[Kill]:
        names = (path.name for path in (self.directory / "pending").iterdir())
        return [Kill.of_file(name) for name in names if not name.startswith(".")]

    def struck(self) -> list[Kill]:
        return [Kill.of_file(path.name) for path in (self.directory / "struck").iterdir()]

    def trace(self) -> list[Line]:
        """Give every call so far, in order."""
        lines = (self.directory / "trace").read_text().splitlines()
        return sorted(map(Line.parse, lines), key=lambda line: line.at)

    # --- Killing ----------------------------------------------------------------------------------

    def kill(
        self,
        victim: Victim,
        letter: str = "a",
        pick: Callable[[list[psutil.Process]], psutil.Process] = operator.itemgetter(0),
    ) -> bool:
        """Kill -9; False if there is nobody to kill."""
        flows = self.flows()
        match victim:
            case Victim.FLOW:
                if not flows:
                    return False
                chosen = pick(sorted(flows, key=lambda process: process.pid))
                run = flows[chosen]
                return self._kill(victim, run, [chosen], {run: self.flow_of(run)})
            case Victim.WORKER:
                return self._kill(
                    victim, "worker", self._leaders("worker"), {r: self.flow_of(r) for r in flows.values()}
                )
            case Victim.SERVER:
                return self._kill(victim, "prefect", self._family("prefect"))
            case Victim.EDGE:
                return self._kill(victim, f"edge-{letter}", self._family(f"edge-{letter}"))
            case Victim.EDGE_WORKER:
                return self._kill(victim, f"edge-{letter}", self._family(f"edge-{letter}")[1:])
            case Victim.S3:
                return self._kill(victim, "s3", self._family("s3"))

    def _kill(
        self, victim: Victim, name: str, processes: list[psutil.Process], runs: dict[str, str] | None = None
    ) -> bool:
        if not processes:
            return False
        self.deaths.append(Death(time.time(), victim, name, runs or {}))
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        return True

    def _leaders(self, name: str) -> list[psutil.Process]:
        found = [process for process in self.stack.processes.alive() if process.name == name]
        with suppress(psutil.NoSuchProcess):
            return [psutil.Process(process.pid) for process in found]
        return []

    def _family(self, name: str) -> list[psutil.Process]:
        """Give a part's leader and its children, the leader first, so that it replaces none of them."""
        leaders = self._leaders(name)
        with suppress(psutil.NoSuchProcess):
            return leaders + [child for leader in leaders for child in leader.children(recursive=True)]
        return []

    def pids_of_edge(self, letter: str) -> str:
        return " ".join(str(process.pid) for process in self._family(f"edge-{letter}"))

    def flows(self) -> dict[psutil.Process, str]:
        """Give the living processes of flows, each with its run."""
        found = {}
        for process in (child for leader in self._leaders("worker") for child in self._children(leader)):
            with suppress(psutil.Error):
                run = process.environ().get("PREFECT__FLOW_RUN_ID")
                if run and process.status() != psutil.STATUS_ZOMBIE:
                    found[process] = run
        return found

    @staticmethod
    def _children(process: psutil.Process) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return list(process.children(recursive=True))
        return []

    def flow_of(self, run: str) -> str:
        """Give the flow of a run as the trace has it; empty where the run has not begun."""
        return next((line.point.flow for line in reversed(self.trace()) if line.run == run), "")

    # --- Supervising ----------------------------------------------------------------------------------

    def tick(self) -> None:
        """Start again what has died, and note what is back. To be called from one thread: children are tied to it."""
        self.stack.supervise()
        waiting = {death.name: death for death in self.deaths if death.back_at is None}
        for name, death in waiting.items():
            if name in self._PARTS and self._serves(name):
                for each in self.deaths:
                    if each.name == name and each.back_at is None:
                        each.back_at = time.time()
                del death

    _PARTS: Final = ("prefect", "s3", *(f"edge-{letter}" for letter in EDGE_ADDRESSES))

    def _serves(self, name: str) -> bool:
        match name:
            case "prefect":
                return self.stack.prefect().is_ready()
            case "s3":
                return self.stack.place.seaweed.is_ready()
            case _:
                edge = next(edge for edge in self.view.settings.edges if edge.name == name)
                try:
                    NginxEdge(edge).health()
                except EdgeUnavailable:
                    return False
                return True

    def is_whole(self) -> bool:
        """Say whether every part serves."""
        return all(self._serves(name) for name in self._PARTS)

    def wait(self, is_so: Callable[[], bool], seconds: float) -> bool:
        """Supervise until *is_so*, or for so long; say which."""
        deadline = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > deadline:
                return False
            self.tick()
            time.sleep(TICK_SECONDS)
        return True
