"""
The members of a tar that is held in bytes, in time and memory bounded by `tasks.core.policy`.

Of tarfile only the reading of one header is used. Its walk calls itself for every extended header, may go backwards
(CVE-2025-8194), and searches extended headers in quadratic time (CVE-2024-6232); a customer's Python may be old.

Source:
    POSIX.1-2024, pax, "ustar Interchange Format" and "pax Extended Header"; the GNU tar manual for long names.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, Protocol

from tasks.core import policy
from tasks.core.doctor.archive_member import DEVICE, DIRECTORY, FILE, SYMBOLIC_LINK, BadArchive, Member

if TYPE_CHECKING:
    from tarfile import TarInfo

_BLOCK: Final = 512
_KINDS: Final = {
    **dict.fromkeys((b"0", b"\0", b"7"), FILE),
    b"5": DIRECTORY,
    b"2": SYMBOLIC_LINK,
    b"1": "a hard link",
    **dict.fromkeys((b"3", b"4", b"6"), DEVICE),
}
_PAX, _PAX_FOR_ALL, _GNU_NAME, _GNU_LINK = b"x", b"g", b"L", b"K"
_EXTENSIONS: Final = (_PAX, _PAX_FOR_ALL, _GNU_NAME, _GNU_LINK)
_MOST_EXTENDED: Final = 256 * policy.KIB  # of headers about headers: 2.5 KiB a member; their records cost 1 us each
_SPARSE: Final = "GNU.sparse."
_MAX_STREAMS: Final = 100  # one behind the other, as parallel compressors write: each holds far more than 10 KiB
_XZ_MEMORY: Final = 40 * policy.MIB  # enough for xz -8, which needs 33; nobody needs -9 for a few files


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def read_tar(data: bytes) -> Iterator[Member]:
    """
    Give the members in their order.

    Raises:
        BadArchive: It is damaged, or says more about its members than anybody needs to.
    """
    at, extended, for_all, for_next = 0, 0, dict[str, str](), dict[str, str]()
    while (block := data[at : at + _BLOCK]) != bytes(_BLOCK):
        header = _read_header(block)
        at += _BLOCK
        if header.type in _EXTENSIONS:
            content = _take(data, at, header.size)
            extended += len(content)
            if extended > _MOST_EXTENDED:
                raise BadArchive.too_large("has too much in its extended headers", _MOST_EXTENDED)
            fields = for_all if header.type == _PAX_FOR_ALL else for_next
            fields.update(_read_extension(header.type, content.tobytes()))
        else:
            content = _take(data, at, _size(header, {**for_all, **for_next}))
            yield _member(header, {**for_all, **for_next}, content)
            for_next = {}
        at += -(-len(content) // _BLOCK) * _BLOCK


def decompress(data: bytes, new: Callable[[], _Decompressor]) -> bytes:
    """
    Give the content of one or more compressed streams.

    Args:
        new: Makes a decompressor: `new_gzip`, `new_bzip2` or `new_xz`.

    Raises:
        BadArchive: It is damaged, or larger than `policy.ARCHIVE_TOTAL_MAX_BYTES`.
    """
    content = b""
    for _ in range(_MAX_STREAMS):
        stream = new()
        content += _advance(stream, data, policy.ARCHIVE_TOTAL_MAX_BYTES + 1 - len(content))
        if len(content) > policy.ARCHIVE_TOTAL_MAX_BYTES:
            raise BadArchive.too_large("is too large when unpacked", policy.ARCHIVE_TOTAL_MAX_BYTES)
        if not stream.eof:
            raise BadArchive.damaged("it is cut off")
        data = stream.unused_data.lstrip(b"\0")  # the padding that xz and tapes allow
        if not data:
            return content
    raise BadArchive.damaged(f"it was compressed in more than {_MAX_STREAMS} parts")


def new_gzip() -> _Decompressor:
    return zlib.decompressobj(zlib.MAX_WBITS | 16)


def new_bzip2() -> _Decompressor:
    from bz2 import BZ2Decompressor  # here, as lzma below: few customers send a tar

    return BZ2Decompressor()


def new_xz() -> _Decompressor:
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY)


def _advance(stream: _Decompressor, data: bytes, limit: int) -> bytes:
    from lzma import LZMAError

    try:
        return stream.decompress(data, limit)
    except LZMAError as error:
        if "memory" in str(error).lower():  # it has no class of its own
            raise BadArchive.by_hand(
                "needs more memory than it is given here (it was packed with xz -9)", "tar"
            ) from None
        raise BadArchive.damaged("it does not decompress") from None
    except (zlib.error, OSError, ValueError, EOFError):
        raise BadArchive.damaged("it does not decompress") from None


def _read_header(block: bytes) -> TarInfo:
    from tarfile import HeaderError, TarInfo

    try:
        return TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except HeaderError:
        raise BadArchive.damaged("it is cut off, or a header's checksum is wrong") from None


def _take(data: bytes, at: int, size: int) -> memoryview:
    content = memoryview(data)[at : at + max(size, 0)]
    if len(content) != size:
        raise BadArchive.damaged("a member has fewer bytes than stated")
    return content


def _read_extension(kind: bytes, content: bytes) -> dict[str, str]:
    """Give what an extended header says about members, as far as it matters here."""
    if kind in (_PAX, _PAX_FOR_ALL):
        return dict(_read_pax(content))
    return {"path": _text(content.rstrip(b"\0"))} if kind == _GNU_NAME else {}


def _read_pax(content: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(content) and content[at]:  # some writers pad with NUL
        digits = content[at : at + 20].partition(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        record = content[at + len(digits) + 1 : at + length]
        key, equals, value = record.partition(b"=")
        if not (equals and value.endswith(b"\n") and at + length <= len(content)):
            raise BadArchive.damaged("an extended header does not parse")
        if key in (b"path", b"size"):
            yield key.decode(), _text(value[:-1])
        elif key.startswith(_SPARSE.encode()):
            yield _SPARSE, ""
        at += length


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _size(header: TarInfo, fields: dict[str, str]) -> int:
    """Give how many bytes follow the header of a member: none where it is no file, whatever it states."""
    if _KINDS.get(header.type) != FILE:
        return 0
    stated = fields.get("size", "")
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 20 else header.size


def _member(header: TarInfo, fields: dict[str, str], content: memoryview) -> Member:
    kind = "a sparse file" if _SPARSE in fields else _KINDS.get(header.type, "of a kind that certferry does not know")
    return Member(fields.get("path", header.name), kind, len(content), content.tobytes)
