"""
Who ends when: what a scan counts on its way, and how that is drawn. Pure.

The tally is as small for a million certificates as for one, and is JSON, so that a scan that was cut short goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from tasks.core.expiry import RUNGS, Ladder, Rung
from tasks.core.text import escape_markdown
from tasks.core.working_days import say_distance

WEEKS: Final = 13  # a quarter of a year; what ends later is one bar
BAR_CHARACTERS: Final = 40
_FULL, _PARTS = "█", " ▏▎▍▌▋▊▉"
_WORDS: Final = {
    Rung.EXPIRED: "**EXPIRED**",
    Rung.LAST_DAYS: "**last days**",
    Rung.URGENT: "urgent",
    Rung.REMIND: "remind",
    Rung.OPEN_RENEWAL: "renewal open",
}


class Certificate(Protocol):
    """What is counted."""

    @property
    def not_before(self) -> datetime: ...
    @property
    def not_after(self) -> datetime: ...
    @property
    def ready(self) -> bool: ...


@dataclass
class Tally:
    """
    How many there are, how many are ready, how many stand on each rung, and how many end in each week from now.

    Week -1 has ended already, week `WEEKS` is all that is later.
    """

    total: int = 0
    ready: int = 0
    rungs: dict[str, int] = field(default_factory=dict)
    weeks: dict[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Tally:
        """Read what `as_dict` gave; nothing is an empty tally."""
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        return {"total": self.total, "ready": self.ready, "rungs": self.rungs, "weeks": self.weeks}

    def add(self, certificate: Certificate, rung: Rung | None, now: datetime) -> None:
        """Count one certificate, on *rung* at *now*."""
        self.total += 1
        self.ready += certificate.ready
        if rung is not None:
            self.rungs[rung] = self.rungs.get(rung, 0) + 1
        week = str(max(-1, min(WEEKS, (certificate.not_after - now) // timedelta(weeks=1))))
        self.weeks[week] = self.weeks.get(week, 0) + 1


def take_stock(
    tally: Tally, certificates: Iterable[Certificate], ladder: Ladder, now: datetime
) -> Sequence[Rung | None]:
    """Count *certificates*, and give the rung of each."""
    rungs = []
    for each in certificates:
        rung = ladder.find_rung(each.not_before, each.not_after, now)
        tally.add(each, rung, now)
        rungs.append(rung)
    return rungs


@dataclass(frozen=True)
class Line:
    """One certificate in the table of those that end first."""

    hostname: str
    account: str
    not_after: datetime
    rung: Rung | None
    ready: bool
    told: bool


def draw_picture(tally: Tally, lines: Sequence[Line], taken_at: datetime, now: datetime) -> str:
    """
    Give the picture as Markdown: the numbers, the weeks as bars, then the certificates that end first.

    Args:
        taken_at: When the tally was begun.
    """
    numbers = " · ".join(
        [f"**{tally.total:,}** served", f"**{tally.total - tally.ready:,}** not seen on every edge"]
        + [f"**{tally.rungs[rung]:,}** {rung}" for rung in reversed(RUNGS) if tally.rungs.get(rung)]
    )
    return "\n\n".join(
        (
            "## Which certificates end when",
            f"{numbers}\n\n(all counted {taken_at:%Y-%m-%d %H:%M} UTC)",
            _draw_weeks(tally, taken_at),
            f"## The {len(lines)} that end first" if lines else "Nothing is near its end.",
            _draw_table(lines, now) if lines else "",
        )
    ).rstrip()


def _draw_weeks(tally: Tally, taken_at: datetime) -> str:
    most = max((tally.weeks.get(str(week), 0) for week in range(-1, WEEKS)), default=0)
    rows = [(week, tally.weeks.get(str(week), 0)) for week in range(-1, WEEKS + 1)]
    drawn = [f"{_label(week, taken_at):>12}  {number:>9,}  {_bar(number, most)}".rstrip() for week, number in rows]
    return "\n".join(("```text", f"{'ends from':>12}  {'number':>9}", *drawn, "```"))


def _label(week: int, taken_at: datetime) -> str:
    if week < 0:
        return "has ended"
    start = taken_at + timedelta(weeks=week)
    return f"{start:%Y-%m-%d}" + ("+" if week == WEEKS else " ")


def _bar(number: int, most: int) -> str:
    """Give a bar in eighths of a character; what there is one of can be seen, and the last bar may run over."""
    eighths = min(BAR_CHARACTERS * 8, max(bool(number), round(number * BAR_CHARACTERS * 8 / most))) if most else 0
    return _FULL * (eighths // 8) + _PARTS[eighths % 8].strip()


def _draw_table(lines: Sequence[Line], now: datetime) -> str:
    """Give the table in few columns: the page is narrow, and what must not be overlooked is in the third."""
    head = "| Ends (UTC) | Hostname of account | Rung |\n|---|---|---|"
    rows = [
        f"| {_unbroken(f'{line.not_after:%d %b %Y %H:%M}')}, {_unbroken(say_distance(line.not_after, now))} "
        f"| {escape_markdown(line.hostname)} of {escape_markdown(line.account)} | {_state(line)} |"
        for line in lines
    ]
    return "\n".join((head, *rows))


def _state(line: Line) -> str:
    said = [_WORDS[line.rung] if line.rung else ""]
    said += [] if line.ready else ["**not seen on every edge**"]
    said += [] if line.told or not line.rung else ["customer not told"]
    return ", ".join(filter(None, said))


def _unbroken(text: str) -> str:
    return text.replace(" ", "\N{NO-BREAK SPACE}")
