"""
The stack's processes: started in sessions of their own, written down, ended to the last child.

What is running is in ``processes.json`` below the stack's root, with each process's start time, so that
after a crash a later command ends exactly those and never a stranger that got the same number.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import psutil

from deployments.local.lifeline import die_with_parent

PATIENCE_SECONDS = 10.0  # from SIGTERM to SIGKILL; the Prefect server drains its queues in about 2


@dataclass(frozen=True)
class Process:
    """
    One process of the stack. It leads a session and a process group of its own, whose id is *pid*.

    *patience* is how long it is given from SIGTERM to SIGKILL, in seconds; 0 kills at once.
    """

    name: str
    pid: int
    started_at: float
    patience: float

    def is_alive(self) -> bool:
        """Tell whether this very process still runs: same number, same start."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started_at) < 1.0  # the clock may have been set since
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


class ProcessTable:
    """The processes below one root, oldest first."""

    def __init__(self, root: Path, die_with_parent: bool = False) -> None:
        """
        Args:
            root: Holds ``processes.json`` and ``logs/``.

            die_with_parent: Let the kernel end every process when this one dies, however it dies (Linux).
        """
        self._root = root
        self._die_with_parent = die_with_parent
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def log(self, name: str) -> Path:
        return self._root / "logs" / f"{name}.log"

    def read(self) -> list[Process]:
        """Give what was written down, whether alive or not."""
        try:
            return [Process(**row) for row in json.loads(self._file.read_text())]
        except FileNotFoundError:
            return []

    def alive(self) -> list[Process]:
        return [process for process in self.read() if process.is_alive()]

    def start(
        self,
        name: str,
        argv: Sequence[str],
        environment: Mapping[str, str],
        directory: Path,
        patience: float = PATIENCE_SECONDS,
        held: bool = False,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> Process:
        """
        Start *argv* with its output in ``logs/NAME.log``, and write it down.

        Args:
            held: It waits for a line on stdin, which `release` gives it.

            death_signal: What it gets when this process dies before it.
        """
        self.log(name).parent.mkdir(mode=0o700, exist_ok=True)
        with self.log(name).open("ab") as log, _uninterrupted() as mask:
            child = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE if held else subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=directory,
                start_new_session=True,
                # system calls and nothing else
                preexec_fn=partial(_settle, mask, death_signal if self._die_with_parent else None),  # noqa: PLW1509
            )
            self._children[child.pid] = child
            process = Process(name, child.pid, psutil.Process(child.pid).create_time(), patience)
            self._write([*self.read(), process])
        return process

    def release(self, process: Process) -> None:
        """Let a process go on that was started held; one that has ended meanwhile is left to `exit_code`."""
        stdin = self._children[process.pid].stdin
        assert stdin is not None
        with suppress(BrokenPipeError), stdin:
            stdin.write(b"\n")

    def exit_code(self, process: Process) -> int | None:
        """Give how a process this table started has ended, or None while it runs."""
        return self._children[process.pid].poll()

    def end(self, name: str, kill: bool = False) -> None:
        """End the processes called *name*; *kill* gives them no chance to say goodbye."""
        chosen = [process for process in self.read() if process.name == name]
        for process in chosen:
            _end(process, 0.0 if kill else process.patience)
        self._forget(chosen)

    def end_all(self) -> Iterator[str]:
        """End every process, the youngest first, each with all its children; name each that ran as it has ended."""
        for process in reversed(self.read()):
            ran = process.is_alive()
            _end(process, process.patience)
            self._forget([process])
            if ran:
                yield process.name

    def _forget(self, gone: list[Process]) -> None:
        for process in gone:
            if child := self._children.pop(process.pid, None):
                child.wait()
        self._write([process for process in self.read() if process not in gone])

    @property
    def _file(self) -> Path:
        return self._root / "processes.json"

    def _write(self, processes: list[Process]) -> None:
        if not processes:
            self._file.unlink(missing_ok=True)
            return
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps([asdict(process) for process in processes], indent=1))
        draft.replace(self._file)


def _end(leader: Process, patience: float) -> None:
    """
    End a process, if it is still ours, and all its children.

    SIGTERM goes to the leader only, so that a worker or an nginx master can end its children in its own way;
    whoever is left of the family after *patience* seconds gets SIGKILL.
    """
    if not leader.is_alive():
        return
    family = psutil.Process(leader.pid).children(recursive=True)
    if patience:
        _signal(leader.pid, signal.SIGTERM, os.kill)
        await_true(lambda: not leader.is_alive(), patience)
    _signal(leader.pid, signal.SIGKILL, os.killpg)
    for child in family:
        with suppress(psutil.NoSuchProcess):
            child.kill()  # psutil compares start times first


def _signal(pid: int, number: signal.Signals, send: Callable[[int, int], None]) -> None:
    with suppress(ProcessLookupError):
        send(pid, number)


@contextmanager
def _uninterrupted() -> Iterator[set[int | signal.Signals]]:
    """
    Hold interrupts back inside the block, and give the mask from before.

    A process is written down before Ctrl-C can get between; and an interrupt that met the fork would be lost, since
    what a fork's hooks (logging's, for one) raise is ignored.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield mask
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _settle(mask: set[int | signal.Signals], death_signal: signal.Signals | None) -> None:
    """Between fork and exec: take back what the child inherits of `_uninterrupted`, and tie it to its parent."""
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if death_signal:
        die_with_parent(death_signal)


def await_true(is_so: Callable[[], bool], timeout: float, interval: float = 0.05) -> bool:
    """Poll until *is_so* or *timeout* seconds have passed; say which."""
    deadline = time.monotonic() + timeout
    while not (so := is_so()) and time.monotonic() < deadline:
        time.sleep(interval)
    return so
