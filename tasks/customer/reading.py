"""Read the customer's files: never more of one than was asked for, and never waiting for one that gives nothing."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)


class NotAFile(OSError):
    """There is something, and it is not a regular file; `strerror` says what it is instead."""

    def __init__(self, what: str) -> None:
        super().__init__(errno.EINVAL, f"not a regular file, but {what}")


def read_file(path: Path, most: int, flags: int = 0) -> bytes:
    """
    Give at most *most* bytes of the regular file at *path*; nothing else is even opened.

    Args:
        flags: More of them, for `os.open`: with `NO_FOLLOW`, a link is not followed.

    Raises:
        NotAFile: It is a directory, a pipe, a socket, a device, or one of the kernel's files that give no end.

        OSError: It is not there or cannot be read.
    """
    _check(path.stat(follow_symlinks=not flags & NO_FOLLOW))
    handle = os.open(path, _FLAGS | flags)
    try:
        _check(os.fstat(handle))  # it may be another one by now
        with os.fdopen(handle, "rb", closefd=False) as file:
            content: bytes | None = file.read(most)
    finally:
        os.close(handle)
    if content is None:  # where a reader would have to wait: /proc/kmsg
        raise NotAFile("a pipe, a socket or a device")
    return content


def _check(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotAFile("a directory" if stat.S_ISDIR(status.st_mode) else "a pipe, a socket or a device")
