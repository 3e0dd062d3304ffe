"""
How often, and how long, each outside system is asked again: the one table, and the `step` decorator that uses it.

The class of an error decides *whether* a step is tried again: `Unavailable`, and nothing else. The step's own row
decides *when*: Prefect fixes a task's delays before it knows the error, so a step names the system it depends on
most, and any `Unavailable` in it waits by that row. Retries are in the process of the run; what outlasts
them ends the run, and `watch_drops` starts it again from the top.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE

from tasks.core.errors import (
    DNSUnavailable,
    EdgeUnavailable,
    KeysUnavailable,
    MessengerUnavailable,
    PrefectUnavailable,
    RecordsUnavailable,
    StoreUnavailable,
    TicketsUnavailable,
    Unavailable,
)

P = ParamSpec("P")
R = TypeVar("R")

DELAYS_SECONDS: Final[dict[type[Unavailable], tuple[int, ...]]] = {
    # Delays in seconds, then the running total, then why.
    RecordsUnavailable: (1, 2, 4, 8, 15),  # 30 s: a failover of PostgreSQL; SQLite's lock has waited 30 s already
    StoreUnavailable: (1, 4, 15, 40),  # 60 s: S3 asks to back off on 503 SlowDown, and is back within a minute
    KeysUnavailable: (1, 4, 15, 40),  # 60 s: KMS throttles by the second; an outage is longer than any of this
    DNSUnavailable: (2, 5, 13),  # 20 s: two resolvers have been asked; the flow's own poll goes on after that
    EdgeUnavailable: (1, 2, 5, 12, 40),  # 60 s: an edge that restarts is back in 1 s, one that is rebuilt in 60 s
    TicketsUnavailable: (2, 10, 48),  # 60 s: a desk's rate limit is per minute
    MessengerUnavailable: (5, 60),  # 65 s: a mail server's greylisting asks for a minute; the ticket has the letter
    PrefectUnavailable: (1, 4, 10),  # 15 s: the schedule comes round again anyway
}


def is_unavailable(_task: Any, _run: Any, state: Any) -> bool:
    """Say whether the failed attempt met an outside system that did not answer (Prefect's ``retry_condition_fn``)."""
    return isinstance(state.data, Unavailable)


def step(depends_on: type[Unavailable], title: str) -> Callable[[Callable[P, R]], Task[P, R]]:
    """
    Make a Prefect task of a function: named as it, retried from the table, its result kept nowhere.

    No cache and no persisted result: what has been done is in the records, where a step looks for itself.
    Arguments and results of a step are ids and digests, since Prefect may show them.

    Args:
        depends_on: The row of the table.

        title: What an operator reads in the list of task runs.
    """
    delays = DELAYS_SECONDS[depends_on]

    def decorate(function: Callable[P, R]) -> Task[P, R]:
        return task(
            name=function.__name__,
            description=inspect.getdoc(function),
            task_run_name=title,
            retries=len(delays),
            retry_delay_seconds=list(delays),
            retry_condition_fn=is_unavailable,
            persist_result=False,
            cache_policy=NO_CACHE,
            log_prints=False,
        )(function)

    return decorate
