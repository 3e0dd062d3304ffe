"""
The flows without Prefect: every step is called straight away, and the gates are answered by the test.

What Prefect itself does with them is shown on a real server, in `tests/stack`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeVar

import pytest
from prefect import Flow, Task
from prefect.input import RunInput

from flows import (
    carrying,
    destroy_drop,
    endings,
    gates,
    letters,
    provision,
    renew,
    retire,
    rollback,
    scan_expiry,
    sweep_drops,
    watch_drops,
    watch_served,
    watch_tickets,
)
from flows.carrying import carry_or_refuse
from tasks.core.model import Certificate, Drop, DropKind
from tests.office import Office

T = TypeVar("T", bound=RunInput)

MODULES = (
    carrying,
    destroy_drop,
    endings,
    gates,
    letters,
    provision,
    renew,
    retire,
    rollback,
    scan_expiry,
    sweep_drops,
    watch_drops,
    watch_served,
    watch_tickets,
)
"""Where the flows have their steps from."""

RUN = "0198a3d2-0000-7000-8000-000000000001"


class Waiting(BaseException):
    """The run is suspended at a gate: its process ends here, as with Prefect's own signal."""


@dataclass
class Theatre:
    """
    One run, as Prefect would carry it over its suspensions.

    Attributes:
        answers: What the next gates of a kind are answered, in order; a run that finds none waits.

        asked: Key and description of each question, in order; a question that was answered is not asked again.
    """

    office: Office
    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    _given: dict[str, dict[str, Any]] = field(default_factory=dict)

    def provision(self, drop_id: str) -> Any:
        """Run the drop's flow, `provision` or `renew`, from line 1, as a worker does."""
        return flow_of(self.office.drop(drop_id)).fn(drop_id)

    def carry(self, drop_id: str) -> Any:
        """Run the steps and let every error but a refusal through."""
        kind = self.office.drop(drop_id).kind
        return carry_or_refuse(drop_id, kind, renew.carry if kind is DropKind.RENEWAL else provision.carry)

    def complete(self, name: str = "edge", files: Mapping[str, bytes] | None = None) -> Certificate:
        """Carry a hand-over of *files*, or of good ones, to its end, with olga's approval where it is asked for."""
        drop = self.office.open(name)
        self.office.upload(drop, files)
        self.office.file(drop.id)
        self.answers["approval"] = [{"decision": "approve", "name": "olga"}]
        self.provision(drop.id)
        certificate = self.office.here.certificates.find_by_drop(drop.id)
        assert certificate is not None
        return certificate

    def answer(self, gate: str, **fields: str) -> None:
        """Give the next answer to gates of a kind: ``ticket`` or ``approval``."""
        self.answers.setdefault(gate, []).append(fields)

    def questions(self, gate: str) -> list[str]:
        """Give what the gates of a kind showed, in order."""
        return [description for key, description in self.asked if key.startswith(gate)]

    def forget_answers(self) -> None:
        """Do what Prefect does to a run that crashed: every answered question is open again."""
        self._given.clear()

    def suspend(self, wait_for_input: type[T], key: str) -> T:
        """Stand in for `suspend_flow_run`."""
        if key not in self._given:
            self.asked.append((key, str(wait_for_input._description)))
            waiting = self.answers.get(key.partition("-")[0], [])
            if not waiting:
                raise Waiting(key)
            self._given[key] = waiting.pop(0)
        return wait_for_input.model_validate(self._given[key])


def flow_of(drop: Drop) -> Flow[..., Any]:
    """Give the flow that carries *drop*."""
    return renew.renew if drop.kind is DropKind.RENEWAL else provision.provision


def plain(step: Task[Any, Any]) -> Callable[..., Any]:
    return step.fn


def without_prefect(
    monkeypatch: pytest.MonkeyPatch,
    modules: Iterable[ModuleType],
    play: Callable[[Task[Any, Any]], Callable[..., Any]] = plain,
) -> None:
    """Replace every step in *modules* by its plain function, or by what *play* makes of it."""
    for module in modules:
        for name, value in list(vars(module).items()):
            if isinstance(value, Task):
                monkeypatch.setattr(module, name, play(value))


@pytest.fixture(name="theatre")
def _theatre(office: Office, monkeypatch: pytest.MonkeyPatch) -> Theatre:
    theatre = Theatre(office)
    without_prefect(monkeypatch, MODULES)
    monkeypatch.setattr(gates, "suspend_flow_run", theatre.suspend)
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", RUN)
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__RUN_COUNT", "1")
    office.runs.runs[RUN] = "Running"
    return theatre
