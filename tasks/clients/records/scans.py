"""How far the scans over all hostnames have got. One transaction a method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tasks.clients.database import Database, insert_once
from tasks.clients.tables import ScanRow


@dataclass(frozen=True)
class Scan:
    """
    A scan, as it stands.

    Attributes:
        bookmark: Where to read on; None at the beginning.

        tally: What has been counted until there.
    """

    name: str
    started_at: datetime
    bookmark: str | None
    tally: Mapping[str, Any]
    finished_at: datetime | None


class Scans:
    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, name: str, now: datetime, fresh: timedelta) -> Scan:
        """Give the scan that stopped on its way less than *fresh* ago, so that it goes on; else begin a new one."""
        with self._database.transaction() as session:
            insert_once(session, ScanRow, name=name, started_at=now, saved_at=now, tally={})
            row = session.get_one(ScanRow, name, with_for_update=True)
            if row.finished_at is not None or now - row.saved_at > fresh:
                row.started_at = row.saved_at = now
                row.bookmark = row.finished_at = None
                row.tally = {}
            return _scan(row)

    def save(self, scan: Scan, bookmark: str | None, tally: Mapping[str, Any], now: datetime) -> None:
        """
        Move *scan* on to *bookmark*, or end it with None; not if another process has moved it meanwhile.

        Two at once read the same part twice, which changes nothing, and count it once.
        """
        with self._database.transaction() as session:
            row = session.get_one(ScanRow, scan.name, with_for_update=True)
            if (row.started_at, row.bookmark, row.finished_at) != (scan.started_at, scan.bookmark, None):
                return
            row.bookmark, row.tally, row.saved_at = bookmark, dict(tally), now
            row.finished_at = None if bookmark else now

    def find(self, name: str) -> Scan | None:
        """Give the scan as it stands, or None if there has been none."""
        with self._database.reading() as session:
            row = session.get(ScanRow, name)
            return _scan(row) if row else None


def _scan(row: ScanRow) -> Scan:
    return Scan(row.name, row.started_at, row.bookmark, dict(row.tally), row.finished_at)
