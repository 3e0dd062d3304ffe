"""Carry one case after another, count what was struck, and keep what must not have been."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

from tasks.core.model import Outcome
from tests.chaos.records import Files, Records
from tests.chaos.strikes import WEIGHTS, Kind, Strike, plan_strikes
from tests.chaos.world import World, make_world
from tests.pki import CA

LOOKS: Final = ("fetch", "find", "list", "is_", "get", "health", "resolve", "txt", "has_", "look", "state")
LIFETIMES: Final = (timedelta(hours=36), timedelta(days=14))
OFF_THE_WAY: Final = (
    *(f"edge {edge}.{call}" for edge in "ab" for call in ("restore", "discard")),
    *("certificates.unassign", "certificates.shred", "vault.delete", "drops.close_unassigned", "decisions.find"),
    *("orchestrator.cancel", "orchestrator.restart", "orchestrator.declare_crashed"),
)
"""Calls of what is undone, given up or recovered, and the look at a decision."""

MEMORY: Final = Path("/dev/shm")  # a storm needs no disk: that a commit lasts is shown with real processes


@dataclass(frozen=True)
class Violation:
    """What must not be, and how to see it again."""

    seed: int
    case: int
    strikes: tuple[int, ...]
    what: str

    def __str__(self) -> str:
        kept = ",".join(map(str, self.strikes))
        return f"{self.what}\n    python -m tests.chaos --seed {self.seed} --case {self.case} --strikes-of {kept or 'none'}"


@dataclass
class Tally:
    """What came to pass in a storm."""

    cases: int = 0
    hand_overs: int = 0
    calls: int = 0
    questions: int = 0
    kinds: Counter[Kind] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    flagged: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)

    @property
    def strikes(self) -> int:
        return self.kinds.total()

    def add(self, world: World) -> None:
        self.cases += 1
        self.hand_overs += len(world.parcels)
        self.calls += len(world.trace)
        self.questions += len(world.prefect.questions)
        self.kinds.update(kind for kind, _ in world.struck)
        self.struck.update(call for _, call in world.struck)
        self.outcomes.update(world.witness.outcomes.values())
        self.flagged.update(world.flagged)


class Storm:
    """
    Random faults, planned from *seed*.

    Ids and keys are random all the same; what is struck, when and how, is not.

    Attributes:
        weights: How often each kind of strike comes.
    """

    def __init__(
        self,
        seed: int,
        directory: Path,
        records: Records | None = None,
        weights: Mapping[Kind, int] = WEIGHTS,
    ) -> None:
        self.seed, self.weights, self.tally = seed, weights, Tally()
        self._directory, self._records = directory, records or Files(directory)
        self._authority = CA("Office Root").intermediate()
        self._calls = self._find_calls()

    def run(self, strikes: int, progress: Callable[[Tally], object] = lambda _: None) -> Tally:
        """Carry cases until that many strikes have fallen."""
        case = 0
        while self.tally.strikes < strikes:
            self.run_case(case)
            progress(self.tally)
            case += 1
        return self.tally

    def run_case(self, case: int, kept: Sequence[int] | None = None) -> World:
        """Carry one case, with all of its strikes or those *kept*, and note what is wrong in the end."""
        with self._case(case, kept) as (world, strikes):
            world.play()
        self.tally.add(world)
        numbers = tuple(kept if kept is not None else range(len(strikes)))
        self.tally.violations += [Violation(self.seed, case, numbers, what) for what in world.witness.violations]
        return world

    def find(self, cases: Iterable[int]) -> Violation | None:
        """Carry *cases* until one is violated."""
        for case in cases:
            self.run_case(case)
            if self.tally.violations:
                return self.tally.violations[0]
        return None

    def minimise(self, violation: Violation) -> Violation:
        """Give the same violation with as few of its strikes as it needs."""
        kept = list(violation.strikes)
        for number in violation.strikes:
            fewer = [other for other in kept if other != number]
            with self._case(violation.case, fewer) as (world, _):
                world.play()
            if violation.what in world.witness.violations:
                kept = fewer
        return Violation(self.seed, violation.case, tuple(kept), violation.what)

    @contextmanager
    def _case(self, case: int, kept: Sequence[int] | None = None) -> Iterator[tuple[World, list[Strike]]]:
        random = Random(f"{self.seed}/{case}")
        planned = plan_strikes(random, self._calls, self.weights)
        strikes = [strike for number, strike in enumerate(planned) if kept is None or number in kept]
        hand_overs, lifetime = random.choice((1, 1, 2, 2, 3)), random.choice(LIFETIMES)
        url = self._records.renew()
        with make_world(self._directory, url, self._authority, random, strikes, hand_overs, lifetime) as world:
            yield world, planned

    def _find_calls(self) -> tuple[str, ...]:
        """Give the calls worth waiting for: those that change something on an untroubled way, and some off it."""
        url = self._records.renew()
        with make_world(self._directory, url, self._authority, Random(0), [], 2, LIFETIMES[1]) as world:
            world.play()
        assert not world.witness.violations, world.witness.violations
        changes = (call for call in world.trace if not call.partition(".")[2].startswith(LOOKS))
        return tuple(sorted({*changes, *OFF_THE_WAY}))


@contextmanager
def storm(seed: int, records: Records | None = None) -> Iterator[Storm]:
    """Lend a storm in a directory that is gone afterwards."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as directory:
        yield Storm(seed, Path(directory), records)
