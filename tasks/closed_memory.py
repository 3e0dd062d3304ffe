"""The memory of a process that handles private keys: in no core file, and out of reach of other processes."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

_PR_SET_DUMPABLE: Final = 4  # linux/prctl.h


def close_memory() -> None:
    """
    Close this process's memory before a key comes into it; safe to repeat.

    No core file is written, and on Linux no other process of the same user may attach to this one or read its
    memory through ``/proc``.

    Source:
        setrlimit(2); prctl(2), PR_SET_DUMPABLE.
    """
    with suppress(ImportError):  # not on every system
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
