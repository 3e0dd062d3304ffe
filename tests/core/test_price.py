"""What pairs cost: every day once, at the price of that day, to the cent, however a charge was cut in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.currency import check_currency, round_money
from tasks.core.errors import BadInput, Drifted
from tasks.core.ledger import draft_correction, draft_void
from tasks.core.model import EntryKind, Hostname, LedgerEntry, Placement, Price
from tasks.core.price import Month, PriceBook, Statement, draft_statement, parse_month

BERLIN = ZoneInfo("Europe/Berlin")
LATER = datetime(2040, 1, 1, tzinfo=UTC)
SHOP, BLOG = Hostname("shop.example.test"), Hostname("blog.example.test")
SHARED, DEDICATED = Placement.SHARED, Placement.DEDICATED
BOOK = PriceBook(
    "EUR",
    BERLIN,
    {
        SHARED: (Price(date(2026, 1, 1), Decimal("0.05")), Price(date(2027, 2, 15), Decimal("0.06"))),
        DEDICATED: (Price(date(2026, 1, 1), Decimal("0.17")),),
    },
)


def at(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def an_entry(kind: EntryKind, when: datetime, placement: Placement = SHARED, **changes: Any) -> LedgerEntry:
    entry = LedgerEntry(
        idempotency_key=f"{kind}-{when.timestamp()}",
        kind=kind,
        charge="charge",
        account="acme",
        hostname=SHOP,
        placement=placement,
        megabytes=160,
        unit_price=BOOK.fetch_price(placement, BOOK.day_of(when)),
        currency="EUR",
        at=when,
    )
    return replace(entry, **changes)


def enable(when: str, placement: Placement = SHARED, **changes: Any) -> LedgerEntry:
    return an_entry(EntryKind.ENABLE, at(when), placement, **changes)


def move(when: str, placement: Placement = DEDICATED, **changes: Any) -> LedgerEntry:
    return an_entry(EntryKind.MOVE, at(when), placement, **changes)


def disable(when: str, **changes: Any) -> LedgerEntry:
    return an_entry(EntryKind.DISABLE, at(when), **changes)


def draft(month: str, *entries: LedgerEntry, book: PriceBook = BOOK, now: datetime = LATER) -> Statement:
    return draft_statement("acme", parse_month(month), entries, book, now)


def lines(statement: Statement) -> list[tuple[str, int, str]]:
    """Give placement, days and amount of each line."""
    return [(str(line.placement), line.days, str(line.amount)) for line in statement.lines]


class TestStatement:
    def test_a_whole_month_costs_what_was_approved(self) -> None:
        """160 MB at 0.05, whatever the length of the month."""
        for month in ("2026-02", "2026-03", "2026-04"):
            assert str(draft(month, enable("2026-01-10")).total) == "8.00"

    def test_the_first_day_counts_and_so_does_the_last(self) -> None:
        """From 23:59 of one day to 00:01 of another are all days between, and both."""
        charge = (enable("2026-04-10T23:59"), disable("2026-04-12T00:01"))
        assert lines(draft("2026-04", *charge)) == [("shared", 3, "0.80")]

    def test_a_day_that_is_not_touched_does_not_count(self) -> None:
        """Ended at midnight is ended the day before; a charge of no duration costs nothing."""
        assert lines(draft("2026-04", enable("2026-04-10T12:00"), disable("2026-04-11T00:00"))) == [
            ("shared", 1, "0.27")
        ]
        assert lines(draft("2026-04", enable("2026-04-10T12:00"), disable("2026-04-10T12:00"))) == []

    def test_a_day_counts_once_at_the_placement_it_had_last(self) -> None:
        """Enabled, moved, disabled and enabled again on one day is one day."""
        morning = (enable("2026-04-10T08:00"), move("2026-04-10T09:00"), disable("2026-04-10T10:00"))
        assert lines(draft("2026-04", *morning)) == [("dedicated", 1, "0.91")]

        again = (enable("2026-04-10T11:00", charge="2"), disable("2026-04-10T12:00", charge="2"))
        assert lines(draft("2026-04", *morning, *again)) == [("shared", 1, "0.27")]

    def test_the_day_of_a_move_has_the_new_price(self) -> None:
        """To dedicated and back again: each day is priced like the days after it."""
        charge = (enable("2026-04-01"), move("2026-04-11T15:00"), move("2026-04-21T09:00", SHARED))
        assert lines(draft("2026-04", *charge)) == [("dedicated", 10, "9.07"), ("shared", 20, "5.33")]

    def test_a_price_change_in_the_middle_of_a_month(self) -> None:
        """The days before keep their price; so do all months before."""
        charge = enable("2026-04-01")
        assert lines(draft("2027-02", charge)) == [("shared", 14, "4.00"), ("shared", 14, "4.80")]
        assert str(draft("2027-01", charge).total) == "8.00"
        assert str(draft("2027-03", charge).total) == "9.60"

    def test_days_are_those_of_the_time_zone(self) -> None:
        """Half past eleven in the evening, UTC, is the next day in Berlin; in New York it is not."""
        charge = an_entry(EntryKind.ENABLE, datetime(2026, 4, 29, 22, 30, tzinfo=UTC))
        assert lines(draft("2026-04", charge)) == [("shared", 1, "0.27")]
        elsewhere = replace(BOOK, zone=ZoneInfo("America/New_York"))
        assert lines(draft("2026-04", charge, book=elsewhere)) == [("shared", 2, "0.53")]

    @pytest.mark.parametrize(
        ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-03-28", 24)], ids=["short", "long", "usual"]
    )
    def test_a_day_of_any_length_is_one(self, day: str, hours: int) -> None:
        """The hour that is left out or comes twice costs nothing, at either end of the day."""
        begin, end = BOOK.bounds(date.fromisoformat(day))
        assert end - begin == timedelta(hours=hours)
        for start in (begin, end - timedelta(microseconds=1)):
            charge = (an_entry(EntryKind.ENABLE, start), an_entry(EntryKind.DISABLE, end))
            assert [line.days for line in draft(day[:7], *charge).lines] == [1]

    def test_midnights_that_do_not_exist_or_come_twice(self) -> None:
        """Beirut begins its summer at midnight, Havana ends it at one, Samoa once left out a day."""
        for zone, day, hours in (("Asia/Beirut", "2026-03-29", 23), ("America/Havana", "2026-11-01", 25)):
            begin, end = replace(BOOK, zone=ZoneInfo(zone)).bounds(date.fromisoformat(day))
            assert end - begin == timedelta(hours=hours)
        begin, end = replace(BOOK, zone=ZoneInfo("Pacific/Apia")).bounds(date(2011, 12, 30))
        assert begin == end

    def test_a_month_that_is_not_over_counts_until_today(self) -> None:
        """What is to come is on no statement; the last day of a month is part of it."""
        charge = enable("2026-04-01")
        for now, days, final in (
            ("2026-04-10T06:00", 10, False),
            ("2026-04-30T23:59", 30, False),
            ("2026-05-01", 30, True),
        ):
            statement = draft("2026-04", charge, now=at(now))
            assert ([line.days for line in statement.lines], statement.is_final) == ([days], final)
        assert draft("2026-05", charge, now=at("2026-04-30")).lines == ()

    def test_each_hostname_has_lines_of_its_own(self) -> None:
        """In the order of the names."""
        two = (enable("2026-04-01"), enable("2026-04-16", hostname=BLOG, charge="2", idempotency_key="2"))
        statement = draft("2026-04", *two)
        assert [(line.hostname, str(line.amount)) for line in statement.lines] == [(BLOG, "4.00"), (SHOP, "8.00")]
        assert statement.as_dict()["total"] == "12.00"

    def test_corrections_count_and_what_they_correct_does_not(self) -> None:
        """An end that was written down too late, a move that never was."""
        begun, moved, ended = enable("2026-04-01"), move("2026-04-05"), disable("2026-04-20")
        right = draft_correction(ended, "right", at=at("2026-04-10T12:00"))
        assert lines(draft("2026-04", begun, moved, ended, right, draft_void(moved, "void"))) == [
            ("shared", 10, "2.67")
        ]

    def test_no_price_is_an_error_and_not_a_gift(self) -> None:
        """A day before the book begins, a placement that is not in it."""
        early = enable("2026-01-01", at=at("2025-12-31T12:00"))
        bare = replace(BOOK, prices={SHARED: BOOK.prices[SHARED]})
        for entries, book, month in (
            ((early,), BOOK, "2025-12"),
            ((enable("2026-04-01", DEDICATED),), bare, "2026-05"),
        ):
            with pytest.raises(Drifted) as refused:
                draft(month, *entries, book=book)
            assert refused.value.code == "no-price"

    @pytest.mark.parametrize(
        "change", [{"unit_price": Decimal("0.04")}, {"currency": "USD"}], ids=["price", "currency"]
    )
    def test_a_book_that_says_otherwise_than_what_was_approved_is_an_error(self, change: dict[str, Any]) -> None:
        """An old price that somebody edited is noticed in the month it was approved in."""
        with pytest.raises(Drifted) as refused:
            draft("2026-04", enable("2026-04-10", **change))
        assert refused.value.code == "price-differs"


class TestMonth:
    @pytest.mark.parametrize(
        "text", ["", "2026", "2026-13", "2026-00", "26-01", "2026-1", "2026-01-01", "２０26-01", "1999-01"]
    )
    def test_is_a_year_and_a_month(self, text: str) -> None:
        """Nothing else is guessed at."""
        with pytest.raises(BadInput):
            parse_month(text)

    def test_lengths(self) -> None:
        """28 to 31 days; leap years have 29 in February."""
        assert [parse_month(f"2028-{n:02}").length for n in range(1, 13)] == [
            31,
            29,
            31,
            30,
            31,
            30,
            31,
            31,
            30,
            31,
            30,
            31,
        ]
        assert parse_month("2027-02").length == 28


class TestMoney:
    @pytest.mark.parametrize(
        ("amount", "currency", "rounded"),
        [
            ("1/200", "EUR", "0.01"),
            ("4999/1000000", "EUR", "0.00"),
            ("1/2", "JPY", "1"),
            ("1/2000", "KWD", "0.001"),
            ("8", "EUR", "8.00"),
        ],
    )
    def test_half_a_unit_counts_as_one(self, amount: str, currency: str, rounded: str) -> None:
        """The smallest unit is the currency's own."""
        assert str(round_money(Fraction(amount), currency)) == rounded

    def test_a_currency_is_one_in_use(self) -> None:
        """Neither a typing mistake nor gold."""
        check_currency("EUR")
        for code in ("EUX", "XAU", "eur", ""):
            with pytest.raises(ValueError, match="ISO 4217"):
                check_currency(code)


# --- Against a model that knows nothing of spans: it walks through every quarter of an hour -------------------------

STEP = timedelta(minutes=15)  # every zone's offset and every transition of these years is a multiple of it
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Beirut", "Australia/Lord_Howe", "America/Havana", "UTC")
WINDOW = (datetime(2028, 1, 20, tzinfo=UTC), datetime(2028, 4, 10, tzinfo=UTC))  # a leap day, and summer time begins
MONTHS = tuple(Month(2028, number) for number in range(1, 5))


def walk(entries: Sequence[LedgerEntry], book: PriceBook) -> Decimal:
    """Give the total of all `MONTHS`, for *entries* that none corrects."""
    last: dict[tuple[Hostname, date], Placement] = {}
    for hostname in {entry.hostname for entry in entries}:
        changes = sorted((e for e in entries if e.hostname == hostname), key=lambda e: e.at)
        moment, placement = WINDOW[0], None
        while moment < datetime(2028, 5, 2, tzinfo=UTC):
            while changes and changes[0].at <= moment:
                entry = changes.pop(0)
                placement = None if entry.kind is EntryKind.DISABLE else entry.placement
            if placement:
                last[hostname, moment.astimezone(book.zone).date()] = placement
            moment += STEP
    amounts: dict[tuple[Hostname, Placement, Decimal, int], Fraction] = {}
    for (hostname, day), placement in last.items():
        if day < date(2028, 5, 1):
            price = [x.unit_price for x in book.prices[placement] if x.starts <= day][-1]
            length = (31, 29, 31, 30)[day.month - 1]
            line = (hostname, placement, price, day.month)
            amounts[line] = amounts.get(line, Fraction(0)) + Fraction(price) * 160 / length
    with localcontext(prec=60):
        exact = (Decimal(x.numerator) / Decimal(x.denominator) for x in amounts.values())
        return sum((x.quantize(Decimal("0.01"), ROUND_HALF_UP) for x in exact), Decimal("0.00"))


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[LedgerEntry], PriceBook]:
    """Draw a book, and charges of two hostnames: begun, moved to and fro, ended, begun again."""
    cents = st.integers(0, 10**6).map(lambda n: Decimal(n).scaleb(-5))
    day = st.dates(date(2028, 1, 2), date(2028, 4, 28))
    prices = {
        placement: (
            Price(date(2020, 1, 1), draw(cents)),
            *(Price(x, draw(cents)) for x in sorted(draw(st.sets(day, max_size=2)))),
        )
        for placement in Placement
    }
    book = PriceBook("EUR", ZoneInfo(draw(st.sampled_from(ZONES))), prices)
    steps = int((WINDOW[1] - WINDOW[0]) / STEP)
    entries: list[LedgerEntry] = []
    for hostname in (SHOP, BLOG):
        times = sorted(draw(st.sets(st.integers(0, steps), max_size=6)))
        charge, placement = None, SHARED
        for number in times:
            when, key = WINDOW[0] + number * STEP, f"{hostname}-{number}"
            if charge is None:
                kind, charge, placement = EntryKind.ENABLE, key, draw(st.sampled_from(list(Placement)))
            elif draw(st.booleans()):
                kind, placement = EntryKind.MOVE, DEDICATED if placement is SHARED else SHARED
            else:
                kind = EntryKind.DISABLE
            price = book.fetch_price(placement, book.day_of(when))
            entries.append(LedgerEntry(key, kind, charge, "acme", hostname, placement, 160, price, "EUR", when))
            charge = None if kind is EntryKind.DISABLE else charge
    return entries, book


def total(entries: Sequence[LedgerEntry], book: PriceBook) -> Decimal:
    statements = [draft_statement("acme", month, entries, book, LATER) for month in MONTHS]
    assert all(statement.total == sum(x.amount for x in statement.lines) for statement in statements)
    return sum((statement.total for statement in statements), Decimal(0))


class TestAddsUp:
    @given(histories(), st.randoms(use_true_random=False))
    @settings(max_examples=60, deadline=None)
    def test_to_the_cent_in_any_order(self, drawn: tuple[list[LedgerEntry], PriceBook], random: Random) -> None:
        """Months add up to what the walk through every quarter of an hour gives, in whatever order entries are read."""
        entries, book = drawn
        shuffled = random.sample(entries, len(entries))

        assert total(shuffled, book) == walk(entries, book)

    @given(histories(), st.data())
    @settings(max_examples=60, deadline=None)
    def test_however_a_charge_is_cut(self, drawn: tuple[list[LedgerEntry], PriceBook], data: st.DataObject) -> None:
        """Ended and begun again at any moment, or at every midnight, it costs the same."""
        entries, book = drawn
        midnights = [book.bounds(date(2028, 1, 1) + timedelta(days=n))[0] for n in range(120)]
        moments = data.draw(
            st.one_of(
                st.just(midnights),
                st.lists(st.datetimes(datetime(2028, 1, 2), datetime(2028, 4, 29), timezones=st.just(UTC)), max_size=5),
            )
        )

        assert total(cut(entries, moments, book), book) == total(entries, book)

    @given(histories(), st.data())
    @settings(max_examples=60, deadline=None)
    def test_with_mistakes_corrected(self, drawn: tuple[list[LedgerEntry], PriceBook], data: st.DataObject) -> None:
        """A ledger with wrong entries and their corrections costs what the right one does."""
        entries, book = drawn
        wrong: list[LedgerEntry] = []
        for entry in entries:
            mistakes = data.draw(st.integers(0, 2))
            keys = [f"{entry.idempotency_key}/{n}" for n in range(mistakes)]
            for key, corrected in zip(keys, [None, *keys], strict=False):
                error = data.draw(st.timedeltas(timedelta(-5), timedelta(5)))
                wrong.append(
                    replace(entry, idempotency_key=key, at=entry.at + error, unit_price=Decimal(99), corrects=corrected)
                )
            wrong.append(replace(entry, corrects=keys[-1] if keys else None))
        never = an_entry(EntryKind.ENABLE, WINDOW[0], hostname=SHOP, charge="never", idempotency_key="never")
        wrong += [never, draft_void(never, "never-was")]

        assert total(wrong, book) == total(entries, book)


def cut(entries: Sequence[LedgerEntry], moments: Sequence[datetime], book: PriceBook) -> list[LedgerEntry]:
    """End each charge at each of *moments* that falls in it, and begin another one there, at the same placement."""
    pieces: list[LedgerEntry] = []
    for hostname in {entry.hostname for entry in entries}:
        own = sorted((e for e in entries if e.hostname == hostname), key=lambda e: e.at)
        for moment in sorted({*moments} - {e.at for e in own}):
            before = [e for e in own if e.at < moment]
            if before and before[-1].kind is not EntryKind.DISABLE:
                charge = f"{hostname}-cut-{moment.isoformat()}"
                end = replace(before[-1], idempotency_key=f"{charge}-end", kind=EntryKind.DISABLE, at=moment)
                price = book.fetch_price(end.placement, book.day_of(moment))
                begin = replace(end, idempotency_key=charge, kind=EntryKind.ENABLE, charge=charge, unit_price=price)
                after = [e for e in own if e.at > moment]
                rest = next((n for n, e in enumerate(after) if e.kind is EntryKind.ENABLE), len(after))
                own = [*before, end, begin, *(replace(e, charge=charge) for e in after[:rest]), *after[rest:]]
        pieces += own
    return pieces
