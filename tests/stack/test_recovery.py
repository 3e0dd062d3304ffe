"""Worker and flow killed, and the whole stack restarted, between the approval and the edges."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from deployments.local.ports import EDGE_ADDRESSES
from tests.stack.world import World, await_value, leaf_seen_by_openssl, leaf_sha256


class TestKilledAfterTheApproval:
    def test_run_ends_once_and_nobody_is_asked_again(self, world: World) -> None:
        """The approval stands: the run ends Completed, with one question, one approval and one charge."""
        customer = world.customer("unlucky", "unlucky.example.test")
        drop_id, run_id, issued = customer.hand_over()
        asked = world.prefect.times_in(run_id, "Suspended")

        with _edge_that_takes_nothing(world.stack.place.edge_directory("a")):
            world.operate("approve", drop_id, "--name", "olive")
            await_value(lambda: world.count("approvals", "subject = ?", drop_id) or None, "the approval on record")
            flow = _process_of(run_id)
            world.stack.processes.end("worker", kill=True)
            flow.wait(10)
            world.stack.down()
        assert world.count("assignments", "hostname = ? AND proven_at IS NOT NULL", customer.hostname) == 0

        world.stack.up()
        world.prefect.await_state(run_id, "Completed", timeout=180)

        assert world.prefect.times_in(run_id, "Suspended") == asked
        assert world.prefect.times_in(run_id, "Completed") == 1
        assert world.count("approvals", "subject = ?", drop_id) == 1
        assert world.count("ledger", "account = ?", customer.account) == 1
        assert world.object_versions(f"drops/{drop_id}") == []
        for address in EDGE_ADDRESSES.values():
            assert leaf_seen_by_openssl(world.stack, address, customer.hostname) == leaf_sha256(issued)


class TestKilledWithoutAWord:
    def test_a_run_whose_worker_died_too_goes_on_under_a_new_worker(self, world: World) -> None:
        """Nobody reports it, and Prefect believes it Running: its lease runs out, and `recover` starts it again."""
        customer = world.customer("silent", "silent.example.test")
        drop_id, run_id, issued = customer.hand_over()

        with _edge_that_takes_nothing(world.stack.place.edge_directory("a")):
            world.operate("approve", drop_id, "--name", "olive")
            await_value(lambda: world.count("approvals", "subject = ?", drop_id) or None, "the approval on record")
            flow = _process_of(run_id)
            world.stack.processes.end("worker", kill=True)
            flow.kill()
            flow.wait(10)
        assert world.prefect.state_of(run_id) == "Running"
        world.stack.start_part("worker")

        world.prefect.await_state(run_id, "Completed", timeout=180)

        assert world.prefect.times_in(run_id, "Crashed") == 1
        assert world.count("approvals", "subject = ?", drop_id) == 1
        assert world.count("ledger", "account = ?", customer.account) == 1
        for address in EDGE_ADDRESSES.values():
            assert leaf_seen_by_openssl(world.stack, address, customer.hostname) == leaf_sha256(issued)


class TestEdgeThatLostEverything:
    def test_it_is_refilled_from_the_vault(self, world: World) -> None:
        """An edge that comes back without a customer's certificate serves it again, and nobody did anything."""
        customer = world.customer("lost", "lost.example.test")
        drop_id, run_id, issued = customer.hand_over()
        world.operate("approve", drop_id, "--name", "olive")
        world.prefect.await_state(run_id, "Completed")
        wanted = leaf_sha256(issued)

        world.stack.processes.end("edge-a", kill=True)
        link = world.stack.place.edge_directory("a") / "hosts" / customer.hostname
        link.resolve().unlink()
        link.unlink()
        world.stack.start_part("edge-a")

        def serves() -> bool:
            try:
                return leaf_seen_by_openssl(world.stack, EDGE_ADDRESSES["a"], customer.hostname) == wanted
            except subprocess.CalledProcessError:  # piggyback's certificate is not for this name
                return False

        assert not serves()
        await_value(lambda: serves() or None, "the refilled edge", timeout=150)
        assert world.count("audit", "action = ? AND subject = ?", "edge.refilled", drop_id) == 1
        assert world.count("ledger", "account = ?", customer.account) == 1


@contextmanager
def _edge_that_takes_nothing(directory: Path) -> Iterator[None]:
    """Hold an edge's lock, as a hanging change would: step 4 cannot get past it, however fast it is."""
    with (directory / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _process_of(run_id: str) -> psutil.Process:
    """Give the process that carries a flow run."""
    for process in psutil.Process().children(recursive=True):
        try:
            if process.environ().get("PREFECT__FLOW_RUN_ID") == run_id:
                return process
        except psutil.NoSuchProcess:
            continue
    pytest.fail(f"no process carries run {run_id}")
