"""Prefect in memory: runs that wait at gates, and answer as strictly as the API does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from tasks.core.care import Phase, Run
from tasks.core.errors import NotFound, PrefectUnavailable

FIELDS = {"ticket": ({"ticket"}, {"name"}), "approval": ({"decision", "name"}, {"note"})}
"""By how a gate's key begins: the fields its form needs, and those it takes besides. Others are refused."""

ENDED = frozenset({"Completed", "Rejected", "Cancelled", "Crashed", "Failed", "NotReady", "Unavailable", "Drifted"})

PHASES = {"Running": Phase.WORKING, "Pending": Phase.WORKING, "Suspended": Phase.WAITING}


class FakeOrchestrator:
    """
    Runs are states; nothing runs.

    Attributes:
        down: While True, every call raises `PrefectUnavailable`.

        runs: Run id to the name of its state.

        gates: Run id to the key of the gate it waits at, while it is ``Suspended``.

        started: (deployment, parameters, name) of each run, by id.

        answers: What each gate was answered, by run id.

        since: When a run came into its state, where that is not now.

        formless: Runs that were killed between their suspension and the saving of their form.
    """

    def __init__(self) -> None:
        self.down = False
        self.runs: dict[str, str] = {}
        self.gates: dict[str, str] = {}
        self.started: dict[str, tuple[str, dict[str, Any], str]] = {}
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self.since: dict[str, datetime] = {}
        self.formless: set[str] = set()
        self._by_key: dict[tuple[str, str], str] = {}

    def start(self, deployment: str, parameters: Mapping[str, Any], idempotency_key: str, name: str) -> str:
        self._reach()
        run = self._by_key.setdefault((deployment, idempotency_key), str(uuid4()))
        if run not in self.runs:
            self.runs[run] = "Scheduled"
            self.started[run] = (deployment, dict(parameters), name)
        return run

    def resume(self, flow_run_id: str, answer: Mapping[str, Any]) -> bool:
        gate = self.find_gate(flow_run_id)
        if gate is None:
            return False
        needed, allowed = FIELDS[gate.partition("-")[0]]
        if not needed <= set(answer) <= needed | allowed:
            return False
        self.answers.setdefault(flow_run_id, []).append(dict(answer))
        self.runs[flow_run_id] = "Resuming"
        del self.gates[flow_run_id]
        return True

    def find_gate(self, flow_run_id: str) -> str | None:
        self.state(flow_run_id)
        return self.gates.get(flow_run_id)

    def state(self, flow_run_id: str) -> str:
        self._reach()
        if flow_run_id not in self.runs:
            raise NotFound.named("run", flow_run_id)
        return self.runs[flow_run_id]

    def look(self, flow_run_id: str) -> Run:
        state = self.state(flow_run_id)
        phase = Phase.ENDED if state in ENDED else PHASES.get(state, Phase.SCHEDULED)
        return Run(state, phase, self.since.get(flow_run_id, datetime.now(UTC)), flow_run_id not in self.formless)

    def declare_crashed(self, flow_run_id: str) -> bool:
        if self.state(flow_run_id) not in ENDED:
            self.runs[flow_run_id] = "Crashed"
            self.gates.pop(flow_run_id, None)
            self.formless.discard(flow_run_id)
        return True

    def restart(self, flow_run_id: str) -> bool:
        if self.state(flow_run_id) not in ENDED - {"Completed", "Rejected"}:
            return False
        self.runs[flow_run_id] = "AwaitingRetry"
        return True

    def cancel(self, flow_run_id: str) -> bool:
        state = self.state(flow_run_id)
        if state == "Running" or state in ENDED:
            return state != "Running"
        self.runs[flow_run_id] = "Cancelled"
        self.gates.pop(flow_run_id, None)
        return True

    def suspend(self, flow_run_id: str, gate: str) -> None:
        """Let a run wait at a gate, as `provision` does."""
        self.runs[flow_run_id], self.gates[flow_run_id] = "Suspended", gate

    def _reach(self) -> None:
        if self.down:
            raise PrefectUnavailable.because("a run", "told to fail")
