"""
Run a storm and say what it did; writes nothing.

    python -m tests.chaos --strikes 3000 --seed 1               # cases until so many strikes have fallen
    python -m tests.chaos --postgres                            # on a PostgreSQL at its standard port
    python -m tests.chaos --seed 1 --case 17 --strikes-of 0,3         # one case again, with two of its strikes
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from contextlib import ExitStack
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.chaos.records import databases
from tests.chaos.storm import Storm, Violation, storm

MOST_SHOWN: Final = 10  # kinds of violations that are made small


def main() -> int:
    given = _parse()
    console, progress = Console(), Console(stderr=True)
    with ExitStack() as stack:
        records = stack.enter_context(databases()) if given.postgres else None
        running = stack.enter_context(storm(given.seed, records))
        began = time.monotonic()
        if given.case is None:
            _run(running, given.strikes, progress)
        else:
            world = running.run_case(given.case, given.strikes_of)
            console.print("\n".join(f"{kind} at {call}" for kind, call in world.struck))
        _report(running, time.monotonic() - began, "PostgreSQL" if given.postgres else "SQLite", console)
    return 1 if running.tally.violations else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Hand-overs under random faults.")
    parser.add_argument("--strikes", type=int, default=3000, help="how many must fall")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgres", action="store_true", help="records in PostgreSQL instead of SQLite")
    parser.add_argument("--case", type=int, help="only this one")
    parser.add_argument("--strikes-of", type=_numbers, help="only these strikes of it: 0,3; or none")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [] if text == "none" else [int(number) for number in text.split(",")]


def _run(running: Storm, strikes: int, console: Console) -> None:
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("strikes", total=strikes)
        running.run(
            strikes,
            lambda tally: bar.update(
                task,
                completed=min(tally.strikes, strikes),
                description=f"strikes, {tally.cases} cases, {len(tally.violations)} violations",
            ),
        )


def _report(running: Storm, seconds: float, records: str, console: Console) -> None:
    tally = running.tally
    console.print(
        f"seed {running.seed}, {records}: {tally.strikes} strikes in {tally.cases} cases with {tally.hand_overs} "
        f"hand-overs and {tally.calls:,} calls, {seconds:.0f} s"
    )
    console.print(_table("strike", tally.kinds))
    console.print(_table("call struck", tally.struck))
    console.print(_table("outcome", tally.outcomes))
    console.print(f"questions asked: {tally.questions}; runs left to a person: {dict(tally.flagged) or 'none'}")
    console.print(f"violations: {len(tally.violations)}", style="red" if tally.violations else "green")
    first_of_each = {violation.what: violation for violation in reversed(tally.violations)}
    for violation in list(first_of_each.values())[:MOST_SHOWN]:
        console.print(str(_minimised(running, violation)), style="red", markup=False)


def _minimised(running: Storm, violation: Violation) -> Violation:
    return running.minimise(violation) if len(violation.strikes) > 1 else violation


def _table(title: str, counts: Counter[Any]) -> Table:
    table = Table(title, "times")
    for what, times in counts.most_common():
        table.add_row(str(what), str(times))
    return table


if __name__ == "__main__":
    sys.exit(main())
