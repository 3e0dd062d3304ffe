"""The switch that forces HTTPS: how HSTS grows, how it is withdrawn, and what a browser remembers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core import policy
from tasks.core.force_https import Rule, Switch, Wish, find_rule, move_on, remembered_until, render_rule, turn
from tasks.core.model import Hostname

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
OFF = Switch(Hostname("shop.example.test"), redirect=False, stage=0, longest=0, proven_at=None, requested_by="")
YEAR = 365 * 24 * 3600


def proven(switch: Switch, at: datetime = NOW) -> Switch:
    return replace(switch, proven_at=at)


def grown(stage: int) -> Switch:
    """Give a switch that has just been seen at a stage of HSTS, having lasted through those before."""
    switch, now = proven(turn(OFF, Wish.ON_WITH_HSTS, "account:acme")), NOW
    while switch.stage < stage:
        now += policy.HSTS_STAGES[switch.stage - 1]
        switch = proven(move_on(switch, now), NOW)
        now = NOW
    return switch


class TestRuleOnDisk:
    @given(st.builds(Rule, st.booleans(), st.one_of(st.none(), st.integers(0, 99_999_999))))
    def test_is_read_as_it_was_written(self, rule: Rule) -> None:
        """Whatever is written is one line that is read as the same rule; nothing at all is never written."""
        if rule != Rule(redirect=False, max_age=None):
            assert find_rule(render_rule(rule)) == rule

    @given(st.binary(max_size=60))
    def test_only_what_is_written_is_read(self, line: bytes) -> None:
        """There is one way to write a rule."""
        rule = find_rule(line)
        assert rule is None or render_rule(rule) == line


class TestTurning:
    def test_on_redirects_and_promises_nothing(self) -> None:
        """HSTS only comes when it is asked for."""
        assert turn(OFF, Wish.ON, "account:acme").rule == Rule(redirect=True, max_age=None)

    def test_hsts_begins_with_minutes(self) -> None:
        """The first promise is five minutes."""
        assert turn(OFF, Wish.ON_WITH_HSTS, "account:acme").rule == Rule(redirect=True, max_age=300)

    def test_the_same_wish_changes_nothing(self) -> None:
        """A year's promise does not begin anew because somebody asks again."""
        assert turn(grown(4), Wish.ON_WITH_HSTS, "account:other") == grown(4)

    def test_off_without_hsts_leaves_nothing(self) -> None:
        """A redirect that browsers were told not to keep is gone at once."""
        assert turn(proven(turn(OFF, Wish.ON, "x")), Wish.OFF, "x").rule is None

    def test_off_withdraws_what_was_promised(self) -> None:
        """The redirect ends, and HTTPS says max-age=0."""
        assert turn(grown(2), Wish.OFF, "x").rule == Rule(redirect=False, max_age=0)

    def test_on_without_hsts_withdraws_it_and_keeps_the_redirect(self) -> None:
        """Who wants the redirect alone gets that."""
        assert turn(grown(2), Wish.ON, "x").rule == Rule(redirect=True, max_age=0)


class TestStages:
    @pytest.mark.parametrize(("stage", "lasts"), list(enumerate(policy.HSTS_STAGES[:-1], 1)))
    def test_each_is_reached_after_the_one_before_has_lasted(self, stage: int, lasts: timedelta) -> None:
        """A stage is left not a second before it has lasted as long as it promises."""
        switch = grown(stage)

        assert move_on(switch, NOW + lasts - timedelta(seconds=1)) == switch
        assert move_on(switch, NOW + lasts).rule == Rule(True, int(policy.HSTS_STAGES[stage].total_seconds()))

    def test_the_last_one_is_a_year_and_stays(self) -> None:
        """There is nothing beyond a year."""
        assert grown(4).rule == Rule(redirect=True, max_age=YEAR)
        assert move_on(grown(4), NOW + timedelta(days=4000)) == grown(4)

    def test_one_that_was_not_proven_does_not_last(self) -> None:
        """A fault takes the proof away, and time alone moves nothing on."""
        assert move_on(replace(grown(1), proven_at=None), NOW + timedelta(days=9)).stage == 1

    def test_a_new_stage_needs_a_proof_of_its_own(self) -> None:
        """What was seen of the stage before is no proof of this one."""
        assert move_on(grown(1), NOW + timedelta(minutes=5)).proven_at is None


class TestWithdrawal:
    def test_lasts_as_long_as_the_longest_promise(self) -> None:
        """A browser that heard the promise last, and stayed away, has forgotten by then: the file can go."""
        withdrawn = proven(turn(grown(4), Wish.OFF, "x"))

        assert move_on(withdrawn, NOW + timedelta(seconds=YEAR - 1)) == withdrawn
        assert move_on(withdrawn, NOW + timedelta(seconds=YEAR)).rule is None

    def test_remembers_a_promise_of_before(self) -> None:
        """On again with minutes, and off again: a browser of the first time may still hold the year."""
        again = turn(proven(turn(grown(4), Wish.OFF, "x")), Wish.ON_WITH_HSTS, "x")

        assert again.rule == Rule(redirect=True, max_age=300)
        assert turn(again, Wish.OFF, "x").longest == YEAR

    def test_says_until_when_a_browser_remembers(self) -> None:
        """From the last promise on; nothing was promised, nothing is remembered."""
        later = NOW + timedelta(days=3)

        assert remembered_until(turn(OFF, Wish.ON, "x"), later) is None
        assert remembered_until(grown(4), later) == later + timedelta(days=365)
        assert remembered_until(proven(turn(grown(4), Wish.OFF, "x")), later) == NOW + timedelta(days=365)
