"""
Kill real processes at random, and say what came of it.

    python -m tests.chaos.processes --seed 1 --kills 200
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random

from rich.console import Console

from tests.chaos.processes.clocks import Recovery, describe, find_recoveries
from tests.chaos.processes.judge import Judge
from tests.chaos.processes.people import People
from tests.chaos.processes.scene import Scene
from tests.chaos.processes.storm import Storm, count
from tests.chaos.records import databases

RECORDS = ("sqlite", "postgresql")  # each gets its share of the kills
RECOVERY_SECONDS = 60.0


def main() -> int:
    given = _parse()
    console = Console(width=None if sys.stdout.isatty() else 120)
    violations: list[str] = []
    recoveries: list[Recovery] = []
    for records in given.records:
        more, others = _phase(given, records, given.kills // len(given.records), console)
        violations, recoveries = violations + more, recoveries + others
    for what in sorted({recovery.what for recovery in recoveries}):
        console.print(f"  {what}: {describe([r for r in recoveries if r.what == what])}", highlight=False)
    slow = sum(recovery.seconds > RECOVERY_SECONDS for recovery in recoveries)
    console.print(
        f"from kill to progress: {describe(recoveries)}; {slow} over {RECOVERY_SECONDS:.0f} s", highlight=False
    )
    console.print(f"violations: {len(violations)}", style="red" if violations else "green")
    for violation in violations:
        console.print(f"  {violation}", markup=False, highlight=False)
    return 1 if violations else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.processes", description="kill -9 for real processes.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="who is killed when; what that meets is up to the machine")
    parser.add_argument("--seconds", type=float, default=3600, help="at most, for each kind of records")
    parser.add_argument("--calm", type=float, default=600, help="seconds after the last kill, for all to end")
    parser.add_argument("--customers", type=int, default=4, help="who hand over side by side")
    parser.add_argument("--records", nargs="+", choices=RECORDS, default=RECORDS)
    parser.add_argument("--keep", type=Path, help="leave what is written here, to look at")
    return parser.parse_args()


def _phase(given: argparse.Namespace, records: str, kills: int, console: Console) -> tuple[list[str], list[Recovery]]:
    """Let one storm rage on one kind of records; the one on PostgreSQL restarts the Prefect server all the time."""
    postgres = records == "postgresql"
    random, began = Random(f"{given.seed}/{records}"), time.monotonic()
    with ExitStack() as stack:
        root = given.keep / records if given.keep else Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(databases()).renew() if postgres else None
        scene = stack.enter_context(Scene(root, url).running())
        people = People(scene)

        def progress() -> None:
            ended = sum(bool(hand_over.ended_at) for c in people.customers for hand_over in c.hand_overs)
            seconds = time.monotonic() - began
            line = f"{seconds:5.0f} s  {records}: {len(scene.deaths)} of {kills} kills, {ended} hand-overs ended"
            print(line, file=sys.stderr, flush=True)  # noqa: T201

        Storm(scene, people, random, restarts=postgres, calm=given.calm).rage(
            kills, given.seconds, given.customers, progress
        )
        scene.wait(scene.is_whole, RECOVERY_SECONDS)
        hand_overs = [hand_over for customer in people.customers for hand_over in customer.hand_overs]
        wishes = {wish: sum(h.wish is wish for h in hand_overs) for wish in sorted({h.wish for h in hand_overs})}
        told = ", ".join(f"{times} {wish}" for wish, times in wishes.items())
        console.print(f"seed {given.seed}, {records}: {len(scene.deaths)} kills {dict(count(scene))}", highlight=False)
        console.print(f"  {len(hand_overs)} hand-overs: {told}; {time.monotonic() - began:.0f} s", highlight=False)
        recoveries = find_recoveries(scene.deaths, scene.trace())
        return [f"{records}: {violation}" for violation in Judge(scene, people).find_violations()], recoveries


if __name__ == "__main__":
    sys.exit(main())
