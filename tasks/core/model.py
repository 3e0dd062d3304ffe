"""
The nouns: accounts, drops, certificates, tickets, approvals, edges, charges.

Everything here is frozen, made once at the door by a ``parse_`` function or read from records,
and then trusted. Times are `datetime` in UTC. Money is `Decimal`. Digests are SHA-256, lower hex.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NewType

from tasks.core import policy
from tasks.core.errors import BadHostname, BadInput, Who

Hostname = NewType("Hostname", str)
"""An A-label name (RFC 5890), lower case, no final dot, at least two labels, never an address."""

_MAX_HOSTNAME = 253  # RFC 1035 section 2.3.4, without the final dot
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_ID = re.compile(r"(drop|cert|ticket|token|removal)-[a-z2-7]{26}")


def parse_hostname(text: str) -> Hostname:
    """
    Give *text* as a hostname.

    Accepts upper case, one final dot and U-labels, which become A-labels (IDNA 2008 through UTS 46).

    Raises:
        BadHostname: It is not a fully qualified name: too long, an odd character, a bare label,
            a wildcard, an address, a numeric last label.

    Source:
        RFC 1123 section 2.1, RFC 5890.
    """
    hostname = find_hostname(text)
    if hostname is None:
        raise BadHostname(
            quote_typed(text),
            got="not a hostname",
            wanted="a fully qualified name such as shop.example.com, without wildcard",
            do="Give the name as your visitors type it, without https:// and path.",
        )
    return hostname


def find_hostname(text: str) -> Hostname | None:
    """As `parse_hostname`, with None for what is no hostname: where many are looked at, an error for each costs."""
    name = text.strip().lower().removesuffix(".")
    if len(name) > _MAX_HOSTNAME:
        return None
    if not name.isascii():
        import idna  # here, because only U-labels need its tables

        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except idna.IDNAError:
            return None
    labels = name.split(".")
    if (
        len(name) > _MAX_HOSTNAME
        or len(labels) < 2
        or not all(_LABEL.fullmatch(x) for x in labels)
        or labels[-1].isdigit()
    ):
        return None
    return Hostname(name)


def quote_typed(text: str) -> str:
    """Give the beginning of what somebody typed, quoted, for a message; a key that was pasted there is taken out."""
    from tasks.core.ticket_text import redact  # here, because it loads cryptography

    return repr(redact(text[: policy.TICKET_MAX_CHARS])[:80])  # in this order: 80 characters can hold a whole secret


def parse_name(text: str, kind: str) -> str:
    """
    Give *text* as the name of an account, an app or a hand-over: a letter, then letters, digits, hyphens.

    Raises:
        BadInput: It is anything else, or longer than 63 characters.
    """
    if not _NAME.fullmatch(text):
        raise BadInput(
            f"{kind} {quote_typed(text)}",
            got="not a valid name",
            wanted="a lower-case letter, then at most 62 lower-case letters, digits and hyphens",
            do=f"Choose another name for the {kind}.",
        )
    return text


def make_id(kind: str, randomness: bytes) -> str:
    """
    Give an id that says nothing: *kind*, a hyphen, and 128 random bits in base 32.

    Args:
        kind: ``drop``, ``cert``, ``ticket``, ``token``, ``letter`` or ``removal``.

        randomness: 16 bytes from `os.urandom`.
    """
    if len(randomness) != policy.DROP_ID_BYTES:
        raise ValueError(f"an id takes {policy.DROP_ID_BYTES} random bytes, got {len(randomness)}")
    return f"{kind}-{base64.b32encode(randomness).decode('ascii').rstrip('=').lower()}"


def parse_id(text: str, kind: str) -> str:
    """
    Give *text* as an id of *kind*.

    Raises:
        BadInput: It does not have the form that `make_id` gives.
    """
    if not (_ID.fullmatch(text) and text.startswith(f"{kind}-")):
        raise BadInput(
            f"{kind} id {quote_typed(text)}",
            got="not an id",
            wanted=f"{kind}- and 26 characters",
            do="Copy the id again.",
        )
    return text


class Severity(StrEnum):
    REFUSE = "refuse"
    WARN = "warn"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """
    One thing a check has to say about the customer's files.

    Attributes:
        code: Stable, lower-case words joined by hyphens.

        cause: One sentence, without a final full stop; text from a certificate is escaped in it.

        fix: What to do, as one sentence or more.

        command: POSIX shell that does it in the customer's directory, with the customer's file names; empty where
            no command can.

        who: Who must act.
    """

    code: str
    severity: Severity
    cause: str
    fix: str
    command: str = ""
    who: Who = Who.CUSTOMER

    @property
    def refuses(self) -> bool:
        return self.severity is Severity.REFUSE

    @property
    def advice(self) -> str:
        """What to do, with the command behind it."""
        return f"{self.fix} This does it: {self.command}" if self.command else self.fix

    def letter(self, hostname: str) -> str:
        """Give a paragraph about it that can be sent as it is to who must act."""
        asks = {
            Who.CUSTOMER: f"The certificate files for {hostname} need something from you: {self.cause}.",
            Who.CA: f"Please look at the certificate that you issued for {hostname}: {self.cause}.",
            Who.OPERATOR: f"The certificate files for {hostname} need an operator of the platform: {self.cause}.",
            Who.NOBODY: f"For your information, about the certificate files for {hostname}: {self.cause}.",
        }
        return f"{asks[self.who]} {self.advice} [{self.code}]"

    def as_dict(self) -> dict[str, str]:
        """Give the parts, for ``--json`` and the front desk."""
        return {
            "code": self.code,
            "severity": str(self.severity),
            "cause": self.cause,
            "fix": self.fix,
            "command": self.command,
            "who": str(self.who),
        }


@dataclass(frozen=True)
class Account:
    """A customer of the platform. Tickets count only from *contact* (an e-mail address, lower case)."""

    name: str
    contact: str


@dataclass(frozen=True)
class Site:
    """A hostname of an app of an account, with the challenge its TXT record must carry."""

    hostname: Hostname
    app: str
    account: str
    challenge: str


class DropState(StrEnum):
    """
    Where a drop stands; it only ever moves down this list.

    The key pair exists from OPEN to just before DESTROYED.
    """

    REQUESTED = "requested"
    OPEN = "open"
    INGESTED = "ingested"
    DESTROYED = "destroyed"


PLATFORM: Final = "certferry"
"""Who asks for a drop that no person asked for: certferry itself, when a certificate is due."""


class DropKind(StrEnum):
    """What a hand-over is for; the value of each is a word of the records."""

    SETUP = "set-up"
    """The hostname had no certificate when the drop was requested: all seven steps."""
    RENEWAL = "renewal"
    """It had one: steps 2, 3, 4, 5 and 7, a swap in place, no new charge."""


class Outcome(StrEnum):
    """How a hand-over ended."""

    COMPLETED = "completed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Drop:
    """
    One hand-over of one certificate, and the temporary encrypted place it came through.

    Attributes:
        name: What the customer calls it (``edge`` in ``certferry push edge``); unique per account among those alive.

        requested_by: Who asked: ``account:<name>``, ``operator:<name>``, or `PLATFORM`. May not approve.

        kind: Set when the drop is requested, and never changed.

        public_key: The HPKE public key, raw, from OPEN on.

        upload_until: When the last upload capability given out expires; a second sweep follows it.

        version_id, envelope_sha256: The one object version that was read, from INGESTED on.

        swept_at: When the second sweep found the place empty.

        verified_at: When step 1 last held: the domain is the customer's, leads here and answers.

        outcome_reason: The code and message of the refusal, for the customer; None while alive or completed.
    """

    id: str
    name: str
    account: str
    app: str
    hostname: Hostname
    state: DropState
    requested_by: str
    created_at: datetime
    expires_at: datetime
    kind: DropKind = DropKind.SETUP
    suite: int | None = None
    public_key: bytes | None = None
    upload_until: datetime | None = None
    version_id: str | None = None
    envelope_sha256: str | None = None
    flow_run_id: str | None = None
    verified_at: datetime | None = None
    destroyed_at: datetime | None = None
    swept_at: datetime | None = None
    outcome: Outcome | None = None
    outcome_code: str | None = None
    outcome_reason: str | None = None


@dataclass(frozen=True)
class Removal:
    """
    One hostname whose HTTPS is to be disabled, and what is left to do after that.

    Attributes:
        leaf_sha256: What was served when it was asked for.

        requested_by: Who asked: ``account:<name>`` or ``operator:<name>``. May not approve.

        disabled_at: When both edges were first seen refusing the hostname.

        destroy_at, destroyed_at: When the copies in the vault are to go, and when they were gone.

        looked_at: When the hostname's DNS was last looked at.

        dangling_since: Since when it was seen to lead here with nothing behind it; None while it is not.

        evidence: ``edges``: what each edge showed; ``remembered_until``: until when HSTS may be remembered (ISO 8601).
    """

    id: str
    account: str
    app: str
    hostname: Hostname
    leaf_sha256: str
    requested_by: str
    created_at: datetime
    flow_run_id: str | None = None
    disabled_at: datetime | None = None
    destroy_at: datetime | None = None
    destroyed_at: datetime | None = None
    looked_at: datetime | None = None
    dangling_since: datetime | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    outcome: Outcome | None = None
    outcome_code: str | None = None
    outcome_reason: str | None = None


@dataclass(frozen=True)
class Certificate:
    """
    A checked certificate whose files lie sealed in the vault. Ids and digests only, never a key.

    Attributes:
        bundle_sha256: Of the PEM that an edge loads (key, leaf, chain); also its file name there.

        dns_names: The leaf's SANs of type DNS, sorted.

        key_kind: ``RSA-2048``, or the curve of an EC key; this and the next three are None for what came in before
            they were kept.

        root_sha256: Of the root in the trust store that its chain leads to.

        trust: Of that store: ``public`` or ``private``.

        warned: The codes of the findings that warned of it.

        superseded_at: Since when another certificate is served in its place; it can be put back for a while.

        retired_at: When its key was destroyed, because that time was over.
    """

    id: str
    drop_id: str
    account: str
    hostname: Hostname
    leaf_sha256: str
    spki_sha256: str
    bundle_sha256: str
    subject: str
    issuer: str
    serial: str
    dns_names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    vault_key: str
    vault_version: str
    key_kind: str | None = None
    root_sha256: str | None = None
    trust: str | None = None
    warned: tuple[str, ...] | None = None
    superseded_at: datetime | None = None
    retired_at: datetime | None = None


@dataclass(frozen=True)
class Message:
    """One message on a ticket. *author* is an e-mail address, or ``certferry``."""

    author: str
    body: str
    at: datetime


@dataclass(frozen=True)
class Ticket:
    """
    A ticket as the desk has it.

    Attributes:
        sender: The authenticated address, lower case, not the From text.

        state: ``open``, ``refused`` (it held key material, which was not stored), ``closed``, or ``told`` (a letter of
            the platform's, which nobody has answered).
    """

    id: str
    sender: str
    subject: str
    drop_id: str | None
    state: str
    messages: tuple[Message, ...]


class Placement(StrEnum):
    """Where a hostname is served: on the pair that many share, or on a pair of its account's own."""

    SHARED = "shared"
    DEDICATED = "dedicated"


@dataclass(frozen=True)
class Price:
    """What a MB costs a month, from the day *starts* on, until the next price."""

    starts: date
    unit_price: Decimal


@dataclass(frozen=True)
class Plan:
    """
    What an approval is for. Its digest is over every field, so a changed plan is another plan.

    `digest` is computed by `tasks.core.plan.digest_plan`.

    Attributes:
        unit_price: Per MB and month, as it was when the hand-over was asked for.

        price_changes: The prices that are known to come after that, earliest first.
    """

    drop_id: str
    account: str
    app: str
    hostname: Hostname
    certificate_id: str
    leaf_sha256: str
    bundle_sha256: str
    subject: str
    issuer: str
    dns_names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    edges: tuple[str, ...]
    megabytes: int
    unit_price: Decimal
    currency: str
    requested_by: str
    placement: Placement = Placement.SHARED
    price_changes: tuple[Price, ...] = ()

    def price_on(self, day: date) -> Decimal:
        """Give the approved price of a MB for a month, as it is on *day*."""
        return next((p.unit_price for p in reversed(self.price_changes) if p.starts <= day), self.unit_price)


@dataclass(frozen=True)
class RemovalPlan:
    """What an approval of a removal is for: the hostname, whatever certificate serves it by then."""

    removal_id: str
    account: str
    app: str
    hostname: Hostname
    leaf_sha256: str
    edges: tuple[str, ...]
    grace_days: int
    requested_by: str


@dataclass(frozen=True)
class Approval:
    """
    A person's decision on one plan, on record. *decision* is ``approve`` or ``reject``.

    Attributes:
        subject: The id of what the plan is for.
    """

    subject: str
    plan_sha256: str
    decision: str
    approver: str
    note: str
    at: datetime


@dataclass(frozen=True)
class Handshake:
    """What one TLS handshake with one edge showed."""

    edge: str
    hostname: Hostname
    leaf_sha256: str
    chain_trusted: bool
    tls_version: str
    http_status: int
    at: datetime
    hsts: str | None = None
    """The ``Strict-Transport-Security`` of the answer; None where there was none."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "edge": self.edge,
            "hostname": self.hostname,
            "leaf_sha256": self.leaf_sha256,
            "chain_trusted": self.chain_trusted,
            "tls_version": self.tls_version,
            "http_status": self.http_status,
            "at": self.at.isoformat(),
            "hsts": self.hsts,
        }


@dataclass(frozen=True)
class PlainAnswer:
    """What an edge answered to ``GET /`` over plain HTTP: a status (0 for none), and where it leads."""

    status: int
    location: str | None


class EntryKind(StrEnum):
    """What a ledger entry says: the pair serves from then on, elsewhere from then on, no longer; or: never was."""

    ENABLE = "enable"
    MOVE = "move"
    DISABLE = "disable"
    VOID = "void"


@dataclass(frozen=True)
class LedgerEntry:
    """
    One line of the append-only ledger. A charge is an ``enable`` and what later entries say of it.

    Attributes:
        idempotency_key: Unique: writing an entry twice leaves one.

        charge: The key of the ``enable`` that began the charge; an ``enable`` names itself.

        placement, megabytes, unit_price, currency: What the account pays from *at* on, per MB and month, as it was
            approved; in a ``disable`` or ``void``, what it paid until then.

        at: From when this holds.

        confirmation_id: The proof that both edges serve; every ``enable`` has one.

        corrects: The key of the entry in whose place this one stands. A ``void`` only takes it away.
    """

    idempotency_key: str
    kind: EntryKind
    charge: str
    account: str
    hostname: Hostname
    placement: Placement
    megabytes: int
    unit_price: Decimal
    currency: str
    at: datetime
    confirmation_id: int | None = None
    corrects: str | None = None


@dataclass(frozen=True)
class Invitation:
    """
    What a customer needs to fill one drop; travels as JSON, over the front desk or as a 0600 file.

    Attributes:
        upload_url, upload_fields: A presigned S3 POST for one exact key.

        secret: 32 bytes that tell the invited sender apart from anyone who can write to S3.

    """

    drop_id: str
    name: str
    account: str
    hostname: Hostname
    suite: int
    public_key: bytes
    upload_url: str
    upload_fields: Mapping[str, str]
    secret: bytes
    expires_at: datetime

    def __repr__(self) -> str:
        """Show the drop only: the secret stays out of logs and tracebacks."""
        return f"Invitation({self.drop_id})"
