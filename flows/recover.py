"""
Get going again what was at work when its process died: the drops whose lease ran out.

Requires: the records, the Prefect API. Runs often, and is cheap: it looks at nothing but leases that ran out.
Whatever it misses, `watch_drops` finds in its slower round over all drops.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.rounds import attempt, report
from flows.watch_drops import look_after
from tasks.survey_drops import survey_abandoned


@flow(name="recover", log_prints=False)
def recover() -> Any:
    """
    Start every hand-over again that a dead process was at work on, in the same flow run.

    Prefect's automations do so too for what they notice; correctness does not depend on them.
    """
    troubles = []
    for drop_id, care in survey_abandoned().items():
        troubles += attempt(look_after, drop_id, care)
    return report(troubles)
