"""The picture: what is counted, and that it can be read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from tasks.core.expiry import LADDER, Rung
from tasks.core.expiry_picture import BAR_CHARACTERS, Line, Tally, draw_picture, take_stock

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


def a_certificate(days: float, ready: bool = True) -> Any:
    end = NOW + timedelta(days=days)
    return SimpleNamespace(not_before=end - timedelta(days=90), not_after=end, ready=ready)


def test_counts() -> None:
    """All, those on every edge, each rung, each week; and it survives being put on record in between."""
    tally = Tally()
    assert take_stock(tally, [a_certificate(-3), a_certificate(2)], LADDER, NOW) == [Rung.EXPIRED, Rung.LAST_DAYS]
    tally = Tally.parse(json.loads(json.dumps(tally.as_dict())))
    take_stock(tally, [a_certificate(6.9), a_certificate(7.1, ready=False), a_certificate(300)], LADDER, NOW)
    assert tally == Tally(
        total=5,
        ready=4,
        rungs={"expired": 1, "last-days": 1, "urgent": 1, "remind": 1},
        weeks={"-1": 1, "0": 2, "1": 1, "13": 1},
    )


def a_line(hostname: str = "shop.example.com") -> Line:
    return Line(hostname, "acme", NOW + timedelta(days=2), Rung.LAST_DAYS, ready=False, told=True)


def test_picture() -> None:
    """The numbers first, then the weeks, then the names."""
    tally = Tally(1001, 1000, {"last-days": 1}, {"0": 1, "2": 500, "13": 500})
    drawn = draw_picture(tally, [a_line()], NOW, NOW)
    assert "**1,001** served · **1** not seen on every edge · **1** last-days" in drawn
    weeks = {line.split()[0]: line.rstrip().split("  ")[-1] for line in drawn.splitlines() if line.startswith(" ")}
    assert weeks["2026-12-08"] == "█" * BAR_CHARACTERS
    assert weeks["2026-11-24"] == "▏"  # one in five hundred is seen all the same
    last = drawn.splitlines()[-1].replace("\N{NO-BREAK SPACE}", " ")
    assert last == (
        "| 26 Nov 2026 06:00, in 2 days | shop.example.com of acme | **last days**, **not seen on every edge** |"
    )


def test_nothing_is_a_picture_too() -> None:
    """A new installation."""
    assert "Nothing is near its end." in draw_picture(Tally(), [], NOW, NOW)


def test_a_name_cannot_break_the_table() -> None:
    """Names are the customers' own."""
    row = draw_picture(Tally(1), [a_line("a|b<i>")], NOW, NOW).splitlines()[-1]
    assert row.count("|") - row.count("\\|") == 4
    assert "<i>" not in row
