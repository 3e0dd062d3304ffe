"""Prefect, seen from outside a flow: starting runs, answering their gates, stopping them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import httpx

from tasks.core import policy
from tasks.core.care import Phase, Run
from tasks.core.errors import NotFound, PrefectUnavailable

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas import OrchestrationResult
    from prefect.client.schemas.objects import FlowRun, State

HTTP_NOT_FOUND = 404


class Orchestrator(Protocol):
    """Every method raises `PrefectUnavailable` if the API did not answer."""

    def start(self, deployment: str, parameters: Mapping[str, Any], idempotency_key: str, name: str) -> str:
        """
        Schedule a run of *deployment* (``flow/deployment``) and give its flow run id, without waiting for it.

        The same *idempotency_key* gives the run that is there.

        Raises:
            NotFound: There is no such deployment.
        """

    def resume(self, flow_run_id: str, answer: Mapping[str, Any]) -> bool:
        """
        Answer the gate a suspended run waits at; True if this call, or one at the same time, got it going.

        False if the run is not suspended, or its form does not take the answer.
        Reads back after an error: a resume can answer 503 although it won.

        Raises:
            NotFound: There is no such run.
        """

    def find_gate(self, flow_run_id: str) -> str | None:
        """
        Give the key of the gate a suspended run waits at, or None if it is not suspended.

        Raises:
            NotFound: There is no such run.
        """

    def state(self, flow_run_id: str) -> str:
        """
        Give the state's name, for example ``Suspended``.

        Raises:
            NotFound: There is no such run.
        """

    def look(self, flow_run_id: str) -> Run:
        """
        Give what there is to know about a run.

        Raises:
            NotFound: There is no such run.
        """

    def declare_crashed(self, flow_run_id: str) -> bool:
        """
        Declare a run dead whose process is gone; True if it has ended now, by this or otherwise.

        Raises:
            NotFound: There is no such run.
        """

    def restart(self, flow_run_id: str) -> bool:
        """
        Run a run that has ended once more from the top, under the same id; True if it is scheduled.

        False if it has not ended, was ended for good, or has been started `policy.MOST_RESTARTS` times.

        Raises:
            NotFound: There is no such run.
        """

    def cancel(self, flow_run_id: str) -> bool:
        """
        Cancel a run that is suspended or scheduled; True if it will not go on.

        A run that is at work is left alone (False): its next step finds that its hand-over has ended.

        Raises:
            NotFound: There is no such run.
        """


class PrefectOrchestrator:
    """The API that Prefect's own settings name (``PREFECT_API_URL``). Prefect's client repeats what meets a 503."""

    def start(self, deployment: str, parameters: Mapping[str, Any], idempotency_key: str, name: str) -> str:
        with _client(f"deployment {deployment}") as client:
            found = client.read_deployment_by_name(deployment)
            run = client.create_flow_run_from_deployment(
                found.id, parameters=dict(parameters), idempotency_key=idempotency_key, name=name
            )
            return str(run.id)

    def resume(self, flow_run_id: str, answer: Mapping[str, Any]) -> bool:
        gate = self.find_gate(flow_run_id)
        if gate is None:
            return False
        try:
            with _client(f"run {flow_run_id}") as client:
                client.resume_flow_run(UUID(flow_run_id), run_input=dict(answer))
        except PrefectUnavailable:
            if self.find_gate(flow_run_id) == gate:
                raise
        return self.find_gate(flow_run_id) != gate

    def find_gate(self, flow_run_id: str) -> str | None:
        state = _read(flow_run_id).state
        return state.state_details.pause_key if state and state.is_paused() else None

    def state(self, flow_run_id: str) -> str:
        state = _read(flow_run_id).state
        return state.name or state.type.value.title() if state else "Pending"

    def look(self, flow_run_id: str) -> Run:
        state = _read(flow_run_id).state
        if state is None:
            return Run("Pending", Phase.SCHEDULED, datetime.now(UTC))
        name = state.name or state.type.value.title()
        return Run(name, _phase(state), state.timestamp, not state.is_paused() or _has_form(flow_run_id, state))

    def declare_crashed(self, flow_run_id: str) -> bool:
        from prefect.states import Crashed

        state = _read(flow_run_id).state
        if state is not None and state.is_final():
            return True
        with _client(f"run {flow_run_id}") as client:
            answer: OrchestrationResult[Any] = client.set_flow_run_state(
                UUID(flow_run_id), Crashed(message="Its process is gone: its lease ran out.")
            )
        return answer.status.value == "ACCEPT"

    def restart(self, flow_run_id: str) -> bool:
        from prefect.states import AwaitingRetry

        run = _read(flow_run_id)
        if run.state is None or not run.state.is_final() or run.run_count >= policy.MOST_RESTARTS:
            return False
        with _client(f"run {flow_run_id}") as client:
            answer: OrchestrationResult[Any] = client.set_flow_run_state(UUID(flow_run_id), AwaitingRetry())
        return answer.status.value == "ACCEPT"

    def cancel(self, flow_run_id: str) -> bool:
        from prefect.states import Cancelled

        state = _read(flow_run_id).state
        if state is not None and (state.is_running() or state.is_final()):
            return state.is_final()
        with _client(f"run {flow_run_id}") as client:
            answer: OrchestrationResult[Any] = client.set_flow_run_state(
                UUID(flow_run_id), Cancelled(message="The hand-over has ended.")
            )
        return answer.status.value == "ACCEPT"


def _phase(state: State[Any]) -> Phase:
    if state.is_final():
        return Phase.ENDED
    if state.is_paused():
        return Phase.WAITING
    return Phase.WORKING if state.is_running() or state.is_pending() else Phase.SCHEDULED


def _has_form(flow_run_id: str, state: State[Any]) -> bool:
    """Look whether the text above the form is there, which is saved last."""
    key = (state.state_details.run_input_keyset or {}).get("description", "")
    try:
        with _client(f"form {key}") as client:
            client.read_flow_run_input(UUID(flow_run_id), key)
    except NotFound:
        return False
    return True


def _read(flow_run_id: str) -> FlowRun:
    with _client(f"run {flow_run_id}") as client:
        return client.read_flow_run(UUID(flow_run_id))


@contextmanager
def _client(subject: str) -> Iterator[SyncPrefectClient]:
    """Open a client and translate its errors; the import is here, since it costs a second that others need not pay."""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    try:
        with get_client(sync_client=True) as client:
            yield client
    except ObjectNotFound:
        raise NotFound.named(*subject.split(" ", 1)) from None
    except httpx.HTTPStatusError as error:
        if error.response.status_code == HTTP_NOT_FOUND:
            raise NotFound.named(*subject.split(" ", 1)) from None
        raise PrefectUnavailable.because(subject, f"HTTP {error.response.status_code}") from error
    except httpx.HTTPError as error:
        raise PrefectUnavailable.because(subject, type(error).__name__) from error
