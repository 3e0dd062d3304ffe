"""A certificate near its end, and one that was exchanged by hand on an edge: who hears of it, on the real stack."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from deployments.local.configuration import APPROVER, METRICS_FILE
from deployments.local.ports import EDGE_ADDRESSES
from tests.stack.conftest import Completed
from tests.stack.world import World, await_value, leaf_seen_by_openssl, leaf_sha256


class TestCertificateNearItsEnd:
    def test_its_customer_finds_a_letter_and_an_open_renewal(self, world: World) -> None:
        """Nine of thirty days are left: the renewal can be pushed into, the ticket names it, Prometheus knows it."""
        customer = world.customer("ending", "ending.example.test")
        drop_id, run_id, _ = customer.hand_over(left=timedelta(days=9), age=timedelta(days=21))
        world.operate("approve", drop_id, "--name", APPROVER)
        world.prefect.await_state(run_id, "Completed")

        for _ in range(2):  # the second one says nothing new
            scan = world.prefect.start("scan-expiry", {"pace": "all"})
            world.prefect.await_state(scan, "Completed")

        letters = [ticket for ticket in customer.succeed("ticket", "list") if ticket["state"] == "told"]
        assert len(letters) == 1
        assert letters[0]["subject"].startswith("The certificate of ending.example.test expires in 8 days, on ")
        text = customer.succeed("ticket", "show", letters[0]["id"])["messages"][0]["body"]
        assert "certferry push renew-ending-example-test ./renew-ending-example-test" in text
        status = customer.succeed("status", "renew-ending-example-test")
        assert (status["hostname"], status["stage"], status["turn"]) == (
            customer.hostname,
            "awaiting-upload",
            "customer",
        )
        certificate = _certificate_of(world, customer.hostname)
        assert _metrics(world)["certferry_certificate_rung", certificate] == "open-renewal"
        assert 8 < float(_metrics(world)["certferry_certificate_days_left", certificate]) < 9


class TestWrongLeafOnAnEdge:
    def test_is_seen_and_not_repaired_by_whoever_sees_it(self, world: World, completed: Completed) -> None:
        """Exchanged by hand on one edge: the finding names the edge, and is gone once reconcile has been there."""
        hostname, wanted = completed.customer.hostname, leaf_sha256(completed.issued)
        with _reconcile_paused(world):
            _exchange(world, hostname)
            watch = world.prefect.start("watch-served", {})
            world.prefect.await_state(watch, "Completed")
            assert _findings(world, hostname) == [("edge-a", "wrong-leaf")]
            assert leaf_seen_by_openssl(world.stack, EDGE_ADDRESSES["a"], hostname) != wanted

        def is_mended() -> bool:
            return leaf_seen_by_openssl(world.stack, EDGE_ADDRESSES["a"], hostname) == wanted

        await_value(lambda: is_mended() or None, "the right leaf", timeout=150)
        again = world.prefect.start("watch-served", {})
        world.prefect.await_state(again, "Completed")
        assert _findings(world, hostname) == []


def _exchange(world: World, hostname: str) -> None:
    """Put another certificate for *hostname* on edge A, as somebody with a shell there could."""
    bundle = world.stack.ca.issue([hostname]).bundle
    edge = world.stack.place.edge_directory("a")
    name = f"{hashlib.sha256(bundle).hexdigest()}.pem"
    descriptor = os.open(edge / "bundles" / name, os.O_CREAT | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(bundle)
    link = edge / "hosts" / hostname
    target = link.readlink().with_name(name)
    link.unlink()
    link.symlink_to(target)


@contextmanager
def _reconcile_paused(world: World) -> Iterator[None]:
    """Keep `reconcile` from being started, and wait until none is at work."""
    deployment = f"/deployments/{world.prefect.deployment_id('reconcile')}"
    world.prefect.call("POST", f"{deployment}/pause_deployment")
    query = {
        "flows": {"name": {"any_": ["reconcile"]}},
        "flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING"]}}},
    }
    try:
        await_value(lambda: not world.prefect.call("POST", "/flow_runs/filter", query) or None, "no reconcile at work")
        yield
    finally:
        world.prefect.call("POST", f"{deployment}/resume_deployment")


def _findings(world: World, hostname: str) -> list[tuple[str, str]]:
    with closing(world.records()) as records:
        return list(records.execute("SELECT place, code FROM sightings WHERE hostname = ?", [hostname]))


def _certificate_of(world: World, hostname: str) -> str:
    with closing(world.records()) as records:
        ((certificate,),) = records.execute("SELECT id FROM certificates WHERE hostname = ?", [hostname])
    return str(certificate)


def _metrics(world: World) -> dict[tuple[str, str], str]:
    """Give what the metrics file says of each certificate: the value, or the rung."""
    text = (world.stack.place.root / METRICS_FILE).read_text()
    return {
        (sample.name, sample.labels["certificate"]): sample.labels.get("rung", str(sample.value))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "certificate" in sample.labels
    }
