"""The flow runs that the front desk starts, each under the one idempotency key of what it is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.front_desk_guards import log
from tasks.clients.installation import current
from tasks.core.care import STOPPED
from tasks.core.errors import NotFound, PrefectUnavailable


def start(flow: str, parameters: Mapping[str, Any], key: str, name: str) -> None:
    """
    Start a flow, or start its run again from the top if that has stopped before it was done.

    Raises:
        PrefectUnavailable: The API did not answer, or does not have the deployment.
    """
    orchestrator = current().orchestrator
    try:
        run = orchestrator.start(f"{flow}/{flow}", parameters, key, name)
        if orchestrator.state(run) in STOPPED:
            orchestrator.restart(run)
    except NotFound as error:
        raise PrefectUnavailable.because(flow, error.got) from None


def start_or_leave(flow: str, parameters: Mapping[str, Any], key: str, name: str) -> None:
    """Start a flow; if Prefect does not answer, a scheduled watcher finds on record what there is to do."""
    try:
        start(flow, parameters, key, name)
    except PrefectUnavailable:
        log.warning("%s waits for its watcher: Prefect does not answer", key)


def watch(key: str) -> None:
    """Have the tickets looked at now, instead of at the next round."""
    start_or_leave("watch-tickets", {}, f"watch-{key}", f"watch tickets after {key}")
