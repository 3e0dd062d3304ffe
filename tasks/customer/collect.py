"""
What the customer gave: the files of directories, and files by name. Archives stay as they are; core opens them.

Whatever cannot be read becomes a finding, and reading goes on, so that the customer hears about everything at once.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tasks.core import policy
from tasks.core.doctor.findings import refuse, shell_name
from tasks.core.errors import BadInput
from tasks.core.model import Finding
from tasks.core.text import printable
from tasks.customer.reading import NO_FOLLOW, NotAFile, read_file
from tasks.customer.unkeyed import unkeyed

MAX_DEPTH: Final = 3  # directories, the given one counts: some authorities sort what they send
_JUNK: Final = frozenset({"__MACOSX", "Thumbs.db"})  # what file managers add without being asked; others are hidden
_COPIES: Final = "copies"
_SHOWN: Final = 10  # names in one sentence


@dataclass(frozen=True)
class Collected:
    """
    What was there.

    Attributes:
        files: Contents by name, as the customer would type it: in the directory that was given where that is the only
            argument, else in the directory where the command ran; without a key that somebody pasted in a name's
            place. At most `policy.MAX_FILES`.

        findings: A refusal for everything that was not read; it is for the caller to tell whether it was needed.
    """

    files: dict[str, bytes] = field(repr=False)
    findings: tuple[Finding, ...]


def collect(paths: Sequence[Path]) -> Collected:
    """
    Read the files at *paths*: directories, without what is hidden and without following a link in them, and files.

    Of each file one byte more is read than of any that is accepted.

    Raises:
        BadInput: Code ``no-such-path``: there is nothing at any of *paths*.
    """
    reading = _Reading()
    for path in paths:
        reading.take(path, is_alone=len(paths) == 1)
    if reading.missing and len(reading.missing) == len(paths):
        raise _nothing_there(reading.missing)
    missing, deep = map(_missing, reading.missing), _too_deep(reading.deep)
    return Collected(reading.files, (*_explain_links(reading.links), *reading.unread, *missing, *deep))


@dataclass
class _Reading:
    """What was found so far; *links* by the directory they are in, whose name is empty or ends in ``/``."""

    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    links: dict[str, list[Path]] = field(default_factory=dict)
    unread: list[Finding] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    deep: list[str] = field(default_factory=list)
    seen: int = 0

    def take(self, path: Path, is_alone: bool) -> None:
        """Take what the customer named: links are followed here, since they were asked for."""
        name = path.as_posix()
        try:
            if stat.S_ISDIR(path.stat().st_mode):
                self._take_directory(path, "" if is_alone else f"{name.rstrip('/')}/")
            else:
                self._take_file(path, name)
        except (FileNotFoundError, NotADirectoryError):
            self.missing.append(name)
        except OSError as error:
            self.unread.append(_unreadable(path, name, error))

    def _take_directory(self, directory: Path, prefix: str) -> None:
        """Take what lies in *directory*, what lies deeper later, so that the limit leaves out the deepest."""
        waiting = [(directory, prefix, 1)]
        for place, name, depth in waiting:
            for entry in self._list(place, name):
                inside = f"{name}{entry.name}"
                if entry.is_dir(follow_symlinks=False) and depth < MAX_DEPTH:
                    waiting.append((Path(entry.path), f"{inside}/", depth + 1))
                elif entry.is_dir(follow_symlinks=False):
                    self.deep.append(inside)
                elif self.seen == policy.MAX_FILES:
                    self.unread.append(_too_many())
                    return
                else:
                    self.seen += 1
                    self._take_entry(entry, name)

    def _list(self, directory: Path, name: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(directory) as entries:
                return sorted((x for x in entries if not _is_junk(x.name)), key=lambda entry: entry.name)
        except OSError as error:
            self.unread.append(_unreadable(directory, name.rstrip("/") or directory.as_posix(), error))
            return []

    def _take_entry(self, entry: os.DirEntry[str], prefix: str) -> None:
        name = f"{prefix}{entry.name}"
        if entry.is_symlink():
            self.links.setdefault(prefix, []).append(Path(entry.path))
            return
        try:
            self._take_file(Path(entry.path), name, NO_FOLLOW)
        except OSError as error:
            self.unread.append(_unreadable(Path(entry.path), name, error))

    def _take_file(self, path: Path, name: str, flags: int = 0) -> None:
        try:
            content = read_file(path, policy.ARCHIVE_MAX_BYTES + 1, flags)
        except NotAFile as error:
            cause = f"{_shown(name)} is {error.strerror}"
            self.unread.append(refuse("not-a-file", cause, "Put what it gives into a file, and hand that over."))
        else:
            self.files[self._free(unkeyed(name))] = content

    def _free(self, name: str) -> str:
        """Give *name*, or with a number if it is taken: two names that were keys look the same without."""
        numbered = (f"{name} ({number})" for number in range(2, policy.MAX_FILES + 2))
        return next(x for x in (name, *numbered) if x not in self.files)


def _is_junk(name: str) -> bool:
    return name.startswith(".") or name in _JUNK


def _explain_links(links: dict[str, list[Path]]) -> Iterator[Finding]:
    """Say how to have what is behind the links of each directory; only files are copied: a link may lead to ``/``."""
    for prefix, paths in links.items():
        behind = {f"{prefix}{path.name}": _mode(path) for path in paths}
        for name, mode in behind.items():
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                cause = f"{_shown(name)} is a symbolic link that leads to nothing you can read"
                yield refuse("symbolic-link", cause, "Put the file itself there.")
        if names := [name for name, mode in behind.items() if stat.S_ISDIR(mode)]:
            fix = "If your files are in there, give that directory itself."
            yield refuse("symbolic-link", _describe_links(names, " to directories"), fix)
        if names := [name for name, mode in behind.items() if stat.S_ISREG(mode)]:
            yield _copy_links(prefix, names)


def _copy_links(prefix: str, names: Sequence[str]) -> Finding:
    """Say how to have the files themselves, with one command for all of a directory such as those certbot keeps."""
    target = f"{prefix}{_COPIES}"
    fix = f"Copy what is behind, and give the directory {_shown(target)}; or name the files one by one."
    words, into = " ".join(map(shell_name, names)), shell_name(target)
    command = _typed(f"mkdir -p -m 700 {into} && cp -RL {words} {into}", *names)
    return refuse("symbolic-link", _describe_links(names), fix, command)


def _describe_links(names: Sequence[str], to: str = "") -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    kind = "is a symbolic link" if len(names) == 1 else "are symbolic links"
    return f"{', '.join(map(_shown, names[:_SHOWN]))}{more} {kind}{to}; in a directory none is followed"


def _shown(name: str) -> str:
    """Give *name* to be read, without a key that was pasted in its place."""
    return printable(unkeyed(name))


def _typed(command: str, *names: str) -> str:
    """Give *command*, or none if one of its *names* cannot be shown."""
    return command if all(name == unkeyed(name) for name in names) else ""


def _unreadable(path: Path, name: str, error: OSError) -> Finding:
    """Say why it cannot be read, with the command that helps: another one where it is somebody else's."""
    cause = f"{_shown(name)} cannot be read ({error.strerror or type(error).__name__})"
    if not isinstance(error, PermissionError):
        return refuse("file-unreadable", cause, "Put a file that can be read in its place.")
    status, word = _stat(path), shell_name(name)
    if status and status.st_uid == getattr(os, "geteuid", int)():  # a system without owners has one
        letters = "rX" if stat.S_ISDIR(status.st_mode) else "r"
        return refuse("file-unreadable", cause, "Make it readable for you.", _typed(f"chmod u+{letters} {word}", name))
    copy = shell_name(unkeyed(f"{path.name}.copy"))
    fix = f"It belongs to somebody else: make a copy that is yours, and hand over {copy} in its place."
    command = f'sudo cp -RL {word} {copy} && sudo chown -R "$(id -u)" {copy}'
    return refuse("file-unreadable", cause, fix, _typed(command, name))


def _mode(path: Path) -> int:
    """Give the mode of what is there, behind a link too, or 0 where it cannot be looked at."""
    status = _stat(path)
    return status.st_mode if status else 0


def _stat(path: Path) -> os.stat_result | None:
    """Give the status of what is there, behind a link too, or None where it cannot be looked at."""
    try:
        return path.stat()
    except OSError:
        return None


def _too_deep(names: Sequence[str]) -> Iterator[Finding]:
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        cause = f"only {MAX_DEPTH} levels of directories are read, so {_shown(names[0])}{more} was left out"
        yield refuse("directory-too-deep", cause, "Give the directory that your files are in.")


def _missing(name: str) -> Finding:
    return refuse("file-missing", f"there is no file {_shown(name)}", "Check its name.")


def _too_many() -> Finding:
    cause = f"there are more than {policy.MAX_FILES} files, and the first {policy.MAX_FILES} were read"
    fix = "Give only the key and the certificates; this lists what looks like one."
    return refuse("too-many-files", cause, fix, "grep -rl -e 'PRIVATE KEY' -e 'BEGIN CERTIFICATE' .")


def _nothing_there(names: Sequence[str]) -> BadInput:
    return BadInput(
        ", ".join(printable(name) for name in unkeyed("\x1f".join(names)).split("\x1f")),  # a key in pieces is one, too
        got="no such file or directory",
        wanted="the directory with your key and certificates, or these files",
        do="Check the name.",
        code="no-such-path",
    )
