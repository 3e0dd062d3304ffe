"""
The switch that sends a hostname's visitors to HTTPS, and how HSTS comes and goes: pure.

HSTS (RFC 6797) is a promise that browsers remember, and that nobody can take back from a browser that stays away. So
it grows in stages, each only after the one before has lasted as long as it promises; and it is withdrawn by promising
nothing (``max-age=0``) for as long as the longest promise that was ever made. Subdomains are never included, and no
browser's own list is asked to hold the name (preload): neither can be withdrawn from here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from tasks.core import policy
from tasks.core.errors import ProofFailed
from tasks.core.model import Handshake, Hostname, PlainAnswer

_RULE: Final = re.compile(rb"(?:redirect|(redirect )?max-age=(0|[1-9][0-9]{0,7}))\n")
PERMANENT_REDIRECT: Final = 308


class Wish(StrEnum):
    """What somebody wants the switch to be."""

    ON = "on"
    ON_WITH_HSTS = "on-with-hsts"
    OFF = "off"


@dataclass(frozen=True)
class Rule:
    """
    What an edge does for a hostname.

    Attributes:
        redirect: Plain HTTP is answered with a 308 to HTTPS.

        max_age: What HTTPS answers promise in ``Strict-Transport-Security``, in seconds; None says nothing.
    """

    redirect: bool
    max_age: int | None

    @property
    def header(self) -> str | None:
        return None if self.max_age is None else f"max-age={self.max_age}"


@dataclass(frozen=True)
class Switch:
    """
    The switch of one hostname, on record.

    Attributes:
        stage: Of HSTS, counted from 1 (`policy.HSTS_STAGES`); 0 is none.

        longest: The longest promise that a browser may still remember, in seconds.

        proven_at: Since when both edges have been seen to do this without fault; None until they were.

        requested_by: ``account:<name>`` or ``operator:<name>``.
    """

    hostname: Hostname
    redirect: bool
    stage: int
    longest: int
    proven_at: datetime | None
    requested_by: str

    @property
    def rule(self) -> Rule | None:
        """What the edges are meant to do; None is nothing, without a trace."""
        if self.stage:
            return Rule(self.redirect, stage_seconds(self.stage))
        if self.longest:
            return Rule(self.redirect, 0)
        return Rule(True, None) if self.redirect else None


def stage_seconds(stage: int) -> int:
    """Give what stage number *stage* promises."""
    return int(policy.HSTS_STAGES[stage - 1].total_seconds())


def render_rule(rule: Rule) -> bytes:
    """Give *rule* as the one line that an edge reads: ``redirect``, ``redirect max-age=300`` or ``max-age=0``."""
    words = ["redirect"] * rule.redirect + ([rule.header] if rule.header else [])
    return f"{' '.join(words)}\n".encode("ascii")


def find_rule(line: bytes) -> Rule | None:
    """Give the rule in a file on an edge; None if it is anything but what `render_rule` writes."""
    parsed = _RULE.fullmatch(line)
    if parsed is None:
        return None
    return Rule(line.startswith(b"redirect"), int(parsed[2]) if parsed[2] else None)


def turn(switch: Switch, wish: Wish, requested_by: str) -> Switch:
    """Give the switch as *wish* has it; a wish that it fulfils already changes nothing."""
    stage = max(1, switch.stage) if wish is Wish.ON_WITH_HSTS else 0
    turned = replace(switch, redirect=wish is not Wish.OFF, stage=stage, longest=_longest(switch, stage))
    return switch if turned == switch else replace(turned, proven_at=None, requested_by=requested_by)


def move_on(switch: Switch, now: datetime) -> Switch:
    """
    Give the switch as it is to be at *now*.

    A stage of HSTS is followed by the next once it has lasted as long as it promises; a withdrawal ends once the
    longest promise is over for a browser that heard it last.
    """
    lasted = now - switch.proven_at if switch.proven_at else timedelta()
    if 0 < switch.stage < len(policy.HSTS_STAGES) and lasted >= policy.HSTS_STAGES[switch.stage - 1]:
        stage = switch.stage + 1
        return replace(switch, stage=stage, longest=_longest(switch, stage), proven_at=None)
    if not switch.stage and switch.longest and lasted >= timedelta(seconds=switch.longest):
        return replace(switch, longest=0, proven_at=None)
    return switch


def remembered_until(switch: Switch, now: datetime) -> datetime | None:
    """Give when the last browser forgets, if no further promise is made; None where there is nothing to remember."""
    if not switch.longest:
        return None
    withdrawn_at = None if switch.stage else switch.proven_at
    return (withdrawn_at or now) + timedelta(seconds=switch.longest)


def check_forced(rule: Rule | None, shown: Handshake, plain: PlainAnswer, location: str) -> None:
    """
    Raise unless an edge does what *rule* says, as a visitor sees it.

    Args:
        location: Where the redirect of ``/`` must lead.

    Raises:
        ProofFailed: With all that is wrong. A site that fails over HTTPS must not have its visitors sent there.
    """
    wrong = _list_wrong(rule, shown, plain, location)
    if wrong:
        raise ProofFailed(
            f"{shown.hostname} on {shown.edge}",
            got="; ".join(wrong),
            wanted="visitors sent to a site that works over HTTPS" if rule else "a site that sends nobody anywhere",
            do="Look at the app and at this edge. The next stage of HSTS waits until all is well.",
            code="not-forced",
        )


def _list_wrong(rule: Rule | None, shown: Handshake, plain: PlainAnswer, location: str) -> list[str]:
    redirected = (plain.status, plain.location) == (PERMANENT_REDIRECT, location)
    if rule is None or not rule.redirect:
        header = rule.header if rule else None
        return [f"HTTPS says {shown.hsts or 'nothing'} of HSTS"] if header and shown.hsts != header else []
    wrong = []
    if not redirected:
        wrong.append(f"plain HTTP answers {plain.status} ({plain.location or 'no redirect'})")
    if not shown.chain_trusted:
        wrong.append("no browser trusts its certificate")
    if not 200 <= shown.http_status < 500:
        wrong.append(f"the app answers {shown.http_status or 'nothing'} over HTTPS")
    if rule.header and shown.hsts != rule.header:
        wrong.append(f"HTTPS says {shown.hsts or 'nothing'} of HSTS")
    return wrong


def _longest(switch: Switch, stage: int) -> int:
    return max(switch.longest, stage_seconds(stage) if stage else 0)
