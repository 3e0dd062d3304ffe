"""What is left in the end, judged from outside: by handshakes, SQL, S3, Prefect's API and the files."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import boto3
from sqlalchemy import select

from deployments.local.ports import EDGE_ADDRESSES
from tasks.clients.plans import fetch_plan
from tasks.clients.tables import ApprovalRow
from tasks.core.errors import CertferryError
from tasks.core.model import Drop, DropState, Outcome
from tests.chaos.processes.people import Customer, HandOver, People, is_as_wished
from tests.chaos.processes.scene import Scene
from tests.leaks import Secrets, scan_database, scan_tree
from tests.stack.world import leaf_seen_by_openssl

TERMINAL: Final = ("COMPLETED", "FAILED", "CANCELLED", "CRASHED")
STOPPED_WRONGLY: Final = ("Failed", "Drifted")


class Judge:
    """Judges one scene after its storm."""

    def __init__(self, scene: Scene, people: People) -> None:
        self._scene, self._people = scene, people
        self._canary = secrets.token_bytes(32)

    def find_violations(self) -> list[str]:
        """Give everything that must not be."""
        found = [trouble for c in self._people.customers for trouble in self._judge_customer(c)]
        found += [*self._judge_records(), *self._judge_questions(), *self._judge_leaks()]
        return found

    # --- Hand-overs -----------------------------------------------------------------------------------

    def _judge_customer(self, customer: Customer) -> Iterator[str]:
        completed = []
        for hand_over in customer.hand_overs:
            where = f"{customer.hostname} {hand_over.name}"
            if hand_over.trouble or not hand_over.drop_id:
                yield f"{where}: never ended: {hand_over.trouble}"
                continue
            drop = self._scene.view.drops.fetch(hand_over.drop_id)
            if not is_as_wished(hand_over.wish, drop.outcome):
                yield f"{where}: wished {hand_over.wish}, ended {drop.outcome} ({drop.outcome_code})"
            if drop.outcome is Outcome.COMPLETED:
                completed.append(hand_over)
            yield from (f"{where}: {trouble}" for trouble in self._judge_drop(drop, hand_over))
        yield from self._judge_served(customer, completed)
        lines = self._scene.view.billing.list_entries(customer.account)
        if len(lines) != bool(completed):
            yield f"{customer.hostname}: {len(lines)} charges for {len(completed)} completed hand-overs"

    def _judge_drop(self, drop: Drop, hand_over: HandOver) -> Iterator[str]:
        view = self._scene.view
        if drop.state is not DropState.DESTROYED:
            yield f"ended, but its drop is {drop.state}"
        try:
            view.drops.fetch_seed(drop.id)
            yield "its seed is left"
        except CertferryError:
            pass
        if versions := self._versions(drop.id):
            yield f"{len(versions)} versions are left in S3"
        certificate = view.certificates.find_by_drop(drop.id)
        if certificate and drop.outcome is Outcome.COMPLETED:
            _, digest = fetch_plan(view, drop)
            if self._decisions(drop.id).get(digest) != "approve":
                yield "installed without an approval of this very plan"
            if certificate.leaf_sha256 != hand_over.leaf_sha256:
                yield "another certificate than was sent"
            if view.certificates.find_confirmation(certificate.id) is None:
                yield "completed without a confirmation"
        elif certificate and any(self._bundle(letter, certificate.bundle_sha256).exists() for letter in EDGE_ADDRESSES):
            yield "did not complete, but its key is on an edge"

    def _judge_served(self, customer: Customer, completed: list[HandOver]) -> Iterator[str]:
        for letter, address in EDGE_ADDRESSES.items():
            try:
                seen = leaf_seen_by_openssl(self._scene.stack, address, customer.hostname)
            except Exception:  # noqa: BLE001 - no handshake, or not for this name
                seen = None
            wanted = completed[-1].leaf_sha256 if completed else None
            if seen != wanted:
                yield f"{customer.hostname}: edge {letter} shows {seen}, wanted {wanted}"

    # --- Records, runs and questions --------------------------------------------------------------------

    def _judge_records(self) -> Iterator[str]:
        view = self._scene.view
        try:
            view.audit.verify()
        except CertferryError as broken:
            yield f"the audit trail does not verify: {broken}"
        if left := view.leases.list_run_out(view.now()):
            yield f"leases ran out and were not recovered: {left}"
        for run in self._provision_runs():
            state = run["state"]
            asks = state["name"] == "Suspended" and self._people.has_form(
                run["id"], state["state_details"]["pause_key"]
            )
            if (state["type"] not in TERMINAL and not asks) or state["name"] in STOPPED_WRONGLY:
                yield f"run {run['id']} is {state['name']}: {state['message']}"

    def _judge_questions(self) -> Iterator[str]:
        """Blame a question about a plan that was decided, or that was open already."""
        for run in self._provision_runs():
            history = self._scene.prefect.call("GET", f"/flow_run_states/?flow_run_id={run['id']}")
            decided = self._decision_times(run["parameters"]["drop_id"])
            for state in (state for state in history if state["name"] == "Suspended"):
                key = str(state["state_details"]["pause_key"])
                plan = key.removeprefix("approval-")[:16]
                if any(digest.startswith(plan) and at < state["timestamp"] for digest, at in decided.items()):
                    yield f"run {run['id']} asked {key} about a plan that was decided"

    def _provision_runs(self) -> list[dict[str, Any]]:
        query = {"flows": {"name": {"any_": ["provision"]}}, "limit": 200}
        found: list[dict[str, Any]] = self._scene.prefect.call("POST", "/flow_runs/filter", query)
        return found

    def _decisions(self, drop_id: str) -> dict[str, str]:
        wanted = select(ApprovalRow).where(ApprovalRow.subject == drop_id)
        with self._scene.view.database.reading() as session:
            return {row.plan_sha256: row.decision for row in session.scalars(wanted)}

    def _decision_times(self, drop_id: str) -> dict[str, str]:
        wanted = select(ApprovalRow).where(ApprovalRow.subject == drop_id)
        with self._scene.view.database.reading() as session:
            return {row.plan_sha256: row.at.isoformat() for row in session.scalars(wanted)}

    # --- Leaks --------------------------------------------------------------------------------------------

    def _judge_leaks(self) -> Iterator[str]:
        """Scan everything that lasts, outside the edges' bundles; and be sure that the scanner looks there."""
        stack = self._scene.stack
        places = self._plant()
        canary = Secrets.of_bytes(self._canary, "canary")
        dead = [h.drop_id for c in self._people.customers for h in c.hand_overs if h.ended_at]
        bundles = [stack.place.edge_directory(letter) / "bundles" for letter in EDGE_ADDRESSES]
        hits = scan_tree([stack.place.root], self._people.secrets | canary, skip=bundles)
        if self._scene.records_url:
            hits += scan_database(self._scene.records_url, self._people.secrets, "records")
        else:
            hits += scan_tree(sorted(stack.place.root.glob("records.db*")), self._people.wrapped(dead))
        hits += self._scene.watch.scan(self._people.secrets)
        yield from (str(hit) for hit in hits if "canary" not in hit.what)
        seen = {place for place in places for hit in hits if "canary" in hit.what and place in hit.where}
        yield from (f"the scanner did not see the canary in {place}" for place in places if place not in seen)
        yield from (f"core file {path}" for path in stack.place.root.rglob("core*") if path.is_file())

    def _plant(self) -> tuple[str, ...]:
        """Put a secret where secrets could leak to: a log, Prefect's database, an edge's directory."""
        place, text = self._scene.stack.place, base64.b64encode(self._canary).decode()
        (place.root / "logs" / "canary.log").write_text(f"oops {text}\n")
        (place.edge_directory("a") / "log" / "canary").write_bytes(self._canary)
        self._scene.prefect.call("POST", "/artifacts/", {"key": "canary", "type": "markdown", "data": text})
        return "canary.log", "edges/a/log", "prefect.db"

    # --- Looking --------------------------------------------------------------------------------------------

    def _bundle(self, letter: str, sha256: str) -> Path:
        return self._scene.stack.place.edge_directory(letter) / "bundles" / f"{sha256}.pem"

    def _versions(self, drop_id: str) -> list[str]:
        environment = self._scene.stack.operator_environment()
        client = boto3.client(
            "s3",
            endpoint_url=self._scene.stack.place.s3_url,
            region_name="us-east-1",
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        )
        bucket = self._scene.view.settings.store.drops_bucket
        answer = client.list_object_versions(Bucket=bucket, Prefix=f"drops/{drop_id}")
        return [found["Key"] for found in [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]]
