"""The records of certificates, of what edges are meant to serve, and of confirmations. One transaction a method."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from tasks.clients.database import KEYS_AT_ONCE, Database, insert_once
from tasks.clients.tables import AssignmentRow, CertificateRow, CompromisedKeyRow, ConfirmationRow, DropRow
from tasks.core.errors import HandOverClosed, NotFound, ProofFailed
from tasks.core.model import Certificate, Handshake, Hostname
from tasks.core.parts import in_parts


@dataclass(frozen=True)
class Assignment:
    """
    What an edge is meant to serve for a hostname, and what it served before (None: nothing).

    Attributes:
        leaving: A removal is taking it off the edge.
    """

    edge: str
    hostname: Hostname
    certificate_id: str
    bundle_sha256: str
    previous_bundle_sha256: str | None
    proven_at: datetime | None
    leaving: bool = False

    @property
    def is_proven(self) -> bool:
        return self.proven_at is not None and not self.leaving


class Certificates:
    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, certificate: Certificate, wrapped_data_key: bytes, at: datetime) -> Certificate:
        """Record a certificate; a drop has one, and the first stays and is given."""
        values = {**asdict(certificate), "dns_names": list(certificate.dns_names)}
        with self._database.transaction() as session:
            insert_once(session, CertificateRow, **values, wrapped_data_key=wrapped_data_key, created_at=at)
            return _certificate(session.scalars(_of_drop(certificate.drop_id)).one())

    def fetch(self, certificate_id: str) -> Certificate:
        """
        Give the certificate.

        Raises:
            NotFound: There is none.
        """
        with self._database.reading() as session:
            return _certificate(_row(session, certificate_id))

    def find_by_drop(self, drop_id: str) -> Certificate | None:
        """Give the certificate that came through the drop, or None."""
        with self._database.reading() as session:
            row = session.scalars(_of_drop(drop_id)).one_or_none()
            return _certificate(row) if row else None

    def find_hostnames(self, bundles: Collection[str]) -> dict[str, Hostname]:
        """Give the hostname of each of *bundles* (SHA-256) whose certificate is on record."""
        found: dict[str, Hostname] = {}
        with self._database.reading() as session:
            for some in in_parts(sorted(bundles), KEYS_AT_ONCE):
                columns = (CertificateRow.bundle_sha256, CertificateRow.hostname)
                wanted = select(*columns).where(CertificateRow.bundle_sha256.in_(some))
                found |= {bundle: Hostname(hostname) for bundle, hostname in session.execute(wanted)}
        return found

    def list_of(self, hostname: Hostname, account: str) -> tuple[Certificate, ...]:
        """Give all certificates that came in for the account's hostname, oldest first."""
        wanted = select(CertificateRow).where(CertificateRow.hostname == hostname, CertificateRow.account == account)
        with self._database.reading() as session:
            return tuple(_certificate(row) for row in session.scalars(wanted.order_by(CertificateRow.created_at)))

    def list_left(self, hostname: Hostname, account: str, before: datetime) -> tuple[Certificate, ...]:
        """Give those that came in *before*, and that no edge is meant to serve, oldest first."""
        wanted = select(CertificateRow).where(
            CertificateRow.hostname == hostname,
            CertificateRow.account == account,
            CertificateRow.created_at <= before,
            CertificateRow.id.not_in(select(AssignmentRow.certificate_id)),
        )
        with self._database.reading() as session:
            return tuple(_certificate(row) for row in session.scalars(wanted.order_by(CertificateRow.created_at)))

    def fetch_data_key(self, certificate_id: str) -> bytes:
        """
        Give the wrapped data key.

        Raises:
            NotFound: There is no such certificate, or its data key is shredded.
        """
        with self._database.reading() as session:
            wrapped = _row(session, certificate_id).wrapped_data_key
        if wrapped is None:
            raise NotFound.named("data key of certificate", certificate_id)
        return wrapped

    def shred(self, certificate_id: str) -> None:
        """
        Forget the wrapped data key, for good; safe to repeat.

        Raises:
            NotFound: There is no such certificate.

            RecordsUnavailable: Also when it is forgotten, but `Database.checkpoint` could not yet take it off
                the files: repeat.
        """
        with self._database.transaction() as session:
            _row(session, certificate_id).wrapped_data_key = None
        self._database.checkpoint()

    def mark_compromised(self, spki_sha256: str, why: str, at: datetime) -> None:
        """Record that the private half of this public key was seen where it must not be; safe to repeat."""
        with self._database.transaction() as session:
            insert_once(session, CompromisedKeyRow, spki_sha256=spki_sha256, why=why, at=at)

    def is_compromised(self, spki_sha256: str) -> bool:
        """Give whether `mark_compromised` was ever called for this public key."""
        with self._database.reading() as session:
            return session.get(CompromisedKeyRow, spki_sha256) is not None

    def find_accounts_of_key(self, spki_sha256: str) -> frozenset[str]:
        """Give the accounts that have a certificate on record for this public key."""
        with self._database.reading() as session:
            wanted = select(CertificateRow.account).where(CertificateRow.spki_sha256 == spki_sha256)
            return frozenset(session.scalars(wanted))

    def assign(self, edge: str, certificate: Certificate, previous_bundle_sha256: str | None) -> Assignment:
        """
        Record what *edge* is meant to serve from now on, before it is made so.

        The same certificate again changes nothing: the first *previous_bundle_sha256* stays, for the rollback.

        Raises:
            HandOverClosed: Its hand-over has ended.
        """
        wanted = {
            "certificate_id": certificate.id,
            "bundle_sha256": certificate.bundle_sha256,
            "previous_bundle_sha256": previous_bundle_sha256,
            "proven_at": None,
            "leaving": False,
        }
        with self._database.transaction() as session:
            _check_live(session, certificate)
            insert_once(session, AssignmentRow, edge=edge, hostname=certificate.hostname, **wanted)
            row = session.get_one(AssignmentRow, (edge, certificate.hostname), with_for_update=True)
            if row.certificate_id != certificate.id:
                for column, value in wanted.items():
                    setattr(row, column, value)
            return _assignment(row)

    def find_assignment(self, edge: str, hostname: Hostname) -> Assignment | None:
        """Give what *edge* is meant to serve for *hostname*, or None."""
        with self._database.reading() as session:
            row = session.get(AssignmentRow, (edge, hostname))
            return _assignment(row) if row else None

    def find_installed(self, hostname: Hostname) -> Certificate | None:
        """Give the newest certificate that a handshake has proven for *hostname* and an edge still serves, or None."""
        wanted = (
            select(CertificateRow)
            .join(AssignmentRow, AssignmentRow.certificate_id == CertificateRow.id)
            .where(AssignmentRow.hostname == hostname, AssignmentRow.proven_at.is_not(None), ~AssignmentRow.leaving)
            .order_by(CertificateRow.created_at.desc())
            .limit(1)
        )
        with self._database.reading() as session:
            row = session.scalars(wanted).first()
            return _certificate(row) if row else None

    def find_served(self, hostname: Hostname) -> Certificate | None:
        """
        Give the confirmed certificate that *hostname* is served with, or None.

        While a hand-over is at work on the edges, it is the one that they go back to if that fails.
        """
        kept = select(AssignmentRow).where(AssignmentRow.hostname == hostname, ~AssignmentRow.leaving)
        wanted = kept.order_by(AssignmentRow.edge)
        with self._database.reading() as session:
            for assignment in session.scalars(wanted):
                meant = session.get(CertificateRow, assignment.certificate_id)
                for row in (meant, _find_previous(session, assignment)):
                    if row and session.scalars(_confirmation_of(row.id)).first():
                        return _certificate(row)
        return None

    def list_assignments(self) -> tuple[Assignment, ...]:
        """Give all assignments, by edge and hostname."""
        with self._database.reading() as session:
            rows = session.scalars(select(AssignmentRow).order_by(AssignmentRow.edge, AssignmentRow.hostname))
            return tuple(_assignment(row) for row in rows)

    def list_confirmed(self, hostname: Hostname) -> tuple[Certificate, ...]:
        """Give all that both edges were ever seen serving for *hostname*, in the order of their proofs."""
        wanted = (
            select(CertificateRow)
            .join(ConfirmationRow, ConfirmationRow.certificate_id == CertificateRow.id)
            .where(CertificateRow.hostname == hostname)
            .order_by(ConfirmationRow.id)
        )
        with self._database.reading() as session:
            return tuple(_certificate(row) for row in session.scalars(wanted))

    def reassign(self, hostname: Hostname, certificates: Mapping[str, str]) -> None:
        """
        Record what each edge is meant to serve for *hostname* from now on: by its name, a certificate's id.

        For what was confirmed before, so it counts as proven; all edges at once, before any is touched.
        """
        with self._database.transaction() as session:
            for edge, certificate_id in sorted(certificates.items()):
                meant, proof = _row(session, certificate_id), session.scalars(_confirmation_of(certificate_id)).one()
                insert_once(session, AssignmentRow, edge=edge, hostname=hostname, **_meant(meant))
                row = session.get_one(AssignmentRow, (edge, hostname), with_for_update=True)
                if row.certificate_id != certificate_id:
                    row.previous_bundle_sha256 = row.bundle_sha256
                    row.certificate_id, row.bundle_sha256 = meant.id, meant.bundle_sha256
                row.proven_at = row.proven_at or proof.at
                meant.superseded_at = None

    def mark_superseded(self, hostname: Hostname, at: datetime) -> None:
        """Record that what both edges were once seen serving, and none is meant to serve, is superseded; once each."""
        wanted = select(CertificateRow).where(
            CertificateRow.hostname == hostname,
            CertificateRow.superseded_at.is_(None),
            CertificateRow.id.in_(select(ConfirmationRow.certificate_id)),
            CertificateRow.id.not_in(select(AssignmentRow.certificate_id)),
        )
        with self._database.transaction() as session:
            for row in session.scalars(wanted.with_for_update()):
                row.superseded_at = at

    def list_superseded(self, before: datetime) -> tuple[Certificate, ...]:
        """Give those superseded by *before*, not retired, and meant for no edge; oldest first."""
        wanted = select(CertificateRow).where(
            CertificateRow.superseded_at <= before,
            CertificateRow.retired_at.is_(None),
            CertificateRow.id.not_in(select(AssignmentRow.certificate_id)),
        )
        with self._database.reading() as session:
            return tuple(_certificate(row) for row in session.scalars(wanted.order_by(CertificateRow.superseded_at)))

    def mark_retired(self, certificate_id: str, at: datetime) -> None:
        """Record that its key is destroyed everywhere; the first time stays."""
        with self._database.transaction() as session:
            row = _row(session, certificate_id)
            row.retired_at = row.retired_at or at

    def mark_proven(self, edge: str, hostname: Hostname, at: datetime) -> None:
        """
        Record that a handshake has shown what is assigned; the first time stays.

        Raises:
            NotFound: Nothing is assigned.
        """
        with self._database.transaction() as session:
            row = session.get(AssignmentRow, (edge, hostname), with_for_update=True)
            if row is None:
                raise NotFound.named("assignment", f"of {hostname} on {edge}")
            row.proven_at = row.proven_at or at

    def unassign(self, edge: str, hostname: Hostname, certificate_id: str) -> None:
        """Undo `assign`: back to the previous certificate if one is on record, else none; safe to repeat."""
        with self._database.transaction() as session:
            row = session.get(AssignmentRow, (edge, hostname), with_for_update=True)
            if row is None or row.certificate_id != certificate_id:
                return
            previous = _find_previous(session, row)
            if previous is None:
                session.delete(row)
                return
            row.certificate_id, row.bundle_sha256 = previous.id, previous.bundle_sha256
            row.previous_bundle_sha256 = row.proven_at = None

    def confirm(self, certificate_id: str, handshakes: Sequence[Handshake], at: datetime) -> int:
        """
        Record the proof from both edges and give its id; the first one stays.

        Raises:
            NotFound: There is no such certificate.

            ProofFailed: There is no handshake, or one shows another leaf: that is no proof.
        """
        with self._database.transaction() as session:
            _check_proof(_row(session, certificate_id), handshakes)
            evidence = {"handshakes": [handshake.as_dict() for handshake in handshakes]}
            insert_once(session, ConfirmationRow, certificate_id=certificate_id, evidence=evidence, at=at)
            return session.scalars(_confirmation_of(certificate_id)).one().id

    def find_confirmation(self, certificate_id: str) -> int | None:
        """Give the id of the proof, or None."""
        with self._database.reading() as session:
            row = session.scalars(_confirmation_of(certificate_id)).one_or_none()
            return row.id if row else None


def _row(session: Session, certificate_id: str) -> CertificateRow:
    row = session.get(CertificateRow, certificate_id)
    if row is None:
        raise NotFound.named("certificate", certificate_id)
    return row


def _meant(row: CertificateRow) -> dict[str, object]:
    return {"certificate_id": row.id, "bundle_sha256": row.bundle_sha256, "previous_bundle_sha256": None}


def _check_live(session: Session, certificate: Certificate) -> None:
    """Raise if the hand-over of *certificate* has ended; it cannot end any more before the transaction has."""
    drop = session.get_one(DropRow, certificate.drop_id, with_for_update=True)
    if drop.outcome is not None:
        raise HandOverClosed(
            drop.id,
            got=f"the hand-over has ended ({drop.outcome})",
            wanted="a hand-over that is under way",
            do="Create another drop to hand over another certificate.",
        )


def _of_drop(drop_id: str) -> Select[CertificateRow]:
    return select(CertificateRow).where(CertificateRow.drop_id == drop_id)


def _confirmation_of(certificate_id: str) -> Select[ConfirmationRow]:
    return select(ConfirmationRow).where(ConfirmationRow.certificate_id == certificate_id)


def _find_previous(session: Session, row: AssignmentRow) -> CertificateRow | None:
    """Give the newest other certificate of the hostname whose bundle the edge served before."""
    wanted = select(CertificateRow).where(
        CertificateRow.bundle_sha256 == row.previous_bundle_sha256,
        CertificateRow.hostname == row.hostname,
        CertificateRow.id != row.certificate_id,
    )
    return session.scalars(wanted.order_by(CertificateRow.created_at.desc()).limit(1)).first()


def _check_proof(row: CertificateRow, handshakes: Sequence[Handshake]) -> None:
    seen = {handshake.leaf_sha256 for handshake in handshakes}
    if seen != {row.leaf_sha256}:
        raise ProofFailed(
            row.hostname,
            got=f"handshakes that showed {', '.join(sorted(seen)) or 'nothing'}",
            wanted=f"the leaf {row.leaf_sha256} from every edge",
            do="Look at the edges; nothing was recorded.",
        )


def _certificate(row: CertificateRow) -> Certificate:
    return Certificate(
        id=row.id,
        drop_id=row.drop_id,
        account=row.account,
        hostname=Hostname(row.hostname),
        leaf_sha256=row.leaf_sha256,
        spki_sha256=row.spki_sha256,
        bundle_sha256=row.bundle_sha256,
        subject=row.subject,
        issuer=row.issuer,
        serial=row.serial,
        dns_names=tuple(row.dns_names),
        not_before=row.not_before,
        not_after=row.not_after,
        vault_key=row.vault_key,
        vault_version=row.vault_version,
        key_kind=row.key_kind,
        root_sha256=row.root_sha256,
        trust=row.trust,
        warned=None if row.warned is None else tuple(row.warned),
        superseded_at=row.superseded_at,
        retired_at=row.retired_at,
    )


def _assignment(row: AssignmentRow) -> Assignment:
    return Assignment(
        edge=row.edge,
        hostname=Hostname(row.hostname),
        certificate_id=row.certificate_id,
        bundle_sha256=row.bundle_sha256,
        previous_bundle_sha256=row.previous_bundle_sha256,
        proven_at=row.proven_at,
        leaving=row.leaving,
    )
