"""The page of results: `docs/doctor-corpus.md`."""

from __future__ import annotations

from collections.abc import Iterator

from tests.corpus import THEMES
from tests.corpus.case import Judged, Lab

_HEAD = """# What the doctor says: the corpus

Written by `python -m tests.corpus`; a test compares it. Each case is made when it is judged, with new keys, and is
named after what is wrong with it. *First* is the code of the first finding, which the customer reads first; *all* are
the codes of all findings, the refusing ones before the others.
"""


def write_page() -> str:
    """Judge every case once and give the page, which is the same each time."""
    lab = Lab()
    judged = {theme: [case.judge(lab) for case in cases] for theme, cases in THEMES.items()}
    return "\n".join([_HEAD, *_totals(judged), *_tables(judged)])


def _totals(judged: dict[str, list[Judged]]) -> Iterator[str]:
    yield "| theme | cases | to accept | to refuse | wrongly accepted | wrongly refused | as expected |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for theme, results in judged.items():
        yield _total(theme, results)
    yield _total("**all**", [result for results in judged.values() for result in results])
    yield ""


def _total(theme: str, results: list[Judged]) -> str:
    wanted = [result.case.code is None for result in results]
    got = [result.verdict.bundle is not None for result in results]
    pairs = list(zip(wanted, got, strict=True))
    right = sum(result.as_expected for result in results)
    numbers = (
        len(results),
        sum(wanted),
        len(results) - sum(wanted),
        pairs.count((False, True)),
        pairs.count((True, False)),
    )
    return f"| {theme} | {' | '.join(map(str, numbers))} | {right} ({100 * right / len(results):.1f} %) |"


def _tables(judged: dict[str, list[Judged]]) -> Iterator[str]:
    for theme, results in judged.items():
        yield f"## {theme}\n\n| case | expected | first | all | verdict | |\n|---|---|---|---|---|---|"
        for result in results:
            expected = result.case.code or "accepted"
            verdict = "accepted" if result.verdict.bundle else "refused"
            first, codes = (result.codes or ("",))[0], ", ".join(dict.fromkeys(result.codes))
            mark = "" if result.as_expected else "**differs**"
            yield f"| {result.case.name} | {expected} | {first} | {codes} | {verdict} | {mark} |"
        yield ""
