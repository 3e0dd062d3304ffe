"""The customer's directory: `ssl.key`, `ssl.crt`, optional `ssl.chain`, and `dotcloud.yml`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from tasks.core import policy
from tasks.core.errors import BadInput
from tasks.core.text import printable

REQUIRED: Final = ("ssl.key", "ssl.crt", "dotcloud.yml")
OPTIONAL: Final = ("ssl.chain",)


def read_directory(directory: Path) -> dict[str, bytes]:
    """
    Give the content of the files of a hand-over.

    Other files are not looked at; macOS's ``._`` files are not even candidates for a hint. A symbolic link is
    refused, since what it leads to is not what the customer sees in the directory.

    Raises:
        BadInput: Code ``missing-file``, with a hint at a file whose name is nearly right; ``symbolic-link``;
            ``unreadable-file``; ``file-too-large``.
    """
    present = _list(directory)
    if missing := [name for name in REQUIRED if name not in present]:
        raise _missing(directory, missing, present)
    return {name: _read(directory / name) for name in (*REQUIRED, *OPTIONAL) if name in present}


def _list(directory: Path) -> list[str]:
    try:
        return sorted(x.name for x in directory.iterdir() if not x.name.startswith("._"))
    except OSError as error:
        raise BadInput(
            str(directory),
            got=error.strerror or type(error).__name__,
            wanted="a directory with ssl.key, ssl.crt and dotcloud.yml",
            do="Give the directory that holds your files.",
            code="unreadable-directory",
        ) from None


def _missing(directory: Path, missing: Sequence[str], present: Sequence[str]) -> BadInput:
    hints = [f"{printable(near)} looks like {name}" for name in missing if (near := _find_near(name, present))]
    do = f"Rename it: {'; '.join(hints)}." if hints else f"Put {', '.join(missing)} into the directory."
    if "dotcloud.yml" in missing and not hints:
        do += " dotcloud.yml has one line, `type: python-worker`."
    return BadInput(
        str(directory),
        got=f"without {', '.join(missing)}",
        wanted=f"{', '.join(REQUIRED)} and, if your CA gave you one, {OPTIONAL[0]}",
        do=do,
        code="missing-file",
    )


def _find_near(name: str, present: Iterable[str]) -> str | None:
    """Give the file that was probably meant by *name*: other case, another ending added, one slip of a finger."""
    others = {x.lower(): x for x in present if x not in (*REQUIRED, *OPTIONAL)}
    added = [x for x in others if x == name or x.startswith(f"{name}.")]
    near = added or get_close_matches(name, others, n=1, cutoff=0.86)
    return others[near[0]] if near else None


def _read(path: Path) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        if path.is_symlink():
            raise _refused(path, "a symbolic link", "Copy the file itself into the directory.", "symbolic-link")
        handle = os.open(path, flags)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise _refused(path, why, f"Make it readable for you: chmod u+r {path}", "unreadable-file") from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise _refused(path, "not a regular file", "Put the file itself there.", "unreadable-file")
        content = _read_at_most(handle, policy.FILE_MAX_BYTES + 1)
    finally:
        os.close(handle)
    if len(content) > policy.FILE_MAX_BYTES:
        raise _refused(
            path,
            f"{status.st_size} bytes, more than {policy.FILE_MAX_BYTES}",
            "Check that it is the file your CA gave you.",
            "file-too-large",
        )
    return content


def _read_at_most(handle: int, length: int) -> bytes:
    content = b""
    while len(content) < length and (more := os.read(handle, length - len(content))):
        content += more
    return content


def _refused(path: Path, got: str, do: str, code: str) -> BadInput:
    return BadInput(
        str(path), got=got, wanted=f"a regular file of at most {policy.FILE_MAX_BYTES} bytes", do=do, code=code
    )
