"""How long it took from a kill to progress."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from tests.chaos.processes.rods import Line
from tests.chaos.processes.scene import Death, Victim

BEGIN = "process.begin"
ROUNDS = ("recover", "reconcile", "watch-drops", "watch-tickets")


@dataclass(frozen=True)
class Recovery:
    """
    From the last kill that a run, or a part, met before it went on.

    Attributes:
        seconds: To the next call that a new process of the same run made, or a round of the same kind; of a part, to
            its next answer.
    """

    what: str
    seconds: float


def find_recoveries(deaths: Iterable[Death], trace: Sequence[Line]) -> list[Recovery]:
    """
    Give how long each took. A kill that another kill followed before there was progress counts with the later one.

    A run whose process died after it had told Prefect its end goes on with nothing, and is left out.
    """
    killed = [(line.at, line.run, line.point.flow) for line in trace if line.struck]
    killed += [(death.at, run, flow) for death in deaths for run, flow in death.runs.items()]
    outages = sorted(death.at for death in deaths if death.victim in (Victim.SERVER, Victim.WORKER))
    found = [Recovery(str(death.victim), death.back_at - death.at) for death in deaths if death.back_at is not None]
    for at, run, flow in killed:
        on = next((line.at for line in trace if line.at > at + 0.5 and _goes_on(line, run, flow)), None)
        if on is None or any(other > at and other < on for other, same, _ in killed if same == run):
            continue
        last = max([at, *(outage for outage in outages if at < outage < on)])
        found.append(Recovery(f"flow {flow or 'not begun'}", on - last))
    return found


def _goes_on(line: Line, run: str, flow: str) -> bool:
    if line.point.call == BEGIN or line.struck:
        return False
    return line.run == run or (flow in ROUNDS and line.point.flow == flow)


def describe(recoveries: Sequence[Recovery]) -> str:
    """Give median, 95th percentile and worst, in seconds."""
    seconds = [recovery.seconds for recovery in recoveries]
    if len(seconds) < 2:
        return f"{len(seconds)} measured"
    p95 = quantiles(seconds, n=20)[-1]
    return f"{len(seconds)} measured, median {median(seconds):.1f} s, p95 {p95:.1f} s, worst {max(seconds):.1f} s"
