"""
An installation to test steps and flows on: real records and real cryptography, and a strict fake of every outside system.

`Office` has two customers, `acme` with `SHOP` and `rival`; their domains are live, and nothing has been handed over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.clients.installation import Installation, lend
from tasks.clients.settings import Rules, Settings
from tasks.core.envelope import Binding, seal
from tasks.core.live import challenge_name
from tasks.core.model import Certificate, Drop, Hostname, make_id
from tasks.core.plan import digest_plan
from tasks.file_ticket import file_ticket
from tasks.ingest_secrets import ingest_secrets
from tasks.issue_invitation import issue_invitation
from tasks.match_ticket import match_ticket
from tasks.onboard import Onboarding, onboard
from tasks.open_drop import open_drop
from tasks.plan_provision import plan_provision
from tasks.provision_edges import provision_edges
from tasks.record_approval import record_approval
from tasks.request_drop import request_drop
from tests.desk import SETTINGS
from tests.fakes.dns import FakeResolver
from tests.fakes.edges import FakeEdge
from tests.fakes.keys import FakeKeyProvider
from tests.fakes.messenger import FakeMessenger
from tests.fakes.orchestrator import FakeOrchestrator
from tests.fakes.probes import FakeProbe
from tests.fakes.store import FakeDropStore, FakeVault
from tests.pki import CA

SHOP = Hostname("shop.example.test")
RIVAL = Hostname("rival.example.test")
CONTACT = "ops@acme.test"
ADDRESS = "192.0.2.1"


class Clocked(Installation):
    """An installation whose clock a test can put forward."""

    ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Office:
    """What a test holds: the installation, and each fake."""

    here: Clocked
    ca: CA
    store: FakeDropStore = field(default_factory=FakeDropStore)
    vault: FakeVault = field(default_factory=FakeVault)
    keys: FakeKeyProvider = field(default_factory=FakeKeyProvider)
    resolver: FakeResolver = field(default_factory=FakeResolver)
    runs: FakeOrchestrator = field(default_factory=FakeOrchestrator)
    messenger: FakeMessenger = field(default_factory=FakeMessenger)
    edges: tuple[FakeEdge, FakeEdge] = field(default_factory=lambda: (FakeEdge("a"), FakeEdge("b")))

    def __post_init__(self) -> None:
        self.probe = FakeProbe(self.edges)
        self.here.__dict__.update(
            drop_store=self.store,
            vault=self.vault,
            keys=self.keys,
            resolver=self.resolver,
            probe=self.probe,
            edges=self.edges,
            orchestrator=self.runs,
            messenger=self.messenger,
        )

    def set_rules(self, **rules: object) -> None:
        """Make the installation stricter from now on."""
        changed = Rules.model_validate(rules)
        self.here.settings = self.here.settings.model_copy(update={"rules": changed})

    def set_section(self, section: str, **values: object) -> None:
        """Set a section of the settings from now on, as its YAML would."""
        kind = type(getattr(self.here.settings, section))
        self.here.settings = self.here.settings.model_copy(update={section: kind.model_validate(values)})

    def settle(self) -> None:
        """Record both customers, and make their domains live."""
        self.here.database.migrate()
        for account, app, hostname in (("acme", "shop", SHOP), ("rival", "other", RIVAL)):
            apps = [{"name": app, "hostnames": [hostname]}]
            wish = {"account": account, "contact": f"ops@{account}.test", "apps": apps}
            (site,) = onboard(Onboarding.model_validate(wish), self.here.now())
            self.resolver.texts[challenge_name(site.hostname)] = (f"certferry-challenge={site.challenge}",)
            self.resolver.addresses[site.hostname] = (ADDRESS,)
            self.probe.live[site.hostname, ADDRESS] = 200

    def request(self, name: str = "edge", requested_by: str = "account:acme", account: str = "acme") -> Drop:
        """Ask for a drop for `SHOP`, or for `RIVAL`."""
        app, hostname = ("shop", SHOP) if account == "acme" else ("other", RIVAL)
        drop_id = make_id("drop", os.urandom(16))
        return request_drop(drop_id, name, account, app, hostname, requested_by, self.here.now())

    def open(self, name: str = "edge", requested_by: str = "account:acme", account: str = "acme") -> Drop:
        """Open a drop for `SHOP`, or for `RIVAL`."""
        drop = self.request(name, requested_by, account)
        open_drop.fn(drop.id)
        return self.drop(drop.id)

    def seal(self, drop: Drop, files: Mapping[str, bytes]) -> bytes:
        """Seal *files* for *drop* with a fresh invitation, as `certferry push` does."""
        invitation = issue_invitation(drop.id, self.here.now())
        binding = Binding(drop.id, drop.hostname, drop.account)
        return seal(files, invitation.secret, invitation.suite, invitation.public_key, binding)

    def upload(self, drop: Drop, files: Mapping[str, bytes] | None = None) -> str:
        """Push *files*, or good ones, into *drop*, and give the VersionId."""
        return self.store.arrive(drop.id, self.seal(drop, files or self.ca.issue([SHOP]).files()))

    def ingest(
        self, name: str = "edge", requested_by: str = "account:acme", files: Mapping[str, bytes] | None = None
    ) -> Certificate:
        """Bring a hand-over of *files*, or of good ones, to the end of step 2."""
        drop = self.open(name, requested_by)
        self.upload(drop, files)
        return self.here.certificates.fetch(ingest_secrets.fn(drop.id))

    def file(self, drop_id: str, sender: str = CONTACT, body: str = "Please set it up.") -> str:
        """File a ticket that quotes a drop."""
        ticket_id = make_id("ticket", os.urandom(16))
        file_ticket(ticket_id, sender, "HTTPS", f"{body}\n{drop_id}", None, self.here.now())
        return ticket_id

    def match(
        self, name: str = "edge", requested_by: str = "account:acme", files: Mapping[str, bytes] | None = None
    ) -> Certificate:
        """Bring a hand-over to the end of step 3."""
        certificate = self.ingest(name, requested_by, files)
        match_ticket.fn(certificate.drop_id, self.file(certificate.drop_id), "test")
        return certificate

    def approve(self, drop_id: str, decision: str = "approve", note: str = "") -> str:
        """Let olga decide on the plan as it stands, and give its digest."""
        digest = digest_plan(plan_provision.fn(drop_id))
        record_approval.fn(drop_id, digest, decision, "olga", note)
        return digest

    def provision(self, name: str = "edge", files: Mapping[str, bytes] | None = None) -> Certificate:
        """Bring a hand-over to the end of step 4."""
        certificate = self.match(name, files=files)
        provision_edges.fn(certificate.drop_id, self.approve(certificate.drop_id))
        return certificate

    def drop(self, drop_id: str) -> Drop:
        return self.here.drops.fetch(drop_id)

    def served(self) -> list[str | None]:
        """Give the bundle that each edge serves for `SHOP`."""
        return [edge.hosts.get(SHOP) for edge in self.edges]

    def answers(self, drop_id: str) -> str:
        """Give all that certferry said on the drop's ticket."""
        ticket = self.here.decisions.find_match(drop_id)
        assert ticket is not None
        messages = self.here.tickets.fetch(ticket).messages
        return "\n".join(message.body for message in messages if message.author == "certferry")

    def actions(self, drop_id: str) -> list[str]:
        """Give what is on the audit trail about a drop."""
        return [str(entry["action"]) for entry in self.here.audit.entries(drop_id)]


def make_office(directory: Path, authority: CA, clocked: type[Clocked] = Clocked) -> Office:
    """Give an office whose records lie in *directory*, trusting the root of *authority*; lend its installation."""
    (directory / "root.pem").write_bytes(authority.root.pem)
    changed = {
        "database": {"url": f"sqlite:///{directory / 'records.db'}"},
        "live_check": {"resolvers": ["127.0.0.1:53"], "allow_networks": ["192.0.2.0/24"]},
        "operators": {"approvers": ["olga", "Oscar"]},
        "trust": {"store": "private", "file": directory / "root.pem"},
    }
    return Office(clocked(Settings(**{**SETTINGS, **changed})), authority)


@pytest.fixture(name="authority", scope="session")
def _authority() -> CA:
    """An intermediate below the root that the office trusts."""
    return CA("Office Root").intermediate()


@pytest.fixture(name="office")
def _office(tmp_path: Path, authority: CA) -> Iterator[Office]:
    office = make_office(tmp_path, authority)
    with lend(office.here):
        office.settle()
        yield office
        office.here.database.dispose()
