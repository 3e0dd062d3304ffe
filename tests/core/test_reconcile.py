"""Desired against observed: what is repaired, what is left alone, and that a second plan is empty."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core import policy
from tasks.core.model import Hostname
from tasks.core.reconcile import Action, Repair, plan_discards, plan_repairs

SHOP, BLOG = Hostname("shop.example.test"), Hostname("blog.example.test")
ONE, TWO = "1" * 64, "2" * 64


@dataclass(frozen=True)
class Wanted:
    edge: str
    hostname: Hostname
    bundle_sha256: str
    is_proven: bool = True
    previous_bundle_sha256: str | None = None


@pytest.mark.parametrize(
    ("desired", "observed", "actions"),
    [
        ([], {}, []),
        ([Wanted("a", SHOP, ONE)], {"a": {SHOP: ONE}}, []),
        ([Wanted("a", SHOP, ONE)], {"a": {}}, [Action(Repair.REFILL, "a", SHOP)]),
        ([Wanted("a", SHOP, ONE)], {"a": {SHOP: TWO}}, [Action(Repair.REFILL, "a", SHOP)]),
        ([Wanted("a", SHOP, ONE, is_proven=False)], {"a": {}}, []),
        ([Wanted("a", SHOP, ONE, is_proven=False)], {"a": {SHOP: TWO}}, []),
        ([Wanted("a", SHOP, ONE)], {}, []),
        ([Wanted("a", SHOP, ONE)], {"a": {SHOP: ONE}, "b": {SHOP: ONE}}, [Action(Repair.REMOVE, "b", SHOP)]),
        (
            [Wanted("a", SHOP, ONE), Wanted("b", SHOP, ONE)],
            {"a": {BLOG: TWO}, "b": {SHOP: ONE}},
            [Action(Repair.REMOVE, "a", BLOG), Action(Repair.REFILL, "a", SHOP)],
        ),
    ],
)
def test_every_case(desired: list[Wanted], observed: dict[str, dict[Hostname, str]], actions: list[Action]) -> None:
    """Refill what was proven and is not there, take off what nobody wants, leave what is on its way."""
    assert plan_repairs(desired, observed, (ONE, TWO), ()) == actions


def test_what_somebody_works_on_is_his() -> None:
    """A hand-over between two edges is no drift."""
    assert plan_repairs([Wanted("a", SHOP, ONE)], {"a": {}, "b": {SHOP: ONE}}, (), {SHOP}) == []


def test_many_strays_are_asked_about() -> None:
    """A database restored from last month's backup must not empty the edges."""
    strays = {Hostname(f"h{number}.example.test"): ONE for number in range(policy.MOST_REMOVALS + 1)}
    actions = plan_repairs([Wanted("a", SHOP, ONE)], {"a": strays}, (), ())
    assert {action.repair for action in actions} == {Repair.ASK, Repair.REFILL}
    strays.popitem()
    assert {action.repair for action in plan_repairs([], {"a": strays}, (), ())} == {Repair.REMOVE}


def test_an_old_copy_of_the_database_puts_no_old_certificates_back() -> None:
    """Renewals that the records know nothing of stay served; a few foreign bundles are replaced."""
    names = [Hostname(f"h{number}.example.test") for number in range(policy.MOST_REMOVALS + 1)]
    desired = [Wanted("a", name, ONE) for name in names]
    renewed = dict.fromkeys(names, TWO)

    assert {action.repair for action in plan_repairs(desired, {"a": renewed}, (ONE,), ())} == {Repair.ASK}
    assert {action.repair for action in plan_repairs(desired, {"a": renewed}, (ONE, TWO), ())} == {Repair.REFILL}
    renewed[names[0]] = ONE
    assert {action.repair for action in plan_repairs(desired, {"a": renewed}, (ONE,), ())} == {Repair.REFILL}


@pytest.mark.parametrize(
    ("desired", "loose", "known", "busy", "discarded"),
    [
        ([], {"a": {ONE}}, {ONE: SHOP}, (), [("a", ONE)]),
        ([], {"a": {ONE}, "b": {ONE, TWO}}, {ONE: SHOP, TWO: BLOG}, (), [("a", ONE), ("b", ONE), ("b", TWO)]),
        ([], {"a": {ONE}}, {}, (), []),
        ([], {"a": {ONE}}, {ONE: SHOP}, {SHOP}, []),
        ([Wanted("a", SHOP, ONE, is_proven=False)], {"a": {ONE}}, {ONE: SHOP}, (), []),
        ([Wanted("a", SHOP, TWO, previous_bundle_sha256=ONE)], {"a": {ONE}}, {ONE: SHOP}, (), []),
        ([Wanted("b", SHOP, ONE)], {"a": {ONE}}, {ONE: SHOP}, (), [("a", ONE)]),
    ],
)
def test_keys_that_lie_on_an_edge_for_nothing_go(
    desired: list[Wanted],
    loose: dict[str, set[str]],
    known: dict[str, Hostname],
    busy: set[Hostname],
    discarded: list[tuple[str, str]],
) -> None:
    """Not what is served, staged or gone back to, nor what the records do not know, nor what is being worked on."""
    actions = plan_discards(desired, loose, known, busy)

    assert {action.repair for action in actions} <= {Repair.DISCARD}
    assert [(action.edge, action.bundle_sha256) for action in actions] == discarded


HOSTNAMES = st.sampled_from([Hostname(f"{name}.example.test") for name in "abcdef"])
BUNDLES = st.sampled_from([ONE, TWO])


@given(
    st.dictionaries(st.tuples(st.sampled_from("xy"), HOSTNAMES), st.tuples(BUNDLES, st.booleans())),
    st.dictionaries(st.sampled_from("xy"), st.dictionaries(HOSTNAMES, BUNDLES, max_size=2)),
)
def test_a_plan_that_was_carried_out_leaves_nothing_to_plan(
    wanted: dict[tuple[str, Hostname], tuple[str, bool]], observed: dict[str, dict[Hostname, str]]
) -> None:
    """Whatever the edges serve, and whatever they should."""
    desired = [Wanted(edge, host, bundle, proven) for (edge, host), (bundle, proven) in wanted.items()]
    for action in plan_repairs(desired, observed, (ONE, TWO), ()):
        if action.repair is Repair.REMOVE:
            del observed[action.edge][action.hostname]
        else:
            observed[action.edge][action.hostname] = wanted[action.edge, action.hostname][0]
    assert plan_repairs(desired, observed, (ONE, TWO), ()) == []
