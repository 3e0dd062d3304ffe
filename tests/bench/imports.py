"""How long a fresh Python needs to import the judge."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Final

from tests.bench.runner import Effort, Table, milliseconds, race, start

_MODULE: Final = "tasks.core.certificate"
_MOST_SECONDS: Final = 0.15
_SHOWN: Final = 10


def bench(effort: Effort) -> Iterator[Table]:
    times = race(
        {
            "bare": start(sys.executable, "-c", "pass"),
            "import": start(sys.executable, "-c", f"import {_MODULE}"),
        },
        effort.processes,
    )
    bare, whole = times["bare"], times["import"]
    cost = whole.median - bare.median
    rows = [
        ["`python -c pass`", bare.shown, ""],
        [f"`python -c 'import {_MODULE}'`", whole.shown, ""],
        ["the difference", milliseconds(cost), f"{cost / _MOST_SECONDS:.0%} of {milliseconds(_MOST_SECONDS)}"],
    ]
    yield Table("Importing the judge", ["process", "median", "requirement"], rows)
    slowest = [[f"`{name}`", f"{own:,} µs", f"{total:,} µs"] for own, total, name in _find_slowest()]
    text = "By `python -X importtime`, in one run; the times there are longer than without it."
    yield Table("The slowest of its modules", ["module", "itself", "with what it imports"], slowest, text)


def _find_slowest() -> list[tuple[int, int, str]]:
    """Give the modules that take longest for themselves: microseconds alone, with their imports, and the name."""
    command = [sys.executable, "-X", "importtime", "-c", f"import {_MODULE}"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stderr.splitlines()
    parts = [line.removeprefix("import time:").split("|") for line in lines if "[us]" not in line]
    timed = [(int(own), int(total), name.strip()) for own, total, name in parts]
    return sorted(timed, reverse=True)[:_SHOWN]
