"""
The letters about certificates that end: one a customer can act on in a hurry, and one an operator can at 3 a.m.

Plain text, one letter for all certificates of an account. What must be known comes first: which name, until when.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo

from tasks.core.expiry import ESCALATED, Audience, Rung
from tasks.core.hand_over import HandOver, Stage, Turn
from tasks.core.working_days import say_day, say_deadline, say_distance, say_moment


@dataclass(frozen=True)
class Letter:
    """A letter in plain text; *subject* is one line."""

    subject: str
    body: str


def concerns(audience: Audience, rung: Rung, renewal: HandOver | None) -> bool:
    """
    Tell whether somebody is to be told of a certificate at *rung*, given the hand-over that is to replace it.

    The customer is not, while it is others who must act. The operators are from the last days on, unless the platform
    is at work; earlier if it is they who are waited for; and always once a certificate has expired.
    """
    if audience is Audience.CUSTOMER:
        return renewal is None or renewal.turn is Turn.CUSTOMER or renewal.stage is Stage.OPENING
    if rung is Rung.EXPIRED:
        return True
    if renewal is not None and renewal.turn is Turn.OPERATOR:
        return rung in ESCALATED
    at_work = renewal is not None and renewal.turn is Turn.PLATFORM and renewal.stage is not Stage.OPENING
    return rung is Rung.LAST_DAYS and not at_work


@dataclass(frozen=True)
class Renewal:
    """The hand-over that is to replace a certificate: what the customer calls it, until when it is open, its stage."""

    name: str
    open_until: datetime
    stage: Stage


@dataclass(frozen=True)
class Ending:
    """One certificate near its end, at the rung that is told of."""

    certificate_id: str
    account: str
    hostname: str
    app: str
    not_after: datetime
    rung: Rung
    renewal: Renewal | None = None


@dataclass(frozen=True)
class Desk:
    """What all letters of an installation share: its name, its time zone, the days on which nobody works."""

    platform: str
    zone: tzinfo
    holidays: Collection[date]


def write_to_customer(account: str, endings: Sequence[Ending], left_out: int, desk: Desk, now: datetime) -> Letter:
    """
    Give the letter about *endings*, at least one, all of one account; the nearest end comes first.

    Args:
        left_out: How many more of the account's certificates are as near, which the letter only counts.
    """
    listed = sorted(endings, key=lambda ending: (ending.not_after, ending.hostname))
    total = len(listed) + left_out
    parts = [
        f"Hello {account},",
        _open(listed[0], total, desk, now),
        *(_tell(ending, desk, now, alone=total == 1) for ending in listed),
        _count(left_out, "`certferry sites` lists all of them."),
        _close(listed, desk),
    ]
    return Letter(_subject(listed[0], total, desk, now), "\n\n".join(part for part in parts if part) + "\n")


def _subject(first: Ending, total: int, desk: Desk, now: datetime) -> str:
    day = say_day(first.not_after.astimezone(desk.zone).date())
    if total == 1:
        if first.rung is Rung.EXPIRED:
            return f"EXPIRED: the certificate of {first.hostname}, on {day}"
        urgent = "URGENT: " if first.rung in (Rung.URGENT, Rung.LAST_DAYS) else ""
        return f"{urgent}The certificate of {first.hostname} expires {say_distance(first.not_after, now)}, on {day}"
    if first.rung is Rung.EXPIRED:
        return f"EXPIRED: the certificate of {first.hostname}; {total} of your certificates need you"
    urgent = "URGENT: " if first.rung in (Rung.URGENT, Rung.LAST_DAYS) else ""
    return f"{urgent}{total} of your certificates expire soon, the first {say_distance(first.not_after, now)}, on {day}"


def _open(first: Ending, total: int, desk: Desk, now: datetime) -> str:
    if total > 1:
        return (
            f"{total} of your certificates on {desk.platform} need to be renewed, the nearest first. "
            "Once one has expired, browsers warn your visitors off."
        )
    when = say_moment(first.not_after, desk.zone)
    if first.rung is Rung.EXPIRED:
        return (
            f"the certificate of https://{first.hostname}/ on {desk.platform} expired on {when}. "
            "Since then browsers warn your visitors off. That ends as soon as you hand over a new certificate."
        )
    return (
        f"the certificate of https://{first.hostname}/ on {desk.platform} expires on {when}, "
        f"{say_distance(first.not_after, now)}. From then on browsers warn your visitors off. "
        f"{say_deadline(first.not_after, now, desk.zone, desk.holidays)}."
    )


def _tell(ending: Ending, desk: Desk, now: datetime, alone: bool) -> str:
    if alone:
        return "\n".join(_steps(ending, desk, alone))
    return "\n".join((_head(ending, desk, now), *(f"  {line}".rstrip() for line in _steps(ending, desk, alone))))


def _head(ending: Ending, desk: Desk, now: datetime) -> str:
    when = say_moment(ending.not_after, desk.zone)
    if ending.rung is Rung.EXPIRED:
        return f"* {ending.hostname}: EXPIRED on {when}"
    deadline = say_deadline(ending.not_after, now, desk.zone, desk.holidays)
    return f"* {ending.hostname}: expires on {when}, {say_distance(ending.not_after, now)}\n  {deadline}."


def _steps(ending: Ending, desk: Desk, alone: bool) -> list[str]:
    """Give the lines with what is left to do, from where the hand-over stands."""
    renewal = ending.renewal
    name = renewal.name if renewal else _name(ending.hostname)
    ticket = f"    certferry ticket file {name}"
    if renewal and renewal.stage is Stage.AWAITING_TICKET:
        return ["Your new certificate is here and checked. Only the ticket is missing:", "", ticket]
    if renewal and renewal.stage is Stage.CHECKING:
        return [
            "Your files are here, but something else is missing. This says what:",
            "",
            f"    certferry status {name}",
        ]
    lines = _buy(ending.hostname, name) if alone else []
    if renewal is None:
        lines.append(f"    certferry create {name} --app {ending.app} --hostname {ending.hostname}")
    lines += [f"    certferry push {name} ./{name}", ticket]
    if renewal:
        until = say_day(renewal.open_until.astimezone(desk.zone).date())
        lines += ["", f"This hand-over is open until {until}."]
    return lines


def _buy(hostname: str, name: str) -> list[str]:
    return [
        "1. Have your certificate authority issue a new certificate. This makes the key and the request for it:",
        "",
        f"    certferry csr {hostname} --out ./{name}",
        "",
        f"2. Put what the authority sends you beside the key, into ./{name}. Then hand it over:",
        "",
    ]


def _name(hostname: str) -> str:
    """Give a name for a hand-over of *hostname*, in the letters that one may have."""
    return f"renew-{hostname.replace('.', '-')}"[:63].rstrip("-")


def _count(left_out: int, where: str) -> str:
    return f"and {left_out} more. {where}" if left_out else ""


def _close(listed: Sequence[Ending], desk: Desk) -> str:
    first = listed[0].renewal
    said = [] if first is None else [f"`certferry status {first.name}` says where it stands."]
    if len(listed) > 1:
        said.insert(0, "For each: have a new certificate issued (`certferry csr HOSTNAME` makes key and request), then")
        said[0] += " run its commands above with the directory that holds key and certificate."
    if any(ending.rung is not Rung.EXPIRED for ending in listed):
        said.append("The certificate that is there now serves on until the new one is proven: no interruption.")
    said.append("A renewal costs nothing extra.")
    warning = "Never send a private key by mail or in a ticket: `certferry push` seals it on your machine."
    return f"{' '.join(said)}\n\n{warning}\n\n{desk.platform}"


def write_to_operators(endings: Sequence[Ending], left_out: int, desk: Desk, now: datetime) -> Letter:
    """
    Give the letter to the operators about *endings*, at least one, of any account: what is broken comes first.

    Args:
        left_out: How many more there are, which the letter only counts.
    """
    listed = sorted(endings, key=lambda ending: (ending.not_after, ending.hostname))
    ended = sum(ending.rung is Rung.EXPIRED for ending in listed)
    total = len(listed) + left_out
    broken = f"{ended} expired and still served, " if ended else ""
    first = listed[0]
    subject = (
        f"{'DOWN: ' if ended else ''}Certificates: {broken}{total - ended} about to expire; first {first.hostname}"
    )
    parts = [
        "\n".join(_report(ending, desk, now) for ending in listed),
        _count(left_out, "The artifact *expiry* of the run shows all."),
        "Their customers have been written to at every rung before. A letter that nobody answers needs a call. "
        "You will not be told of these again until they come to the next rung.",
    ]
    return Letter(subject, "\n\n".join(part for part in parts if part) + "\n")


def _report(ending: Ending, desk: Desk, now: datetime) -> str:
    word = "EXPIRED" if ending.rung is Rung.EXPIRED else "expires"
    when = f"{word} {say_moment(ending.not_after, desk.zone)} ({say_distance(ending.not_after, now)})"
    return f"* {ending.hostname} of {ending.account}: {when}\n  {_advise(ending)}"


def _advise(ending: Ending) -> str:
    """Give what is missing, and who must act."""
    if ending.renewal is None:
        return "No renewal is open. Call the customer."
    match ending.renewal.stage:
        case Stage.AWAITING_APPROVAL:
            return f"WAITS FOR YOU: open the run of {ending.renewal.name} in Prefect, choose Resume, and decide."
        case Stage.CHECKING | Stage.PROVISIONING:
            return "The new certificate is being worked on. Look at its run if it does not end by itself."
        case Stage.AWAITING_TICKET:
            return "The new certificate is here; the customer's ticket is missing. Call the customer."
        case _:
            return "Nothing has been handed over. Call the customer."
