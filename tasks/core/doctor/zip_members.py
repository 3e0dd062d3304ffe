"""
The members of a zip that is held in bytes, in time and memory bounded by `tasks.core.policy`.

Source:
    PKWARE's APPNOTE 6.3.10; D. Fifield, "A better zip bomb" (2019), for members that share their bytes.
"""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Final, TypeVar

from tasks.core import policy
from tasks.core.doctor.archive_member import DEVICE, DIRECTORY, FILE, SYMBOLIC_LINK, BadArchive, Member

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

_Value = TypeVar("_Value")
_CENTRAL: Final = b"PK\x01\x02"
_LOCAL: Final = b"PK\x03\x04"
_LOCAL_LENGTHS: Final = struct.Struct("<4s22xHH")  # the signature, and how long name and extra field are
_NOT_WORTH_OPENING: Final = 10 * policy.ARCHIVE_MAX_MEMBERS  # zipfile reads all entries, 15 us and 1 KiB each
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000  # also "strongly", and the list of members too
_METHODS: Final = (0, 8)  # stored, deflated: what people's programs make; in zipfile LZMA takes what memory it states
_AES: Final = 99  # unzip has no AES
_KINDS: Final = {**dict.fromkeys((0, stat.S_IFREG, stat.S_IFDIR), FILE), stat.S_IFLNK: SYMBOLIC_LINK}


def read_zip(data: bytes) -> Iterator[Member]:
    """
    Give the members in their order.

    Raises:
        BadArchive: It is damaged, encrypted or compressed in an unusual way, its members share bytes, or there
            are so many that not even their list is read.
    """
    if data.count(_CENTRAL) > _NOT_WORTH_OPENING:
        raise BadArchive.too_many()
    archive = _guard(lambda: _open(data))
    infos = archive.infolist()
    for info in infos:
        _check_readable(info)
    _check_layout(data, infos, archive.start_dir)
    for info in infos:
        yield Member(_name(info), _kind(info), info.file_size, _reader(archive, info))


def _open(data: bytes) -> ZipFile:
    from zipfile import ZipFile  # here, because it takes 10 ms and few customers send a zip

    return ZipFile(BytesIO(data))


def _check_readable(info: ZipInfo) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise BadArchive.by_hand("is protected by a password", "7z" if info.compress_type == _AES else "unzip")
    if info.compress_type not in _METHODS:
        raise BadArchive.by_hand(f"is compressed in an unusual way (method {info.compress_type} of zip)", "7z")


def _check_layout(data: bytes, infos: Sequence[ZipInfo], end: int) -> None:
    """Raise unless the members lie one behind the other from the first byte on, and their list after them."""
    at = 0
    for info in sorted(infos, key=lambda x: x.header_offset):
        start = info.header_offset
        if (start != 0 if at == 0 else start < at) or start + _LOCAL_LENGTHS.size > end:
            raise BadArchive.dangerous("has members that share their bytes, or bytes before the first")
        signature, name, extra = _LOCAL_LENGTHS.unpack_from(data, start)
        at = start + _LOCAL_LENGTHS.size + name + extra + info.compress_size
        if signature != _LOCAL or at > end:
            raise BadArchive.damaged("a member is not where the list of members says")


def _name(info: ZipInfo) -> str:
    """Give the name as it is stored; macOS and Linux write UTF-8 and do not always say so."""
    try:
        return info.orig_filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.orig_filename


def _kind(info: ZipInfo) -> str:
    """Say what a member is. A directory's name ends in a slash; the mode need not be there."""
    kind = _KINDS.get(stat.S_IFMT(info.external_attr >> 16), DEVICE)
    return DIRECTORY if kind == FILE and info.orig_filename.endswith("/") else kind


def _reader(archive: ZipFile, info: ZipInfo) -> Callable[[], bytes]:
    """Give what reads a member: zipfile gives no byte more than stated, and compares the checksum at the end."""

    def read() -> bytes:
        with archive.open(info) as stream:
            return stream.read(info.file_size + 1)

    return lambda: _guard(read)


def _guard(read: Callable[[], _Value]) -> _Value:
    """Run what zipfile does with hostile bytes."""
    from zipfile import BadZipFile

    try:
        return read()
    except (BadZipFile, NotImplementedError, ValueError, EOFError, OSError, struct.error, zlib.error) as error:
        raise BadArchive.damaged(f"Python's zipfile says {type(error).__name__}") from None
