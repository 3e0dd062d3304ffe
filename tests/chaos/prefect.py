"""Prefect under the storm: runs that a worker starts, gates that wait, and answers that a crash forgets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.fakes.orchestrator import ENDED, FakeOrchestrator

DUE = ("Scheduled", "AwaitingRetry", "Resuming")


@dataclass
class Question:
    """What a gate asked: of which run, under which key, and whether its answer was lost with a crash."""

    run: str
    key: str
    forgotten: bool = False


class ForgetfulOrchestrator(FakeOrchestrator):
    """`FakeOrchestrator`, with what a worker and a gate need of Prefect. A run that is started again is asked anew."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}
        self.questions: list[Question] = []
        self._given: dict[tuple[str, str], dict[str, Any]] = {}
        self._clock = clock

    def start(self, deployment: str, parameters: Mapping[str, Any], idempotency_key: str, name: str) -> str:
        run = super().start(deployment, parameters, idempotency_key, name)
        self.since.setdefault(run, self._clock())
        return run

    def resume(self, flow_run_id: str, answer: Mapping[str, Any]) -> bool:
        gate = self.gates.get(flow_run_id, "")
        if not super().resume(flow_run_id, answer):
            return False
        self._given[flow_run_id, gate] = dict(answer)
        self.since[flow_run_id] = self._clock()
        return True

    def restart(self, flow_run_id: str) -> bool:
        scheduled = super().restart(flow_run_id)
        if scheduled:
            self.forget(flow_run_id)
            self.since[flow_run_id] = self._clock()
        return scheduled

    def declare_crashed(self, flow_run_id: str) -> bool:
        ended = super().declare_crashed(flow_run_id)
        self.forget(flow_run_id)
        return ended

    def cancel_in_ui(self, flow_run_id: str) -> bool:
        """Do what *Cancel* in the run's menu does; a run that has ended has no such entry."""
        if self.runs[flow_run_id] in ENDED:
            return False
        self.set_state(flow_run_id, "Cancelled")
        self.gates.pop(flow_run_id, None)
        self.formless.discard(flow_run_id)
        return True

    def list_due(self) -> list[str]:
        """Give the runs that a worker would start now."""
        return [run for run, state in self.runs.items() if state in DUE]

    def list_asking(self, gate: str) -> list[str]:
        """Give the runs that wait at gates of a kind, and have their form."""
        waiting = (run for run, key in self.gates.items() if key.startswith(gate))
        return [run for run in waiting if run not in self.formless]

    def drop_of(self, flow_run_id: str) -> str:
        return str(self.started[flow_run_id][1]["drop_id"])

    def begin(self, flow_run_id: str) -> int:
        """Let a worker start the run, and give its count: a new attempt with nothing answered, unless it is resumed."""
        if self.runs[flow_run_id] != "Resuming":
            self.counts[flow_run_id] = self.counts.get(flow_run_id, 0) + 1
            self.forget(flow_run_id)
        self.set_state(flow_run_id, "Running")
        return self.counts[flow_run_id]

    def set_state(self, flow_run_id: str, state: str) -> None:
        self.runs[flow_run_id], self.since[flow_run_id] = state, self._clock()

    def find_answer(self, flow_run_id: str, key: str) -> dict[str, Any] | None:
        """Give what the gate was answered, as long as that is not forgotten."""
        return self._given.get((flow_run_id, key))

    def ask(self, flow_run_id: str, key: str) -> bool:
        """Suspend a run at a gate, still without its form, and say whether it is: only one that is at work can be."""
        if self.runs[flow_run_id] != "Running":
            return False
        self.suspend(flow_run_id, key)
        self.since[flow_run_id] = self._clock()
        self.formless.add(flow_run_id)
        self.questions.append(Question(flow_run_id, key))
        return True

    def forget(self, flow_run_id: str | None = None) -> None:
        """Forget the answers of a run that crashed, or of all."""
        for run, key in list(self._given):
            if flow_run_id in (None, run):
                del self._given[run, key]
        for question in self.open_questions():
            if flow_run_id in (None, question.run) and self.gates.get(question.run) != question.key:
                question.forgotten = True

    def open_questions(self) -> Iterator[Question]:
        """Give the questions that wait for an answer, or whose answer can still be read."""
        return (question for question in self.questions if not question.forgotten)
