"""The rods see every client of an installation, kill where they are told, and once; what they wrote says how long it took."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from functools import cached_property
from pathlib import Path

from deployments.local.stack import REPOSITORY
from tasks.clients.installation import Installation
from tests.chaos.processes.clocks import find_recoveries
from tests.chaos.processes.rods import UNTOUCHED, Kill, Line, Point
from tests.chaos.processes.scene import Death, Victim

TIMEOUT_SECONDS = 300  # it takes 2; a busy machine takes its time
PROCESS = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from tests.chaos.processes.rods import Identity, Rod, Rods

    class Client:
        def charge(self): print("charged", flush=True)

    rods = Rods(Path(sys.argv[1]), Identity("run", "provision", "drop-a", 0))
    Rod("billing", Client(), rods).charge()
    Rod("billing", Client(), rods).charge()
    """
)


def _play(directory: Path, *kills: Kill) -> tuple[int, int]:
    """Run a process that charges twice; give its exit code, and how often it charged."""
    for name in ("pending", "struck"):
        (directory / name).mkdir(exist_ok=True)
    for kill in kills:
        (directory / "pending" / kill.file).touch()
    ended = subprocess.run(
        [sys.executable, "-c", PROCESS, str(directory)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    return ended.returncode, ended.stdout.count(b"charged")


def _line(at: float, call: str, struck: str = "", run: str = "run", flow: str = "provision") -> Line:
    return Line(at, 1, run, "drop-a", Point(flow, 0, call, 1), struck)


class TestRods:
    def test_a_process_dies_before_the_call_or_after_it_took_effect_and_only_once(self, tmp_path: Path) -> None:
        """Killed before the second charge it has charged once; killed after it, twice; told nothing, it lives."""
        second = Point("provision", 0, "billing.charge", 2)
        assert _play(tmp_path, Kill(second, "drop-a", after=False)) == (-signal.SIGKILL, 1)
        assert _play(tmp_path, Kill(second, "drop-a", after=True)) == (-signal.SIGKILL, 2)
        assert _play(tmp_path, Kill(second, "drop-b", after=True)) == (0, 2)
        assert sorted(path.name.split("@")[-1] for path in (tmp_path / "struck").iterdir()) == ["after", "before"]

    def test_every_client_has_one(self) -> None:
        """A client that is new in `Installation` is struck without a word here."""
        code = (
            "from pathlib import Path; from functools import cached_property\n"
            "from tasks.clients.installation import Installation\n"
            "from tests.chaos.processes.rods import Identity, Rods, put_up\n"
            "put_up(Rods(Path('.'), Identity('run', 'provision', 'any', 0)))\n"
            "made = {n: p for n, p in vars(Installation).items() if isinstance(p, cached_property)}\n"
            "print(*sorted(n for n, p in made.items() if hasattr(p.func, 'args')))\n"
        )
        ran = subprocess.run(
            [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, check=True, timeout=TIMEOUT_SECONDS
        )
        clients = {name for name, made in vars(Installation).items() if isinstance(made, cached_property)}
        assert set(ran.stdout.decode().split()) == clients - set(UNTOUCHED)

    def test_names_of_kills_come_back_from_their_files(self) -> None:
        """What is written as a file's name is the same kill when it is read."""
        kill = Kill(Point("watch-drops", 2, "edge edge-a.stage", 3), "drop-a", after=True)
        assert Kill.of_file(kill.file) == kill


class TestRecoveries:
    def test_it_is_the_time_to_the_next_call_of_the_same_run(self) -> None:
        """The mere start of a process is no progress, and another run's is none of this one."""
        trace = [
            _line(10, "drops.open", struck="after"),
            _line(12, "process.begin"),
            _line(13, "drops.fetch", run="other"),
            _line(15, "drops.fetch"),
        ]
        assert [(each.what, each.seconds) for each in find_recoveries([], trace)] == [("flow provision", 5)]

    def test_a_kill_that_another_followed_counts_with_the_later_one(self) -> None:
        """From the last kill of the worker or the server that the run met before it went on."""
        trace = [_line(10, "drops.open", struck="after"), _line(30, "drops.fetch")]
        deaths = [Death(20, Victim.SERVER, "prefect", back_at=24)]
        assert {each.what: each.seconds for each in find_recoveries(deaths, trace)} == {
            "Prefect server": 4,
            "flow provision": 10,
        }
