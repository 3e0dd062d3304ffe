"""
A customer's archive, opened in memory: authorities send a zip, people a tar.

Archives are known by their content, whatever they are called. One that holds anything but plain files under plain
names is refused as a whole: nobody could say what the customer would have after unpacking it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from tasks.core import policy
from tasks.core.doctor.archive_member import DIRECTORY, FILE, BadArchive, Member
from tasks.core.doctor.findings import refuse, shell_name
from tasks.core.doctor.tar_members import decompress, new_bzip2, new_gzip, new_xz, read_tar
from tasks.core.doctor.zip_members import read_zip
from tasks.core.errors import Who
from tasks.core.model import Finding, Severity
from tasks.core.text import printable

_FORMATS: Final = {
    "zip": re.compile(rb"PK(\x03\x04|\x05\x06)"),
    "tar": re.compile(rb".{257}ustar", re.DOTALL),
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    "bzip2": re.compile(rb"BZh[1-9](1AY&SY|\x17\x72\x45\x38\x50\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
    "7z": re.compile(rb"7z\xbc\xaf\x27\x1c"),
    "RAR": re.compile(rb"Rar!\x1a\x07"),
    "Zstandard": re.compile(rb"\x28\xb5\x2f\xfd"),
}
_DECOMPRESSORS: Final = {"gzip": new_gzip, "bzip2": new_bzip2, "xz": new_xz}
_PROGRAMS: Final = {"zip": "unzip", "7z": "7z", "RAR": "7z"}  # tar for all others
_ENDING: Final = re.compile(r"(?<=[^/.])((\.tar)?\.(gz|bz2|xz|zst)|\.(zip|tar|tgz|tbz2?|txz|7z|rar))$", re.IGNORECASE)
_UNZIP_WILD: Final = re.compile(r"[*?\[]")  # unzip takes its argument for a pattern
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_LONGEST_PATH: Final = 255  # bytes: fits every file system in use
_JUNK: Final = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db"})  # what file managers add without being asked
_MACOS_COMPANION: Final = "._"


@dataclass(frozen=True)
class Unpacked:
    """
    What was in an archive.

    Attributes:
        files: Contents by name: a directory called like the archive without its ending, ``/``, the path in the archive.
            Empty where the archive is refused.

        findings: The refusal; or that it was unpacked, and what was left out.

        command: What puts the files on disk under these names; empty where the archive is refused.
    """

    files: Mapping[str, bytes] = field(repr=False)
    findings: tuple[Finding, ...]
    command: str = ""


@dataclass
class _Reading:
    """The contents by path, and the paths of what was left out."""

    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    larger: list[str] = field(default_factory=list)
    nested: list[str] = field(default_factory=list)


def is_archive(data: bytes) -> bool:
    """Tell whether *data* is an archive or compressed, also of a kind that `unpack` refuses to open."""
    return _find_format(data) is not None


def unpack(name: str, data: bytes) -> Unpacked:
    """
    Give the files in an archive and what is to be said about it; never raises.

    Args:
        name: As the customer has it, ``/`` allowed. The names of the files and the commands in findings build on it.
    """
    directory = _name_directory(name)
    form = _find_format(data) or ""
    try:
        reading = _read(data, form)
    except BadArchive as error:
        command = _write_command(error.program, name, directory)
        return Unpacked({}, (refuse("archive-refused", f"{printable(name)} {error.cause}", error.fix, command),))
    command = _write_command(_PROGRAMS.get(form, "tar"), name, directory)
    files = {f"{directory}/{path}": content for path, content in reading.files.items()}
    cause = f"{printable(name)} was unpacked in memory, and {len(files)} files in it were read"
    fix = "To have them under the names used here, unpack it too."
    unpacked = Finding("archive-unpacked", Severity.NOTE, cause, fix, command, Who.NOBODY)
    return Unpacked(files, (unpacked, *_say_left_out(name, directory, reading, command)), command)


def _find_format(data: bytes) -> str | None:
    return next((form for form, start in _FORMATS.items() if start.match(data)), None)


def _name_directory(name: str) -> str:
    shorter = _ENDING.sub("", name)
    return f"{name}.d" if shorter == name else shorter


def _write_command(program: str, name: str, directory: str) -> str:
    """
    Give the command by which *program* unpacks the archive into *directory*; nothing if there is no program.

    It stops where the directory is there already, so that nothing is written over; there may be a key in it.
    """
    source = shell_name(f"./{name}" if ":" in name else name)  # for tar, what is before a colon is a machine
    pattern = shell_name(_UNZIP_WILD.sub(r"[\g<0>]", name))
    target = shell_name(directory)
    return {
        "": "",
        "unzip": f"mkdir -m 700 {target} && unzip -n {pattern} -d {target}",
        "tar": f"mkdir -m 700 {target} && tar xf {source} -C {target}",
        "7z": f"mkdir -m 700 {target} && 7z x -o{target} {source}",
    }.get(program, f"{program} -dk {source}")


def _say_left_out(name: str, directory: str, reading: _Reading, command: str) -> Iterator[Finding]:
    for path in reading.larger:
        most = policy.ARCHIVE_MEMBER_MAX_BYTES
        cause = f"{printable(path)} in {printable(name)} is larger than {most} bytes, and was left out"
        yield Finding("file-left-out", Severity.NOTE, cause, "Nothing to do: no key or certificate is.", who=Who.NOBODY)
    for path in reading.nested:
        cause = f"{printable(path)} in {printable(name)} is itself an archive, and was not opened"
        fix = "If certificate files are in it, unpack them and begin again."
        yield Finding("file-left-out", Severity.NOTE, cause, fix, command)


def _read(data: bytes, form: str) -> _Reading:
    """
    Read the plain files.

    Raises:
        BadArchive: The archive is refused.
    """
    if len(data) > policy.ARCHIVE_MAX_BYTES:
        raise BadArchive.too_large(f"has {len(data)} bytes", policy.ARCHIVE_MAX_BYTES)
    members = list(_plain_files(_open(data, form)))
    _check_distinct(path for path, _ in members)
    if not members:
        raise BadArchive.dangerous("holds no files")
    reading, total = _Reading(), 0
    for path, member in members:
        if member.size > policy.ARCHIVE_MEMBER_MAX_BYTES:
            reading.larger.append(path)
            continue
        content = member.read()
        total += len(content)
        if total > policy.ARCHIVE_TOTAL_MAX_BYTES:
            raise BadArchive.too_large("is too large when unpacked", policy.ARCHIVE_TOTAL_MAX_BYTES)
        if is_archive(content):
            reading.nested.append(path)
        else:
            reading.files[path] = content
    return reading


def _open(data: bytes, form: str) -> Iterator[Member]:
    if form == "zip":
        return read_zip(data)
    if form == "tar":
        return read_tar(data)
    if form not in _DECOMPRESSORS:
        raise BadArchive.by_hand(
            f"is of a kind that is not opened here ({form or 'no archive'})", _PROGRAMS.get(form, "tar")
        )
    content = decompress(data, _DECOMPRESSORS[form])
    if _find_format(content) != "tar":
        raise BadArchive.by_hand(f"is compressed with {form}, but holds no tar", form)
    return read_tar(content)


def _plain_files(members: Iterator[Member]) -> Iterator[tuple[str, Member]]:
    """
    Give the files with their paths, without what file managers add.

    Raises:
        BadArchive: Something is neither file nor directory, or has a name that could lead out of the archive.
    """
    for number, member in enumerate(members):
        if number == policy.ARCHIVE_MAX_MEMBERS:
            raise BadArchive.too_many()
        path = _parse_path(member.name)
        if member.kind not in (FILE, DIRECTORY):
            raise BadArchive.dangerous(f"holds {printable(path)}, which is {member.kind}")
        if member.kind == FILE and not _is_junk(path):
            yield path, member


def _parse_path(name: str) -> str:
    """
    Give the path without empty and ``.`` parts.

    Raises:
        BadArchive: It could lead elsewhere, cannot be shown, or is too long.
    """
    parts = name.split("/")
    if name.startswith("/") or "\\" in name or ".." in parts or _DRIVE.match(name):
        raise BadArchive.dangerous(f"holds a name that leads out of it: {printable(name, 80)}")
    if len(name.encode("utf-8", "surrogateescape")) > _LONGEST_PATH:
        raise BadArchive.dangerous(f"holds a name of more than {_LONGEST_PATH} bytes: {printable(name, 80)}")
    if any(unicodedata.category(character)[0] == "C" for character in name):
        raise BadArchive.dangerous(f"holds a name with characters that cannot be shown: {printable(name, 80)}")
    return "/".join(part for part in parts if part not in ("", "."))


def _is_junk(path: str) -> bool:
    return any(part in _JUNK or part.startswith(_MACOS_COMPANION) for part in path.split("/"))


def _check_distinct(paths: Iterable[str]) -> None:
    """Raise if one file would overwrite another, also where upper and lower case or forms of a letter are the same."""
    known: set[str] = set()
    for path in paths:
        folded = unicodedata.normalize("NFC", path).casefold()
        if not path:
            raise BadArchive.dangerous("holds a file without a name")
        if folded in known:
            raise BadArchive.dangerous(f"holds {printable(path)} more than once")
        known.add(folded)
    for path in known:
        if any(str(parent) in known for parent in PurePosixPath(path).parents):
            raise BadArchive.dangerous(f"holds {printable(path)} below something that is a file")
