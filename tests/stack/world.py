"""
The people and the machines around a running stack, as the tests see them: only through public doors.

A customer is a home directory and the real `certferry` command; an operator is the real `certferry-operator`
command and Prefect's API; a visitor is `openssl` and a socket. What is on record is read with SQL.
"""

from __future__ import annotations

import json
import operator
import os
import re
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import boto3
import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from deployments.local.pki import Issued
from deployments.local.stack import Stack
from tasks.clients.database import Database
from tasks.clients.keys import open_key_provider
from tasks.clients.records.drops import Drops
from tasks.clients.settings import load_settings
from tasks.core.invitation import parse_invitation
from tests.leaks import ProcessWatch, Secrets

T = TypeVar("T")

BIN = Path(sys.executable).parent
COMMAND_TIMEOUT = 180.0  # seconds; a drop takes 10 s to open, on a busy machine much longer
RUN_TIMEOUT = 120.0
WRAPPED = "wrapped seed"


def await_value(look: Callable[[], T | None], what: str, timeout: float = RUN_TIMEOUT) -> T:
    """
    Look again and again until there is something to see.

    Raises:
        TimeoutError: There was not, after *timeout* seconds.
    """
    deadline = time.monotonic() + timeout
    while (found := look()) is None or found is False:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout:.0f} s")
        time.sleep(0.2)
    return found


@dataclass(frozen=True)
class Ended:
    """How a command ended, and its ``--json`` document."""

    code: int
    document: Any


class Prefect:
    """The Prefect API, as an operator's browser uses it."""

    def __init__(self, stack: Stack) -> None:
        environment = stack.operator_environment()
        user, _, password = environment["PREFECT_API_AUTH_STRING"].partition(":")
        self.auth = environment["PREFECT_API_AUTH_STRING"]
        self._url, self._login = environment["PREFECT_API_URL"], (user, password)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask the API; once more on 503, which SQLite gives when two write at once."""
        for _ in range(20):
            answer = httpx.request(method, self._url + path, json=body, auth=self._login, timeout=30, trust_env=False)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(0.2)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def run_of(self, drop_id: str) -> dict[str, Any] | None:
        """Give the run that carries a drop, or None."""
        query = {"flows": {"name": {"any_": ["provision", "renew"]}}, "sort": "EXPECTED_START_TIME_DESC"}
        runs = self.call("POST", "/flow_runs/filter", query)
        return next((run for run in runs if run["parameters"].get("drop_id") == drop_id), None)

    def state_of(self, run_id: str) -> str:
        return str(self.call("GET", f"/flow_runs/{run_id}")["state"]["name"])

    def await_state(self, run_id: str, *names: str, timeout: float = RUN_TIMEOUT) -> str:
        """Wait until a run is in one of the states, and say which."""

        def look() -> str | None:
            state = self.state_of(run_id)
            return state if state in names else None

        return await_value(look, f"run {run_id} in {' or '.join(names)}", timeout)

    def gate_of(self, run_id: str) -> str | None:
        """Give the key of the gate a run waits at, or None while it does not wait, or its form is not there yet."""
        run = self.call("GET", f"/flow_runs/{run_id}")
        if run["state"]["name"] != "Suspended":
            return None
        gate: str = run["state"]["state_details"]["pause_key"]
        forms = self.call(
            "POST",
            f"/flow_runs/{run_id}/input/filter",
            {"prefix": f"suspended-{gate}-description", "limit": 1, "exclude_keys": []},
        )
        return gate if forms else None

    def await_gate(self, run_id: str, kind: str, other_than: str | None = None) -> str:
        """Wait until a run waits at a gate whose key begins with *kind*, and give the key."""

        def look() -> str | None:
            gate = self.gate_of(run_id)
            return gate if gate and gate.startswith(kind) and gate != other_than else None

        return await_value(look, f"run {run_id} at the gate {kind}")

    def resume(self, run_id: str, answer: Mapping[str, str]) -> None:
        """Answer the gate, as the Resume dialog does."""
        result = self.call("POST", f"/flow_runs/{run_id}/resume", {"run_input": answer})
        assert result["status"] == "ACCEPT", result

    def times_in(self, run_id: str, state: str) -> int:
        """Count how often a run has been in a state."""
        history = self.call("GET", f"/flow_run_states/?flow_run_id={run_id}")
        return sum(entry["name"] == state for entry in history)

    def deployment_id(self, name: str) -> str:
        return str(self.call("GET", f"/deployments/name/{name}/{name}")["id"])

    def start(self, name: str, parameters: Mapping[str, str]) -> str:
        """Start a run of a deployment, as its form in the UI does, and give the run's id."""
        path = f"/deployments/{self.deployment_id(name)}/create_flow_run"
        return str(self.call("POST", path, {"parameters": parameters, "state": {"type": "SCHEDULED"}})["id"])

    def question_of(self, run_id: str) -> str:
        """Give the text above the form of the gate a run waits at."""
        key = f"suspended-{self.gate_of(run_id)}-description"
        return str(self.call("GET", f"/flow_runs/{run_id}/input/{key}"))


@dataclass
class World:
    """A running stack, and everything that was said and kept secret around it."""

    stack: Stack
    home: Path
    watch: ProcessWatch
    secrets: dict[str, Secrets] = field(default_factory=dict)

    def remember(self, *kept: tuple[str, Secrets]) -> None:
        """Note what must not be found anywhere later."""
        self.secrets |= dict(kept)

    @property
    def all_secrets(self) -> Secrets:
        """Every key, drop secret, seed and token that there ever was around this stack, in one."""
        return self._together(label for label in self.secrets if not label.startswith(WRAPPED))

    def wrapped_seeds(self, drop_ids: Iterable[str]) -> Secrets:
        """Give the wrapped seeds of some drops: as long as a drop lives, its own lies in the records."""
        return self._together(f"{WRAPPED} of {drop_id}" for drop_id in drop_ids)

    def _together(self, labels: Iterable[str]) -> Secrets:
        return reduce(operator.or_, (self.secrets[label] for label in labels))

    @property
    def prefect(self) -> Prefect:
        return Prefect(self.stack)

    @property
    def said(self) -> Path:
        """The file that collects what every command wrote to stdout and stderr."""
        return self.home / "said.log"

    def run(self, command: str, *arguments: str, environment: Mapping[str, str], stdin: str = "") -> Ended:
        """Run one of our commands, with ``--json``."""
        ended = subprocess.run(
            [str(BIN / command), *arguments, "--json"],
            env=dict(environment),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT,
            cwd=self.home,
            check=False,
        )
        with self.said.open("a") as log:
            log.write(f"{command} {arguments}\n{ended.stdout}\n{ended.stderr}\n")
        lines = ended.stdout.strip().splitlines()
        return Ended(ended.returncode, json.loads(lines[-1]) if lines else None)

    def operate(self, *arguments: str) -> Any:
        """Run `certferry-operator`, which must succeed, and give its document."""
        ended = self.run("certferry-operator", *arguments, environment=self.stack.operator_environment())
        assert ended.code == 0, ended
        return ended.document

    def customer(self, account: str, hostname: str, live: bool = True) -> Customer:
        """
        Onboard a new account with one app and one hostname, and log it in.

        Args:
            live: Set the DNS records that the front desk asks for, too.
        """
        app = f"{account}-app"
        what = ("--account", account, "--contact", contact_of(account), "--app", app, "--hostname", hostname)
        self.operate("onboard", *what)
        found = Customer(self, account, app, hostname, self.home / account)
        found.home.mkdir(mode=0o700)
        token_file = found.home / "token"
        self.operate("token", "issue", account, "--out", str(token_file))
        login = ("login", "--url", self.stack.place.front_desk_url, "--token-stdin")
        assert found.run(*login, stdin=token_file.read_text()).code == 0
        self.remember(_random(f"token of {account}", token_file.read_bytes().strip()))
        for record in found.succeed("sites")[0]["records"] if live else ():
            self.stack.set_customer_record(record["name"], record["type"], [record["value"]])
        return found

    def records(self) -> sqlite3.Connection:
        """Open certferry's own database, to read."""
        return sqlite3.connect(f"file:{self.stack.place.root / 'records.db'}?mode=ro", uri=True)

    def count(self, table: str, where: str, *values: str) -> int:
        """Count the rows of a table of records."""
        with closing(self.records()) as records:
            (number,) = records.execute(f"SELECT count(*) FROM {table} WHERE {where}", values).fetchone()
        return int(number)

    def object_versions(self, prefix: str) -> list[str]:
        """List every version and delete marker in the drops' bucket below *prefix*."""
        environment = self.stack.operator_environment()
        client = boto3.client(
            "s3",
            endpoint_url=self.stack.place.s3_url,
            region_name="us-east-1",
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        )
        bucket = load_settings(self.stack.place.settings_file).store.drops_bucket
        answer = client.list_object_versions(Bucket=bucket, Prefix=prefix)
        return [found["Key"] for found in [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]]

    def remember_drop(self, drop_id: str) -> None:
        """Note the drop's seed, bare and wrapped, while it exists: it must not be found later."""
        settings = load_settings(self.stack.place.settings_file)
        database = Database(settings.database.url)
        try:
            drops = Drops(database)
            drop, (wrapped, _) = drops.fetch(drop_id), drops.fetch_seed(drop_id)
        finally:
            database.dispose()
        context = {"drop": drop_id, "hostname": drop.hostname, "account": drop.account}
        seed = open_key_provider(settings.keys).unwrap(wrapped, context)
        self.remember(_random(f"seed of {drop_id}", seed), _random(f"{WRAPPED} of {drop_id}", wrapped))


def _random(label: str, secret: bytes) -> tuple[str, Secrets]:
    return label, Secrets.of_bytes(secret, label)


def contact_of(account: str) -> str:
    return f"ops@{account}.example"


@dataclass(frozen=True)
class Customer:
    """One account's machine: a home directory of its own, the command, and a certificate from the vendor."""

    world: World
    account: str
    app: str
    hostname: str
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}

    def run(self, *arguments: str, stdin: str = "") -> Ended:
        return self.world.run("certferry", *arguments, environment=self.environment, stdin=stdin)

    def succeed(self, *arguments: str) -> Any:
        """Run `certferry`, which must succeed, and give its document."""
        ended = self.run(*arguments)
        assert ended.code == 0, ended
        return ended.document

    def buy_certificate(self) -> Issued:
        """Get a certificate for the hostname, and put the four files into ``files``."""
        issued = self.world.stack.ca.issue([self.hostname])
        issued.write(self.home / "files")
        label = f"key of {self.hostname}"
        self.world.remember((label, Secrets.of_key(issued.key, label)))
        return issued

    def create(self) -> str:
        """Ask for a drop called ``edge``, note what it keeps secret, and give its id."""
        created = self.succeed("create", "edge", "--app", self.app, "--hostname", self.hostname)
        self.remember_invitation(Path(created["invitation"]))
        return str(created["hand_over"]["id"])

    def remember_invitation(self, file: Path) -> None:
        """Note the secrets of a drop: they must not be found later."""
        invitation = parse_invitation(file.read_bytes())
        self.world.remember(_random(f"drop secret of {invitation.drop_id}", invitation.secret))
        self.world.remember_drop(invitation.drop_id)

    def push(self, *options: str) -> Ended:
        """Push the files, judged by the platform's own roots."""
        trust = str(self.world.stack.ca.root_file)
        return self.run("push", "edge", str(self.home / "files"), "--trust", trust, *options)

    def hand_over(self) -> tuple[str, str, Issued]:
        """Bring a hand-over to the approval gate; give the drop's id, the run's id and the certificate."""
        issued = self.buy_certificate()
        drop_id = self.create()
        return drop_id, self.push_and_ask(drop_id), issued

    def push_and_ask(self, drop_id: str, *options: str) -> str:
        """Push the files, file the ticket, and give the id of the run once it waits for an approval."""
        assert self.push(*options).code == 0
        self.succeed("ticket", "file", "edge")
        run = await_value(lambda: self.world.prefect.run_of(drop_id), f"a run for {drop_id}")
        self.world.prefect.await_gate(run["id"], "approval")
        return str(run["id"])

    def accept_invitation(self, drop_id: str) -> Path:
        """Have an operator write an invitation for a drop, as a file, and note its secrets."""
        file = self.home / "invitation.json"
        self.world.operate("invitation", drop_id, "--out", str(file))
        self.remember_invitation(file)
        return file

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        """Ask the front desk as a program of the customer's own does, with the account's token."""
        token = (self.home / "token").read_text().strip()
        url = self.world.stack.place.front_desk_url + path
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.request(method, url, json=body, headers=headers, timeout=30, trust_env=False)


def leaf_sha256(issued: Issued) -> str:
    return x509.load_pem_x509_certificate(issued.leaf).fingerprint(hashes.SHA256()).hex()


def leaf_seen_by_openssl(stack: Stack, address: str, hostname: str) -> str:
    """
    Shake hands as ``openssl s_client`` does, trusting the stack's root only, and give the leaf's SHA-256.

    Raises:
        subprocess.CalledProcessError: No handshake, an untrusted chain, or a certificate for another name.
    """
    shaken = subprocess.run(
        [
            *("openssl", "s_client", "-connect", f"{address}:{stack.place.ports.edge_https}"),
            *("-servername", hostname, "-verify_hostname", hostname, "-verify_return_error"),
            *("-CAfile", str(stack.ca.root_file), "-no-CApath", "-no-CAstore"),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        check=True,
    )
    leaf = re.search(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", shaken.stdout, re.DOTALL)
    assert leaf, shaken.stdout
    return x509.load_pem_x509_certificate(leaf[0]).fingerprint(hashes.SHA256()).hex()


def ask_over_https(
    stack: Stack, address: str, hostname: str, path: str, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Ask an edge for a page under *hostname*, verifying its certificate, and give status and body."""
    context = ssl.create_default_context(cafile=str(stack.ca.root_file))
    lines = [f"GET {path} HTTP/1.1", f"Host: {hostname}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    where = (address, stack.place.ports.edge_https)
    with (
        socket.create_connection(where, timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=hostname) as secured,
    ):
        secured.sendall("\r\n".join([*lines, "", ""]).encode())
        with secured.makefile("rb") as stream:
            answer = stream.read()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body
