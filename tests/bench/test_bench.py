"""The benches run; what they measure is nobody's business here."""

from __future__ import annotations

from tests.bench.__main__ import find_benches, run
from tests.bench.runner import LEAST, Times


def test_each_bench_gives_tables_with_figures() -> None:
    """Each bench runs with as little effort as there can be, and fills its tables."""
    tables = list(run([], LEAST))
    assert len(tables) >= len(find_benches())
    for table in tables:
        assert table.rows
        assert all(len(row) == len(table.columns) for row in table.rows), table.title
        assert str(table).startswith(f"## {table.title}")


def test_times() -> None:
    """The median is the middle, and 95 % is what all but one in twenty stay below."""
    times = Times([float(n) for n in range(100, 0, -1)])
    assert times.median == 50.5
    assert times.p95 == 96.0
