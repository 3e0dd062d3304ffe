"""One laboratory, and each case judged once a session."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.corpus.case import Case, Judged, Lab


@pytest.fixture(name="lab", scope="session")
def _lab() -> Lab:
    return Lab()


@pytest.fixture(name="judged", scope="session")
def _judged(lab: Lab) -> Callable[[Case], Judged]:
    done: dict[int, Judged] = {}

    def judge(case: Case) -> Judged:
        if id(case) not in done:
            done[id(case)] = case.judge(lab)
        return done[id(case)]

    return judge
