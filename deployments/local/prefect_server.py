"""
The stack's Prefect server, seen from whoever sets it up: work pool, automations, runs without a process.

Plain HTTP, because importing Prefect costs a second and more.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

from tasks.core.errors import BadInput, Who

WORK_POOL = "certferry"
_WITH_A_PROCESS = ("RUNNING", "PENDING", "CRASHED", "CANCELLING")
_PAUSES_SECONDS = (0.1, 0.3, 1.0, 3.0)  # SQLite answers 503 when two write at once
_PAGE = 200  # Prefect's own limit


class PrefectServer:
    """A Prefect API with its auth string. Every call is safe to repeat."""

    def __init__(self, api_url: str, auth: str) -> None:
        user, _, password = auth.partition(":")
        self._http = httpx.Client(base_url=api_url, auth=(user, password), timeout=30, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def is_ready(self) -> bool:
        try:
            return self._http.get("/health", timeout=2).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def apply_work_pool(self, repository: Path) -> None:
        """
        Make the process work pool, or bring it up to date.

        Runs start in *repository*, so that module entrypoints import. With a command of ours a run is one process:
        without, Prefect puts a second one in front of each, which doubles its start-up time and memory.
        """
        configuration = {
            "command": shlex.join([sys.executable, "-m", "deployments.local.flow_process"]),
            "working_dir": str(repository),
            "env": "{{ env }}",
            "labels": "{{ labels }}",
            "name": "{{ name }}",
            "stream_output": True,
        }
        variables = {"type": "object", "properties": {name: {"title": name} for name in ("env", "labels", "name")}}
        template = {"job_configuration": configuration, "variables": variables}
        pool = {"base_job_template": template, "description": "Runs certferry's flows as processes on this machine."}
        created = self._http.post("/work_pools/", json={"name": WORK_POOL, "type": "process", **pool})
        if created.status_code == httpx.codes.CONFLICT:
            self._call("PATCH", f"/work_pools/{WORK_POOL}", pool)
        else:
            created.raise_for_status()

    def apply_automations(self, file: Path) -> None:
        """Make every automation of *file*, replacing one of the same name."""
        for wanted in yaml.safe_load(file.read_text())["automations"]:
            there = self._call("POST", "/automations/filter", {"automations": {"name": {"any_": [wanted["name"]]}}})
            body = {"enabled": True, **wanted}
            if there:
                self._call("PUT", f"/automations/{there[0]['id']}", body)
            else:
                self._call("POST", "/automations/", body)

    def requeue_orphans(self) -> list[str]:
        """
        Schedule every run that claims a process, and give their names. Only while no worker runs.

        A run whose worker and process were both killed says Running for ever, or Pending. Crashed ones are the
        automation's, which may have missed the event while the server was down.
        """
        state = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "the stack was restarted"}
        names = []
        for run in self._runs_with_a_process():
            answer = self._call("POST", f"/flow_runs/{run['id']}/set_state", {"state": state})
            if answer["status"] == "ACCEPT":
                names.append(str(run["name"]))
        return names

    def find_run(self, flow: str, drop_id: str) -> str | None:
        """Give the id of the newest run of *flow* for a drop, or None."""
        wanted = {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_DESC"}
        runs = self._call("POST", "/flow_runs/filter", wanted)
        return next((str(run["id"]) for run in runs if run["parameters"].get("drop_id") == drop_id), None)

    def fetch_run(self, run_id: str) -> dict[str, Any]:
        """Give one run, with its state."""
        run: dict[str, Any] = self._call("GET", f"/flow_runs/{run_id}")
        return run

    def completed_steps(self, flows: Sequence[str]) -> list[str]:
        """Give the titles of the latest steps of *flows* that are done, in the order they ended, repeats included."""
        wanted = {"flows": {"name": {"any_": list(flows)}}, "sort": "END_TIME_DESC", "limit": _PAGE}
        steps = self._call("POST", "/task_runs/filter", wanted)
        return [str(step["name"]) for step in reversed(steps) if step["state_type"] == "COMPLETED"]

    def fetch_gate(self, run_id: str, key: str) -> str:
        """Give the Markdown above the form of a gate, as the Resume dialog shows it; it is saved after the state is."""
        for pause in _PAUSES_SECONDS:
            try:
                return self._read_gate(run_id, key)
            except httpx.HTTPStatusError as error:
                if error.response.status_code != httpx.codes.NOT_FOUND:
                    raise
                time.sleep(pause)
        return self._read_gate(run_id, key)

    def _read_gate(self, run_id: str, key: str) -> str:
        return str(self._call("GET", f"/flow_runs/{run_id}/input/suspended-{key}-description"))

    def resume(self, run_id: str, answer: dict[str, str]) -> None:
        """
        Answer the gate of a suspended run, as the Resume dialog of the UI does.

        Raises:
            BadInput: Prefect refused the answer. It says so with status 200, so the body is what counts.
        """
        gate = find_gate(self.fetch_run(run_id))
        given = self._call("POST", f"/flow_runs/{run_id}/resume", {"run_input": answer})
        # a first try can answer 503 although it won: then the run has left this gate
        if given["status"] != "ACCEPT" and find_gate(self.fetch_run(run_id)) == gate:
            raise BadInput(
                f"flow run {run_id}",
                got=f"{given['status']}: {given['details'].get('reason')}",
                wanted="a run that waits, and the fields of its form",
                do="Look at the run in the Prefect UI.",
                who=Who.OPERATOR,
            )

    def start(self, deployment: str) -> str:
        """Run a deployment (``flow/deployment``) now, as Quick run in the UI does, and give the run's id."""
        found = self._call("GET", f"/deployments/name/{deployment}")
        return str(self._call("POST", f"/deployments/{found['id']}/create_flow_run", {})["id"])

    def _runs_with_a_process(self) -> list[dict[str, Any]]:
        return list(self._pages("/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": _WITH_A_PROCESS}}}}))

    def _pages(self, path: str, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
        offset = 0
        while page := self._call("POST", path, {**query, "sort": "ID_DESC", "limit": _PAGE, "offset": offset}):
            yield from page
            offset += _PAGE

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        for pause in (*_PAUSES_SECONDS, None):
            answer = self._http.request(method, path, json=body)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or pause is None:
                break
            time.sleep(pause)
        answer.raise_for_status()
        return answer.json() if answer.content else None


def find_gate(run: Mapping[str, Any]) -> str:
    """Give the key of the gate at which a run is suspended; empty if it is not."""
    state = run["state"]
    return str(state["state_details"].get("pause_key") or "") if state["name"] == "Suspended" else ""
