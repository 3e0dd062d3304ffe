"""How long it takes to judge one hand-over, beside the three commands of OpenSSL that know a part of the answer."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from tasks.core.certificate import judge, load_roots
from tests.bench.runner import Effort, Table, milliseconds, race, ratio, start
from tests.bench.samples import PUBLIC_PEM, Sample, make_samples

_MOST_SECONDS: Final = 0.05  # the requirement of the doctor


def bench(effort: Effort) -> Iterator[Table]:
    rows = [row for sample in make_samples() for row in _judge_one(sample, effort)]
    text = (
        f"In this process, after its imports; the requirement is {milliseconds(_MOST_SECONDS)}. *Loaded each time* parses"
        " the public roots (certifi) anew for each hand-over."
    )
    yield Table("Judging one hand-over", ["key", "roots", "median", "95 %", "of the requirement"], rows, text)
    text = (
        "`openssl verify -untrusted`, `openssl x509 -pubkey` and `openssl pkey -pubout` on the same files, one after"
        " the other, by turns with judging in this process. The ratio is how many times as long they take."
    )
    rows = [_beside_openssl(sample, effort) for sample in make_samples()]
    yield Table("Judging beside OpenSSL's commands", ["key", "judge", "openssl, three times", "ratio"], rows, text)


def _judge_one(sample: Sample, effort: Effort) -> Iterator[list[str]]:
    private, public = sample.terms(public=False), sample.terms(public=True)
    assert judge(sample.files, private).accepted
    assert judge(sample.files, public).accepted
    times = race(
        {
            "one of its own": lambda: judge(sample.files, private),
            "public, loaded once": lambda: judge(sample.files, public),
            "public, loaded each time": lambda: judge(
                sample.files, replace(public, roots=load_roots(sample.root_pem + PUBLIC_PEM))
            ),
        },
        effort.calls,
    )
    for roots, measured in times.items():
        share = f"{measured.median / _MOST_SECONDS:.0%}"
        yield [sample.name, roots, measured.shown, milliseconds(measured.p95), share]


def _beside_openssl(sample: Sample, effort: Effort) -> list[str]:
    with tempfile.TemporaryDirectory() as directory:
        sample.save(Path(directory))
        path = partial("{}/{}".format, directory)
        verify = start(
            "openssl", "verify", "-CAfile", path("root.pem"), "-untrusted", path("ssl.chain"), path("ssl.crt")
        )
        certified = start("openssl", "x509", "-in", path("ssl.crt"), "-noout", "-pubkey")
        public = start("openssl", "pkey", "-in", path("ssl.key"), "-pubout")
        terms = sample.terms(public=False)

        def openssl() -> None:
            verify(), certified(), public()

        times = race({"judge": lambda: judge(sample.files, terms), "openssl": openssl}, effort.processes)
    return [sample.name, times["judge"].shown, times["openssl"].shown, ratio(times["openssl"], times["judge"])]
