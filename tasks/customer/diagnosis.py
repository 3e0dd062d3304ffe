"""How an examination looks in a terminal: the verdict, what was found, the chain as a picture, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.tree import Tree

from tasks.core.errors import Who
from tasks.core.model import Finding, Severity
from tasks.customer.terminal import plain, unbroken

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from tasks.core.doctor.verdict import Link
    from tasks.customer.examination import Examination

_COLOURS: Final = {Severity.REFUSE: "bold red", Severity.WARN: "yellow", Severity.NOTE: "cyan"}
_ACTORS: Final = {
    Who.CUSTOMER: "you",
    Who.CA: "your certificate authority",
    Who.OPERATOR: "the platform's operators",
    Who.NOBODY: "nobody",
}


def draw_examination(examination: Examination, place: Path | None) -> Group:
    """
    Draw all of it.

    Args:
        place: The directory that the commands are meant for; None is the one where the customer is.
    """
    from tasks.core.doctor.report import summarise

    verdict = examination.verdict
    colour = "bold red" if examination.refused else "bold green" if verdict.accepted else "bold yellow"
    lines: list[RenderableType] = [plain(summarise(verdict), colour), plain("")]
    lines.append(plain(f"key:   {verdict.key}") if verdict.key else plain("key:   none that can be used", "red"))
    lines.append(plain("chain:") if verdict.chain else plain("chain: no certificate that can be used", "red"))
    lines += [Padding(_draw_chain(verdict.chain, colour), (0, 0, 0, 2))] if verdict.chain else []
    return Group(*lines, draw_findings(verdict.findings), plain(""), *_draw_hints(examination, place))


def draw_findings(findings: Iterable[Finding]) -> Group:
    """Draw each finding; its command stands on lines of its own that are never broken, to be copied."""
    lines: list[RenderableType] = []
    said: set[tuple[str, str]] = set()
    was_note = False
    for finding in findings:
        is_note = finding.severity is Severity.NOTE
        lines += [] if is_note and was_note else [plain("")]
        lines += _draw_finding(finding, (finding.fix, finding.command) in said)
        said.add((finding.fix, finding.command))
        was_note = is_note
    return Group(*lines)


def _draw_finding(finding: Finding, was_said: bool) -> Iterator[RenderableType]:
    """Draw one finding; what to do only if it was not said for an earlier one."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    cause = _join(plain(finding.cause, "bold" if finding.refuses else ""), plain(f" [{finding.code}]", "dim"))
    table.add_row(plain(f"{finding.severity}:", _COLOURS[finding.severity]), cause)
    if finding.who is not Who.NOBODY:
        fix = "The same as above." if was_said else finding.fix
        table.add_row("", _join(plain(f"to act: {_ACTORS[finding.who]}. ", "dim"), plain(fix)))
    elif finding.command:
        table.add_row("", plain(finding.fix, "dim"))
    yield table
    if not was_said:
        yield from (unbroken(f"    {line}", "green") for line in finding.command.splitlines())


def _draw_chain(links: Sequence[Link], gap: str) -> Tree:
    tree = branch = Tree(_draw_link(links[0], gap), guide_style="dim")
    for link in links[1:]:
        branch = branch.add(_draw_link(link, gap))
    return tree


def _draw_link(link: Link, gap: str) -> Text:
    """Draw one certificate, or in the colour *gap* the name of the one that is missing."""
    from tasks.core.doctor.report import describe_link
    from tasks.core.doctor.verdict import Role

    if link.role is Role.MISSING:
        return plain(f"{link.subject}\n{describe_link(link)}", gap)
    return _join(plain(f"{link.subject}\n", "bold"), plain(describe_link(link), "dim"))


def _join(*parts: Text) -> Text:
    return plain("").join(parts)


def _draw_hints(examination: Examination, place: Path | None) -> Iterator[Text]:
    if place and any(finding.command for finding in examination.verdict.findings):
        yield plain(f"The commands are meant for the directory {place}.", "dim")
    if examination.refused:
        yield plain("The same command with --markdown gives this as text for a ticket.", "dim")
    elif examination.verdict.hostname is None:
        yield plain("With --hostname NAME it is also checked that they serve that name.", "dim")
