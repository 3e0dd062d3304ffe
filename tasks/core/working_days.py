"""Dates as a person reads them: the weekday, how far off, and the last day on which an office still works."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta, tzinfo

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_SATURDAY = 5


def is_working_day(day: date, holidays: Collection[date]) -> bool:
    """Tell whether *day* is neither a weekend nor one of *holidays*."""
    return day.weekday() < _SATURDAY and day not in holidays


def last_working_day_before(day: date, holidays: Collection[date]) -> date:
    """Give the last working day before *day*, which itself is too late to start on."""
    day -= timedelta(days=1)
    while not is_working_day(day, holidays):
        day -= timedelta(days=1)
    return day


def say_day(day: date) -> str:
    """Give *day* as ``Friday 4 December 2026``, in English whatever the locale is."""
    return f"{_WEEKDAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]} {day.year}"


def say_moment(moment: datetime, zone: tzinfo) -> str:
    """Give *moment* as ``Friday 4 December 2026 at 23:59 CET``, in *zone*."""
    local = moment.astimezone(zone)
    return f"{say_day(local.date())} at {local:%H:%M} {local.tzname()}"


def say_distance(moment: datetime, now: datetime) -> str:
    """Give how far off *moment* is: ``in 14 days``, ``in 5 hours``, ``2 days ago``; whole units, rounded down."""
    distance = say_length(abs(moment - now))
    return f"in {distance}" if moment > now else f"{distance} ago"


def say_length(length: timedelta) -> str:
    """Give *length* in days from two days on, else in hours; rounded down."""
    if length >= timedelta(days=2):
        return f"{length.days} days"
    hours = int(length / timedelta(hours=1))
    return f"{hours} hours" if hours > 1 else ("one hour" if hours else "less than an hour")


def say_deadline(moment: datetime, now: datetime, zone: tzinfo, holidays: Collection[date]) -> str:
    """
    Give the sentence that says until when an office can still do something, without a final full stop.

    Where the last working day before *moment* is over, it says so: somebody must do it out of hours.
    """
    end, today = moment.astimezone(zone).date(), now.astimezone(zone).date()
    last = last_working_day_before(end, holidays)
    if last > today:
        return f"The last working day before that is {say_day(last)}"
    if last == today:
        return "Today is the last working day before that"
    if end == today and is_working_day(today, holidays):
        return "That is today"
    return "There is no working day left before that: it must be done out of office hours"
