"""
The corpus: what customers really send, each case named after its defect, each file made when it is asked for.

    python -m tests.corpus > docs/doctor-corpus.md
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.corpus import (
    archives,
    chains,
    disorder,
    forms,
    hostile,
    keys,
    manifests,
    names,
    purposes,
    renewals,
    times,
)
from tests.corpus.case import Case

THEMES: Mapping[str, tuple[Case, ...]] = {
    "forms": forms.CASES,
    "disorder": disorder.CASES,
    "archives": archives.CASES,
    "dotcloud.yml": manifests.CASES,
    "keys": keys.CASES,
    "names": names.CASES,
    "times": times.CASES,
    "chains": chains.CASES,
    "purposes": purposes.CASES,
    "renewals": renewals.CASES,
    "hostile": hostile.CASES,
}
CASES: tuple[tuple[str, Case], ...] = tuple((theme, case) for theme, cases in THEMES.items() for case in cases)
