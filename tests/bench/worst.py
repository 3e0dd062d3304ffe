"""What the worst cost that somebody could send: the handmade cases of `tests.fuzz.worst`, by processor time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from tests.bench.runner import Effort, Table
from tests.fuzz.measure import MOST_CHARACTERS, MOST_MEGABYTES, MOST_SECONDS, Cost, measure_all


def bench(effort: Effort) -> Iterator[Table]:
    costs = sorted(islice(measure_all(), effort.cases), key=lambda cost: -cost.seconds)
    columns = ["case", "processor", "peak memory", "findings", "characters of all texts", "first finding"]
    text = (
        f"Each in a process of its own. The limits are {MOST_SECONDS:.0f} s, {MOST_MEGABYTES} MB and"
        f" {MOST_CHARACTERS:,} characters; a test holds every case to them."
    )
    yield Table("The worst cases", columns, [_row(cost) for cost in costs], text)


def _row(cost: Cost) -> list[str]:
    first = f"**{'; '.join(cost.breaches)}**" if cost.breaches else f"`{cost.codes[0]}`" if cost.codes else ""
    figures = [f"{cost.seconds:.3f} s", f"{cost.megabytes:.0f} MB", f"{cost.findings:,}", f"{cost.characters:,}"]
    return [cost.name, *figures, first]
