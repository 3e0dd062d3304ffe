"""How long a customer waits for `certferry doctor`, from the line to its answer."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.runner import Effort, Table, race, ratio, start
from tests.bench.samples import make_samples


def bench(effort: Effort) -> Iterator[Table]:
    rows = []
    for sample in make_samples():
        with tempfile.TemporaryDirectory() as directory:
            sample.save(Path(directory))
            trusted = f"{directory}/root.pem"
            given = [f"{directory}/{name}" for name in sample.files]
            certferry = str(Path(sys.executable).parent / "certferry")
            times = race(
                {
                    "doctor": start(certferry, "doctor", *given, "--trust", trusted, "--json"),
                    "openssl": start("openssl", "x509", "-in", f"{directory}/ssl.crt", "-noout"),
                    "python": start(sys.executable, "-c", "pass"),
                },
                effort.processes,
            )
        doctor, openssl, python = times["doctor"], times["openssl"], times["python"]
        rows.append([sample.name, doctor.shown, python.shown, openssl.shown, ratio(doctor, openssl)])
    columns = [
        "key",
        "`certferry doctor FILES --json`",
        "`python -c pass`",
        "`openssl x509 -noout`",
        "doctor / openssl",
    ]
    text = "Whole processes, by turns. The last column is how many times as long the doctor takes as one `openssl`."
    yield Table("The doctor as a process", columns, rows, text)
