"""The stack's processes are ended to the last child, and nobody else's are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deployments.local.processes import Process, ProcessTable, await_true

SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True).pid)\n"
    "sys.stdout.flush()\n"
    "time.sleep(600)\n",
)


@pytest.fixture(name="table")
def _table(tmp_path: Path) -> Iterator[ProcessTable]:
    table = ProcessTable(tmp_path)
    yield table
    list(table.end_all())


def _start(table: ProcessTable, root: Path, argv: tuple[str, ...] = SLEEPER, patience: float = 10.0) -> Process:
    return table.start("part", argv, os.environ, root, patience)


class TestEnd:
    def test_children_of_a_stubborn_process_go_with_it(self, table: ProcessTable, tmp_path: Path) -> None:
        """A process that ignores SIGTERM is killed after its patience, and its child in another session too."""
        process = _start(table, tmp_path, STUBBORN, patience=0.2)
        assert await_true(lambda: table.log("part").read_text() != "", 10)
        child = psutil.Process(int(table.log("part").read_text()))

        assert list(table.end_all()) == ["part"]

        assert not process.is_alive()
        assert await_true(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 5)

    def test_stranger_with_the_number_of_ours_is_left_alone(self, table: ProcessTable, tmp_path: Path) -> None:
        """A number that the system has given to somebody else since is not ended, only forgotten."""
        stranger = subprocess.Popen(SLEEPER)
        try:
            ours = Process("part", stranger.pid, psutil.Process(stranger.pid).create_time() - 3600, 0.0)
            table._write([ours])

            assert list(table.end_all()) == []

            assert stranger.poll() is None
            assert table.read() == []
        finally:
            stranger.kill()
            stranger.wait()

    def test_later_command_ends_what_an_earlier_one_left(self, table: ProcessTable, tmp_path: Path) -> None:
        """What runs is on disk: another process finds and ends it."""
        process = _start(table, tmp_path)

        assert list(ProcessTable(tmp_path).end_all()) == ["part"]

        assert not process.is_alive()
        assert list(table.end_all()) == []


class TestDieWithParent:
    @pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
    def test_killed_starter_takes_its_processes_along(self, tmp_path: Path) -> None:
        """Even kill -9 of a demo leaves nothing: the kernel ends what it started."""
        code = (
            "import os, sys, time; from pathlib import Path; from deployments.local.processes import ProcessTable\n"
            f"table = ProcessTable(Path({str(tmp_path)!r}), die_with_parent=True)\n"
            f"table.start('part', {SLEEPER!r}, os.environ, Path.cwd())\n"
            "time.sleep(600)\n"
        )
        starter = subprocess.Popen([sys.executable, "-c", code])
        table = ProcessTable(tmp_path)
        assert await_true(lambda: len(table.alive()) == 1, 20)

        starter.send_signal(signal.SIGKILL)
        starter.wait()

        assert await_true(lambda: table.alive() == [], 5)
