"""What only its owner may read: the token, invitations, a private key."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from tasks.core.errors import BadInput

MAX_BYTES: Final = 64 * 1024  # the largest is an invitation, under 8 KiB


def write_private(path: Path, content: bytes) -> None:
    """
    Replace *path* by a file of mode 0600 with *content*, in one step; missing directories are made with mode 0700.

    Raises:
        BadInput: The place cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unusable(path, error) from None


def create_new(path: Path, content: bytes, mode: int = 0o600) -> None:
    """
    Write *content* to *path*, which must be free, and have it on the disk before this returns.

    Raises:
        OSError: Something has that name already, a link included, or it cannot be written; nothing is left behind.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    _sync_name(path.parent)


def find_private(path: Path) -> bytes | None:
    """
    Give the content of *path*, or None if there is no such file.

    Raises:
        BadInput: Code ``readable-by-others``: somebody else may read or write it, or owns it.

        BadInput: It cannot be read, is not a regular file, or is larger than any file of ours.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error) from None
    try:
        _check_private(path, os.fstat(handle))
        return os.read(handle, MAX_BYTES)
    finally:
        os.close(handle)


def _sync_name(directory: Path) -> None:
    """Have a new name in *directory* on the disk, where the file system can."""
    with suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _check_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
        raise BadInput(
            str(path),
            got="not a small regular file",
            wanted="a file that certferry wrote",
            do="Move it away.",
        )
    if os.name == "posix" and (status.st_mode & 0o077 or status.st_uid != os.geteuid()):
        raise BadInput(
            str(path),
            got=f"mode {stat.S_IMODE(status.st_mode):04o}, owner {status.st_uid}: others can read it",
            wanted="mode 0600 and you as the owner, since it holds a secret",
            do=f"Run `chmod 600 {path}`; if others may have read it, ask the operators to revoke it.",
            code="readable-by-others",
        )


def _unusable(path: Path, error: OSError) -> BadInput:
    return BadInput(
        str(path),
        got=error.strerror or type(error).__name__,
        wanted="a file that you can read and write",
        do="Mend its permissions, or those of its directory.",
    )
