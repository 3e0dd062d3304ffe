"""
What pairs cost: the price book, and the statement of an account for a month.

The rules, all of them:

* A price is per MB and month, by placement, from a day on. Days are civil days of the book's time zone, of 23, 24 or
  25 hours; a price of before keeps counting for the days of before.
* A day costs the month's price divided by the days of that month, 28 to 31.
* A day counts if the pair was charged for any moment of it: the day of the `enable` counts, and that of the `disable`.
* It counts once for a hostname of an account, at the placement that the pair had last on that day. So the day of a move
  is priced like the days after it, as the day of an `enable` is; to and fro within a day costs one day at one price;
  and nothing that happens on a later day changes it.
* All days of a month with one hostname, placement, size and price make one line. A line is computed exactly and rounded
  once; the total is the sum of the lines. So it makes no difference how a charge was cut in pieces.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

from tasks.core.currency import round_money
from tasks.core.errors import BadInput, Drifted
from tasks.core.ledger import Span, list_spans
from tasks.core.model import Hostname, LedgerEntry, Placement, Price

_MONTH: Final = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])", re.ASCII)
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Month:
    """A month of the calendar."""

    year: int
    month: int

    @property
    def first(self) -> date:
        return date(self.year, self.month, 1)

    @property
    def length(self) -> int:
        """How many days it has."""
        return monthrange(self.year, self.month)[1]

    def days(self) -> Iterator[date]:
        return (self.first + number * _ONE_DAY for number in range(self.length))

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"


def parse_month(text: str) -> Month:
    """
    Give *text*, as in ``2026-11``, as a month.

    Raises:
        BadInput: It is anything else.
    """
    found = _MONTH.fullmatch(text)
    if found is None:
        raise BadInput(f"month {text[:20]!r}", got="not a month", wanted="as in 2026-11", do="Give year and month.")
    return Month(int(found[1]), int(found[2]))


@dataclass(frozen=True)
class PriceBook:
    """
    What an installation asks for.

    Attributes:
        prices: By placement, from the earliest to the latest.
    """

    currency: str
    zone: ZoneInfo
    prices: Mapping[Placement, tuple[Price, ...]]

    def day_of(self, at: datetime) -> date:
        """Give the civil day that *at* is on."""
        return at.astimezone(self.zone).date()

    def month_of(self, at: datetime) -> Month:
        """Give the month that *at* is in."""
        day = self.day_of(at)
        return Month(day.year, day.month)

    def bounds(self, day: date) -> tuple[datetime, datetime]:
        """Give when *day* begins and when the next one does, in UTC. The two are equal if a zone has left it out."""
        begin, end = (datetime.combine(each, time(), self.zone) for each in (day, day + _ONE_DAY))
        return begin.astimezone(UTC), end.astimezone(UTC)

    def list_prices(self, placement: Placement, day: date) -> tuple[Price, ...]:
        """
        Give the price in force on *day*, and behind it those that are known to come.

        Raises:
            Drifted: Code ``no-price``: the book has none for that day.
        """
        prices = self.prices.get(placement, ())
        past = [price for price in prices if price.starts <= day]
        if not past:
            raise Drifted(
                f"the price of a {placement} pair on {day}",
                got="none in the price book",
                wanted="a price from that day or an earlier one",
                do="Add it to billing.prices in the settings.",
                code="no-price",
            )
        return (past[-1], *(price for price in prices if price.starts > day))

    def fetch_price(self, placement: Placement, day: date) -> Decimal:
        """
        Give the price of a MB for a month, as it is on *day*.

        Raises:
            Drifted: As for `list_prices`.
        """
        return self.list_prices(placement, day)[0].unit_price


@dataclass(frozen=True, order=True)
class _Item:
    """What a line of a statement is about."""

    hostname: Hostname
    placement: Placement
    megabytes: int
    unit_price: Decimal


@dataclass(frozen=True)
class StatementLine:
    """*days* of a month, of one hostname at one price. *amount* is in the statement's currency."""

    hostname: Hostname
    placement: Placement
    megabytes: int
    unit_price: Decimal
    days: int
    amount: Decimal


@dataclass(frozen=True)
class Statement:
    """
    What an account pays for a month.

    Attributes:
        is_final: The month is over. Until then it counts the days up to today.
    """

    account: str
    month: Month
    currency: str
    time_zone: str
    is_final: bool
    lines: tuple[StatementLine, ...]
    total: Decimal

    def as_dict(self) -> dict[str, Any]:
        """Give the parts, for ``--json`` and the front desk; money as text, exactly."""
        return {
            "account": self.account,
            "month": str(self.month),
            "days_in_month": self.month.length,
            "currency": self.currency,
            "time_zone": self.time_zone,
            "final": self.is_final,
            "lines": [
                {
                    **vars(line),
                    "placement": str(line.placement),
                    "unit_price": str(line.unit_price),
                    "amount": str(line.amount),
                }
                for line in self.lines
            ],
            "total": str(self.total),
        }


def draft_statement(
    account: str, month: Month, entries: Iterable[LedgerEntry], book: PriceBook, now: datetime
) -> Statement:
    """
    Give the statement of *account* for *month*.

    Args:
        entries: The account's; their order makes no difference.

    Raises:
        Drifted: Code ``no-price``: the book has no price for a day; ``price-differs``: an entry of that month was
            approved at another price than the book has for its day, or in another currency.
    """
    items: Counter[_Item] = Counter()
    days = [(day, *book.bounds(day)) for day in month.days() if day <= book.day_of(now)]
    for spans in _by_hostname(list_spans(entries)):
        items.update(_item(span, day, book) for day, begin, end in days if (span := _find_last(spans, begin, end)))
    lines = tuple(_line(item, items[item], month, book.currency) for item in sorted(items))
    total = sum((line.amount for line in lines), round_money(Fraction(0), book.currency))
    over = month.length == len(days) and month.first + month.length * _ONE_DAY <= book.day_of(now)
    return Statement(account, month, book.currency, str(book.zone), over, lines, total)


def _by_hostname(spans: Iterable[Span]) -> Iterable[Sequence[Span]]:
    found: dict[Hostname, list[Span]] = {}
    for span in spans:
        found.setdefault(span.entry.hostname, []).append(span)
    return found.values()


def _find_last(spans: Sequence[Span], begin: datetime, end: datetime) -> Span | None:
    """Give the last of the spans that share a moment with the day from *begin* to before *end*, or None."""
    on_day = (s for s in spans if max(s.start, begin) < (min(s.end, end) if s.end else end))
    return max(on_day, key=lambda span: (span.start, span.entry.charge), default=None)


def _item(span: Span, day: date, book: PriceBook) -> _Item:
    entry = span.entry
    if book.day_of(entry.at) == day:
        _check_price(entry, book)
    return _Item(entry.hostname, entry.placement, entry.megabytes, book.fetch_price(entry.placement, day))


def _check_price(entry: LedgerEntry, book: PriceBook) -> None:
    """Raise unless the book says what was approved: a price of before that was edited shows here."""
    price = book.fetch_price(entry.placement, book.day_of(entry.at))
    if (price, book.currency) != (entry.unit_price, entry.currency):
        raise Drifted(
            f"ledger entry {entry.idempotency_key} of {entry.hostname}",
            got=f"{entry.unit_price} {entry.currency}, as approved; {price} {book.currency} in the price book",
            wanted="the price that was approved",
            do="Put billing.prices in the settings right for that day, or correct the entry.",
            code="price-differs",
        )


def _line(item: _Item, days: int, month: Month, currency: str) -> StatementLine:
    exact = Fraction(item.unit_price) * item.megabytes * days / month.length
    return StatementLine(**vars(item), days=days, amount=round_money(exact, currency))
