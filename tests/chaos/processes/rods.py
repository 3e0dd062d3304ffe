"""
What stands in every flow's process of the chaos stack: each call to a client is written down, and may be the last.

Nothing of it is in the product: `flow_process` puts it around the clients of `Installation` before Prefect's engine
starts. Below the directory it is given lie ``trace``, one line a call that took effect, and ``pending``, one file a
kill that is to come, named after the call. Whoever renames that file to ``struck`` may kill, so each falls once.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

ANY: Final = "any"  # the subject of a run that is about nothing in particular: a round
UNTOUCHED: Final = ("resolver", "probe")  # they change nothing
UNCOUNTED: Final = ("leases.renew", "leases.check")  # as often as time and threads have it
DURABLE_REQUESTS: Final = ("set_state", "input")  # of the engine to the Prefect API
IDENTITY_TRIES: Final = 20
IDENTITY_PAUSE_SECONDS: Final = 0.5


@dataclass(frozen=True)
class Point:
    """
    One call of one flow, at which a process can be killed.

    Attributes:
        leg: How often the run was suspended before this process.

        number: Which of the calls of this name in this process, from 1.
    """

    flow: str
    leg: int
    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.flow} leg {self.leg}: {self.call} #{self.number}"


@dataclass(frozen=True)
class Kill:
    """A process of *subject* is killed at *point*: before the call, or after it took effect."""

    point: Point
    subject: str
    after: bool

    @property
    def file(self) -> str:
        point = self.point
        when = "after" if self.after else "before"
        return "@".join((point.flow, self.subject, str(point.leg), point.call, str(point.number), when))

    @classmethod
    def of_file(cls, name: str) -> Kill:
        flow, subject, leg, call, number, when = name.split("@")
        return cls(Point(flow, int(leg), call, int(number)), subject, when == "after")

    def __str__(self) -> str:
        return f"{self.point}, {'after' if self.after else 'before'}"


@dataclass(frozen=True)
class Line:
    """
    One line of the trace.

    Attributes:
        at: Unix time.

        struck: ``before`` or ``after`` where this is the process's last; else empty.
    """

    at: float
    pid: int
    run: str
    subject: str
    point: Point
    struck: str = ""

    def render(self) -> str:
        return json.dumps([self.at, self.pid, self.run, self.subject, *vars(self.point).values(), self.struck]) + "\n"

    @classmethod
    def parse(cls, text: str) -> Line:
        at, pid, run, subject, flow, leg, call, number, struck = json.loads(text)
        return cls(at, pid, run, subject, Point(flow, leg, call, number), struck)


@dataclass(frozen=True)
class Identity:
    """Which run this process carries."""

    run: str
    flow: str
    subject: str
    leg: int


class Rods:
    """The rods of this process."""

    def __init__(self, directory: Path, identity: Identity) -> None:
        self._directory, self._identity = directory, identity
        self._counts = Counter[str]()
        self._lock = threading.Lock()

    def call(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Make one call, unless this process dies before; it may die after."""
        if name in UNCOUNTED:
            return function(*args, **kwargs)
        point = self._count(name)
        self._strike(point, after=False)
        result = function(*args, **kwargs)
        self._write(point)
        self._strike(point, after=True)
        return result

    def _count(self, name: str) -> Point:
        with self._lock:
            self._counts[name] += 1
            return Point(self._identity.flow, self._identity.leg, name, self._counts[name])

    def _strike(self, point: Point, after: bool) -> None:
        for subject in (self._identity.subject, ANY):
            kill = Kill(point, subject, after)
            try:
                (self._directory / "pending" / kill.file).rename(self._directory / "struck" / kill.file)
            except FileNotFoundError:
                continue
            self._write(point, "after" if after else "before")
            self._kill(kill)

    def _kill(self, kill: Kill) -> None:
        """Kill this process; or, where the file names others, those in its place."""
        named = (self._directory / "struck" / kill.file).read_text().split()
        for pid in named or [str(os.getpid())]:
            os.kill(int(pid), signal.SIGKILL)

    def _write(self, point: Point, struck: str = "") -> None:
        line = Line(time.time(), os.getpid(), self._identity.run, self._identity.subject, point, struck)
        descriptor = os.open(self._directory / "trace", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.render().encode())  # one write: lines of several processes do not mix
        finally:
            os.close(descriptor)


class Rod:
    """A client with a rod on every method."""

    def __init__(self, name: str, client: Any, rods: Rods) -> None:
        self._name, self._client, self._rods = name, client, rods

    def __getattr__(self, call: str) -> Any:
        value = getattr(self._client, call)
        return partial(self._rods.call, f"{self._name}.{call}", value) if callable(value) else value


def put_up(rods: Rods) -> None:
    """Put *rods* around every client that an `Installation` will make, a new one too, and the engine's requests."""
    from tasks.clients.installation import Installation

    for name, made in list(vars(Installation).items()):
        if isinstance(made, cached_property) and name not in UNTOUCHED:
            replaced = cached_property(partial(_with_rod, name, made.func, rods))
            replaced.__set_name__(Installation, name)
            setattr(Installation, name, replaced)
    _around_requests(rods)


def _with_rod(name: str, make: Callable[[Any], Any], rods: Rods, here: Any) -> Any:
    client = make(here)
    if name == "database":  # other clients are made of it
        client.checkpoint = partial(rods.call, "database.checkpoint", client.checkpoint)
        return client
    if isinstance(client, tuple):
        return tuple(Rod(f"edge {each.name}", each, rods) for each in client)
    return Rod(name, client, rods)


def _around_requests(rods: Rods) -> None:
    """Put rods around what the engine itself tells Prefect: states, and the forms of gates."""
    from prefect.client.base import PrefectHttpxAsyncClient, PrefectHttpxSyncClient

    send, send_async = PrefectHttpxSyncClient.send, PrefectHttpxAsyncClient.send

    def sending(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        name = _name_of(request)
        return rods.call(name, send, self, request, *args, **kwargs) if name else send(self, request, *args, **kwargs)

    async def sending_async(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        name = _name_of(request)
        if not name:
            return await send_async(self, request, *args, **kwargs)
        point = rods._count(name)
        rods._strike(point, after=False)
        result = await send_async(self, request, *args, **kwargs)
        rods._write(point)
        rods._strike(point, after=True)
        return result

    PrefectHttpxSyncClient.send = sending  # type: ignore[method-assign]
    PrefectHttpxAsyncClient.send = sending_async  # type: ignore[method-assign]


def _name_of(request: Any) -> str:
    """Name a request that changes something; of a state, after the state."""
    last = request.url.path.rpartition("/")[2]
    if request.method != "POST" or last not in DURABLE_REQUESTS:
        return ""
    body = json.loads(request.content)
    state = body.get("state") or {}
    return f"prefect.{state.get('name') or state.get('type')}" if last == "set_state" else "prefect.input"


def identify(environ: Mapping[str, str]) -> Identity:
    """Ask Prefect what this process is for."""
    import httpx

    run = environ["PREFECT__FLOW_RUN_ID"]
    user, _, password = environ["PREFECT_API_AUTH_STRING"].partition(":")
    with httpx.Client(auth=(user, password), timeout=10, trust_env=False) as http:

        def fetch(path: str) -> Any:
            for _ in range(IDENTITY_TRIES):
                try:
                    answer = http.get(f"{environ['PREFECT_API_URL']}{path}")
                    if answer.is_success:
                        return answer.json()
                except httpx.TransportError:
                    pass
                time.sleep(IDENTITY_PAUSE_SECONDS)
            raise SystemExit(f"{path}: Prefect does not answer")

        found = fetch(f"/flow_runs/{run}")
        flow = fetch(f"/flows/{found['flow_id']}")["name"]
        states = fetch(f"/flow_run_states/?flow_run_id={run}")
    parameters = found["parameters"]
    subject = parameters.get("drop_id") or parameters.get("account") or ANY
    return Identity(run, flow, subject, sum(state["name"] == "Suspended" for state in states))
