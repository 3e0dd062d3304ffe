"""The ladder: every certificate meets each rung once and in order, however long it lives and whenever it is looked at."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.expiry import LADDER, RUNGS, Ladder, Rung, find_due

BEGIN = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)

lifetimes = st.sampled_from([398, 200, 100, 47, 6, 3]).map(lambda days: days * DAY) | st.timedeltas(
    min_value=HOUR, max_value=3650 * DAY
)
moments = st.lists(st.floats(min_value=0.0, max_value=1.3), max_size=60)
"""When scans look, as parts of the lifetime, in any order: outages are what lies between."""


def rung_at(lifetime: timedelta, left: timedelta) -> Rung | None:
    return LADDER.find_rung(BEGIN, BEGIN + lifetime, BEGIN + lifetime - left)


class TestLadder:
    @pytest.mark.parametrize(
        ("days", "hours"),
        [
            (398, (720, 336, 168, 72)),
            (200, (720, 336, 168, 72)),
            (100, (720, 336, 168, 72)),
            (47, (376, 188, 94, 47)),
            (6, (48, 24, 12, 6)),
            (3, (24, 12, 6, 3)),
        ],
    )
    def test_hours_left_when_each_rung_begins(self, days: int, hours: tuple[int, ...]) -> None:
        """Thirds of short lives, a month of long ones; a 6-day certificate has two days, then one, then half of one."""
        end = BEGIN + days * DAY
        begins = [LADDER.begins(rung, BEGIN, end) for rung in RUNGS]
        assert [round((end - moment) / HOUR) for moment in begins] == [*hours, 0]

    @given(lifetimes)
    def test_each_rung_begins_after_the_one_before(self, lifetime: timedelta) -> None:
        """Whatever the lifetime, no rung is skipped by a look that is late enough for it and early for the next."""
        begins = [LADDER.begins(rung, BEGIN, BEGIN + lifetime) for rung in RUNGS]
        assert begins == sorted(set(begins))
        assert [LADDER.find_rung(BEGIN, BEGIN + lifetime, moment) for moment in begins] == list(RUNGS)

    @given(lifetimes)
    def test_a_certificate_far_from_its_end_is_on_none(self, lifetime: timedelta) -> None:
        """Up to the very moment at which the first rung begins."""
        first = LADDER.begins(Rung.OPEN_RENEWAL, BEGIN, BEGIN + lifetime)
        assert LADDER.find_rung(BEGIN, BEGIN + lifetime, first - timedelta(microseconds=1)) is None

    def test_it_has_expired_at_its_last_moment(self) -> None:
        """Not a second later: browsers do not wait."""
        assert rung_at(47 * DAY, timedelta(0)) is Rung.EXPIRED
        assert rung_at(47 * DAY, timedelta(microseconds=1)) is Rung.LAST_DAYS

    def test_a_clock_change_moves_nothing(self) -> None:
        """The ladder counts hours that pass, not hours on a wall."""
        end = datetime(2026, 10, 25, 2, 30, tzinfo=UTC)  # Europe's clocks go back at 01:00 UTC
        assert LADDER.find_rung(end - 6 * DAY, end, end - 48 * HOUR) is Rung.OPEN_RENEWAL
        assert LADDER.find_rung(end - 6 * DAY, end, end - 48 * HOUR - timedelta(seconds=1)) is None

    def test_rungs_that_change_places_are_refused(self) -> None:
        """In any of the three numbers: one would hide the other."""
        rule = LADDER.rules[Rung.REMIND]
        for wrong in (replace(rule, fraction=0.5), replace(rule, least=30 * HOUR), replace(rule, most=31 * DAY)):
            with pytest.raises(ValueError, match="open-renewal must begin before remind"):
                Ladder({**LADDER.rules, Rung.REMIND: wrong})

    def test_every_rung_has_a_rule(self) -> None:
        """A ladder with a rung left out is no ladder."""
        with pytest.raises(ValueError, match="in this order"):
            Ladder({Rung.REMIND: LADDER.rules[Rung.REMIND]})


class TestFindDue:
    @given(lifetimes, moments)
    def test_each_rung_is_told_at_most_once_and_in_order(self, lifetime: timedelta, parts: list[float]) -> None:
        """For any times of looking, in any order: clocks are put back, scans fail for weeks."""
        told: list[Rung] = []
        for part in parts:
            standing = LADDER.find_rung(BEGIN, BEGIN + lifetime, BEGIN + lifetime * part)
            due = find_due(standing, told)
            assert due in (None, standing)
            told += [due] if due else []
        assert told == sorted(set(told), key=RUNGS.index)

    @given(lifetimes, moments)
    def test_whoever_looks_tells_of_where_it_stands(self, lifetime: timedelta, parts: list[float]) -> None:
        """With a clock that goes forward, the last rung told of is the one it stands on: none that is due is missed."""
        told: list[Rung] = []
        for part in sorted(parts):
            standing = LADDER.find_rung(BEGIN, BEGIN + lifetime, BEGIN + lifetime * part)
            told += [due] if (due := find_due(standing, told)) else []
            assert told[-1:] == ([standing] if standing else [])

    def test_after_an_outage_the_one_that_is_due(self) -> None:
        """Not the three that were missed."""
        assert find_due(Rung.LAST_DAYS, [Rung.OPEN_RENEWAL]) is Rung.LAST_DAYS
        assert find_due(Rung.LAST_DAYS, [Rung.OPEN_RENEWAL, Rung.LAST_DAYS]) is None

    def test_a_clock_put_back_tells_of_nothing_earlier(self) -> None:
        """A customer told that the end is urgent is not reminded afterwards."""
        assert find_due(Rung.REMIND, [Rung.URGENT]) is None
