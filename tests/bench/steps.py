"""Where the time of judging goes: reading, finding the path, each check, the last validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from tasks.core.doctor.case import Case
from tasks.core.doctor.chain import check_path, find_path, name_to_verify
from tasks.core.doctor.checks import CHECKS
from tasks.core.doctor.contents import read_contents
from tests.bench.runner import Effort, Table, Times, race
from tests.bench.samples import SHOP, Sample, make_samples


def bench(effort: Effort) -> Iterator[Table]:
    samples = make_samples()
    measured = [_time_steps(sample, effort) for sample in samples]
    steps = sorted(measured[0], key=lambda step: -max(times[step].median for times in measured))
    rows = [[step, *(f"{times[step].median * 1e6:,.0f} µs" for times in measured)] for step in steps]
    text = "The slowest first, each alone, by the terms of public roots."
    yield Table("Where the time of judging goes", ["step", *(sample.name for sample in samples)], rows, text)


def _time_steps(sample: Sample, effort: Effort) -> dict[str, Times]:
    terms = sample.terms(public=True)
    contents = read_contents(sample.files, SHOP, terms.now)
    assert contents.leaf
    find = partial(find_path, contents.leaf, list(contents.certificates), terms.roots, terms.now)
    path = find()
    case = Case(contents, terms, path)
    steps: dict[str, Callable[[], object]] = {
        "read_contents": lambda: read_contents(sample.files, SHOP, terms.now),
        "find_path": find,
        "check_path": lambda: check_path(path, name_to_verify(path.leaf, SHOP), terms.now),
    }
    for check in CHECKS:
        steps[check.__name__] = lambda check=check: list(check(case))  # type: ignore[misc]
    return race(steps, effort.calls)
