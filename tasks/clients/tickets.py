"""The ticket desk."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Protocol

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from tasks.clients.database import Database, insert_once
from tasks.clients.tables import MessageRow, TicketRow
from tasks.core.errors import NotFound
from tasks.core.matching import DESK
from tasks.core.model import Message, Ticket

SUBJECT_MAX_CHARACTERS: Final = 200  # the column's width


class TicketDesk(Protocol):
    """
    Where customers ask and are answered.

    The sender of a ticket is an authenticated address: the embedded desk takes it from the account behind the
    token; a real desk must take it from its DMARC result, never from the From text.
    """

    def file(
        self,
        ticket_id: str,
        sender: str,
        subject: str,
        body: str,
        drop_id: str | None,
        at: datetime,
        refused: bool = False,
    ) -> Ticket:
        """
        Open a ticket; the same *ticket_id* again gives the ticket that is there.

        The caller has taken any key material out of *subject* and *body* and then says *refused*: a desk never
        stores any, but keeps the ticket, so that the hand-over it speaks of is stopped.
        """

    def write(self, ticket_id: str, recipient: str, subject: str, body: str, at: datetime) -> Ticket:
        """
        Open a ticket with a letter of the platform's own to *recipient*; the same *ticket_id* gives what is there.

        It asks for nothing and waits for nothing (state ``told``), until its recipient answers on it.
        """

    def fetch(self, ticket_id: str) -> Ticket:
        """
        Give a ticket with its messages, oldest first.

        Raises:
            NotFound: There is none.
        """

    def list_waiting(self) -> tuple[Ticket, ...]:
        """Give the tickets that are ``open`` or ``refused``, oldest first."""

    def list_of(self, sender: str) -> tuple[Ticket, ...]:
        """Give all tickets of one sender, newest first."""

    def say(self, ticket_id: str, author: str, body: str, idempotency_key: str, at: datetime) -> None:
        """Add a message; the same *idempotency_key* again adds nothing."""

    def close(self, ticket_id: str, at: datetime) -> None:
        """Close a ticket; safe to repeat."""


class EmbeddedDesk:
    """The desk in certferry's own records."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def file(
        self,
        ticket_id: str,
        sender: str,
        subject: str,
        body: str,
        drop_id: str | None,
        at: datetime,
        refused: bool = False,
    ) -> Ticket:
        """As `TicketDesk.file`; a subject is cut at 200 characters."""
        with self._database.transaction() as session:
            insert_once(
                session,
                TicketRow,
                id=ticket_id,
                sender=sender,
                subject=_storable(subject)[:SUBJECT_MAX_CHARACTERS],
                drop_id=drop_id,
                state="refused" if refused else "open",
                created_at=at,
            )
            row = session.get_one(TicketRow, ticket_id)
            _add_message(session, ticket_id, row.sender, body, "filed", at)
            return _ticket(session, row)

    def write(self, ticket_id: str, recipient: str, subject: str, body: str, at: datetime) -> Ticket:
        """As `TicketDesk.write`; a subject is cut at 200 characters."""
        cut = _storable(subject)[:SUBJECT_MAX_CHARACTERS]
        with self._database.transaction() as session:
            insert_once(session, TicketRow, id=ticket_id, sender=recipient, subject=cut, state="told", created_at=at)
            _add_message(session, ticket_id, DESK, body, "filed", at)
            return _ticket(session, _row(session, ticket_id))

    def fetch(self, ticket_id: str) -> Ticket:
        """As `TicketDesk.fetch`."""
        with self._database.reading() as session:
            return _ticket(session, _row(session, ticket_id))

    def list_waiting(self) -> tuple[Ticket, ...]:
        """As `TicketDesk.list_waiting`."""
        return self._list(TicketRow.state.in_(("open", "refused")))

    def list_of(self, sender: str) -> tuple[Ticket, ...]:
        """As `TicketDesk.list_of`."""
        return self._list(TicketRow.sender == sender)[::-1]

    def say(self, ticket_id: str, author: str, body: str, idempotency_key: str, at: datetime) -> None:
        """As `TicketDesk.say`; raises `NotFound` where there is no such ticket."""
        with self._database.transaction() as session:
            row = _row(session, ticket_id)
            if row.state == "told" and author == row.sender:  # an answer to a letter is a request like any other
                row.state = "open"
            _add_message(session, row.id, author, body, idempotency_key, at)

    def close(self, ticket_id: str, at: datetime) -> None:
        """As `TicketDesk.close`; raises `NotFound` where there is no such ticket."""
        with self._database.transaction() as session:
            _row(session, ticket_id).state = "closed"

    def _list(self, where: ColumnElement[bool]) -> tuple[Ticket, ...]:
        wanted = select(TicketRow).where(where).order_by(TicketRow.created_at, TicketRow.id)
        with self._database.reading() as session:
            return tuple(_ticket(session, row) for row in session.scalars(wanted))


def _row(session: Session, ticket_id: str) -> TicketRow:
    row = session.get(TicketRow, ticket_id)
    if row is None:
        raise NotFound.named("ticket", ticket_id)
    return row


def _add_message(session: Session, ticket_id: str, author: str, body: str, key: str, at: datetime) -> None:
    insert_once(
        session,
        MessageRow,
        ticket_id=ticket_id,
        author=author,
        body=_storable(body),
        idempotency_key=key,
        at=at,
    )


def _storable(text: str) -> str:
    """Give *text* without NUL and lone surrogates, which a database refuses."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _ticket(session: Session, row: TicketRow) -> Ticket:
    said = session.scalars(select(MessageRow).where(MessageRow.ticket_id == row.id).order_by(MessageRow.id))
    messages = tuple(Message(each.author, each.body, each.at) for each in said)
    return Ticket(row.id, row.sender, row.subject, row.drop_id, row.state, messages)
