"""Prefect, seen from outside a flow: starting runs, answering their gates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Orchestrator(Protocol):
    def start(self, deployment: str, parameters: Mapping[str, Any], idempotency_key: str, name: str) -> str:
        """
        Schedule a run of *deployment* (``flow/deployment``) and give its flow run id, without waiting for it.

        The same *idempotency_key* gives the run that is there.

        Raises:
            PrefectUnavailable: The API did not answer.
        """

    def resume(self, flow_run_id: str, answer: Mapping[str, Any]) -> bool:
        """
        Answer the gate a suspended run waits at; True if this call, or an earlier one, got it going.

        False if the run is not suspended. Read back after an error: a resume can answer 503 although it won.

        Raises:
            PrefectUnavailable: The API did not answer.
        """

    def state(self, flow_run_id: str) -> str:
        """
        Give the state's name, for example ``Suspended``.

        Raises:
            NotFound: There is no such run.
        """
