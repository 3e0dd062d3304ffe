"""
Every error certferry raises on purpose.

* CertferryError
  x Rejected             the input is wrong: a person must change something; never retried
    + BadInput           a name, a file, a setting or a form that does not parse
      - BadHostname
    + BadBundle          the customer's key, certificate or chain; carries all findings
    + CannotOpen         the envelope is damaged, moved, or sealed to another drop; never says which
    + TicketRefused      wrong sender, wrong drop
      - KeyInTicket      key material in a ticket: the key counts as compromised
    + ApprovalDenied     a person said no
    + Forbidden          a token, an account or a person may not do this
    + QuotaExceeded      too many open drops, too many requests
    + HandOverClosed     the drop has ended: expired, destroyed or already used
  x NotReady             waiting is not failing: poll again before the deadline
    + DomainNotLive, UploadPending, ApprovalPending
    + AtWork             another process holds the lease of the hostname
      - LeaseLost        it was this one's, and has been taken over: this process must change nothing more
  x Unavailable          the other side did not answer: retried from the table in `tasks.retries`
    + StoreUnavailable, KeysUnavailable, DNSUnavailable, EdgeUnavailable,
      TicketsUnavailable, MessengerUnavailable, RecordsUnavailable, PrefectUnavailable, FrontDeskUnavailable
  x NotFound             asked for by name and not there
  x Drifted              the world is not as recorded: stop and look
    + ProofFailed        an edge does not serve what was put on it
    + CannotUnwrap       a wrapped key is damaged, moved, or of another key provider; never says which
    + CannotUnseal       a bundle in the vault does not open

The class is the retry decision. The `code` is stable: programs and documentation refer to it.
No message, attribute or cause ever holds key material, so crypto is always re-raised ``from None``.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from tasks.core.model import Finding


class Who(StrEnum):
    """Who must act next."""

    CUSTOMER = "customer"
    CA = "certificate authority"
    OPERATOR = "operator"
    NOBODY = "nobody"


class CertferryError(Exception):
    """
    Something certferry says no to, or waits for, in words a person can act on.

    Args:
        subject: What it is about: a hostname, a drop id, a file name.

        got: What was found. Never key material.

        wanted: What would have been right.

        do: The next action, as a sentence.

        who: Who must take it; the class's own answer where omitted.

        code: A finer code than the class's own, lower-case words joined by hyphens.
    """

    code: str = "error"
    who: Who = Who.OPERATOR

    def __init__(
        self, subject: str, *, got: str, wanted: str, do: str, who: Who | None = None, code: str | None = None
    ) -> None:
        self.subject, self.got, self.wanted, self.do = subject, got, wanted, do
        self.who = who or type(self).who
        self.code = code or type(self).code
        super().__init__(f"{subject}: {got}; wanted {wanted}. {do} [{self.code}; to act: {self.who}]")

    def as_dict(self) -> dict[str, Any]:
        """Give the parts, for ``--json`` and the front desk's typed errors."""
        return {
            "code": self.code,
            "subject": self.subject,
            "got": self.got,
            "wanted": self.wanted,
            "do": self.do,
            "who": str(self.who),
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.as_dict()))


def _rebuild(cls: type[CertferryError], parts: dict[str, Any]) -> CertferryError:
    subject = parts.pop("subject")
    return cls(subject, **{**parts, "who": Who(parts["who"])})


class Rejected(CertferryError):
    """The input is wrong; trying again with the same input cannot help."""

    code = "rejected"
    who = Who.CUSTOMER


class BadInput(Rejected):
    code = "bad-input"


class BadHostname(BadInput):
    code = "bad-hostname"


class BadBundle(Rejected):
    """
    The customer's files cannot serve; `findings` lists all that is wrong, the gravest first.

    The error's code is the first refusing finding's.
    """

    code = "bad-bundle"
    findings: Sequence[Finding] = ()

    @classmethod
    def of(cls, subject: str, findings: Sequence[Finding]) -> BadBundle:
        """Build the error from at least one refusing finding."""
        refused = [f for f in findings if f.refuses]
        first = refused[0]
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        error = cls(
            subject,
            got=f"{first.cause}{more}",
            wanted="a key, certificate and chain that every browser accepts",
            do=first.advice,
            who=first.who,
            code=first.code,
        )
        error.findings = tuple(findings)
        return error

    def as_dict(self) -> dict[str, Any]:
        return {**super().as_dict(), "findings": [f.as_dict() for f in self.findings]}

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild_bundle, (self.subject, tuple(self.findings)))


def _rebuild_bundle(subject: str, findings: Sequence[Finding]) -> BadBundle:
    return BadBundle.of(subject, findings)


class CannotOpen(Rejected):
    """
    An envelope did not open.

    There is one way to build it and one text, so that no caller can tell a flipped bit
    from a moved envelope or a wrong drop secret (a decryption oracle).
    """

    code = "cannot-open"

    @classmethod
    def for_drop(cls, drop_id: str) -> CannotOpen:
        """Say that the envelope in *drop_id* does not open, and nothing about why."""
        return cls(
            drop_id,
            got="the uploaded envelope does not open",
            wanted="an envelope sealed by `certferry push` for this drop",
            do="Ask for a new drop with `certferry create` and push the files again.",
        )


class TicketRefused(Rejected):
    code = "ticket-refused"


class KeyInTicket(TicketRefused):
    code = "key-in-ticket"


class ApprovalDenied(Rejected):
    code = "approval-denied"


class Forbidden(Rejected):
    code = "forbidden"


class QuotaExceeded(Rejected):
    code = "quota-exceeded"


class HandOverClosed(Rejected):
    code = "hand-over-closed"


class NotReady(CertferryError):
    """Not yet; ask again before the deadline."""

    code = "not-ready"
    who = Who.CUSTOMER


class DomainNotLive(NotReady):
    code = "domain-not-live"


class UploadPending(NotReady):
    code = "upload-pending"


class ApprovalPending(NotReady):
    code = "approval-pending"
    who = Who.OPERATOR


class AtWork(NotReady):
    code = "at-work"
    who = Who.NOBODY

    @classmethod
    def on(cls, name: str, holder: str) -> AtWork:
        """Say that *holder* has the lease *name*."""
        return cls(
            name,
            got=f"run {holder} is at work on it",
            wanted="nobody at work on it",
            do="Nothing: this run is tried again by itself.",
        )


class LeaseLost(AtWork):
    code = "lease-lost"

    @classmethod
    def of(cls, name: str) -> LeaseLost:
        """Say that the lease *name* has been taken over."""
        return cls(
            name,
            got="another process has taken over the work on it",
            wanted="to be the one at work on it",
            do="Nothing: this process stops, and the other one goes on.",
        )


class Unavailable(CertferryError):
    """
    An outside system did not answer, or answered that it cannot now.

    `system` names it and picks the row of the retry table.
    """

    code = "unavailable"
    system: ClassVar[str] = "an outside system"

    @classmethod
    def because(cls, subject: str, cause: str) -> Unavailable:
        """Say that *subject* could not be reached, in the words of *cause* (an error class or status)."""
        return cls(
            subject,
            got=f"{cls.system} did not answer ({cause})",
            wanted="an answer",
            do=f"certferry tries again by itself; if it lasts, look at {cls.system}.",
        )


class StoreUnavailable(Unavailable):
    code, system = "store-unavailable", "the S3 store"


class KeysUnavailable(Unavailable):
    code, system = "keys-unavailable", "the key provider"


class DNSUnavailable(Unavailable):
    code, system = "dns-unavailable", "the DNS resolver"


class EdgeUnavailable(Unavailable):
    code, system = "edge-unavailable", "an edge"


class TicketsUnavailable(Unavailable):
    code, system = "tickets-unavailable", "the ticket desk"


class MessengerUnavailable(Unavailable):
    code, system = "messenger-unavailable", "a channel for letters"


class RecordsUnavailable(Unavailable):
    code, system = "records-unavailable", "the database of records"


class PrefectUnavailable(Unavailable):
    code, system = "prefect-unavailable", "the Prefect API"


class FrontDeskUnavailable(Unavailable):
    code, system = "front-desk-unavailable", "the front desk"


class NotFound(CertferryError):
    """Asked for by name, and not there (or not yours: the two look the same from outside)."""

    code = "not-found"

    @classmethod
    def named(cls, kind: str, name: str) -> NotFound:
        """Say that there is no *kind* called *name*."""
        return cls(
            f"{kind} {name}",
            got="no such " + kind,
            wanted=f"a {kind} of this account",
            do="Check the name.",
            who=Who.CUSTOMER,
        )


class Drifted(CertferryError):
    """The world is not as the records say; acting on would make it worse."""

    code = "drifted"


class ProofFailed(Drifted):
    code = "proof-failed"


class CannotUnseal(Drifted):
    code = "cannot-unseal"

    @classmethod
    def certificate(cls, certificate_id: str) -> CannotUnseal:
        """Say that the vault's bundle of *certificate_id* does not open, and nothing about why."""
        return cls(
            certificate_id,
            got="its bundle in the vault does not open",
            wanted="the bundle as it was sealed",
            do="Look at the vault's object versions; if the bundle is lost, ask the customer to push again.",
        )


class CannotUnwrap(Drifted):
    """
    A wrapped key did not unwrap. One text for every cause, as with `CannotOpen`.

    Drifted and not Rejected: the customer did nothing wrong, and a wrong key file in the settings must destroy no drop.
    """

    code = "cannot-unwrap"

    @classmethod
    def for_context(cls, subject: str) -> CannotUnwrap:
        """Say that the key wrapped for *subject* (names and ids) does not unwrap, and nothing about why."""
        return cls(
            subject,
            got="the wrapped key does not unwrap",
            wanted="a key that this installation's key provider wrapped for the same names",
            do="Check that `keys` in the settings is what it was when the key was wrapped; else ask for a new drop.",
        )
