"""
The tables of the records, as SQLAlchemy maps them. Migrations are in `migrations/`.

Times are UTC, stored as ISO 8601 text by SQLite and as timestamptz by PostgreSQL. The ledger, the
confirmations, the approvals and the audit trail are append-only: triggers refuse update and delete.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import JSON, TypeDecorator


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC; a naive one is refused instead of guessed at."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class ExactDecimal(TypeDecorator[Decimal]):
    """A Decimal of any precision, exactly; SQLite keeps it as text, since its NUMERIC is a float."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(String(32) if dialect.name == "sqlite" else Numeric())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        return str(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


SQLITE_PAGE_BYTES: Final = 4096


class ShreddableBytes(TypeDecorator[bytes]):
    """
    Bytes that leave no trace in a SQLite file when they are set to NULL (with secure_delete and a checkpoint).

    SQLite moves rows between pages as their neighbours grow, and secure_delete does not clear the place a
    moved row came from: about one shredded value in 300 stayed readable there. Overflow pages are never
    moved, and cleared when freed. A row keeps less than a page of itself outside of them, so a page of
    zeros in front puts every byte that matters into overflow pages.

    Source:
        SQLite file format 1.6, "B-tree Pages": a table leaf holds at most U - 35 bytes of a row.
    """

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        return bytes(SQLITE_PAGE_BYTES) + value if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        return value[SQLITE_PAGE_BYTES:] if value is not None and dialect.name == "sqlite" else value


class Base(DeclarativeBase):
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UTCDateTime,
        Decimal: ExactDecimal,
        dict[str, Any]: JSON,
        list[str]: JSON,
    }


class AccountRow(Base):
    __tablename__ = "accounts"
    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    contact: Mapped[str] = mapped_column(String(254))
    created_at: Mapped[datetime]


class TokenRow(Base):
    """A front desk token; only its SHA-256 is kept."""

    __tablename__ = "tokens"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name"), index=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class AppRow(Base):
    __tablename__ = "apps"
    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name"), index=True)
    created_at: Mapped[datetime]


class SiteRow(Base):
    """A hostname belongs to one app of one account, platform-wide."""

    __tablename__ = "sites"
    hostname: Mapped[str] = mapped_column(String(253), primary_key=True)
    app: Mapped[str] = mapped_column(ForeignKey("apps.name"), index=True)
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name"), index=True)
    challenge: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]


_LIVE = text("outcome IS NULL AND state <> 'destroyed'")
_OPEN = text("ended_at IS NULL")
_DUE = _UNTOLD = text("letter_id IS NULL")


class DropRow(Base):
    __tablename__ = "drops"
    __table_args__ = (
        Index("uq_drops_live_name", "account", "name", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),
    )
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(63))
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name"), index=True)
    app: Mapped[str] = mapped_column(ForeignKey("apps.name"))
    hostname: Mapped[str] = mapped_column(ForeignKey("sites.hostname"), index=True)
    kind: Mapped[str] = mapped_column(String(16), server_default="set-up")
    state: Mapped[str] = mapped_column(String(16), index=True)
    requested_by: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    suite: Mapped[int | None]
    public_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    wrapped_seed: Mapped[bytes | None] = mapped_column(ShreddableBytes)
    """The private seed, wrapped by the key provider; NULL once the drop is destroyed (the crypto-shred)."""
    secret_sha256: Mapped[str | None] = mapped_column(String(64))
    upload_until: Mapped[datetime | None]
    version_id: Mapped[str | None] = mapped_column(String(1024))
    envelope_sha256: Mapped[str | None] = mapped_column(String(64))
    flow_run_id: Mapped[str | None] = mapped_column(String(36), index=True)
    verified_at: Mapped[datetime | None]
    destroyed_at: Mapped[datetime | None]
    swept_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(16))
    outcome_code: Mapped[str | None] = mapped_column(String(64))
    outcome_reason: Mapped[str | None] = mapped_column(Text)


class CertificateRow(Base):
    __tablename__ = "certificates"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    drop_id: Mapped[str] = mapped_column(ForeignKey("drops.id"), unique=True)
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name"), index=True)
    hostname: Mapped[str] = mapped_column(String(253), index=True)
    leaf_sha256: Mapped[str] = mapped_column(String(64), index=True)
    spki_sha256: Mapped[str] = mapped_column(String(64), index=True)
    bundle_sha256: Mapped[str] = mapped_column(String(64), index=True)
    subject: Mapped[str] = mapped_column(Text)
    issuer: Mapped[str] = mapped_column(Text)
    serial: Mapped[str] = mapped_column(String(64))
    dns_names: Mapped[list[str]]
    not_before: Mapped[datetime]
    not_after: Mapped[datetime] = mapped_column(index=True)
    vault_key: Mapped[str] = mapped_column(String(255))
    vault_version: Mapped[str] = mapped_column(String(1024))
    wrapped_data_key: Mapped[bytes | None] = mapped_column(ShreddableBytes)
    """The vault object's data key, wrapped; NULL once the vault copy is shredded."""
    created_at: Mapped[datetime]
    key_kind: Mapped[str | None] = mapped_column(String(32))
    root_sha256: Mapped[str | None] = mapped_column(String(64))
    trust: Mapped[str | None] = mapped_column(String(16))
    warned: Mapped[list[str] | None]
    superseded_at: Mapped[datetime | None] = mapped_column(index=True)
    retired_at: Mapped[datetime | None]


class CompromisedKeyRow(Base):
    """A public key whose private half was seen where it must not be. No certificate for it is accepted again."""

    __tablename__ = "compromised_keys"
    spki_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    why: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class TicketRow(Base):
    """The embedded ticket desk's tickets."""

    __tablename__ = "tickets"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    sender: Mapped[str] = mapped_column(String(254), index=True)
    subject: Mapped[str] = mapped_column(String(200))
    drop_id: Mapped[str | None] = mapped_column(String(40), index=True)
    state: Mapped[str] = mapped_column(String(16), index=True)
    created_at: Mapped[datetime]


class MessageRow(Base):
    __tablename__ = "messages"
    __table_args__ = (UniqueConstraint("ticket_id", "idempotency_key"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("tickets.id"), index=True)
    author: Mapped[str] = mapped_column(String(254))
    body: Mapped[str] = mapped_column(Text)
    idempotency_key: Mapped[str] = mapped_column(String(128))
    at: Mapped[datetime]


class TicketMatchRow(Base):
    """Which ticket asked for what; one a subject, decided once."""

    __tablename__ = "ticket_matches"
    subject: Mapped[str] = mapped_column(String(40), primary_key=True)
    """The id of a drop or of a removal."""
    ticket_id: Mapped[str] = mapped_column(String(40), unique=True)
    matched_by: Mapped[str] = mapped_column(String(128))
    at: Mapped[datetime]


class ApprovalRow(Base):
    """One decision a plan, ever: the first one recorded wins."""

    __tablename__ = "approvals"
    subject: Mapped[str] = mapped_column(String(40), primary_key=True)
    """The id of what the plan is for: a drop or a removal."""
    plan_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    decision: Mapped[str] = mapped_column(String(16))
    approver: Mapped[str] = mapped_column(String(128))
    note: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class AssignmentRow(Base):
    """What an edge is meant to serve for a hostname: the desired state, written before the world is changed."""

    __tablename__ = "assignments"
    __table_args__ = (
        Index("ix_assignments_hostname_certificate", "hostname", "certificate_id"),  # scans go by hostname
        Index("ix_assignments_certificate_id", "certificate_id"),  # and from certificates near their end
    )
    edge: Mapped[str] = mapped_column(String(63), primary_key=True)
    hostname: Mapped[str] = mapped_column(String(253), primary_key=True)
    certificate_id: Mapped[str] = mapped_column(ForeignKey("certificates.id"))
    bundle_sha256: Mapped[str] = mapped_column(String(64))
    previous_bundle_sha256: Mapped[str | None] = mapped_column(String(64))
    proven_at: Mapped[datetime | None]
    leaving: Mapped[bool] = mapped_column(default=False)
    """A removal is taking it off: no edge is to be given it back."""


class RemovalRow(Base):
    """A hostname whose HTTPS is disabled, from the wish to the last copy (`tasks.core.model.Removal`)."""

    __tablename__ = "removals"
    __table_args__ = (
        Index(
            "uq_removals_live_hostname",
            "hostname",
            unique=True,
            sqlite_where=text("outcome IS NULL"),
            postgresql_where=text("outcome IS NULL"),
        ),
    )
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name"))
    app: Mapped[str] = mapped_column(String(63))
    hostname: Mapped[str] = mapped_column(ForeignKey("sites.hostname"))
    leaf_sha256: Mapped[str] = mapped_column(String(64))
    requested_by: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[datetime]
    flow_run_id: Mapped[str | None] = mapped_column(String(36))
    disabled_at: Mapped[datetime | None]
    destroy_at: Mapped[datetime | None]
    destroyed_at: Mapped[datetime | None]
    looked_at: Mapped[datetime | None]
    dangling_since: Mapped[datetime | None]
    evidence: Mapped[dict[str, Any]]
    outcome: Mapped[str | None] = mapped_column(String(16))
    outcome_code: Mapped[str | None] = mapped_column(String(64))
    outcome_reason: Mapped[str | None] = mapped_column(Text)


class SwitchRow(Base):
    """What the edges are meant to do to force a hostname to HTTPS (`tasks.core.force_https.Switch`)."""

    __tablename__ = "switches"
    hostname: Mapped[str] = mapped_column(ForeignKey("sites.hostname"), primary_key=True)
    redirect: Mapped[bool]
    stage: Mapped[int]
    longest: Mapped[int]
    proven_at: Mapped[datetime | None]
    requested_by: Mapped[str] = mapped_column(String(128))


class ConfirmationRow(Base):
    """Proof that both edges served the leaf, seen from outside."""

    __tablename__ = "confirmations"
    id: Mapped[int] = mapped_column(primary_key=True)
    certificate_id: Mapped[str] = mapped_column(ForeignKey("certificates.id"), unique=True)
    evidence: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class LedgerRow(Base):
    """One entry of the ledger. An ``enable`` has a confirmation that exists; an entry is corrected once."""

    __tablename__ = "ledger"
    __table_args__ = (
        CheckConstraint("kind <> 'enable' OR confirmation_id IS NOT NULL", name="ck_ledger_proof"),
        Index("ix_ledger_account_hostname", "account", "hostname"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    idempotency_key: Mapped[str] = mapped_column(String(128), unique=True)
    kind: Mapped[str] = mapped_column(String(8))
    charge: Mapped[str] = mapped_column(ForeignKey("ledger.idempotency_key"), index=True)
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name"))
    hostname: Mapped[str] = mapped_column(String(253))
    placement: Mapped[str] = mapped_column(String(16))
    megabytes: Mapped[int]
    unit_price: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3))
    at: Mapped[datetime]
    confirmation_id: Mapped[int | None] = mapped_column(ForeignKey("confirmations.id"))
    corrects: Mapped[str | None] = mapped_column(ForeignKey("ledger.idempotency_key"), unique=True)
    created_at: Mapped[datetime]


class LeaseRow(Base):
    """Who is at work on something. The token grows with each time it is taken, and never goes back."""

    __tablename__ = "leases"
    name: Mapped[str] = mapped_column(String(300), primary_key=True)
    holder: Mapped[str] = mapped_column(String(128))
    token: Mapped[int]
    expires_at: Mapped[datetime]


class LetterRow(Base):
    """A letter as it was written. It is on record before anybody is told."""

    __tablename__ = "letters"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    audience: Mapped[str] = mapped_column(String(16))
    account: Mapped[str | None] = mapped_column(ForeignKey("accounts.name"))
    subject: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class DeliveryRow(Base):
    """
    A letter on its way through one channel: the outbox.

    `claimed_at` is when a process began to send it, `ended_at` when it was sent or given up, as `outcome` says.
    """

    __tablename__ = "deliveries"
    __table_args__ = (Index("ix_deliveries_open", "letter_id", sqlite_where=_OPEN, postgresql_where=_OPEN),)
    letter_id: Mapped[str] = mapped_column(ForeignKey("letters.id"), primary_key=True)
    channel: Mapped[str] = mapped_column(String(63), primary_key=True)
    tries: Mapped[int]
    claimed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(16))


class NoticeRow(Base):
    """That somebody is, or was, to be told of a certificate at a rung: once, ever. No letter yet: it is due."""

    __tablename__ = "notices"
    __table_args__ = (
        Index("ix_notices_due", "audience", "account", sqlite_where=_DUE, postgresql_where=_DUE),
        Index("ix_notices_letter_id", "letter_id"),
    )
    certificate_id: Mapped[str] = mapped_column(ForeignKey("certificates.id"), primary_key=True)
    rung: Mapped[str] = mapped_column(String(16), primary_key=True)
    audience: Mapped[str] = mapped_column(String(16), primary_key=True)
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name"))
    decided_at: Mapped[datetime]
    letter_id: Mapped[str | None] = mapped_column(ForeignKey("letters.id"))


class ScanRow(Base):
    """How far a scan over all hostnames has got: its bookmark, and what it has counted until there."""

    __tablename__ = "scans"
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    started_at: Mapped[datetime]
    saved_at: Mapped[datetime]
    bookmark: Mapped[str | None] = mapped_column(String(400))
    tally: Mapped[dict[str, Any]]
    finished_at: Mapped[datetime | None]


class SightingRow(Base):
    """What the world was last seen to get of a hostname at a place, where that is not what it should get."""

    __tablename__ = "sightings"
    __table_args__ = (Index("ix_sightings_untold", "hostname", sqlite_where=_UNTOLD, postgresql_where=_UNTOLD),)
    hostname: Mapped[str] = mapped_column(String(253), primary_key=True)
    place: Mapped[str] = mapped_column(String(80), primary_key=True)
    code: Mapped[str] = mapped_column(String(32), primary_key=True)
    account: Mapped[str] = mapped_column(String(63))
    detail: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime]
    letter_id: Mapped[str | None] = mapped_column(ForeignKey("letters.id"))


class AuditRow(Base):
    """One link of the audit chain: sha256 = SHA-256(prev_sha256 | canonical JSON of the rest)."""

    __tablename__ = "audit"
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(128))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(255), index=True)
    evidence: Mapped[dict[str, Any]]
    prev_sha256: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64))


APPEND_ONLY = ("approvals", "compromised_keys", "confirmations", "ledger", "audit", "ticket_matches")
