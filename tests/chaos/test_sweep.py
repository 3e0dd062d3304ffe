"""A slice of the sweep, and proof that it leaves no step out. `make chaos` strikes every call."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

import pytest
from prefect import Task

from tests.chaos.sweep import Sweeper, share_of, sweeper
from tests.chaos.world import FLOWS

SLICE: Final = Fraction(1, 300)
ELSEWHERE: Final = frozenset({"restore_force_https", "discard_bundle"})
"""Steps that no scene comes by: force-https's, and the one that deletes a key left on an edge."""


@pytest.fixture(name="running", scope="module")
def _running() -> Iterator[Sweeper]:
    with sweeper() as running:
        yield running


def test_every_step_of_every_flow_is_struck(running: Sweeper) -> None:
    """A step that is new in a flow is in the sweep, or said to be tested elsewhere."""
    steps = {value.name for module in FLOWS for value in vars(module).values() if isinstance(value, Task)}

    assert steps - running.list_steps() == ELSEWHERE


def test_a_slice_of_the_sweep_violates_nothing(running: Sweeper) -> None:
    """Faults spread over all scenes: each falls where it was meant to, and nothing is wrong afterwards."""
    swept = running.run(share_of(running.list_cases(), SLICE))

    assert swept.wrong == []
    assert swept.missed == []
    assert swept.kinds.total() > 5
