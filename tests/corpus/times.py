"""Too old, too new, too short or too long."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tasks.core.doctor.terms import Rules
from tests.corpus import craft
from tests.corpus.case import NOW, Case, Files, Lab, accepted, leaf, public, refused

_SECOND = 1 / 86400


def _valid(begin: bytes, end: bytes, tag: int = 0x17) -> Callable[[Lab], Files]:
    """The good leaf with times written as wanted."""
    return lambda lab: lab.forged(validity=craft.times(begin, end, tag))


def _mixed(begin: bytes, end: bytes) -> Callable[[Lab], Files]:
    """UTCTime to begin with, GeneralizedTime at the end."""
    return lambda lab: lab.forged(validity=craft.sequence(craft.tlv(0x17, begin), craft.tlv(0x18, end)))


def _public_leaf(days: float, issued: datetime = NOW) -> Callable[[Lab], Files]:
    return lambda lab: lab.logged(now=issued, age_days=0.1, days=days).files()


def _rules(**rules: Any) -> Callable[[Lab], dict[str, Any]]:
    return lambda lab: {"rules": Rules(**rules)}


_MARCH = datetime(2026, 3, 1, tzinfo=UTC)

CASES: tuple[Case, ...] = (
    accepted("8 days left", leaf(days=9)),
    accepted("7 days left to the second", leaf(days=8)),
    accepted("issued a minute from now, by the authority's clock", leaf(age_days=-60 * _SECOND)),
    accepted("825 days, from a private authority", leaf(days=825)),
    accepted("four years, from a private authority", leaf(days=1461)),
    accepted("valid for ever (year 9999)", _mixed(b"260601000000Z", b"99991231235959Z"), "chain-expires-first"),
    accepted("valid since 1950", _valid(b"500101000000Z", b"261001000000Z")),
    accepted("200 days, public", _public_leaf(200 - _SECOND), change=public),
    accepted("398 days, issued when that was allowed", _public_leaf(398 - _SECOND, _MARCH), change=public),
    accepted("90 days, public", _public_leaf(90), change=public),
    accepted("20 days left where 14 are asked for", leaf(days=21), change=_rules(minimum_validity=timedelta(days=14))),
    refused("expired a year ago", "expired", leaf(days=90, age_days=455)),
    refused("expired yesterday", "expired", leaf(days=10, age_days=11)),
    refused("expired a second ago", "expired", leaf(days=10 - _SECOND, age_days=10)),
    refused("expires in this second", "expires-too-soon", leaf(days=10, age_days=10)),
    refused("expires in 3 days", "expires-too-soon", leaf(days=4)),
    refused("a second short of 7 days", "expires-too-soon", leaf(days=8 - _SECOND)),
    refused(
        "20 days left where 30 are asked for",
        "expires-too-soon",
        leaf(days=21),
        _rules(minimum_validity=timedelta(days=30)),
    ),
    refused("valid from tomorrow", "not-yet-valid", leaf(age_days=-1)),
    refused("valid from ten minutes on", "not-yet-valid", leaf(age_days=-600 * _SECOND)),
    refused("ends before it begins", "expired", _valid(b"260901000000Z", b"260501000000Z")),
    refused("ends in 1950", "expired", _valid(b"490101000000Z", b"500101000000Z")),
    refused("ends in 1970, from a box without a clock", "expired", _valid(b"700101000000Z", b"700401000000Z")),
    refused("825 days, public", "lifetime-too-long", _public_leaf(825), public),
    refused("398 days, after they were allowed", "lifetime-too-long", _public_leaf(398), public),
    refused("201 days, public", "lifetime-too-long", _public_leaf(201), public),
    refused("200 days and a second, public", "lifetime-too-long", _public_leaf(200), public),
    refused(
        "ten years where the rules say one",
        "lifetime-too-long",
        leaf(days=3600),
        _rules(maximum_lifetime=timedelta(days=398)),
    ),
    refused("a time without seconds", "certificate-malformed", _valid(b"2606010000Z", b"2610010000Z")),
    refused("a time with a zone", "certificate-malformed", _valid(b"260601000000+0200", b"261001000000+0200")),
    refused("the 31st of February", "certificate-malformed", _valid(b"260231000000Z", b"261001000000Z")),
    refused(
        "four digits for a year before 2050", "chain-invalid", _valid(b"20260601000000Z", b"20261001000000Z", 0x18)
    ),
    refused("a time in letters", "certificate-malformed", _valid(b"first of June", b"first of May.")),
)
