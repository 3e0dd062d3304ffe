"""Dates as an office reads them: weekends, holidays, time zones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.working_days import (
    is_working_day,
    last_working_day_before,
    say_deadline,
    say_distance,
    say_moment,
)

BERLIN = ZoneInfo("Europe/Berlin")
CHRISTMAS = frozenset({date(2026, 12, 25), date(2026, 12, 26), date(2027, 1, 1)})


@pytest.mark.parametrize(
    ("end", "last"),
    [
        (date(2026, 12, 6), date(2026, 12, 4)),  # Sunday: Friday
        (date(2026, 12, 7), date(2026, 12, 4)),  # Monday: Friday
        (date(2026, 12, 8), date(2026, 12, 7)),  # Tuesday: Monday
        (date(2026, 12, 28), date(2026, 12, 24)),  # the Monday after Christmas: Thursday
    ],
)
def test_last_working_day_before(end: date, last: date) -> None:
    """The day itself is too late; weekends and holidays are none."""
    assert last_working_day_before(end, CHRISTMAS) == last


@given(st.dates(min_value=date(2000, 1, 1)), st.frozensets(st.dates(), max_size=5))
def test_there_is_no_later_one(day: date, holidays: frozenset[date]) -> None:
    """It is a working day, and what lies between it and the end are none."""
    last = last_working_day_before(day, holidays)
    between = [last + timedelta(days=n) for n in range(1, (day - last).days)]
    assert is_working_day(last, holidays)
    assert not any(is_working_day(each, holidays) for each in between)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (datetime(2026, 11, 24, 6, tzinfo=UTC), "The last working day before that is Friday 4 December 2026"),
        (datetime(2026, 12, 4, 6, tzinfo=UTC), "Today is the last working day before that"),
        (
            datetime(2026, 12, 5, 6, tzinfo=UTC),
            "There is no working day left before that: it must be done out of office hours",
        ),
        (datetime(2026, 12, 7, 6, tzinfo=UTC), "That is today"),
    ],
)
def test_deadline(now: datetime, said: str) -> None:
    """Who reads it on the weekend is told the truth."""
    assert say_deadline(datetime(2026, 12, 7, 11, tzinfo=UTC), now, UTC, ()) == said


def test_the_day_is_the_installations() -> None:
    """Half past eleven in the evening UTC is the next day in Berlin, a Saturday."""
    end = datetime(2026, 12, 4, 23, 30, tzinfo=UTC)
    assert say_moment(end, BERLIN) == "Saturday 5 December 2026 at 00:30 CET"
    assert say_moment(end, UTC) == "Friday 4 December 2026 at 23:30 UTC"
    assert "Friday 4 December" in say_deadline(end, datetime(2026, 12, 1, tzinfo=UTC), BERLIN, ())


@pytest.mark.parametrize(
    ("hours", "said"),
    [(49, "in 2 days"), (47, "in 47 hours"), (1.5, "in one hour"), (0.5, "in less than an hour"), (-50, "2 days ago")],
)
def test_distance(hours: float, said: str) -> None:
    """Never more time than there is."""
    now = datetime(2026, 12, 1, tzinfo=UTC)
    assert say_distance(now + timedelta(hours=hours), now) == said
