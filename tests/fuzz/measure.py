"""
Judge each worst case in a process of its own, and give what it cost.

    python -m tests.fuzz.measure            # all
    python -m tests.fuzz.measure "10 RSA"   # those whose name begins so

Time is the processor's, so that other work on the machine does not count. Memory is the peak of the process that
judges, with Python in it.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Final

import certifi
from cryptography import x509

from tasks.core.certificate import Terms, judge, load_roots
from tests.fuzz.seeds import NOW
from tests.fuzz.worst import WORST
from tests.fuzz.worst.case import Worst

MOST_SECONDS: Final = 1.0
MOST_MEGABYTES: Final = 256
MOST_CHARACTERS: Final = 100_000  # of all texts: what a person, a log and an answer can take
_BRAKE_SECONDS: Final = 10
_BRAKE_BYTES: Final = 2 << 30


@dataclass(frozen=True)
class Cost:
    """
    What it took to judge one case.

    Attributes:
        characters: How long all texts of the verdict are together.

        error: What was raised, or what ended the process.
    """

    name: str
    seconds: float = 0.0
    megabytes: float = 0.0
    findings: int = 0
    characters: int = 0
    codes: tuple[str, ...] = ()
    error: str = ""

    @property
    def breaches(self) -> list[str]:
        """What is beyond its limit, in words."""
        over = {
            self.error: bool(self.error),
            f"{self.seconds:.1f} s": self.seconds > MOST_SECONDS,
            f"{self.megabytes:.0f} MB": self.megabytes > MOST_MEGABYTES,
            f"{self.characters:,} characters in {self.findings:,} findings": self.characters > MOST_CHARACTERS,
        }
        return [what for what, is_over in over.items() if is_over]

    def __str__(self) -> str:
        figures = f"{self.seconds:7.3f} s {self.megabytes:5.0f} MB {self.findings:6} findings"
        mark = f"  BREACH: {'; '.join(self.breaches)}" if self.breaches else ""
        return f"{self.name:48} {figures} {', '.join(self.codes)[:60]}{mark}"


def measure(case: Worst) -> Cost:
    """Make the files in one process and judge them in another, so that only the judging is measured."""
    with tempfile.TemporaryDirectory() as directory:
        made, told = Path(directory, "files"), Path(directory, "cost")
        if status := _in_child(lambda: made.write_bytes(pickle.dumps(_make(case)))):
            return Cost(case.name, error=f"could not be made ({status})")
        status = _in_child(lambda: told.write_text(json.dumps(asdict(_judge(case, made)))))
        if not told.exists():
            how = signal.Signals(-status).name if status < 0 else f"status {status}"
            return Cost(case.name, float(_BRAKE_SECONDS), error=f"ended by {how}")
        cost = json.loads(told.read_text())
        return Cost(**{**cost, "codes": tuple(cost["codes"])})


def measure_all(prefix: str = "") -> Iterator[Cost]:
    _public_roots()  # before the forks, so that none of them has to load them
    return (measure(case) for name, case in WORST.items() if name.startswith(prefix))


def _make(case: Worst) -> tuple[dict[str, bytes], bytes | None]:
    return case.files(), case.trusted() if case.trusted else None


def _judge(case: Worst, made: Path) -> Cost:
    resource.setrlimit(resource.RLIMIT_CPU, (_BRAKE_SECONDS, _BRAKE_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_BRAKE_BYTES, _BRAKE_BYTES))
    files, trusted = pickle.loads(made.read_bytes())
    roots = [*_public_roots(), *([x509.load_der_x509_certificate(trusted)] if trusted else [])]
    terms = Terms(roots, public_trust=not trusted, now=NOW, hostname=case.hostname)
    began = _processor_seconds()
    try:
        verdict = judge(files, terms)
        shown = json.dumps(verdict.as_dict())
    except BaseException as error:  # noqa: BLE001  # that it raises nothing is what is asked
        raised = f"raised {type(error).__name__}: {str(error)[:80]}"
        return Cost(case.name, _processor_seconds() - began, _peak_megabytes(), error=raised)
    codes = tuple(dict.fromkeys(finding.code for finding in verdict.findings))
    seconds = _processor_seconds() - began
    return Cost(case.name, seconds, _peak_megabytes(), len(verdict.findings), len(shown), codes)


@cache
def _public_roots() -> list[x509.Certificate]:
    return load_roots(Path(certifi.where()).read_bytes())


def _in_child(work: Callable[[], object]) -> int:
    """Run *work* in a fork and give its exit status, negative for a signal."""
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # no test may go on in the fork
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak_megabytes() -> float:
    """Give the most memory this process had; `ru_maxrss` would count what its parent had."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main(prefix: str = "") -> int:
    breached = False
    for cost in measure_all(prefix):
        breached |= bool(cost.breaches)
        sys.stdout.write(f"{cost}\n")
        sys.stdout.flush()
    return int(breached)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
