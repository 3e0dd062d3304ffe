"""
The leak scanner: finds key material in files, databases and processes, in whatever disguise.

A secret is written down in every representation it could leak in, cut into windows of `WINDOW` bytes, and looked
for at every `STRIDE`-th byte of the data: so any slice of `WINDOW + STRIDE - 1` characters of a representation is
found, whole or torn, at any alignment. The data is looked at as it is and unwrapped: escapes undone, white space
and NULs taken out, Base64 and hex inside it decoded, twice over.

What is public is never a hit: a window counts only where it differs from the same window of a twin, the same
key file with its secret numbers replaced. A hit says where and what, never the secret.

The scanner looks at Base64 and hex, gzip and zip. It does not see through encryption or other compression.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import os
import re
import threading
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil
import sqlalchemy as sa
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

WINDOW = 16
STRIDE = 8
MIN_SECRET_CHARACTERS = 8  # of a window; with fewer, another key's header would be a hit by chance
CHUNK = 8 * 1024 * 1024
OVERLAP = 64 * 1024  # longer than any key in any representation, so that no chunk's edge hides one
DEPTH = 2  # levels of Base64 or hex inside one another

_SPACE = b"\0\t\n\v\f\r "
_BASE64_RUN = re.compile(rb"[A-Za-z0-9+/_-]{32,}")
_LIST_RUN = re.compile(rb"(?:\d{1,3},){22,}\d{1,3}")
_HEX_RUN = re.compile(rb"(?:[0-9A-Fa-f]{2}[:-]?){16,}")
_ESCAPE = re.compile(rb"\\(?:u00([0-9A-Fa-f]{2})|x([0-9A-Fa-f]{2})|([nrtbf])|([/\"'\\]))")
_LOOSE = re.compile(rb"\\+(?:u00([0-9A-Fa-f]{2})|x([0-9A-Fa-f]{2})|([nrtbf])|([/\"'\\]))|%([0-9A-Fa-f]{2})|=\r?\n")
_CONTROL = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_LATIN = re.compile(rb"[\xc2\xc3][\x80-\xbf]")
_URLSAFE = bytes.maketrans(b"-_", b"+/")


@dataclass(frozen=True, order=True)
class Hit:
    """
    Key material where none may be.

    Attributes:
        where: A file, a file's database column, or a process.

        offset: In bytes; exact where the secret lies bare, else where the chunk that holds it begins.

        what: The secret and its representation, for example ``key: PKCS#8, base64``.

        through: What had to be unwrapped to see it.
    """

    where: str
    offset: int
    what: str
    through: str

    def __str__(self) -> str:
        return f"{self.where} at {self.offset}: {self.what} ({self.through})"


class Secrets:
    """Secrets to look for. Made by `of_key` and `of_bytes`, added up by ``|``; its repr shows none of them."""

    def __init__(self, windows: Mapping[bytes, str]) -> None:
        self._windows = dict(windows)

    @classmethod
    def of_key(cls, pem: bytes, label: str = "key") -> Secrets:
        """
        Take an EC or RSA private key: its file's bytes, PKCS#8 and traditional DER, and each secret number.

        Args:
            pem: Unencrypted.
        """
        key = serialization.load_pem_private_key(pem, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise TypeError("an EC or RSA key")
        numbers = _secret_numbers(key)
        blobs = {
            "DER as sent": base64.b64decode(re.sub(rb"(?s).*?-----BEGIN [^-]*PRIVATE KEY-----|-----END.*", b"", pem)),
            "PKCS#8": _der(key, serialization.PrivateFormat.PKCS8),
            "traditional DER": _der(key, serialization.PrivateFormat.TraditionalOpenSSL),
        }
        twins = {name: _without(blob, numbers.values()) for name, blob in blobs.items()}
        found: dict[bytes, str] = {}
        for name, blob in blobs.items():
            found |= _windows_of(blob, twins[name], f"{label}: {name}")
        for name, number in numbers.items():
            found |= _windows_of(number, os.urandom(len(number)), f"{label}: {name}")
            found |= _decimal_windows(number, f"{label}: {name}, decimal")
        return cls(found)

    @classmethod
    def of_bytes(cls, secret: bytes, label: str) -> Secrets:
        """Take a drop secret, a seed or a token: all random, at least 23 bytes."""
        if len(secret) < WINDOW + STRIDE - 1:
            raise ValueError(f"{label}: too short to be told from chance")
        return cls(_windows_of(secret, os.urandom(len(secret)), label))

    def __or__(self, other: Secrets) -> Secrets:
        return Secrets(self._windows | other._windows)

    def __repr__(self) -> str:
        return f"Secrets({len(self._windows)} windows)"

    def find(self, data: bytes) -> tuple[int, str] | None:
        """Give the offset and the name of a secret that lies bare in *data*."""
        windows = self._windows
        for start in range(0, len(data) - WINDOW + 1, STRIDE):
            if data[start : start + WINDOW] in windows:
                return start, windows[data[start : start + WINDOW]]
        return None


def scan_bytes(data: bytes, secrets: Secrets, where: str = "bytes", offset: int = 0) -> list[Hit]:
    """Look for *secrets* in *data*, bare and unwrapped; at most one hit for each way of unwrapping."""
    hits = []
    for through, view in _views(data, DEPTH):
        if found := secrets.find(view):
            hits.append(Hit(where, offset + (found[0] if through == "bare" else 0), found[1], through))
    return hits


def scan_tree(paths: Iterable[Path], secrets: Secrets, skip: Iterable[Path] = ()) -> list[Hit]:
    """
    Look through files and directories: names, bytes, members of gzip and zip files, cells of SQLite databases.

    Symbolic links are not followed; what vanishes meanwhile is passed over.

    Args:
        skip: Files and directories to leave out.
    """
    left_out = {path.resolve() for path in skip}
    hits: list[Hit] = []
    for path in _files(paths, left_out):
        hits += scan_bytes(os.fsencode(path), secrets, f"the name {path.parent}/...")
        try:
            hits += _scan_file(path, secrets)
        except FileNotFoundError:
            continue
    return hits


def scan_database(url: str, secrets: Secrets, where: str = "") -> list[Hit]:
    """
    Look through every cell of a database, since a page may tear one apart.

    Args:
        url: A SQLAlchemy URL, SQLite or PostgreSQL.
    """
    engine = sa.create_engine(url)
    kind = "BLOB" if engine.dialect.name == "sqlite" else "TEXT"
    quote = engine.dialect.identifier_preparer.quote
    hits: list[Hit] = []
    try:
        with engine.connect() as connection:
            for table, column in _columns(connection):
                cells = connection.execute(sa.text(f"SELECT CAST({quote(column)} AS {kind}) FROM {quote(table)}"))
                for chunk in _chunks_of_cells(row[0] for row in cells):
                    hits += scan_bytes(chunk, secrets, f"{where or engine.url.render_as_string()} {table}.{column}")
    finally:
        engine.dispose()
    return hits


def scan_processes(pids: Iterable[int], secrets: Secrets) -> list[Hit]:
    """Look through the arguments and the environments of processes and all their descendants."""
    hits = []
    for (pid, name, what), data in _process_texts(pids).items():
        hits += scan_bytes(data, secrets, f"{what} of process {pid} ({name})")
    return hits


class ProcessWatch:
    """
    Collects arguments and environments of this process and all its descendants while a block runs.

    A flow's processes live for seconds: looking once, at the end, would miss them. What is collected stays
    in memory; `scan` looks through it.
    """

    INTERVAL = 0.2

    def __init__(self) -> None:
        self._seen: dict[tuple[int, str, str], bytes] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="process-watch", daemon=True)

    def __enter__(self) -> ProcessWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.is_set():
            self._seen = self._seen | _process_texts([os.getpid()])  # a new dict: others are reading the old one
            self._stop.wait(self.INTERVAL)

    def saw(self, text: str) -> bool:
        """Say whether *text* was in an argument or an environment: that a process was looked at."""
        return any(text.encode() in data for data in self._seen.values())

    def scan(self, secrets: Secrets) -> list[Hit]:
        """Look through everything collected so far."""
        return [
            hit
            for (pid, name, what), data in self._seen.items()
            for hit in scan_bytes(data, secrets, f"{what} of process {pid} ({name})")
        ]


# --- What a secret looks like -----------------------------------------------------------------


def _secret_numbers(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> dict[str, bytes]:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {"scalar d": key.private_numbers().private_value.to_bytes((key.key_size + 7) // 8)}
    n = key.private_numbers()
    named = {"d": n.d, "p": n.p, "q": n.q, "d mod p-1": n.dmp1, "d mod q-1": n.dmq1, "1/q mod p": n.iqmp}
    return {name: value.to_bytes((value.bit_length() + 7) // 8) for name, value in named.items()}


def _der(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, form: serialization.PrivateFormat) -> bytes:
    return key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())


def _without(blob: bytes, secrets: Iterable[bytes]) -> bytes:
    for secret in secrets:
        blob = blob.replace(secret, os.urandom(len(secret)))
    return blob


def _windows_of(blob: bytes, twin: bytes, label: str) -> dict[bytes, str]:
    """Cut every representation of *blob* into windows, leaving out those it shares with *twin*."""
    found: dict[bytes, str] = {}
    for (name, text), (_, other) in zip(_representations(blob), _representations(twin), strict=True):
        for start in range(min(len(text), len(other)) - WINDOW + 1):
            window = text[start : start + WINDOW]
            differing = sum(a != b for a, b in zip(window, other[start : start + WINDOW], strict=True))
            if differing >= MIN_SECRET_CHARACTERS:
                found.setdefault(window, f"{label}, {name}")
    return found


def _decimal_windows(number: bytes, label: str) -> dict[bytes, str]:
    text = str(int.from_bytes(number)).encode()
    return {text[start : start + WINDOW]: label for start in range(len(text) - WINDOW + 1)}


def _representations(blob: bytes) -> Iterator[tuple[str, bytes]]:
    yield "raw", blob
    for shift in range(3):
        # As part of something longer: the characters that depend on its neighbours are cut off.
        text = base64.b64encode(bytes(shift) + blob).rstrip(b"=")
        whole = text[(0, 2, 3)[shift] : len(text) - 1 if (shift + len(blob)) % 3 else None]
        yield "base64", whole
        yield "base64 (URL-safe)", whole.translate(bytes.maketrans(b"+/", b"-_"))
    for name, digits in (("hex", blob.hex()), ("hex with colons", blob.hex(":"))):
        yield name, digits.encode()
        yield name, digits.upper().encode()


# --- What data looks like, unwrapped ------------------------------------------------------------


def _views(data: bytes, depth: int) -> Iterator[tuple[str, bytes]]:
    """Give *data* as it is, then everything that it could be unwrapped to."""
    yield "bare", data
    loose = _unescape_loosely(data)
    once = _unescape(data)
    for through, view in (
        ("unescaped", once),
        ("unescaped twice", _unescape(once)),
        ("unescaped loosely", loose),
        ("UTF-8 undone", _LATIN.sub(_latin, once)),
    ):
        if view != data:
            yield through, view
    squeezed = loose.translate(None, _SPACE)
    if squeezed != loose:
        yield "white space removed", squeezed
    if depth:
        for name, decoded in _decoded(squeezed):
            for through, view in _views(decoded, depth - 1):
                yield f"{name}, {through}", view


def _unescape(data: bytes) -> bytes:
    """Undo JSON's and Python's escapes, to the letter."""
    return _ESCAPE.sub(_unescaped, data) if b"\\" in data else data


def _unescaped(match: re.Match[bytes]) -> bytes:
    unicode, byte, control, itself = match.groups()
    return itself or _CONTROL.get(control) or bytes([int(unicode or byte, 16)])


def _unescape_loosely(data: bytes) -> bytes:
    r"""Undo escapes behind any number of backslashes, URL-encoding, soft line breaks: for text only."""
    if not (b"\\" in data or b"%" in data or b"=\n" in data or b"=\r\n" in data):
        return data
    return _LOOSE.sub(_unescaped_loosely, data)


def _unescaped_loosely(match: re.Match[bytes]) -> bytes:
    unicode, byte, control, itself, percent = match.groups()
    code = unicode or byte or percent
    if code:
        return bytes([int(code, 16)])
    return itself or (b"\n" if control else b"")


def _latin(match: re.Match[bytes]) -> bytes:
    return match[0].decode().encode("latin-1")


def _decoded(squeezed: bytes) -> Iterator[tuple[str, bytes]]:
    """
    Give what the Base64, the hex and the lists of numbers in *squeezed* decode to, at every alignment.

    The runs are joined, so that white space that was taken out, or words that stick to a run, do not matter.
    """
    runs = _BASE64_RUN.findall(squeezed)
    for shift in range(4):
        if joined := b"".join(_whole(run[shift:], 4) for run in runs):
            yield "base64 decoded", binascii.a2b_base64(joined.translate(_URLSAFE))
    hexes = [run.translate(None, b":-") for run in _HEX_RUN.findall(squeezed)]
    for shift in range(2):
        if joined := b"".join(_whole(run[shift:], 2) for run in hexes):
            yield "hex decoded", bytes.fromhex(joined.decode())
    for numbers in _LIST_RUN.findall(squeezed):
        yield "list of numbers", bytes(int(number) & 0xFF for number in numbers.split(b","))


def _whole(run: bytes, size: int) -> bytes:
    return run[: len(run) - len(run) % size]


# --- Where data lies ----------------------------------------------------------------------------


def _files(paths: Iterable[Path], left_out: set[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_symlink() or path.resolve() in left_out:
            continue
        if path.is_dir():
            yield from _files(sorted(path.iterdir()), left_out)
        elif path.is_file():
            yield path


def _scan_file(path: Path, secrets: Secrets) -> list[Hit]:
    with path.open("rb") as file:
        magic = file.read(16)
        file.seek(0)
        hits = _scan_stream(file, secrets, str(path))
    if magic.startswith(b"SQLite format 3\0"):
        hits += scan_database(f"sqlite:///file:{path}?mode=ro&uri=true", secrets, str(path))
    elif magic.startswith(b"\x1f\x8b"):
        with gzip.open(path) as unpacked:
            hits += _scan_stream(unpacked, secrets, f"{path} (unpacked)")
    elif magic.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as member:
                    hits += _scan_stream(member, secrets, f"{path}!{name}")
    return hits


def _scan_stream(stream: IO[bytes] | gzip.GzipFile, secrets: Secrets, where: str) -> list[Hit]:
    hits: list[Hit] = []
    offset, kept = 0, b""
    while read := stream.read(CHUNK):
        chunk = kept + read
        if chunk.strip(b"\0"):
            hits += scan_bytes(chunk, secrets, where, offset - len(kept))
        offset += len(read)
        kept = chunk[-OVERLAP:]
    return hits


def _columns(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    inspector = sa.inspect(connection)
    for table in inspector.get_table_names():
        for column in inspector.get_columns(table):
            yield table, column["name"]


def _chunks_of_cells(cells: Iterable[bytes | str | None]) -> Iterator[bytes]:
    """Join cells to chunks worth looking at; a cell is never torn."""
    waiting: list[bytes] = []
    size = 0
    for cell in cells:
        if cell:
            waiting.append(cell if isinstance(cell, bytes) else cell.encode())
            size += len(waiting[-1])
        if size > CHUNK:
            yield b"\n\xff\n".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"\n\xff\n".join(waiting)


def _process_texts(pids: Iterable[int]) -> dict[tuple[int, str, str], bytes]:
    texts: dict[tuple[int, str, str], bytes] = {}
    for process in _with_descendants(pids):
        try:
            name = process.name()
            texts[process.pid, name, "arguments"] = _join(process.cmdline())
            texts[process.pid, name, "environment"] = _join(f"{k}={v}" for k, v in process.environ().items())
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return texts


def _with_descendants(pids: Iterable[int]) -> Iterator[psutil.Process]:
    for pid in pids:
        try:
            process = psutil.Process(pid)
            yield process
            yield from process.children(recursive=True)
        except psutil.NoSuchProcess:
            continue


def _join(parts: Iterable[str]) -> bytes:
    return b"\0".join(os.fsencode(part) for part in parts)
