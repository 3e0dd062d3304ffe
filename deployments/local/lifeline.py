"""Ties the life of a process to its parent's, however that dies (Linux)."""

from __future__ import annotations

import ctypes
import signal
import sys

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """
    Have the kernel send this process *number* when the thread that started it ends. Survives exec, not fork.

    Where there is no such thing, nothing happens: then a killed parent's children must be ended by hand (make down).
    """
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, number)
