"""
The demo: one certificate, from a customer's folder to two running edges, played through public interfaces only.

The customer uses ``certferry``, a registrar and a vendor; the operator uses ``certferry-operator`` and the Prefect
API, as the Prefect UI does. What came of it is proven from outside at the end.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import boto3
import yaml
from rich.console import Console
from rich.markdown import Markdown
from rich.markup import escape
from rich.padding import Padding

from deployments.local.configuration import APPROVER, PIGGYBACK_DOMAIN
from deployments.local.prefect_server import PrefectServer, find_gate
from deployments.local.proofs import HandedOver, Proof, prove
from deployments.local.stack import Stack, StackFailed
from tasks.core.errors import Who

T = TypeVar("T")

ACCOUNT, APP, HAND_OVER = "acme", "shop", "edge"
HOSTNAME = "shop.example.test"
UPLOAD_LIFETIME = timedelta(seconds=20)  # 15 min by policy; short, so that the second sweep can be shown
PATIENCE_SECONDS = 120.0
_POLL_SECONDS = 0.5  # each question costs the Prefect server some 30 ms of CPU
_FLOWS = ("open-drop", "provision", "watch-tickets", "watch-drops")
_ENDED = ("COMPLETED", "FAILED", "CANCELLED")


@dataclass
class Story:
    """Tells what happens, when, and who does it."""

    console: Console
    began: float = field(default_factory=time.monotonic)

    def tell(self, who: str, what: str, style: str = "") -> None:
        line = f"[dim]{self.seconds():5.1f} s[/]  [bold]{who:<9}[/] [{style or 'default'}]{escape(what)}[/]"
        self.console.print(line, highlight=False, soft_wrap=True)

    def seconds(self) -> float:
        return time.monotonic() - self.began


@dataclass(frozen=True)
class Person:
    """Somebody at a shell: a command, and the environment it runs in."""

    who: str
    command: str
    environment: Mapping[str, str]
    story: Story

    def run(self, *arguments: str | Path, typed: str = "") -> Any:
        """Run the command with ``--json`` and give what it says; *typed* is what it reads."""
        words = [self.command, *map(str, arguments)]
        self.story.tell(self.who, f"$ {shlex.join(words)}", "cyan")
        done = subprocess.run(
            [Path(sys.executable).with_name(self.command), *words[1:], "--json"],
            env=dict(self.environment),
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise _gone_wrong(shlex.join(words), f"exit code {done.returncode}: {(done.stdout + done.stderr).strip()}")
        return json.loads(done.stdout)


class Demo:
    """One play, on a running stack that nobody has played on."""

    def __init__(self, stack: Stack, story: Story) -> None:
        self._stack, self._story = stack, story
        home = stack.place.root / "customer"
        theirs = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "XDG_STATE_HOME": str(home / "state")}
        outside = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", **theirs}
        self._customer = Person("customer", "certferry", outside, story)
        self._operator = Person("operator", "certferry-operator", stack.operator_environment(), story)
        self._folder = home / HOSTNAME
        self._told: set[str] = set()

    def play(self) -> list[Proof]:
        """Play it to the end, and look at what came of it."""
        with self._stack.prefect() as prefect:
            self._take_on_customer()
            self._prepare_domain()
            drop_id, expired_at = self._hand_over()
            run_id = _await(lambda: prefect.find_run("provision", drop_id), f"a provision run for {drop_id}")
            self._follow(prefect, run_id, "ticket")
            self._customer.run("ticket", "file", HAND_OVER)
            gate = self._follow(prefect, run_id, "approval")
            approved_at = self._approve(prefect, run_id, gate)
            self._follow(prefect, run_id)
            self._tell(f"ended {time.monotonic() - approved_at:.1f} s after the approval")
            self._sweep(prefect, expired_at)
        return self._prove(drop_id)

    def _take_on_customer(self) -> None:
        """The operator takes the customer on; the token goes from one to the other in a file."""
        file, token = self._stack.place.root / "acme.yaml", self._stack.place.root / "acme.token"
        apps = [{"name": APP, "hostnames": [HOSTNAME]}]
        file.write_text(yaml.safe_dump({"account": ACCOUNT, "contact": "ops@acme.test", "apps": apps}))
        self._operator.run("onboard", file)
        self._operator.run("token", "issue", ACCOUNT, "--out", token)
        self._customer.run("login", "--url", self._stack.place.front_desk_url, "--token-stdin", typed=token.read_text())
        token.unlink()

    def _prepare_domain(self) -> None:
        """The customer sets the records that certferry asks for, and buys a certificate."""
        [site] = self._customer.run("sites")
        for record in site["records"]:
            self._stack.set_customer_record(record["name"], record["type"], [record["value"]])
            self._story.tell("customer", f"sets {record['type']} {record['name']} at the registrar")
        self._stack.ca.issue([HOSTNAME]).write(self._folder)
        self._story.tell("customer", f"has a certificate from the vendor, and its key, in {self._folder}")

    def _hand_over(self) -> tuple[str, float]:
        """Give the drop's id, and the moment from which nothing can be uploaded any more."""
        created = self._customer.run("create", HAND_OVER, "--app", APP, "--hostname", HOSTNAME)
        self._customer.run("push", HAND_OVER, self._folder, "--trust", self._stack.ca.root_file)
        return str(created["hand_over"]["id"]), time.monotonic() + UPLOAD_LIFETIME.total_seconds()

    def _approve(self, prefect: PrefectServer, run_id: str, gate: str) -> float:
        """The operator reads what the Resume dialog says, and answers its form; give the moment."""
        asked = Padding(Markdown(prefect.fetch_gate(run_id, gate)), (1, 0, 1, 4))
        self._story.console.print(asked, width=max(100, self._story.console.width))
        self._story.tell("operator", f"approves as {APPROVER}, in the Resume dialog of the Prefect UI", "cyan")
        prefect.resume(run_id, {"decision": "approve", "name": APPROVER, "note": "shown by the demo"})
        return time.monotonic()

    def _follow(self, prefect: PrefectServer, run_id: str, gate: str | None = None) -> str:
        """Tell each step as it ends, until the run waits at *gate*, whose key is given, or has completed."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            run = prefect.fetch_run(run_id)
            self._tell_steps(prefect)
            state = run["state"]
            if gate and find_gate(run).startswith(gate):
                self._tell(f"the run is suspended: no process waits for the {gate}")
                return find_gate(run)
            if state["name"] == "Completed" and not gate:
                return ""
            if state["type"] in _ENDED or time.monotonic() > deadline:
                raise _gone_wrong(f"flow run {run['name']}", f"{state['name']}: {state['message']}")
            time.sleep(_POLL_SECONDS)

    def _sweep(self, prefect: PrefectServer, expired_at: float) -> None:
        """Have the second sweep made once no upload capability lives any more; the schedule would, a little later."""
        if self._customer.run("status", HAND_OVER)["swept_at"]:
            return  # the run itself ended late enough
        self._tell("waits until the upload capability has expired, for the second sweep")
        time.sleep(max(0.0, expired_at - time.monotonic()))
        run_id = prefect.start("watch-drops/watch-drops")
        _await(lambda: prefect.fetch_run(run_id)["state"]["type"] in _ENDED, "the end of watch-drops")
        self._tell_steps(prefect)

    def _prove(self, drop_id: str) -> list[Proof]:
        ledger = self._operator.run("ledger", ACCOUNT)
        self._operator.run("audit", "verify")
        place = self._stack.place
        credentials = place.seaweed.credentials
        store = boto3.client(
            "s3",
            endpoint_url=place.s3_url,
            region_name="us-east-1",
            aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
        )
        handed_over = HandedOver(drop_id, ACCOUNT, HOSTNAME, f"{APP}.{PIGGYBACK_DOMAIN}", self._folder / "ssl.crt")
        return list(prove(place, handed_over, store, ledger))

    def _tell_steps(self, prefect: PrefectServer) -> None:
        for title in prefect.completed_steps(_FLOWS):
            if title not in self._told:  # a resumed run starts from the top, where done steps look and pass
                self._told.add(title)
                self._tell(title)

    def _tell(self, what: str) -> None:
        self._story.tell("platform", what, "green")


def _await(find: Callable[[], T | None], what: str) -> T:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := find()):
        if time.monotonic() > deadline:
            raise _gone_wrong(what, f"not there after {PATIENCE_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)
    return found


def _gone_wrong(subject: str, got: str) -> StackFailed:
    return StackFailed(
        subject,
        got=got,
        wanted="the next step of the demo",
        do="Read the logs below the stack's root, logs/worker.log first.",
        who=Who.OPERATOR,
    )
