"""What Prometheus reads: judged by Prometheus' own parser."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tasks.clients.metrics import Picture, render_metrics, write_metrics
from tasks.clients.records.served import Served
from tasks.core.expiry import Rung
from tasks.core.expiry_picture import Tally
from tests.clients.examples import NOW, SHOP

SERVED = Served(SHOP, "cert-1", "acme", NOW - timedelta(days=80), NOW + timedelta(days=2.5), ready=True)


def a_picture(names_hostnames: bool = False) -> Picture:
    tally = Tally(total=1000, ready=990, rungs={"urgent": 3})
    return Picture(tally, [(SERVED, Rung.LAST_DAYS)], names_hostnames, {"all": NOW}, NOW)


def samples(text: str) -> Mapping[tuple[str, str], float]:
    """Give every sample by its name and its last label's value."""
    return {
        (sample.name.removeprefix("certferry_"), next(reversed(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_number() -> None:
    """How many there are, how many on each rung, when the scans ended, and what ends first."""
    assert samples(render_metrics(a_picture()).decode()) == {
        ("certificates", ""): 1000,
        ("certificates_ready", ""): 990,
        **{("certificates_on_rung", rung.value): 3 if rung is Rung.URGENT else 0 for rung in Rung},
        ("scan_last_success_timestamp_seconds", "all"): pytest.approx(NOW.timestamp()),
        ("certificate_ready", "cert-1"): 1,
        ("certificate_not_before_timestamp_seconds", "cert-1"): pytest.approx(SERVED.not_before.timestamp()),
        ("certificate_not_after_timestamp_seconds", "cert-1"): pytest.approx(SERVED.not_after.timestamp()),
        ("certificate_days_left", "cert-1"): 2.5,
        ("certificate_rung", "last-days"): 1,
    }


@pytest.mark.parametrize("names", [False, True])
def test_hostnames_only_where_wanted(names: bool) -> None:
    """They are customers' data; an id says nothing."""
    text = render_metrics(a_picture(names)).decode()
    assert (SHOP in text, 'account="acme"' in text) == (names, names)


def test_the_file_is_replaced_at_once_and_is_not_for_everybody(tmp_path: Path) -> None:
    """A collector never reads half of it, and nothing is left beside it."""
    file = tmp_path / "certferry.prom"
    file.write_text("old")
    write_metrics(file, a_picture())
    assert samples(file.read_text())["certificates", ""] == 1000
    assert file.stat().st_mode & 0o007 == 0
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """The scan's work is done by then, and stays."""
    with pytest.raises(OSError, match="No such file"):
        write_metrics(tmp_path / "missing" / "certferry.prom", a_picture())
