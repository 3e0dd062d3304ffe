"""What the hostnames are meant to be served with, read in pages: the records behind the scans. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, case, exists, func, literal, select, tuple_

from tasks.clients.database import Database
from tasks.clients.tables import AssignmentRow, CertificateRow
from tasks.core.model import Hostname


class Served(NamedTuple):
    """
    A certificate that an edge is meant to serve for a hostname; in the middle of a swap a hostname has two.

    Attributes:
        ready: Every edge that is meant to serve it has been seen serving it.
    """

    hostname: Hostname
    certificate_id: str
    account: str
    not_before: datetime
    not_after: datetime
    ready: bool


@dataclass(frozen=True)
class Page:
    """Some of what is served, and where to read on; *bookmark* is None after the last."""

    served: Sequence[Served]
    bookmark: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """An edge that has been seen serving a hostname, and what it is meant to serve there."""

    hostname: Hostname
    edge: str
    account: str
    leaf_sha256: str
    issuer: str
    dns_names: tuple[str, ...]
    not_after: datetime


_PROVEN = AssignmentRow.proven_at.is_not(None)
_READY = case((func.count(AssignmentRow.proven_at) == func.count(), 1), else_=0)


class ServedCertificates:
    """Each page is one query on an index, whatever the number of records; a bookmark is text, good across processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, bookmark: str | None, limit: int) -> Page:
        """Give the next *limit* by hostname, of all that is served."""
        place = (AssignmentRow.hostname, AssignmentRow.certificate_id)
        chosen = select(*place, _READY.label("ready")).group_by(*place).order_by(*place).limit(limit)
        if bookmark is not None:
            chosen = chosen.where(tuple_(*place) > tuple(bookmark.split(" ")))
        part = chosen.subquery()
        wanted = select(
            part.c.hostname,
            part.c.certificate_id,
            CertificateRow.account,
            CertificateRow.not_before,
            CertificateRow.not_after,
            part.c.ready,
        ).join_from(part, CertificateRow, CertificateRow.id == part.c.certificate_id)
        served = self._read(wanted.order_by(part.c.hostname, part.c.certificate_id))
        last = served[-1] if len(served) == limit else None
        return Page(served, f"{last.hostname} {last.certificate_id}" if last else None)

    def page_ending(self, since: datetime, until: datetime, bookmark: str | None, limit: int) -> Page:
        """Give the next *limit* by end of validity, of what is served and ends after *since* and not after *until*."""
        place = (CertificateRow.not_after, CertificateRow.id)
        wanted = _ending().where(CertificateRow.not_after > since, CertificateRow.not_after <= until)
        if bookmark is not None:
            moment, certificate_id = bookmark.split(" ")
            wanted = wanted.where(
                CertificateRow.not_after >= datetime.fromisoformat(moment),
                tuple_(*place) > tuple_(*_literal(datetime.fromisoformat(moment), certificate_id)),
            )
        served = self._read(wanted.order_by(*place).limit(limit))
        last = served[-1] if len(served) == limit else None
        return Page(served, f"{last.not_after.astimezone(UTC).isoformat()} {last.certificate_id}" if last else None)

    def page_places(self, bookmark: str | None, limit: int) -> tuple[Sequence[Place], str | None]:
        """
        Give where the next *limit* hostnames are served, by hostname and edge, and where to read on.

        Only what has been seen there once: what is on its way is the business of the run that brings it.
        """
        names = select(AssignmentRow.hostname).where(_PROVEN).distinct().order_by(AssignmentRow.hostname).limit(limit)
        if bookmark is not None:
            names = names.where(AssignmentRow.hostname > bookmark)
        places = self._read_places(names)
        hostnames = {place.hostname for place in places}
        return places, max(hostnames) if len(hostnames) == limit else None

    def list_places(self, hostname: Hostname) -> Sequence[Place]:
        """Give where one hostname is served, by edge."""
        return self._read_places(select(literal(hostname)))

    def _read_places(self, names: Select[Any]) -> Sequence[Place]:
        wanted = (
            select(
                AssignmentRow.hostname,
                AssignmentRow.edge,
                CertificateRow.account,
                CertificateRow.leaf_sha256,
                CertificateRow.issuer,
                CertificateRow.dns_names,
                CertificateRow.not_after,
            )
            .join(CertificateRow, CertificateRow.id == AssignmentRow.certificate_id)
            .where(_PROVEN, AssignmentRow.hostname.in_(names))
            .order_by(AssignmentRow.hostname, AssignmentRow.edge)
        )
        with self._database.reading() as session:
            return [
                Place(Hostname(hostname), edge, account, leaf, issuer, tuple(dns_names), not_after)
                for hostname, edge, account, leaf, issuer, dns_names, not_after in session.execute(wanted)
            ]

    def find_served(self, certificate_id: str) -> Served | None:
        """Give what is served of one certificate, or None if no edge is meant to serve it any more."""
        found = self._read(_ending().where(CertificateRow.id == certificate_id))
        return found[0] if found else None

    def _read(self, wanted: Select[Any]) -> Sequence[Served]:
        with self._database.reading() as session:
            rows = session.connection().execute(wanted)  # not through the ORM: half as long, for a million rows
            return [Served._make((*row[:-1], bool(row[-1]))) for row in rows]


def _literal(moment: datetime, certificate_id: str) -> tuple[object, object]:
    return literal(moment, CertificateRow.not_after.type), literal(certificate_id)


def _ending() -> Select[Any]:
    assigned = AssignmentRow.certificate_id == CertificateRow.id
    ready = select(_READY).where(assigned).scalar_subquery()
    return select(
        CertificateRow.hostname,
        CertificateRow.id,
        CertificateRow.account,
        CertificateRow.not_before,
        CertificateRow.not_after,
        ready,
    ).where(exists().where(assigned))
