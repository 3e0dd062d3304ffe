"""Archives as large as they may be, and as many as are opened."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from typing import Final

from tasks.core import policy
from tests.fuzz.worst.case import YML, Files, Worst, blocks_of
from tests.fuzz.worst.texts import BEGINS

_KIB: Final = policy.KIB
_ROOM: Final = policy.ARCHIVE_TOTAL_MAX_BYTES - 40 * _KIB
_ROOM_OUTSIDE: Final = min(policy.ARCHIVE_MAX_BYTES - 40 * _KIB, _ROOM)


def _full_tar(room: int = _ROOM) -> bytes:
    """A tar as large as one that is read."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for n in range(min(room // (61 * _KIB), policy.ARCHIVE_MAX_MEMBERS)):
            info = tarfile.TarInfo(f"{n}.crt")
            info.size = 60 * _KIB
            archive.addfile(info, io.BytesIO(BEGINS))
    return buffer.getvalue()


def _headers_only(kind: bytes) -> bytes:
    """A tar of extended headers alone."""
    record = b"19 path=abcdefghij\n"
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, len(record)
    one = info.tobuf(tarfile.USTAR_FORMAT) + record.ljust(512, b"\0")
    return blocks_of(one, policy.ARCHIVE_MAX_BYTES // len(one) * len(one))


def _records() -> bytes:
    """A tar with one extended header full of records."""
    records = blocks_of(b"9 path=a\n", 100_000 * 9)
    info = tarfile.TarInfo("x")
    info.type, info.size = b"x", len(records)
    return info.tobuf(tarfile.USTAR_FORMAT) + records + bytes(-len(records) % 512)


def _zip(members: int, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for n in range(members):
            archive.writestr(f"{n}.crt", content)
    return buffer.getvalue()


def _noise() -> bytes:
    return random.Random(1).randbytes(_ROOM_OUTSIDE)


def _hundred(make: Callable[[], bytes], ending: str) -> Files:
    data = make()
    return {f"{n}.{ending}": data for n in range(policy.MAX_FILES)} | YML


_KINDS: Final[dict[str, tuple[Callable[[], bytes], str]]] = {
    "tars at the cap": (lambda: _full_tar(_ROOM_OUTSIDE), "tar"),
    "gzips at the cap": (lambda: gzip.compress(_full_tar()), "tgz"),
    "gzips of zeros": (lambda: gzip.compress(bytes(_ROOM)), "gz"),
    "bzip2 at the cap": (lambda: bz2.compress(_full_tar()), "tbz"),
    "bzip2 of random bytes": (lambda: bz2.compress(_noise()), "bz2"),
    "xz at the cap": (lambda: lzma.compress(_full_tar()), "txz"),
    "xz of random bytes": (lambda: lzma.compress(_noise()), "xz"),
    "zips at the cap": (lambda: _zip(15, BEGINS), "zip"),
    "zips of small files": (lambda: _zip(100, b"-----BEGIN CERTIFICATE-----"), "zip"),
    "zips of 999 files": (lambda: _zip(999, b"", zipfile.ZIP_STORED), "zip"),
    "tars of extended headers": (lambda: _headers_only(b"x"), "tar"),
    "tars of records for all": (lambda: _headers_only(b"g"), "tar"),
    "tars of one full extended header": (_records, "tar"),
}


def cases() -> Iterator[Worst]:
    yield Worst("a zip of 12,000 files", lambda: {"a.zip": _zip(12_000, b"", zipfile.ZIP_STORED), **YML})
    yield Worst("a tar at the cap", lambda: {"a.tar": _full_tar(_ROOM_OUTSIDE), **YML})
    for what, (make, ending) in _KINDS.items():
        yield Worst(f"100 {what}", lambda make=make, ending=ending: _hundred(make, ending))  # type: ignore[misc]
