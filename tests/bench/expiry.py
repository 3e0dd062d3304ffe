"""
`scan_expiry` over many certificates: its time by the side of a bare reading of the same rows, and its memory.

Each size is measured in a process of its own, on records made with SQL, on SQLite with the settings of an installation.

    python -m tests.bench.expiry 10000 /tmp/somewhere      # one size, as JSON
"""

from __future__ import annotations

import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from tasks.clients.installation import Installation, lend
from tasks.clients.settings import Settings
from tasks.core.expiry import Pace
from tasks.scan_expiry import survey_expiry
from tests.bench.runner import Effort, Table
from tests.desk import SETTINGS

SIZES: Final = (10_000, 100_000, 1_000_000)
LEAST_SIZES: Final = (100, 3_000)
LIFETIME_DAYS: Final = 200
ACCOUNTS: Final = 1000


def bench(effort: Effort) -> Iterator[Table]:
    with tempfile.TemporaryDirectory() as directory:
        sizes = SIZES if effort.cases is None else LEAST_SIZES
        measured = [_measure_apart(size, Path(directory) / str(size)) for size in sizes]
    smallest = measured[0]
    columns = ["certificates", "first scan", "daily scan", "hourly scan", "daily, per certificate", "memory"]
    rows = [
        [
            f"{each['size']:,}",
            *(f"{each[name] / each['bare']:,.1f}" for name in ("first", "daily", "hourly")),
            f"{each['daily'] / each['size'] / (smallest['daily'] / smallest['size']):,.2f}",
            f"+{(each['memory'] - smallest['memory']) / 1024:,.0f} MB",
        ]
        for each in measured
    ]
    text = (
        "CPU time of the scans as a ratio to that of a bare `sqlite3` loop that reads the same rows and does nothing (1.0 is that). The first "
        f"scan of all decides on 15 % of the certificates, those in their last 30 of {LIFETIME_DAYS} days; the daily one "
        "finds that done. *Per certificate* and *memory* (the process's peak) are compared with the smallest number."
    )
    yield Table("scan_expiry over many certificates", columns, rows, text)


def _measure_apart(size: int, directory: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.expiry", str(size), str(directory)]
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def measure(size: int, directory: Path) -> dict[str, float]:
    """Give CPU seconds of the bare loop and of three scans, and the process's peak memory in KiB."""
    file = directory / "records.db"
    here = Installation(Settings(**{**SETTINGS, "database": {"url": f"sqlite:///{file}"}}))
    here.database.migrate()
    _fill(file, size)
    times = {"size": float(size), "bare": _time(lambda: _read(file))}
    with lend(here):
        for name, pace in (("first", Pace.ALL), ("daily", Pace.ALL), ("hourly", Pace.LAST_DAYS)):
            times[name] = _time(partial(_scan, pace))
    here.database.dispose()
    times["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return times


def _scan(pace: Pace) -> None:
    while survey_expiry.fn(pace):
        pass


def _read(file: Path) -> None:
    wanted = (
        "SELECT a.hostname, c.id, c.account, c.not_before, c.not_after, a.proven_at FROM assignments a "
        "JOIN certificates c ON c.id = a.certificate_id WHERE a.edge = 'a' ORDER BY a.hostname"
    )
    with closing(sqlite3.connect(file)) as records:
        for _ in records.execute(wanted):
            pass


def _fill(file: Path, size: int) -> None:
    """Write *size* certificates on both edges, of 1,000 accounts, their ends spread evenly over a lifetime from now."""
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {size})"
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    end = f"strftime('%Y-%m-%d %H:%M:%f000', '{now}', '+' || (i * {LIFETIME_DAYS} * 86400.0 / {size}) || ' seconds')"
    begin = f"strftime('%Y-%m-%d %H:%M:%f000', {end}, '-{LIFETIME_DAYS} days')"
    # scattered, as ids and names are: neighbours by name do not end together
    name = "printf('%08x', (i * 2654435761) % 4294967296)"
    with closing(sqlite3.connect(file, isolation_level=None)) as records:
        records.execute("PRAGMA synchronous=OFF")
        records.execute("BEGIN")
        for number in range(ACCOUNTS):
            values = (f"a{number}", f"ops@a{number}.test", now)
            records.execute("INSERT INTO accounts (name, contact, created_at) VALUES (?, ?, ?)", values)
        digest = f"{name} || hex(zeroblob(28))"
        records.execute(
            "INSERT INTO certificates (id, drop_id, account, hostname, leaf_sha256, spki_sha256, bundle_sha256, subject, issuer, "
            "serial, dns_names, not_before, not_after, vault_key, vault_version, created_at) "
            f"{numbers} SELECT 'cert-' || {name}, 'drop-' || {name}, 'a' || (i % {ACCOUNTS}), {name} || '.example.test', {digest}, "
            f"{digest}, {digest}, 'CN=' || {name}, 'CN=Example CA', '0a', '[]', {begin}, {end}, 'vault/' || {name}, 'v1', '{now}' FROM n"
        )
        for edge in "ab":
            records.execute(
                "INSERT INTO assignments (edge, hostname, certificate_id, bundle_sha256, proven_at, leaving) "
                f"SELECT '{edge}', hostname, id, bundle_sha256, '{now}', 0 FROM certificates"
            )
        records.execute("COMMIT")
        records.execute("ANALYZE")


def _time(work: Any) -> float:
    """Give the CPU seconds of this process: what else the machine does stays out of the ratios."""
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(int(sys.argv[1]), Path(sys.argv[2]))))
