"""The expiry picture as a file that node_exporter reads (textfile collector), in Prometheus' text format."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.clients.records.served import Served
from tasks.core.expiry import RUNGS, Rung
from tasks.core.expiry_picture import Tally

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

_MODE = 0o640  # for node_exporter's group: which customer has which certificate is nobody else's business


@dataclass(frozen=True)
class Picture:
    """
    What is published.

    Attributes:
        ending: The certificates that end first, each with its rung.

        names_hostnames: Label them by hostname and account too, not by their id only.

        scanned_at: When each scan last came to its end.
    """

    tally: Tally
    ending: Sequence[tuple[Served, Rung | None]]
    names_hostnames: bool
    scanned_at: dict[str, datetime]
    now: datetime


def write_metrics(file: Path, picture: Picture) -> None:
    """
    Replace *file* by *picture*, at once.

    Raises:
        OSError: It cannot be written.
    """
    text = render_metrics(picture)
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, _MODE), "wb") as stream:
            stream.write(text)
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)


def render_metrics(picture: Picture) -> bytes:
    """Give *picture* in the text format, UTF-8."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.registry import Collector

    class Once(Collector):
        def collect(self) -> Iterable[GaugeMetricFamily]:
            return _families(picture)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Once())
    return generate_latest(registry)


def _families(picture: Picture) -> Iterator[GaugeMetricFamily]:
    from prometheus_client.core import GaugeMetricFamily

    def family(name: str, about: str, *labels: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"certferry_{name}", about, labels=labels)

    tally = picture.tally
    yield _filled(family("certificates", "Certificates that are served."), [((), tally.total)])
    yield _filled(family("certificates_ready", "Of them, those seen on every edge."), [((), tally.ready)])
    by_rung = family("certificates_on_rung", "Of them, those on a rung of the ladder.", "rung")
    yield _filled(by_rung, [((rung,), tally.rungs.get(rung, 0)) for rung in RUNGS])
    last = family("scan_last_success_timestamp_seconds", "When a scan last came to its end.", "scan")
    yield _filled(last, [((name,), at.timestamp()) for name, at in sorted(picture.scanned_at.items())])
    names = ("certificate", "hostname", "account") if picture.names_hostnames else ("certificate",)
    for name, about, value in _EACH:
        each = family(f"certificate_{name}", f"{about}, of those that end first.", *names)
        yield _filled(each, [(_labels(served, names), value(served, picture.now)) for served, _ in picture.ending])
    rungs = family("certificate_rung", "The rung it stands on: 1, of those that end first.", *names, "rung")
    yield _filled(rungs, [((*_labels(served, names), rung), 1) for served, rung in picture.ending if rung])


_EACH = (
    ("ready", "1 if it has been seen on every edge", lambda served, now: float(served.ready)),
    ("not_before_timestamp_seconds", "When it begins", lambda served, now: served.not_before.timestamp()),
    ("not_after_timestamp_seconds", "When it ends", lambda served, now: served.not_after.timestamp()),
    (
        "days_left",
        "Days until it ends, as of the scan",
        lambda served, now: (served.not_after - now) / timedelta(days=1),
    ),
)


def _filled(family: GaugeMetricFamily, samples: Iterable[tuple[Sequence[str], float]]) -> GaugeMetricFamily:
    for labels, value in samples:
        family.add_metric(list(labels), value)
    return family


def _labels(served: Served, names: Sequence[str]) -> tuple[str, ...]:
    values = {"certificate": served.certificate_id, "hostname": served.hostname, "account": served.account}
    return tuple(values[name] for name in names)
