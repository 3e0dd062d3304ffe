"""
A verdict in words: Markdown for reports and artifacts, plain lines for tickets.

Foreign text has no power in either, and neither is longer than a ticket may be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from textwrap import fill
from typing import Final

from tasks.core import policy
from tasks.core.doctor.verdict import Link, Role, Verdict
from tasks.core.model import Finding, Severity
from tasks.core.text import code_block, code_span, escape_markdown, one_line, printable

_ROOM_AROUND: Final = 1_000  # characters that are left for what is said before and behind
_SHOWN_NAMES: Final = 5
_LETTER_WIDTH: Final = 88
_HEADINGS: Final = {Severity.REFUSE: "Refused", Severity.WARN: "Warning", Severity.NOTE: "Note"}


def summarise(verdict: Verdict) -> str:
    """Give the verdict in one sentence."""
    to_mend, warnings = len(verdict.of(Severity.REFUSE)), len(verdict.of(Severity.WARN))
    if to_mend:
        asked = f" for {verdict.hostname}" if verdict.hostname else ""
        return f"Refused: {_count(to_mend, 'thing')} to mend before these files can be handed over{asked}."
    warned = f", with {_count(warnings, 'warning')}" if warnings else ""
    if verdict.bundle is None:
        return f"Good as far as can be told here{warned}: whether the root is trusted, the platform decides."
    names = verdict.bundle.dns_names
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    for_names = verdict.hostname or ", ".join(names[:_SHOWN_NAMES]) + more
    return f"Good{warned}: these files can serve {for_names} until {verdict.bundle.not_after:%Y-%m-%d}."


def describe_link(link: Link) -> str:
    """Say what a certificate of the chain is to a reader, behind its name."""
    if link.role is Role.MISSING:
        return "missing: the chain stops here"
    until = f"until {link.not_after:%Y-%m-%d}" if link.not_after else "without an end"
    return f"{link.role}, {until}, in {printable(link.file)}"


def render_markdown(verdict: Verdict) -> str:
    """Give the verdict with the chain, and each finding with its command and a letter that can be sent as it is."""
    hostname = verdict.hostname or "this certificate"
    acting = [finding for finding in verdict.findings if finding.severity is not Severity.NOTE]
    notes = [f"- {escape_markdown(note.cause)} ({code_span(note.code)})" for note in verdict.of(Severity.NOTE)]
    return _join_within(
        chain(
            (f"## {escape_markdown(summarise(verdict))}", "\n".join(_list_found(verdict))),
            (_render_finding(number, finding, hostname) for number, finding in enumerate(acting, 1)),
            ["\n".join(("### For your information", "", *notes))] if notes else (),
        )
    )


def render_plain(findings: Iterable[Finding]) -> str:
    """Give what must or should be done about *findings*, as a ticket says it: each command on a line of its own."""
    acting = [finding for finding in findings if finding.severity is not Severity.NOTE]
    to_mend = _count(sum(finding.refuses for finding in acting), "thing")
    return _join_within([f"{to_mend} to mend:", *(_describe_finding(*each) for each in enumerate(acting, 1))])


def _list_found(verdict: Verdict) -> Iterator[str]:
    yield f"- Private key: {code_span(verdict.key)}" if verdict.key else "- Private key: **none that can be used**"
    yield "- Certificates, from the leaf up:" if verdict.chain else "- Certificates: **none that can be used**"
    for number, link in enumerate(verdict.chain, 1):
        what = escape_markdown(describe_link(link))
        yield f"  {number}. {code_span(link.subject)} ({f'**{what}**' if link.role is Role.MISSING else what})"


def _render_finding(number: int, finding: Finding, hostname: str) -> str:
    parts = [
        f"### {number}. {_HEADINGS[finding.severity]}: {escape_markdown(finding.cause)}",
        f"{code_span(finding.code)}; to act: **{finding.who}**. {escape_markdown(finding.fix)}",
        *([code_block(finding.command, "sh")] if finding.command else ()),
        "Ready to send:",
        code_block(_lay_out_letter(finding, hostname), "text"),
    ]
    return "\n\n".join(parts)


def _lay_out_letter(finding: Finding, hostname: str) -> str:
    """Give the letter in lines of a readable length, the command in one piece."""
    letter = finding.letter(hostname)
    if not finding.command:
        return _fill(letter)
    before, command, behind = letter.partition(finding.command)
    return f"{_fill(before)}\n\n{command}\n\n{_fill(behind)}"


def _fill(text: str) -> str:
    return fill(text.strip(), _LETTER_WIDTH, break_long_words=False, break_on_hyphens=False)


def _describe_finding(number: int, finding: Finding) -> str:
    warning = "Warning: " if finding.severity is Severity.WARN else ""
    lines = [
        f"{number}. {warning}{finding.cause} [{finding.code}]",
        f"   To act: {finding.who}. {finding.fix}",
        *(f"    {line}" for line in finding.command.splitlines()),
    ]
    return "\n".join(map(one_line, lines))


def _join_within(blocks: Iterable[str]) -> str:
    """Join as many *blocks* as a ticket has room for, and say how many are left out."""
    waiting, kept = list(blocks), []
    room = policy.TICKET_MAX_CHARS - _ROOM_AROUND
    while waiting and len(waiting[0]) + 2 <= room:
        room -= len(waiting[0]) + 2
        kept.append(waiting.pop(0))
    if waiting:
        kept.append(f"There is more: {len(waiting)} were left out for length.")
    return "\n\n".join(kept)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
