"""
The records of who is to be told of what, of the letters that tell it, and of how far each has got.

A notice is decided, then stands in a letter, then the letter goes out by its channels: three transactions, and a
process that dies between two of them leaves to the next one exactly what is still to do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, cast

from sqlalchemy import CursorResult, delete, select, tuple_, update
from sqlalchemy.orm import Session

from tasks.clients.database import KEYS_AT_ONCE, Database, insert_all_once
from tasks.clients.tables import CertificateRow, DeliveryRow, LetterRow, NoticeRow, SightingRow
from tasks.core.errors import NotFound
from tasks.core.expiry import Audience, Rung
from tasks.core.parts import in_parts


class Notice(NamedTuple):
    """Who is to be told of which certificate at which rung."""

    certificate_id: str
    rung: Rung
    audience: Audience
    account: str


@dataclass(frozen=True)
class PostedLetter:
    """A letter on record. *account* is None in one to the operators."""

    id: str
    audience: Audience
    account: str | None
    subject: str
    body: str
    created_at: datetime


class Delivered(StrEnum):
    """How a delivery ended."""

    SENT = "sent"
    FAILED = "failed"
    UNSURE = "unsure"
    """The process died while it was sending: nobody knows, and it is not sent again."""


@dataclass(frozen=True)
class Delivery:
    """A letter on its way through a channel; *claimed_at* is when somebody began to send it."""

    letter_id: str
    channel: str
    tries: int
    claimed_at: datetime | None
    outcome: Delivered | None


class Letters:
    def __init__(self, database: Database) -> None:
        self._database = database

    def decide(self, notices: Sequence[Notice], at: datetime) -> None:
        """Record that somebody is to be told; a notice that is on record already stays as it is."""
        values = [{"decided_at": at, "letter_id": None, **each._asdict()} for each in notices]
        with self._database.transaction() as session:
            insert_all_once(session, NoticeRow, values)

    def find_told(self, certificate_ids: Collection[str]) -> Mapping[tuple[str, Audience], frozenset[Rung]]:
        """Give the rungs on record, told or to be told, by certificate and audience."""
        told: defaultdict[tuple[str, Audience], set[Rung]] = defaultdict(set)
        wanted = select(NoticeRow.certificate_id, NoticeRow.audience, NoticeRow.rung)
        with self._database.reading() as session:
            found = session.execute(wanted.where(NoticeRow.certificate_id.in_(certificate_ids)))
            for certificate_id, audience, rung in found:
                told[certificate_id, Audience(audience)].add(Rung(rung))
        return {key: frozenset(rungs) for key, rungs in told.items()}

    def list_accounts_due(self, after: str, limit: int) -> tuple[str, ...]:
        """Give the accounts whose name is greater than *after* and that are to be written to, by name."""
        wanted = (
            select(NoticeRow.account)
            .where(NoticeRow.letter_id.is_(None), NoticeRow.audience == Audience.CUSTOMER, NoticeRow.account > after)
            .distinct()
            .order_by(NoticeRow.account)
            .limit(limit)
        )
        with self._database.reading() as session:
            return tuple(session.scalars(wanted))

    def list_due(self, audience: Audience, account: str | None = None) -> tuple[Notice, ...]:
        """Give what *audience* is to be told of, of one account or of all; the certificate that ends first, first."""
        wanted = (
            select(NoticeRow)
            .join(CertificateRow, CertificateRow.id == NoticeRow.certificate_id)
            .where(NoticeRow.letter_id.is_(None), NoticeRow.audience == audience)
            .order_by(CertificateRow.not_after, NoticeRow.certificate_id)
        )
        if account is not None:
            wanted = wanted.where(NoticeRow.account == account)
        with self._database.reading() as session:
            return tuple(_notice(row) for row in session.scalars(wanted))

    def withdraw(self, notices: Sequence[Notice]) -> None:
        """Forget what has not been told yet and need not be any more; what stands in a letter stays."""
        with self._database.transaction() as session:
            for keys in in_parts([_key(each) for each in notices], KEYS_AT_ONCE):
                session.execute(delete(NoticeRow).where(NoticeRow.letter_id.is_(None), tuple_(*_NOTICE).in_(keys)))

    def post(self, letter: PostedLetter, channels: Sequence[str], notices: Sequence[Notice]) -> bool:
        """
        Record a letter, the channels it goes by, and that *notices* stand in it: all of that, or nothing.

        False, and nothing recorded, if one of the notices stands in a letter already: another process was quicker.
        """
        return self._post(letter, channels, NoticeRow, _NOTICE, [_key(each) for each in notices])

    def post_sightings(
        self, letter: PostedLetter, channels: Sequence[str], sightings: Sequence[tuple[str, str, str]]
    ) -> bool:
        """As `post`, with the hostname, place and code of what was sighted."""
        return self._post(letter, channels, SightingRow, _SIGHTING, sightings)

    def fetch(self, letter_id: str) -> PostedLetter:
        """
        Give a letter.

        Raises:
            NotFound: There is none.
        """
        with self._database.reading() as session:
            row = session.get(LetterRow, letter_id)
            if row is None:
                raise NotFound.named("letter", letter_id)
            return PostedLetter(row.id, Audience(row.audience), row.account, row.subject, row.body, row.created_at)

    def list_open(self, after: tuple[str, str], limit: int) -> tuple[tuple[str, str], ...]:
        """Give letter and channel of the deliveries that have not ended, after the one given."""
        place = (DeliveryRow.letter_id, DeliveryRow.channel)
        wanted = select(*place).where(DeliveryRow.ended_at.is_(None), tuple_(*place) > after)
        with self._database.reading() as session:
            return tuple((letter, channel) for letter, channel in session.execute(wanted.order_by(*place).limit(limit)))

    def fetch_delivery(self, letter_id: str, channel: str) -> Delivery:
        """
        Give how far a letter has got by a channel.

        Raises:
            NotFound: It does not go by it.
        """
        with self._database.reading() as session:
            row = session.get(DeliveryRow, (letter_id, channel))
            if row is None:
                raise NotFound.named("delivery of letter", letter_id)
            return _delivery(row)

    def claim(self, letter_id: str, channel: str, at: datetime) -> bool:
        """Say that this process sends it now; False if another has said so, or it has ended."""
        with self._database.transaction() as session:
            row = _delivery_row(session, letter_id, channel)
            if row.claimed_at is not None or row.ended_at is not None:
                return False
            row.claimed_at, row.tries = at, row.tries + 1
            return True

    def give_back(self, letter_id: str, channel: str) -> None:
        """Undo `claim`: the channel said that it did not send it."""
        with self._database.transaction() as session:
            _delivery_row(session, letter_id, channel).claimed_at = None

    def end(self, letter_id: str, channel: str, outcome: Delivered, at: datetime) -> None:
        """Record how a delivery ended; the first outcome stays."""
        with self._database.transaction() as session:
            row = _delivery_row(session, letter_id, channel)
            if row.ended_at is None:
                row.ended_at, row.outcome = at, outcome

    def _post(
        self, letter: PostedLetter, channels: Sequence[str], table: Any, columns: Any, keys: Sequence[tuple[str, ...]]
    ) -> bool:
        with self._database.transaction() as session:
            row = LetterRow(
                id=letter.id,
                audience=letter.audience,
                account=letter.account,
                subject=letter.subject,
                body=letter.body,
                created_at=letter.created_at,
            )
            session.add(row)
            session.flush()
            claimed = sum(_claim(session, table, columns, part, letter.id) for part in in_parts(keys, KEYS_AT_ONCE))
            if claimed < len(keys):
                session.rollback()
                return False
            session.add_all(DeliveryRow(letter_id=letter.id, channel=channel, tries=0) for channel in channels)
            return True


_NOTICE = (NoticeRow.certificate_id, NoticeRow.rung, NoticeRow.audience)
_SIGHTING = (SightingRow.hostname, SightingRow.place, SightingRow.code)


def _claim(session: Session, table: Any, columns: Any, keys: Sequence[tuple[str, ...]], letter_id: str) -> int:
    claim = update(table).where(table.letter_id.is_(None), tuple_(*columns).in_(keys)).values(letter_id=letter_id)
    done = session.execute(claim.execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", done).rowcount


def _key(notice: Notice) -> tuple[str, ...]:
    return notice.certificate_id, notice.rung, notice.audience


def _notice(row: NoticeRow) -> Notice:
    return Notice(row.certificate_id, Rung(row.rung), Audience(row.audience), row.account)


def _delivery_row(session: Session, letter_id: str, channel: str) -> DeliveryRow:
    row = session.get(DeliveryRow, (letter_id, channel), with_for_update=True)
    if row is None:
        raise NotFound.named("delivery of letter", letter_id)
    return row


def _delivery(row: DeliveryRow) -> Delivery:
    outcome = Delivered(row.outcome) if row.outcome else None
    return Delivery(row.letter_id, row.channel, row.tries, row.claimed_at, outcome)
