"""
Strike every call once, with every kind of fault that fits it: not at random, and leaving nothing out.

    python -m tests.chaos.sweep                                   # all of it
    python -m tests.chaos.sweep --share 1/20                      # every twentieth case
    python -m tests.chaos.sweep --scene cancel --number 12 --kind "killed after"      # one case again

Each scene is first carried without a fault, and every call is written down with its place: the flow, the step, the
client's method, and the how-manieth it is there in that process. So a new step or call is struck without anybody
thinking of it. Then the scene is carried again for each place and fault, and judged as a storm is, from outside.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any, Final

from rich.console import Console
from rich.progress import Progress

from flows import open_drop as opening
from tasks.core.model import make_id
from tasks.file_ticket import file_ticket
from tests.chaos.records import Files
from tests.chaos.storm import LIFETIMES, LOOKS, MEMORY
from tests.chaos.strikes import Kind, Strike, find_error
from tests.chaos.world import UNGUARDED, World, make_world
from tests.office import RIVAL
from tests.pki import CA

AT_A_LOOK: Final = (Kind.REFUSE, Kind.TIMEOUT, Kind.SLOW, Kind.KILL_BEFORE)
AT_A_CHANGE: Final = (*AT_A_LOOK, Kind.LOSE, Kind.KILL_AFTER)
"""A reset is an answer that never came or one that was lost; a look whose answer is lost is one that was refused."""

NEEDS_ANSWER: Final = (Kind.REFUSE, Kind.TIMEOUT, Kind.LOSE)
STRAY_BUNDLE: Final = "5" * 64


@dataclass(frozen=True)
class Place:
    """Where in the product a call is made."""

    flow: str
    step: str
    call: str
    nth: int

    def __str__(self) -> str:
        return f"{self.flow} / {self.step or '-'} / {self.call} ({self.nth})"


class Stage(World):
    """
    A world whose beginning is written down in a scene.

    Attributes:
        places: Where each call of the trace was made.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.places: list[Place] = []
        self._seen: Counter[tuple[str, int, str, str, str]] = Counter()

    def call(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        me = self.running
        if not me.dead:
            where = (me.run, me.count, me.flow, me.step, name)
            self._seen[where] += 1
            self.places.append(Place(me.flow, me.step, name, self._seen[where]))
        return super().call(name, function, *args, **kwargs)

    def open(self, number: int = 0) -> None:
        """Let a customer ask for a drop, and the worker open it."""
        parcel = self.parcels[number]
        self.go_on(parcel)
        if parcel.requested:
            parcel.opened = self.try_to("open-drop", lambda: opening.open_drop.fn(drop_id=parcel.drop_id))

    def push(self, number: int = 0) -> None:
        """Let the customer upload; a round finds it and starts the run, which waits for the ticket."""
        self.go_on(self.parcels[number])
        self.watch_drops()
        self.work()

    def bring(self, number: int = 0) -> None:
        """Bring a hand-over to the gate of its approval."""
        self.open(number)
        self.push(number)
        self.go_on(self.parcels[number])
        self.watch_tickets()
        self.work()

    def quote(self, sender: str) -> None:
        """File a ticket that quotes the drop, from whatever address."""
        ticket, text = make_id("ticket", bytes(16)), f"Please.\n{self.parcels[0].drop_id}"
        self.try_to("front desk", lambda: file_ticket(ticket, sender, "HTTPS", text, None, self.now()))

    def decide(self, decision: str, name: str = "olga") -> None:
        """Let a person answer whatever waits, and the worker go on."""
        for run in self.prefect.list_asking("approval"):
            self.prefect.resume(run, {"decision": decision, "name": name})
        self.work()

    def complete(self, number: int = 0) -> None:
        self.bring(number)
        self.decide("approve")

    def work(self) -> None:
        for run in self.prefect.list_due():
            self.start(run)

    def empty(self, edge: int) -> None:
        """Let an edge come back with nothing on its disk."""
        found = self.office.edges[edge]
        self.witness.emptied.add(found.name)
        found.hosts.clear()
        found.bundles.clear()


def provide(stage: Stage) -> None:
    """A hand-over that completes."""
    stage.complete()


def replace(stage: Stage) -> None:
    """A second hand-over of the hostname takes the place of the first."""
    stage.complete(0)
    stage.complete(1)


def refuse(stage: Stage) -> None:
    """A stranger's ticket and a stranger's approval count for nothing; then somebody who may says no."""
    stage.open()
    stage.push()
    stage.quote("stranger@rival.test")
    stage.watch_tickets()
    stage.go_on(stage.parcels[0])
    stage.watch_tickets()
    stage.work()
    stage.decide("approve", "eve")
    stage.decide("reject")


def cancel(stage: Stage) -> None:
    """The customer gives it up while a person is asked."""
    stage.bring()
    stage.cancel(stage.parcels[0])


def cancel_run(stage: Stage) -> None:
    """An operator cancels the run in the UI, and a round undoes it."""
    stage.bring()
    if stage.parcels[0].requested:
        stage.cancel_run(stage.parcels[0])
    stage.watch_drops()


def destroy(stage: Stage) -> None:
    """The customer gives an open drop up before anything came in."""
    stage.open()
    if stage.parcels[0].requested:
        stage.cancel(stage.parcels[0])


def expire(stage: Stage) -> None:
    """No ticket comes."""
    stage.open()
    stage.push()
    stage.sleep(LIFETIMES[0].total_seconds() + 60)
    stage.watch_drops()


def recover(stage: Stage) -> None:
    """The process dies between the edges without a word, and `recover` starts it again."""
    stage.bring()
    stage.strikes.append(Strike(0, "edge b.commit", Kind.KILL_AFTER, 0.9))
    stage.decide("approve")
    for run, state in list(stage.prefect.runs.items()):
        if state == "Crashed":  # the worker's word for it is lost too
            stage.prefect.set_state(run, "Running")
    stage.sleep(600)
    stage.recover()
    stage.work()


def refill(stage: Stage) -> None:
    """An edge comes back empty."""
    stage.complete()
    stage.empty(0)
    stage.reconcile()
    stage.reconcile()


def clear(stage: Stage) -> None:
    """An edge serves what no record knows of."""
    stage.complete()
    edge = stage.office.edges[1]
    edge.bundles[STRAY_BUNDLE], edge.hosts[RIVAL] = b"stray", STRAY_BUNDLE
    stage.reconcile()
    stage.reconcile()


SCENES: Final[dict[str, Callable[[Stage], None]]] = {
    "provision": provide,
    "refuse": refuse,
    "cancel": cancel,
    "cancel-run": cancel_run,
    "destroy": destroy,
    "expire": expire,
    "recover": recover,
    "refill": refill,
    "clear": clear,
    "replace": replace,
}
HAND_OVERS: Final = {"replace": 2}
GROWTH: Final = 2.5  # of the time between the last rounds: a scene has one drop to end, not a storm of them


@dataclass(frozen=True)
class Case:
    """One fault at one call of a scene: the *number* of the call, from 0."""

    scene: str
    number: int
    place: Place
    kind: Kind

    def __str__(self) -> str:
        again = f'python -m tests.chaos.sweep --scene {self.scene} --number {self.number} --kind "{self.kind}"'
        return f"{self.kind} at {self.place}\n    {again}"


@dataclass
class Sweep:
    """
    What was swept.

    Attributes:
        wrong: What must not have been, by case.

        missed: Cases whose call was not made or could not be struck.
    """

    kinds: Counter[Kind] = field(default_factory=Counter)
    flagged: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[Case, str]] = field(default_factory=list)
    missed: list[Case] = field(default_factory=list)


class Sweeper:
    """Carries scenes on records that lie in *directory*."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._records = directory, Files(directory)
        self._authority = CA("Office Root").intermediate()

    def list_cases(self) -> list[Case]:
        """Give a case for each place and fault, at the first call that is made there."""
        return [Case(scene, n, place, kind) for scene, n, place in self._places for kind in find_kinds(place)]

    def list_steps(self) -> set[str]:
        """Give the names of the steps that are struck."""
        return {place.step for _, _, place in self._places} - {""}

    def run(self, cases: list[Case], progress: Callable[[], object] = lambda: None) -> Sweep:
        swept = Sweep()
        for case in cases:
            self._run_case(case, swept)
            progress()
        return swept

    @cached_property
    def _places(self) -> tuple[tuple[str, int, Place], ...]:
        return tuple(self._find_places())

    def _find_places(self) -> Iterator[tuple[str, int, Place]]:
        found: set[Place] = set()
        for scene in SCENES:
            with self.staged(scene) as stage:
                self._play(scene, stage)
            assert not stage.witness.violations, (scene, stage.witness.violations)
            for number, place in enumerate(stage.places):
                if place not in found:
                    found.add(place)
                    yield scene, number, place

    def _run_case(self, case: Case, swept: Sweep) -> None:
        with self.staged(case.scene) as stage:
            stage.strikes.append(Strike(case.number, None, case.kind, 0.9))
            self._play(case.scene, stage)
        if (case.kind, case.place.call) not in stage.struck:
            swept.missed.append(case)
        swept.kinds[case.kind] += 1
        swept.flagged.update(stage.flagged)
        swept.wrong += [(case, what) for what in stage.witness.violations]

    @staticmethod
    def _play(scene: str, stage: Stage) -> None:
        SCENES[scene](stage)
        stage.settle(GROWTH)
        if any(RIVAL in edge.hosts for edge in stage.office.edges):
            stage.witness.blame("an edge still serves what no record knows of")

    @contextmanager
    def staged(self, scene: str) -> Iterator[Stage]:
        """Lend the stage of a scene, with nothing played yet."""
        count, url = HAND_OVERS.get(scene, 1), self._records.renew()
        world = make_world(self._directory, url, self._authority, Random(1), [], count, LIFETIMES[0], Stage)
        with world as stage:
            assert isinstance(stage, Stage)
            yield stage


def find_kinds(place: Place) -> tuple[Kind, ...]:
    """Give the faults that fit a call."""
    looks = place.call.partition(".")[2].startswith(LOOKS)
    kinds: tuple[Kind, ...] = AT_A_LOOK if looks else AT_A_CHANGE
    if find_error(place.call) is None:
        kinds = tuple(kind for kind in kinds if kind not in NEEDS_ANSWER)
    return tuple(kind for kind in kinds if kind is not Kind.SLOW) if place.call in UNGUARDED else kinds


def share_of(cases: list[Case], share: Fraction) -> list[Case]:
    """Give so many of *cases*, evenly spread."""
    return [case for n, case in enumerate(cases) if int(n * share) != int((n + 1) * share)]


@contextmanager
def sweeper() -> Iterator[Sweeper]:
    """Lend one in a directory that is gone afterwards."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as directory:
        yield Sweeper(Path(directory))


def main() -> int:
    given = _parse()
    console = Console()
    with sweeper() as running:
        cases = share_of([case for case in running.list_cases() if _is_wanted(case, given)], given.share)
        steps, began = running.list_steps(), time.monotonic()
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("cases", total=len(cases))
            swept = running.run(cases, lambda: bar.advance(task))
    places = len({case.place for case in cases})
    seconds = timedelta(seconds=round(time.monotonic() - began))
    console.print(f"{len(cases)} cases at {places} places in {len(steps)} steps, {len(SCENES)} scenes, {seconds}")
    console.print(", ".join(f"{kind}: {times}" for kind, times in swept.kinds.most_common()))
    console.print(f"runs left to a person: {dict(swept.flagged) or 'none'}; not struck: {len(swept.missed)}")
    console.print(f"violations: {len(swept.wrong)}", style="red" if swept.wrong else "green")
    for case, what in swept.wrong:
        console.print(f"{what}: {case}", style="red", markup=False, soft_wrap=True)
    for case in swept.missed:
        console.print(f"not struck: {case}", style="yellow", markup=False, soft_wrap=True)
    return 1 if swept.wrong or swept.missed else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.sweep", description="Every fault at every call.")
    parser.add_argument("--share", type=Fraction, default=Fraction(1), help="of the cases: 1/20")
    parser.add_argument("--scene", choices=SCENES)
    parser.add_argument("--number", type=int, help="only the call with this number of the scene")
    parser.add_argument("--kind", type=Kind, help="only this fault")
    return parser.parse_args()


def _is_wanted(case: Case, given: argparse.Namespace) -> bool:
    wanted = ((given.scene, case.scene), (given.number, case.number), (given.kind, case.kind))
    return all(want is None or want == have for want, have in wanted)


if __name__ == "__main__":
    sys.exit(main())
