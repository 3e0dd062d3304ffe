"""Show which certificates end when: to the operators in Prefect, and to Prometheus."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tasks.artifacts import show_expiry_picture
from tasks.clients.installation import Installation, current
from tasks.clients.metrics import Picture, write_metrics
from tasks.clients.records.served import Served
from tasks.core import policy
from tasks.core.errors import Drifted, RecordsUnavailable
from tasks.core.expiry import Audience, Pace, Rung
from tasks.core.expiry_picture import Line, Tally, draw_picture
from tasks.retries import step
from tasks.scan_expiry import scan_name


def expected_number(name: str) -> int | None:
    """Give how many a scan will see, by what the records say of the last one of its name; None without one."""
    scan = current().scans.find(name)
    return int(scan.tally["total"]) if scan and scan.finished_at else None


@step(RecordsUnavailable, "show the expiry picture")
def show_expiry() -> None:
    """
    Draw the picture of the last scan of all, and of what ends first now, as an artifact and as metrics.

    Repeat: The same again, as of then.

    Undo: None is needed.

    Raises:
        Drifted: Code ``metrics-unwritable``: the settings name a file that cannot be written.
    """
    here = current()
    now = here.now()
    scans = {pace: scan for pace in Pace if (scan := here.scans.find(scan_name(pace))) and scan.finished_at}
    everything = scans.get(Pace.ALL)
    if everything is None:
        return
    tally, ending = Tally.parse(everything.tally), _list_ending(here, now)
    show_expiry_picture(draw_picture(tally, _lines(here, ending), everything.started_at, now))
    finished = {pace.value: scan.finished_at for pace, scan in scans.items() if scan.finished_at}
    _publish(here, Picture(tally, ending, here.settings.expiry.metrics_name_hostnames, finished, now))


def _list_ending(here: Installation, now: datetime) -> Sequence[tuple[Served, Rung | None]]:
    ladder = here.settings.expiry.ladder
    page = here.served.page_ending(now - policy.ENDED_LOOKBACK, now + ladder.horizon, None, policy.MOST_SERIES)
    return [(served, ladder.find_rung(served.not_before, served.not_after, now)) for served in page.served]


def _lines(here: Installation, ending: Sequence[tuple[Served, Rung | None]]) -> Sequence[Line]:
    first = ending[: policy.MOST_IN_A_LETTER]
    told = here.letters.find_told([served.certificate_id for served, _ in first])
    return [
        Line(
            served.hostname,
            served.account,
            served.not_after,
            rung,
            served.ready,
            rung in told.get((served.certificate_id, Audience.CUSTOMER), ()),
        )
        for served, rung in first
    ]


def _publish(here: Installation, picture: Picture) -> None:
    file = here.settings.expiry.metrics_file
    if file is None:
        return
    try:
        write_metrics(file, picture)
    except OSError as error:
        raise Drifted(
            str(file),
            got=f"the metrics cannot be written ({error.strerror or type(error).__name__})",
            wanted="a file in a directory that the worker may write",
            do="Mend `expiry.metrics_file` in the settings, or the directory's rights.",
            code="metrics-unwritable",
        ) from None
