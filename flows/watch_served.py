"""
Look at what the world actually gets of every hostname, and tell the operators what is wrong with it.

Requires: the records, both edges by the network, the DNS resolvers, the operators' channels of `notices`.
Runs hourly. Cut short, it goes on where it was. Repairs nothing: `reconcile` does.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.letters import send_letters
from flows.rounds import report
from tasks.artifacts import Progress
from tasks.report_served import report_served
from tasks.show_expiry import expected_number
from tasks.watch_served import SCAN, survey_served


@flow(name="watch-served", log_prints=False)
def watch_served() -> Any:
    """
    Shake hands with every hostname's edges and public addresses, ask DNS for it, and report what differs.

    A finding is told once, until it changes.
    """
    with Progress("served-scan", expected_number(SCAN)) as progress:
        while seen := survey_served():
            progress.reach(seen)
    report_served()
    return report(send_letters())
