"""
Run the fuzzers one after the other, and say how many inputs they tried and what they found.

    python -m tests.fuzz --seconds 60          # all harnesses
    python -m tests.fuzz --seconds 60 leaf     # one

What was worth keeping goes to ``.cache/fuzz/NAME``, what broke a claim to ``.cache/fuzz/NAME-found``.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.fuzz.harnesses import HARNESSES

CACHE: Final = Path(__file__).parents[2] / ".cache" / "fuzz"
_EXECUTED: Final = re.compile(r"stat::number_of_executed_units: *(\d+)")
_GRACE_SECONDS: Final = 60  # to import everything and to end


@dataclass(frozen=True)
class Campaign:
    """
    What one harness did.

    Attributes:
        found: The files of inputs that broke a claim.

        output: What the fuzzer printed.
    """

    name: str
    executions: int
    seconds: float
    found: tuple[Path, ...]
    output: str

    @property
    def failed(self) -> bool:
        return bool(self.found) or not self.executions

    def __str__(self) -> str:
        rate = self.executions / self.seconds
        what = f"FOUND {', '.join(str(path) for path in self.found)}" if self.found else "nothing found"
        return (
            f"{self.name:10} {self.executions:10,} executions in {self.seconds:4.0f} s ({rate:8,.0f} a second): {what}"
        )


def fuzz(name: str, seconds: int, cache: Path = CACHE, seed: int = 0) -> Campaign:
    """
    Run one harness for some *seconds*, or until it finds something.

    Args:
        seed: Of the fuzzer's chance; 0 takes another each time.
    """
    corpus, found = cache / name, cache / f"{name}-found"
    for directory in (corpus, found):
        directory.mkdir(parents=True, exist_ok=True)
    for data in HARNESSES[name].seeds():
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    before, began = set(found.iterdir()), time.monotonic()
    options = [f"-max_total_time={seconds}", f"-artifact_prefix={found}/", f"-seed={seed}", "-timeout=5"]
    command = [sys.executable, "-m", "tests.fuzz.atheris_run", name, str(corpus), *options, "-print_final_stats=1"]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds + _GRACE_SECONDS, check=False
    )
    output = done.stdout.decode(errors="replace")
    executed = _EXECUTED.search(output)
    new = tuple(sorted(set(found.iterdir()) - before))
    return Campaign(name, int(executed[1]) if executed else 0, time.monotonic() - began, new, output)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Search for inputs that break a claim.")
    parser.add_argument("harness", nargs="*", default=list(HARNESSES), help=f"{', '.join(HARNESSES)}; all unless given")
    parser.add_argument("--seconds", type=int, default=60, help="for each (60 unless given)")
    given = parser.parse_args()
    failed = False
    for name in given.harness:
        campaign = fuzz(name, given.seconds)
        failed |= campaign.failed
        sys.stdout.write(f"{campaign}\n" + (campaign.output[-4000:] if campaign.failed else ""))
        sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
