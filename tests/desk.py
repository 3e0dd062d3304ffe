"""
A front desk to test against: the real application on SQLite, with a fake store and fake runs, reached in process.

`Town` has one account, `acme`, whose app `shop` answers at `HOSTNAME`, and another, `rival`.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from flows.front_desk import create_app
from tasks.clients.installation import Installation
from tasks.clients.settings import Billing, Settings
from tasks.core.envelope import HYBRID, generate_keypair
from tasks.core.model import Certificate, Drop, DropState, EntryKind, Hostname, LedgerEntry, Placement
from tasks.customer.cli import main
from tasks.customer.config import Login
from tasks.customer.output import Output
from tasks.customer.session import Session
from tasks.issue_token import issue_token
from tasks.onboard import Onboarding, onboard
from tests.fakes.billing import FakeBilling
from tests.fakes.keys import FakeKeyProvider
from tests.fakes.store import FakeDropStore

URL = "https://desk.test"
HOSTNAME = "shop.example.test"
SETTINGS: dict[str, Any] = {
    "platform": {
        "cname_targets": ["edge.platform.test"],
        "addresses": ["192.0.2.1", "192.0.2.2"],
        "piggyback_domain": "apps.platform.test",
    },
    "live_check": {"resolvers": ["127.0.0.1:53"]},
    "edges": [
        {"name": "a", "directory": "/nonexistent/a", "address": "127.0.0.11"},
        {"name": "b", "directory": "/nonexistent/b", "address": "127.0.0.12"},
    ],
    "billing": {"prices": {"shared": [{"from": "2020-01-01", "unit_price": "0.02"}]}},
    "operators": {"approvers": ["olga"]},
}


def at_price(settings: Settings, unit_price: Decimal) -> Settings:
    """Give the settings with another price of a MB, as if it had always been that."""
    prices = {"prices": {"shared": [{"from": "2020-01-01", "unit_price": unit_price}]}}
    return settings.model_copy(update={"billing": Billing.model_validate(prices)})


@dataclass
class Runs:
    """Writes down the flow runs that were asked for; *fail* holds errors that the next calls raise, one each."""

    started: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    fail: list[Exception] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)

    def start(self, deployment: str, parameters: Mapping[str, Any], idempotency_key: str, name: str) -> str:
        if self.fail:
            raise self.fail.pop(0)
        self.started.setdefault(idempotency_key, (deployment, dict(parameters)))
        return idempotency_key

    def state(self, flow_run_id: str) -> str:
        return self.states.get(flow_run_id, "Scheduled")

    def restart(self, flow_run_id: str) -> bool:
        self.states[flow_run_id] = "Scheduled"
        return True


class Network(httpx.BaseTransport):
    """Leads requests for the front desk to the application, and all others to the store; *down* hosts do not answer."""

    def __init__(self, app: FastAPI, store: FakeDropStore) -> None:
        self._app, self.store = app, store.door()
        self.down: set[str] = set()
        self.sent: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.sent.append(request)
        if request.url.host in self.down:
            raise httpx.ConnectError("down")
        if request.url.host != "desk.test":
            return self.store.handle_request(request)
        return asyncio.run(self._ask(request))

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app, raise_app_exceptions=False)) as client:
            answer = await client.send(
                httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
            )
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


class Town:
    """An installation, its front desk, and the network to reach it by. Use it while the installation is lent."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.store = FakeDropStore()
        self.keys = FakeKeyProvider()
        self.runs = Runs()
        installation.__dict__.update(drop_store=self.store, keys=self.keys, orchestrator=self.runs)
        installation.database.migrate()
        for name, hostname in (("acme", HOSTNAME), ("rival", "rival.example.test")):
            apps = [{"name": "shop" if name == "acme" else "other", "hostnames": [hostname]}]
            onboard(Onboarding.model_validate({"account": name, "contact": f"ops@{name}.test", "apps": apps}), NOW)
        self.app = create_app()
        self.network = Network(self.app, self.store)

    def client(self, account: str = "acme", token: str | None = None) -> httpx.Client:
        """Give an HTTP client that is logged in as *account*, or shows *token*."""
        token = token if token is not None else issue_token(account, NOW)[1]
        return httpx.Client(base_url=URL, transport=self.network, headers={"Authorization": f"Bearer {token}"})

    def drop(self, name: str = "edge", account: str = "acme") -> Drop:
        """Give the account's drop of that name."""
        drop = self.installation.drops.find_by_name(account, name)
        assert drop is not None
        return drop

    def charge(self, day: str, account: str = "acme", hostname: str = HOSTNAME) -> LedgerEntry:
        """Begin to charge an account for a hostname; the proof is only said to be there."""
        billing, at = FakeBilling(), datetime.fromisoformat(day).replace(tzinfo=UTC)
        billing.proofs[1] = (account, Hostname(hostname))
        self.installation.__dict__["billing"] = billing
        price = self.installation.settings.billing.book.fetch_price(Placement.SHARED, at.date())
        entry = LedgerEntry(
            "charge",
            EntryKind.ENABLE,
            "charge",
            account,
            Hostname(hostname),
            Placement.SHARED,
            160,
            price,
            "EUR",
            at,
            1,
        )
        return billing.charge(entry, NOW)

    def open_drops(self) -> None:
        """Do what the started `open-drop` runs do."""
        for drop in self.installation.drops.list_live():
            if drop.state is DropState.REQUESTED:
                seed, public_key = generate_keypair(HYBRID)
                context = {"drop": drop.id, "hostname": drop.hostname, "account": drop.account}
                self.installation.drops.open(drop.id, HYBRID, public_key, self.keys.wrap(seed, context))

    def seed(self, drop: Drop) -> tuple[bytes, str]:
        """Give the drop's private seed, and the SHA-256 of its newest secret."""
        wrapped, secret_sha256 = self.installation.drops.fetch_seed(drop.id)
        context = {"drop": drop.id, "hostname": drop.hostname, "account": drop.account}
        return self.keys.unwrap(wrapped, context), secret_sha256


NOW = datetime.now(UTC)


def a_certificate(drop_id: str, dns_names: tuple[str, ...] = (HOSTNAME,)) -> Certificate:
    """Give a certificate that came through a drop for `HOSTNAME`, as it is on record."""
    return Certificate(
        id="cert-" + "a" * 26,
        drop_id=drop_id,
        account="acme",
        hostname=Hostname(HOSTNAME),
        leaf_sha256="ab" * 32,
        spki_sha256="cd" * 32,
        bundle_sha256="ef" * 32,
        subject="CN=shop",
        issuer="CN=ca",
        serial="01",
        dns_names=dns_names,
        not_before=NOW,
        not_after=NOW + timedelta(days=90),
        vault_key="k",
        vault_version="v",
    )


@dataclass(frozen=True)
class Ran:
    """What one call of the command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Give stdout as the one JSON document it must be."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """Give the error of a call with ``--json``."""
        error = self.json["error"]
        assert isinstance(error, dict)
        return error


class Customer:
    """A customer at their machine: runs `certferry` in process, in a home directory of their own."""

    def __init__(self, town: Town, home: Path, account: str = "acme", logged_in: bool = True) -> None:
        self.town, self.home = town, home
        self.token = issue_token(account, NOW)[1]
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.pauses = 0
        self.while_waiting: Callable[[], None] = town.open_drops
        if logged_in:
            self.session().home.save_login(Login(URL, self.token))

    def session(self) -> Session:
        return Session(
            output=Output(out=io.StringIO(), err=io.StringIO()),
            environ={"HOME": str(self.home)},
            transport=self.town.network,
            now=self.now,
            pause=self._pause,
            ask=lambda _: self.token,
        )

    def run(self, *arguments: str) -> Ran:
        """Run ``certferry`` with *arguments*."""
        out, err = io.StringIO(), io.StringIO()
        code = main(arguments, replace(self.session(), output=Output(out=out, err=err)))
        return Ran(code, out.getvalue(), err.getvalue())

    def create(self, name: str = "edge") -> Ran:
        """Ask for a drop for `HOSTNAME`, and wait until it is open."""
        return self.run("--json", "create", name, "--app", "shop", "--hostname", HOSTNAME)

    def _pause(self, _seconds: float) -> None:
        self.pauses += 1
        self.while_waiting()


def make_town(directory: Path) -> Installation:
    """Give an installation on a database in *directory*, to be lent and then wrapped in a `Town`."""
    return Installation(Settings(**SETTINGS, database={"url": f"sqlite:///{directory / 'records.db'}"}))
