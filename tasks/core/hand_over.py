"""
Where a hand-over stands and whose turn it is: a pure reading of the records, for the customer.

The order of the stages is the order of the procedure; what is said is what to do next, as a command.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tasks.core import policy
from tasks.core.doctor.report import render_plain
from tasks.core.errors import BadBundle, CertferryError, HandOverClosed, Rejected
from tasks.core.live import describe_challenge
from tasks.core.model import Certificate, Drop, DropKind, DropState, Hostname, Outcome, Removal, Site


class Stage(StrEnum):
    OPENING = "opening"
    AWAITING_UPLOAD = "awaiting-upload"
    CHECKING = "checking"
    AWAITING_TICKET = "awaiting-ticket"
    AWAITING_APPROVAL = "awaiting-approval"
    PROVISIONING = "provisioning"
    COMPLETED = "completed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Turn(StrEnum):
    CUSTOMER = "customer"
    OPERATOR = "operator"
    PLATFORM = "platform"
    NOBODY = "nobody"


@dataclass(frozen=True)
class HandOver:
    """
    A hand-over as its customer sees it. No key, no secret, no wrapped key.

    Attributes:
        detail: What is so and what to do next, in one or two sentences.

        ticket_id: The ticket that asked for it, once matched.

        certificate: What was ingested, once checked.
    """

    drop: Drop
    stage: Stage
    turn: Turn
    detail: str
    ticket_id: str | None
    certificate: Certificate | None

    def as_dict(self) -> dict[str, Any]:
        """Give what the front desk answers; times in ISO 8601, UTC."""
        drop, certificate = self.drop, self.certificate
        return {
            "id": drop.id,
            "name": drop.name,
            "account": drop.account,
            "app": drop.app,
            "hostname": drop.hostname,
            "stage": str(self.stage),
            "turn": str(self.turn),
            "detail": self.detail,
            "drop_state": str(drop.state),
            "created_at": drop.created_at.isoformat(),
            "expires_at": drop.expires_at.isoformat(),
            "destroyed_at": drop.destroyed_at.isoformat() if drop.destroyed_at else None,
            "swept_at": drop.swept_at.isoformat() if drop.swept_at else None,
            "ticket_id": self.ticket_id,
            "outcome": str(drop.outcome) if drop.outcome else None,
            "outcome_code": drop.outcome_code,
            "outcome_reason": drop.outcome_reason,
            "certificate": _summarise(certificate) if certificate else None,
        }


@dataclass(frozen=True)
class Facts:
    """
    What the records say about one hand-over.

    Attributes:
        approved: A person approved the plan as it stands.

        provisioning: An edge is meant to serve the certificate already.
    """

    site: Site
    contact: str
    address_record: str
    certificate: Certificate | None = None
    ticket_id: str | None = None
    approved: bool = False
    provisioning: bool = False


def read_hand_over(drop: Drop, facts: Facts) -> HandOver:
    """Say where *drop* stands, given what else is on record."""
    stage = _stage(drop, facts)
    turn, detail = _next_action(drop, facts, stage)
    return HandOver(drop, stage, turn, detail, facts.ticket_id, facts.certificate)


def _stage(drop: Drop, facts: Facts) -> Stage:
    if drop.outcome:
        return Stage(drop.outcome.value)
    if drop.state is DropState.REQUESTED:
        return Stage.OPENING
    if facts.certificate is None:
        return Stage.CHECKING if drop.flow_run_id else Stage.AWAITING_UPLOAD
    if facts.ticket_id is None:
        return Stage.AWAITING_TICKET
    return Stage.PROVISIONING if facts.approved or facts.provisioning else Stage.AWAITING_APPROVAL


def _next_action(drop: Drop, facts: Facts, stage: Stage) -> tuple[Turn, str]:
    match stage:
        case Stage.OPENING:
            return Turn.PLATFORM, "The drop is being opened; ask again in a few seconds."
        case Stage.AWAITING_UPLOAD:
            return Turn.CUSTOMER, f"Upload with `certferry push {drop.name} ./dir`. {_domain_needs(facts)}"
        case Stage.CHECKING if drop.verified_at is None:
            return Turn.CUSTOMER, f"Your files have arrived; the domain is being looked at. {_domain_needs(facts)}"
        case Stage.CHECKING:
            return Turn.PLATFORM, f"{drop.hostname} is live; your files are being checked."
        case Stage.AWAITING_TICKET:
            return Turn.CUSTOMER, (
                f"Your certificate is checked. File the ticket: `certferry ticket file {drop.name}` "
                f"(or from {facts.contact}, quoting {drop.id}). Never put a key into it."
            )
        case Stage.AWAITING_APPROVAL:
            return Turn.OPERATOR, "An operator looks at the plan and approves it; nothing to do for you."
        case Stage.PROVISIONING:
            return Turn.PLATFORM, "Approved: the certificate is put on both edges and seen from outside."
        case _:
            return Turn.NOBODY, _ending(drop)


def _domain_needs(facts: Facts) -> str:
    return (
        f"The domain needs two records. Add this TXT record: {describe_challenge(facts.site)} "
        f"Let the name lead here: {facts.address_record} Nothing to do for those that are there already."
    )


def _ending(drop: Drop) -> str:
    again = f"Start again with `certferry create {drop.name} --app {drop.app} --hostname {drop.hostname}`."
    match drop.outcome:
        case Outcome.COMPLETED:
            return f"https://{drop.hostname}/ serves your certificate from both edges; the drop is destroyed."
        case Outcome.EXPIRED:
            return f"The drop expired before everything had arrived, and is destroyed. {again}"
        case Outcome.CANCELLED:
            return f"The hand-over was cancelled and the drop destroyed. {again}"
        case _:
            return f"{drop.outcome_reason or 'The hand-over was refused.'}\n\nThe drop is destroyed. {again}"


def _summarise(certificate: Certificate) -> dict[str, Any]:
    return {
        "id": certificate.id,
        "leaf_sha256": certificate.leaf_sha256,
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "serial": certificate.serial,
        "dns_names": list(certificate.dns_names),
        "not_before": certificate.not_before.isoformat(),
        "not_after": certificate.not_after.isoformat(),
    }


def seed_context(drop: Drop) -> dict[str, str]:
    """Give the names a drop's seed is wrapped under: moved to another drop, it does not unwrap."""
    return {"drop": drop.id, "hostname": drop.hostname, "account": drop.account}


def vault_context(certificate_id: str, drop: Drop) -> dict[str, str]:
    """Give the names a vault data key is wrapped under."""
    return {"certificate": certificate_id, "hostname": drop.hostname, "account": drop.account}


def flow_of(subject: Drop | Removal) -> str:
    """Name the flow, and its deployment, that carries *subject*."""
    if isinstance(subject, Removal):
        return "disable"
    return "renew" if subject.kind is DropKind.RENEWAL else "provision"


def name_renewals(hostname: Hostname, drop_id: str) -> tuple[str, str]:
    """Give what a renewal of *hostname* is called that nobody gave a name, and what if that name is taken."""
    short = f"renew-{hostname.replace('.', '-')}"[: policy.RENEWAL_NAME_CHARS].rstrip("-")
    return short, f"{short}-{drop_id[-6:]}"


def lease_name(hostname: Hostname) -> str:
    """Name the lease of whoever works on a hand-over of *hostname*."""
    return f"hostname/{hostname}"


def check_live(drop: Drop | Removal) -> None:
    """
    Raise if the hand-over has ended.

    Raises:
        HandOverClosed: It has an outcome.
    """
    if drop.outcome:
        raise HandOverClosed(
            drop.id,
            got=f"the hand-over has ended ({drop.outcome})"
            if isinstance(drop, Drop)
            else f"it has ended ({drop.outcome})",
            wanted="one that is under way",
            do="Create another drop to hand over another certificate, or ask again.",
        )


def check_key_clean(hostname: Hostname, spki_sha256: str, compromised: bool) -> None:
    """
    Raise if the key is on record as compromised.

    Raises:
        Rejected: Code ``key-compromised``.
    """
    if compromised:
        raise Rejected(
            hostname,
            got=f"the key (public key SHA-256 {spki_sha256}) is on record as compromised",
            wanted="a key that nobody else has seen",
            do="Make a new key, have the certificate issued again for it, and open a new hand-over.",
            code="key-compromised",
        )


def describe_refusal(error: CertferryError) -> str:
    """Give *error* as the customer reads it: all findings of a bundle, each with its fix and command; no internals."""
    if isinstance(error, BadBundle) and error.findings:
        return render_plain(error.findings)
    return f"{error.subject}: {error.got}; wanted {error.wanted}. {error.do}"
