"""
Destroy what lies in the drops' bucket and belongs to no hand-over.

Requires: the records, the S3 store. Runs hourly. Drops on record are ended and swept by `watch_drops`; this is for what
came in after the second sweep, or was never on record.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.rounds import attempt, report
from tasks.sweep_orphans import survey_orphans, sweep_orphan


@flow(name="sweep-drops", log_prints=False)
def sweep_drops() -> Any:
    """
    Compare the bucket with the records, and destroy orphans, with proof on the audit trail.

    More than a few unknown ones are a person's business, since then the records are likely the wrong ones.
    """
    orphans = survey_orphans()
    troubles = list(orphans.complaints())
    for drop_id in orphans.can_go:
        troubles += attempt(sweep_orphan, drop_id)
    return report(troubles)
