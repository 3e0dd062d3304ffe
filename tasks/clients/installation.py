"""
One installation: its settings, and one client for each outside system, made when first asked for.

Steps call `current()`, never a constructor, and never pass a client along: Prefect would try to hash it.
Tests lend an installation with fakes through `lend`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache, cached_property

from tasks.clients.audit import AuditTrail
from tasks.clients.billing import Billing, EmbeddedLedger
from tasks.clients.database import Database
from tasks.clients.dns import DNSResolver, Resolver
from tasks.clients.edges import Edge, NginxEdge
from tasks.clients.keys import KeyProvider, open_key_provider
from tasks.clients.messenger import AppriseMessenger, Messenger
from tasks.clients.orchestrator import Orchestrator, PrefectOrchestrator
from tasks.clients.probes import NetworkProbe, Probe
from tasks.clients.records.accounts import Accounts
from tasks.clients.records.certificates import Certificates
from tasks.clients.records.decisions import Decisions
from tasks.clients.records.drops import Drops
from tasks.clients.records.leases import Leases
from tasks.clients.records.letters import Letters
from tasks.clients.records.removals import Removals
from tasks.clients.records.scans import Scans
from tasks.clients.records.served import ServedCertificates
from tasks.clients.records.sightings import Sightings
from tasks.clients.records.switches import Switches
from tasks.clients.settings import Settings, load_settings, settings_path
from tasks.clients.store import DropStore, S3DropStore, S3Vault, Vault
from tasks.clients.tickets import EmbeddedDesk, TicketDesk
from tasks.core import policy
from tasks.core.certificate import Rules, Terms, load_roots
from tasks.core.doctor.terms import parse_blocked_keys
from tasks.core.errors import BadInput, Drifted
from tasks.core.model import Hostname


class Installation:
    """The settings and the clients made from them. Thread-safe to share: every client is."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def now(self) -> datetime:
        """Read the clock: the one place that does. A step reads it once and passes it down."""
        return datetime.now(UTC)

    def terms(self, hostname: Hostname, now: datetime) -> Terms:
        """
        Give the terms by which files for *hostname* are judged here.

        Raises:
            Drifted: Code ``settings-unusable``: the trust store or the list of blocked keys cannot be used. It is not
                the customer's fault, so it must refuse no hand-over and destroy no drop.
        """
        trust = self.settings.trust
        assert trust.roots_file is not None  # noqa: S101 - the settings have been checked
        try:
            roots = load_roots(trust.roots_file.read_bytes())
            return Terms(roots, trust.store == "public", now, hostname, self._rules())
        except (BadInput, OSError, UnicodeDecodeError) as fault:
            raise _unusable(fault) from None

    def _rules(self) -> Rules:
        rules = self.settings.rules
        blocked = parse_blocked_keys(rules.blocked_keys.read_text("utf-8")) if rules.blocked_keys else frozenset()
        return Rules(
            rsa_bits=tuple(bits for bits in policy.RSA_BITS if bits >= rules.rsa_minimum_bits),
            curves=tuple(rules.curves),
            minimum_validity=self.settings.trust.minimum_validity,
            maximum_lifetime=rules.maximum_lifetime,
            maximum_names=rules.maximum_names,
            refused_warnings=frozenset(rules.refused_warnings),
            blocked_keys=blocked,
        )

    @cached_property
    def database(self) -> Database:
        return Database(self.settings.database.url)

    @cached_property
    def accounts(self) -> Accounts:
        return Accounts(self.database)

    @cached_property
    def drops(self) -> Drops:
        return Drops(self.database)

    @cached_property
    def certificates(self) -> Certificates:
        return Certificates(self.database)

    @cached_property
    def decisions(self) -> Decisions:
        return Decisions(self.database)

    @cached_property
    def leases(self) -> Leases:
        return Leases(self.database)

    @cached_property
    def served(self) -> ServedCertificates:
        return ServedCertificates(self.database)

    @cached_property
    def letters(self) -> Letters:
        return Letters(self.database)

    @cached_property
    def sightings(self) -> Sightings:
        return Sightings(self.database)

    @cached_property
    def scans(self) -> Scans:
        return Scans(self.database)

    @cached_property
    def removals(self) -> Removals:
        return Removals(self.database)

    @cached_property
    def switches(self) -> Switches:
        return Switches(self.database)

    @cached_property
    def audit(self) -> AuditTrail:
        return AuditTrail(self.database)

    @cached_property
    def billing(self) -> Billing:
        return EmbeddedLedger(self.database)

    @cached_property
    def tickets(self) -> TicketDesk:
        return EmbeddedDesk(self.database)

    @cached_property
    def messenger(self) -> Messenger:
        return AppriseMessenger(self.settings.notices)

    @cached_property
    def drop_store(self) -> DropStore:
        return S3DropStore(self.settings.store)

    @cached_property
    def vault(self) -> Vault:
        return S3Vault(self.settings.store)

    @cached_property
    def keys(self) -> KeyProvider:
        return open_key_provider(self.settings.keys)

    @cached_property
    def resolver(self) -> Resolver:
        return DNSResolver(self.settings.live_check)

    @cached_property
    def probe(self) -> Probe:
        return NetworkProbe()

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        return tuple(NginxEdge(edge) for edge in self.settings.edges)

    @cached_property
    def orchestrator(self) -> Orchestrator:
        return PrefectOrchestrator()


def _unusable(fault: BadInput | OSError | UnicodeDecodeError) -> Drifted:
    what = f"{fault.subject}: {fault.got}" if isinstance(fault, BadInput) else str(fault)
    return Drifted(
        "the settings",
        got=f"what they name cannot be used ({what})",
        wanted="a trust store and a list of blocked keys that can be read",
        do="Mend the file that `trust` or `rules` in the settings names; then run the hand-over again.",
        code="settings-unusable",
    )


_lent: ContextVar[Installation | None] = ContextVar("certferry_installation", default=None)


def current() -> Installation:
    """
    Give the installation lent to this context, or the one that ``CERTFERRY_SETTINGS`` names.

    Raises:
        BadInput: The settings file is missing or wrong.
    """
    return _lent.get() or _configured()


@cache
def _configured() -> Installation:
    return Installation(load_settings(settings_path()))


@contextmanager
def lend(installation: Installation) -> Iterator[Installation]:
    """Make *installation* the current one inside the block."""
    token = _lent.set(installation)
    try:
        yield installation
    finally:
        _lent.reset(token)
