"""Look at every certificate that is served, and decide who is to be told of which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from tasks.clients.installation import Installation, current
from tasks.clients.records.letters import Notice
from tasks.clients.records.served import Page, Served
from tasks.core import policy
from tasks.core.errors import RecordsUnavailable
from tasks.core.expiry import ESCALATED, Audience, Pace, Rung, find_due
from tasks.core.expiry_picture import Tally, take_stock
from tasks.retries import step


def scan_name(pace: Pace) -> str:
    """Name the scan of a pace in the records."""
    return f"expiry-{pace}"


@step(RecordsUnavailable, "look at some certificates")
def survey_expiry(pace: str) -> int | None:
    """
    Look at the next part of what is served, and record whom to tell; give how many have been seen, None at the end.

    Repeat: Goes on at the bookmark. What was decided is not decided again, whatever the clock says.

    Undo: None is needed: `write_letter` takes back what need not be told any more.

    Args:
        pace: `Pace.ALL`, or `Pace.LAST_DAYS` for those that end soon.
    """
    here = current()
    now = here.now()
    scan = here.scans.open(scan_name(Pace(pace)), now, policy.SCAN_FRESH)
    page, tally = _read(here, Pace(pace), scan.bookmark, scan.started_at), Tally.parse(scan.tally)
    rungs = take_stock(tally, page.served, here.settings.expiry.ladder, now)
    near = [(served, rung) for served, rung in zip(page.served, rungs, strict=True) if rung is not None]
    if near:
        told = here.letters.find_told([served.certificate_id for served, _ in near])
        here.letters.decide(list(_find_notices(near, told)), now)
    here.scans.save(scan, page.bookmark, tally.as_dict(), now)
    return tally.total if page.bookmark else None


def _read(here: Installation, pace: Pace, bookmark: str | None, started_at: datetime) -> Page:
    if pace is Pace.ALL:
        return here.served.page(bookmark, policy.SCAN_CHUNK)
    # from when the scan began: a bookmark is good only for the same reading
    since, until = started_at - policy.ENDED_LOOKBACK, started_at + here.settings.expiry.urgent.most
    return here.served.page_ending(since, until, bookmark, policy.SCAN_CHUNK)


def _find_notices(
    near: Sequence[tuple[Served, Rung]], told: Mapping[tuple[str, Audience], frozenset[Rung]]
) -> Iterator[Notice]:
    for served, rung in near:
        for audience in Audience:
            due = find_due(rung, told.get((served.certificate_id, audience), frozenset()))
            if due and (audience is Audience.CUSTOMER or due in ESCALATED):
                yield Notice(served.certificate_id, due, audience, served.account)
