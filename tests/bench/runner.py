"""What every bench is made of: how much effort to spend, how to time something, a table to give."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

Work = Callable[[], object]


@dataclass(frozen=True)
class Effort:
    """
    How often to measure.

    Attributes:
        calls: Of something in this process.

        processes: Of something that starts one.

        cases: How many of many things to take; None for all.
    """

    calls: int
    processes: int
    cases: int | None = None


FULL = Effort(calls=200, processes=15)
LEAST = Effort(calls=2, processes=1, cases=2)


@dataclass(frozen=True)
class Table:
    """A table with a heading, and a text below it that says what was measured."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: str = ""

    def __str__(self) -> str:
        """Give it in Markdown."""
        head = f"| {' | '.join(self.columns)} |\n|---{'|---:' * (len(self.columns) - 1)}|"
        body = "\n".join(f"| {' | '.join(row)} |" for row in self.rows)
        return "\n\n".join(part for part in (f"## {self.title}", f"{head}\n{body}", self.text) if part)


Bench = Callable[[Effort], Iterator[Table]]


@dataclass(frozen=True)
class Times:
    """Seconds of several runs of one thing."""

    seconds: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def p95(self) -> float:
        return sorted(self.seconds)[min(len(self.seconds) - 1, round(0.95 * len(self.seconds)))]

    @property
    def shown(self) -> str:
        return milliseconds(self.median)


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.2f} ms" if seconds < 0.1 else f"{seconds * 1000:,.0f} ms"


def ratio(peer: Times, ours: Times) -> str:
    return f"{peer.median / ours.median:,.1f}"


def race(works: Mapping[str, Work], runs: int) -> dict[str, Times]:
    """Time *works* by turns, so that what else the machine does falls on all of them; each has a run before."""
    for work in works.values():
        work()
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(runs):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - began)
    return {name: Times(times) for name, times in seconds.items()}


def start(*command: str) -> Work:
    """Give what runs a process to its end; it must succeed."""

    def run() -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    return run
