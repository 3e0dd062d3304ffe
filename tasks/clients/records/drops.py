"""The records of drops. Every method is one transaction."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from tasks.clients.database import KEYS_AT_ONCE, Database, insert_once
from tasks.clients.records.carried import attach
from tasks.clients.tables import AccountRow, AssignmentRow, CertificateRow, DropRow
from tasks.core.errors import BadInput, Drifted, HandOverClosed, NotFound, QuotaExceeded
from tasks.core.model import PLATFORM, Drop, DropKind, DropState, Hostname, Outcome
from tasks.core.parts import in_parts

_LIVE: ColumnElement[bool] = and_(DropRow.outcome.is_(None), DropRow.state != DropState.DESTROYED)


class Drops:
    """Reads and moves drops. A move that has been made already changes nothing; a move backwards raises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, drop: Drop, max_open: int) -> Drop:
        """
        Record a REQUESTED drop, and give it; the same id again gives the one that is there.

        What certferry asks for itself neither counts for *max_open* nor is kept from it: it is one a hostname.

        Raises:
            NotFound: There is no such account.

            BadInput: Code ``name-taken``: the account has a live drop of this name; the message names it.

            QuotaExceeded: The account has *max_open* live drops.
        """
        with self._database.transaction() as session:
            if session.get(AccountRow, drop.account, with_for_update=True) is None:
                raise NotFound.named("account", drop.account)
            row = session.get(DropRow, drop.id)
            if row is None:
                _check_free(session, drop, max_open)
                insert_once(session, DropRow, **_columns(drop))
                row = session.get_one(DropRow, drop.id)
            return _drop(row)

    def fetch(self, drop_id: str, account: str | None = None) -> Drop:
        """
        Give the drop; with *account*, only if it is that account's.

        Raises:
            NotFound: There is none, or it is another account's.
        """
        with self._database.reading() as session:
            row = session.get(DropRow, drop_id)
            if row is None or account not in (None, row.account):
                raise NotFound.named("drop", drop_id)
            return _drop(row)

    def find_all(self, drop_ids: Collection[str]) -> dict[str, Drop]:
        """Give those of *drop_ids* that are on record, by id."""
        found: dict[str, Drop] = {}
        for some in in_parts(sorted(drop_ids), KEYS_AT_ONCE):
            found |= {drop.id: drop for drop in self._list(DropRow.id.in_(some))}
        return found

    def find_by_name(self, account: str, name: str) -> Drop | None:
        """Give the account's newest drop of that name, live ones first, or None."""
        wanted = select(DropRow).where(DropRow.account == account, DropRow.name == name)
        with self._database.reading() as session:
            row = session.scalars(wanted.order_by(_LIVE.desc(), DropRow.created_at.desc()).limit(1)).first()
            return _drop(row) if row else None

    def find_renewal(self, hostname: Hostname, now: datetime) -> Drop | None:
        """Give the newest renewal of *hostname* that has not ended and whose time is not over, or None."""
        found = self._list(
            DropRow.hostname == hostname, DropRow.kind == DropKind.RENEWAL, DropRow.expires_at > now, _LIVE
        )
        return found[-1] if found else None

    def list_live(self) -> tuple[Drop, ...]:
        """Give all drops not yet DESTROYED, and those destroyed whose outcome is not on record yet; oldest first."""
        return self._list(or_(DropRow.state != DropState.DESTROYED, DropRow.outcome.is_(None)))

    def list_unswept(self, now: datetime) -> tuple[Drop, ...]:
        """Give the DESTROYED drops of ended hand-overs whose upload capability has expired, and that are not swept."""
        return self._list(
            DropRow.state == DropState.DESTROYED,
            DropRow.outcome.is_not(None),
            DropRow.swept_at.is_(None),
            or_(DropRow.upload_until.is_(None), DropRow.upload_until <= now),
        )

    def list_of(self, account: str) -> tuple[Drop, ...]:
        """Give all drops of an account, newest first."""
        return self._list(DropRow.account == account)[::-1]

    def open(self, drop_id: str, suite: int, public_key: bytes, wrapped_seed: bytes) -> Drop:
        """
        REQUESTED to OPEN with the key pair; if it is open already the first key pair stays.

        Raises:
            HandOverClosed: The drop has ended.
        """
        with self._database.transaction() as session:
            row = _locked(session, drop_id)
            if row.state == DropState.REQUESTED:
                _check_not_ended(row)
                row.state = DropState.OPEN
                row.suite, row.public_key, row.wrapped_seed = suite, public_key, wrapped_seed
            elif row.state == DropState.DESTROYED:
                raise _closed(row)
            return _drop(row)

    def invite(self, drop_id: str, secret_sha256: str, upload_until: datetime) -> Drop:
        """
        Record the newest invitation's secret (its SHA-256); earlier invitations stop working.

        *upload_until* is kept if it is later than the one on record.

        Raises:
            HandOverClosed: The drop is not OPEN, or an upload was taken from it: with another secret,
                that upload would not open.
        """
        with self._database.transaction() as session:
            row = _locked(session, drop_id)
            _check_open(row)
            if row.version_id is not None:
                raise _closed(row)
            row.secret_sha256 = secret_sha256
            row.upload_until = max(upload_until, row.upload_until or upload_until)
            return _drop(row)

    def fetch_seed(self, drop_id: str) -> tuple[bytes, str]:
        """
        Give (wrapped seed, SHA-256 of the drop secret).

        Raises:
            HandOverClosed: The seed is gone, or no invitation was given out.
        """
        with self._database.reading() as session:
            row = session.get(DropRow, drop_id)
            if row is None:
                raise NotFound.named("drop", drop_id)
            if row.wrapped_seed is None or row.secret_sha256 is None:
                raise _closed(row)
            return row.wrapped_seed, row.secret_sha256

    def pin_upload(self, drop_id: str, version_id: str, envelope_sha256: str) -> Drop:
        """
        Record the one object version that counts, before it is opened; the first one stays.

        Raises:
            HandOverClosed: None is on record, and the drop is not OPEN.
        """
        with self._database.transaction() as session:
            row = _locked(session, drop_id)
            if row.version_id is None:
                _check_open(row)
                row.version_id, row.envelope_sha256 = version_id, envelope_sha256
            return _drop(row)

    def mark_ingested(self, drop_id: str) -> Drop:
        """
        OPEN to INGESTED.

        Raises:
            HandOverClosed: The drop is neither.
        """
        with self._database.transaction() as session:
            row = _locked(session, drop_id)
            if row.state != DropState.INGESTED:
                _check_open(row)
                row.state = DropState.INGESTED
            return _drop(row)

    def mark_verified(self, drop_id: str, at: datetime) -> None:
        """Record that step 1 holds; the last time stays."""
        with self._database.transaction() as session:
            row = _locked(session, drop_id)
            row.verified_at = max(at, row.verified_at or at)

    def attach_run(self, drop_id: str, flow_run_id: str) -> Drop:
        """
        Record the provision run that carries this drop; the first one stays.

        Raises:
            Drifted: Code ``other-run``: another run carries it.
        """
        with self._database.transaction() as session:
            row = _locked(session, drop_id)
            attach(row, flow_run_id)
            return _drop(row)

    def shred(self, drop_id: str, at: datetime) -> Drop:
        """
        Forget the wrapped seed and the secret's digest, for good, and move to DESTROYED; safe to repeat.

        Raises:
            RecordsUnavailable: Also when they are forgotten, but `Database.checkpoint` could not yet take them
                off the files: repeat.
        """
        with self._database.transaction() as session:
            row = _locked(session, drop_id)
            row.wrapped_seed = row.secret_sha256 = None
            row.state = DropState.DESTROYED
            row.destroyed_at = row.destroyed_at or at
            drop = _drop(row)
        self._database.checkpoint()
        return drop

    def mark_swept(self, drop_id: str, at: datetime) -> Drop:
        """
        Record that the second sweep found the place empty; the first time stays.

        Raises:
            Drifted: Code ``not-destroyed``: the drop is not DESTROYED.
        """
        with self._database.transaction() as session:
            row = _locked(session, drop_id)
            if row.state != DropState.DESTROYED:
                raise Drifted(
                    drop_id,
                    got=f"a second sweep of a drop that is {row.state}",
                    wanted="a destroyed drop",
                    do="Destroy the drop first.",
                    code="not-destroyed",
                )
            row.swept_at = row.swept_at or at
            return _drop(row)

    def close(self, drop_id: str, outcome: Outcome, code: str | None, reason: str | None) -> Drop:
        """Record how the hand-over ended; the first outcome stays."""
        with self._database.transaction() as session:
            row = _locked(session, drop_id)
            if row.outcome is None:
                row.outcome, row.outcome_code, row.outcome_reason = outcome, code, reason
            return _drop(row)

    def close_unassigned(self, drop_id: str, outcome: Outcome, code: str, reason: str) -> Drop:
        """
        As `close`, unless an edge is meant to serve the drop's certificate: then nothing is recorded.

        Against `Certificates.assign`, one of the two wins.
        """
        with self._database.transaction() as session:
            row = _locked(session, drop_id)
            if row.outcome is None and session.scalars(_assignments_of(drop_id)).first() is None:
                row.outcome, row.outcome_code, row.outcome_reason = outcome, code, reason
            return _drop(row)

    def _list(self, *where: ColumnElement[bool]) -> tuple[Drop, ...]:
        wanted = select(DropRow).where(*where).order_by(DropRow.created_at, DropRow.id)
        with self._database.reading() as session:
            return tuple(_drop(row) for row in session.scalars(wanted))


def _locked(session: Session, drop_id: str) -> DropRow:
    row = session.get(DropRow, drop_id, with_for_update=True)
    if row is None:
        raise NotFound.named("drop", drop_id)
    return row


def _assignments_of(drop_id: str) -> Select[str]:
    """Select the edges that are meant to serve what came through the drop."""
    return (
        select(AssignmentRow.edge)
        .join(CertificateRow, CertificateRow.id == AssignmentRow.certificate_id)
        .where(CertificateRow.drop_id == drop_id)
    )


def _check_free(session: Session, drop: Drop, max_open: int) -> None:
    """Raise unless *drop*'s account, whose row is locked, may have one more of this name."""
    live = select(DropRow).where(DropRow.account == drop.account, _LIVE)
    taken = session.scalars(live.where(DropRow.name == drop.name)).first()
    if taken is not None:
        raise BadInput(
            f"drop {drop.name}",
            got=f"a name in use by {taken.id}, for {taken.hostname}",
            wanted="a name that no live drop of this account has",
            do=f"Use another name, or give that one up with `certferry destroy {drop.name}`.",
            code="name-taken",
        )
    asked = live.where(DropRow.requested_by != PLATFORM)
    count = session.scalar(select(func.count()).select_from(asked.subquery())) or 0
    if count >= max_open and drop.requested_by != PLATFORM:
        raise QuotaExceeded(
            f"account {drop.account}",
            got=f"{count} live drops",
            wanted=f"at most {max_open}",
            do="Finish or destroy one with `certferry destroy NAME`.",
        )


def _check_not_ended(row: DropRow) -> None:
    if row.outcome is not None:
        raise _closed(row)


def _check_open(row: DropRow) -> None:
    _check_not_ended(row)
    if row.state != DropState.OPEN:
        raise _closed(row)


def _closed(row: DropRow) -> HandOverClosed:
    used = row.version_id is not None and row.state == DropState.OPEN
    return HandOverClosed(
        row.id,
        got=row.outcome or ("a drop whose upload is being checked" if used else f"a drop that is {row.state}"),
        wanted="an open drop",
        do="Look at it with `certferry status`; ask for a new one with `certferry create` if it has ended.",
    )


def _columns(drop: Drop) -> dict[str, object]:
    return {
        "id": drop.id,
        "name": drop.name,
        "account": drop.account,
        "app": drop.app,
        "hostname": drop.hostname,
        "kind": drop.kind,
        "state": DropState.REQUESTED,
        "requested_by": drop.requested_by,
        "created_at": drop.created_at,
        "expires_at": drop.expires_at,
    }


def _drop(row: DropRow) -> Drop:
    return Drop(
        id=row.id,
        name=row.name,
        account=row.account,
        app=row.app,
        hostname=Hostname(row.hostname),
        kind=DropKind(row.kind),
        state=DropState(row.state),
        requested_by=row.requested_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        suite=row.suite,
        public_key=row.public_key,
        upload_until=row.upload_until,
        version_id=row.version_id,
        envelope_sha256=row.envelope_sha256,
        flow_run_id=row.flow_run_id,
        verified_at=row.verified_at,
        destroyed_at=row.destroyed_at,
        swept_at=row.swept_at,
        outcome=Outcome(row.outcome) if row.outcome else None,
        outcome_code=row.outcome_code,
        outcome_reason=row.outcome_reason,
    )
