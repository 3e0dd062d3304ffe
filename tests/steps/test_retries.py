"""The table of retries, and what every step promises."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

import pytest
from prefect import Task
from prefect.states import Failed

import tasks
from tasks.core.errors import CertferryError, EdgeUnavailable, HandOverClosed, NotReady, ProofFailed, Unavailable
from tasks.retries import DELAYS_SECONDS, is_unavailable

MODULES = [importlib.import_module(f"tasks.{module.name}") for module in pkgutil.iter_modules(tasks.__path__)]
STEPS: dict[str, Task[..., Any]] = {
    name: value
    for module in MODULES
    for name, value in vars(module).items()
    if isinstance(value, Task) and value.fn.__module__ == module.__name__
}


def an_error(kind: type[CertferryError]) -> CertferryError:
    return kind("subject", got="got", wanted="wanted", do="Do.")


@pytest.mark.parametrize("name", STEPS)
class TestEveryStep:
    def test_says_what_happens_when_it_is_repeated_and_undone(self, name: str) -> None:
        """A step's docstring has both: whoever starts a run again reads what that does."""
        text = inspect.getdoc(STEPS[name].fn) or ""

        assert "Repeat:" in text
        assert "Undo:" in text

    def test_keeps_its_result_nowhere(self, name: str) -> None:
        """Correctness rests on the records; what Prefect would persist could only be stale, or a secret."""
        step = STEPS[name]

        assert step.persist_result is False
        assert step.name == name

    def test_is_retried_from_the_table(self, name: str) -> None:
        """No step has a row of its own."""
        step = STEPS[name]

        assert step.retries == len(step.retry_delay_seconds)
        assert tuple(step.retry_delay_seconds) in DELAYS_SECONDS.values()

    def test_takes_ids_and_words_only(self, name: str) -> None:
        """Prefect may show arguments: none is bytes, a drop, an envelope or a client."""
        allowed = {"str", "bool", "int", "Outcome", "str | None"}

        annotations = inspect.get_annotations(STEPS[name].fn)
        assert {str(kind) for argument, kind in annotations.items() if argument != "return"} <= allowed


class TestIsUnavailable:
    def test_an_outage_is_tried_again(self) -> None:
        """The other side did not answer: it may the next time."""
        assert is_unavailable(None, None, Failed(data=EdgeUnavailable.because("edge a", "timeout")))

    @pytest.mark.parametrize("kind", [HandOverClosed, NotReady, ProofFailed])
    def test_nothing_else_is(self, kind: type[CertferryError]) -> None:
        """A refusal, a wait or a drift is the same the next time."""
        assert not is_unavailable(None, None, Failed(data=an_error(kind)))

    def test_a_bug_is_not(self) -> None:
        """What nobody foresaw must be loud at once."""
        assert not is_unavailable(None, None, Failed(data=ValueError("bug")))


def test_every_row_gives_up_within_a_minute_and_a_half() -> None:
    """Longer outages end the run, and the round starts it again: a process that sleeps is a process."""
    assert all(sum(delays) <= 90 for delays in DELAYS_SECONDS.values())
    assert all(issubclass(system, Unavailable) for system in DELAYS_SECONDS)
