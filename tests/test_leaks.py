"""The leak scanner proves itself: canaries in every disguise are found, and clean data is clean."""

from __future__ import annotations

import base64
import gzip
import json
import os
import quopri
import sqlite3
import subprocess
import sys
import time
import urllib.parse
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.leaks import ProcessWatch, Secrets, scan_bytes, scan_processes, scan_tree

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

SEED = os.urandom(96)
DROP_SECRET = os.urandom(32)


@cache
def _key(kind: str) -> Key:
    if kind == "rsa-2048":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP384R1() if kind == "p-384" else ec.SECP256R1())


@cache
def _secrets(kind: str) -> Secrets:
    key = Secrets.of_key(_pem(kind))
    return key | Secrets.of_bytes(SEED, "seed") | Secrets.of_bytes(DROP_SECRET, "drop secret")


def _pem(kind: str, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    return _key(kind).private_bytes(Encoding.PEM, form, NoEncryption())


def _der(kind: str, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    return _key(kind).private_bytes(Encoding.DER, form, NoEncryption())


def _number(kind: str) -> int:
    key = _key(kind)
    return key.private_numbers().p if isinstance(key, rsa.RSAPrivateKey) else key.private_numbers().private_value


def _wrapped(data: bytes, width: int) -> bytes:
    text = base64.b64encode(data)
    return b"\n".join(text[start : start + width] for start in range(0, len(text), width))


OLD = PrivateFormat.TraditionalOpenSSL

REPRESENTATIONS: dict[str, Callable[[str], bytes]] = {
    "PEM": _pem,
    "PEM, SEC1 or PKCS#1": lambda kind: _pem(kind, OLD),
    "PEM, CRLF": lambda kind: _pem(kind).replace(b"\n", b"\r\n"),
    "PEM on one line with literal \\n": lambda kind: _pem(kind).replace(b"\n", b"\\n"),
    "PEM, in Base64": lambda kind: base64.b64encode(_pem(kind)),
    "PEM, in Base64, wrapped at 76": lambda kind: _wrapped(_pem(kind), 76),
    "PEM, in Base64, in Base64": lambda kind: base64.b64encode(base64.b64encode(_pem(kind))),
    "PEM, in hex": lambda kind: _pem(kind).hex().encode(),
    "PEM, URL-encoded": lambda kind: urllib.parse.quote_plus(_pem(kind)).encode(),
    "PEM, quoted-printable": lambda kind: quopri.encodestring(b"The key, if you please: " + _pem(kind)),
    "PEM in UTF-16": lambda kind: _pem(kind).decode().encode("utf-16-le"),
    "PEM in JSON in JSON": lambda kind: json.dumps(json.dumps({"key": _pem(kind).decode()})).encode(),
    "PEM with JSON's long escapes": lambda kind: _pem(kind).replace(b"+", rb"\u002b").replace(b"/", rb"\/"),
    "one line of PEM": lambda kind: _pem(kind).splitlines()[(len(_pem(kind).splitlines()) - 1) // 2],
    "DER": _der,
    "DER, SEC1 or PKCS#1": lambda kind: _der(kind, OLD),
    "DER, as Python shows it": lambda kind: repr(_der(kind)).encode(),
    "DER, as a list of numbers": lambda kind: json.dumps(list(_der(kind))).encode(),
    "Base64, one byte after something": lambda kind: base64.b64encode(b"x" + _der(kind)),
    "Base64, two bytes after something": lambda kind: base64.b64encode(b"xy" + _der(kind)),
    "Base64, wrapped at 20": lambda kind: _wrapped(_der(kind), 20),
    "Base64, wrapped at 64": lambda kind: _wrapped(_der(kind), 64),
    "Base64, wrapped at 76": lambda kind: _wrapped(_der(kind), 76),
    "Base64, URL-safe": lambda kind: base64.urlsafe_b64encode(_der(kind)),
    "hex": lambda kind: _der(kind).hex().encode(),
    "hex, upper case": lambda kind: _der(kind).hex().upper().encode(),
    "hex with colons, wrapped": lambda kind: b":\n    ".join(
        _der(kind)[at : at + 15].hex(":").encode() for at in range(0, len(_der(kind)), 15)
    ),
    "number, bytes": lambda kind: _number(kind).to_bytes(128),
    "number, hex": lambda kind: hex(_number(kind)).encode(),
    "number, decimal": lambda kind: str(_number(kind)).encode(),
    "number, Base64": lambda kind: base64.b64encode(_number(kind).to_bytes(128)),
    "drop secret": lambda _: DROP_SECRET,
    "drop secret, Base64": lambda _: base64.b64encode(DROP_SECRET),
    "drop secret, Base64, URL-safe": lambda _: base64.urlsafe_b64encode(DROP_SECRET),
    "drop secret, hex": lambda _: DROP_SECRET.hex().encode(),
    "drop secret, as text": lambda _: DROP_SECRET.decode("latin-1").encode(),
    "seed": lambda _: SEED,
    "seed, Base64": lambda _: base64.b64encode(SEED),
    "seed, hex": lambda _: SEED.hex().encode(),
    "half a seed": lambda _: base64.b64encode(SEED[:48]),
}

# No argument and no environment can hold a NUL, which most bytes have somewhere.
BYTES = {"DER", "DER, SEC1 or PKCS#1", "PEM in UTF-16", "number, bytes", "drop secret", "drop secret, as text", "seed"}
TEXTS = [name for name in REPRESENTATIONS if name not in BYTES]


def _in_a_file(path: Path, canary: bytes) -> None:
    (path / "file").write_bytes(os.urandom(1001) + canary + os.urandom(1001))


def _in_a_log_line(path: Path, canary: bytes) -> None:
    text = canary.decode("latin-1").encode("unicode_escape")
    (path / "worker.log").write_bytes(b"08:15:11.001 | INFO | Flow run 'x' - got '" + text + b"' from it\n")


def _in_gzip(path: Path, canary: bytes) -> None:
    with gzip.open(path / "old.log.1.gz", "wb") as file:
        file.write(b"rotated " + canary)


def _in_zip(path: Path, canary: bytes) -> None:
    with zipfile.ZipFile(path / "archive.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner", b"kept " + canary)


def _in_json_in_sqlite(path: Path, canary: bytes) -> None:
    with sqlite3.connect(path / "prefect.db") as database:
        database.execute("CREATE TABLE state (id INTEGER PRIMARY KEY, data JSON)")
        value = json.dumps({"parameters": {"note": canary.decode("latin-1")}}, ensure_ascii=True)
        database.execute("INSERT INTO state (data) VALUES (?)", [value])
    database.close()


def _in_a_torn_cell(path: Path, canary: bytes) -> None:
    """Pages of 512 bytes: a cell of this size is spread over a dozen of them."""
    with sqlite3.connect(path / "small.db") as database:
        database.execute("PRAGMA page_size=512")
        database.execute("CREATE TABLE blobs (body BLOB)")
        database.execute("INSERT INTO blobs VALUES (?)", [bytes(2000) + canary + bytes(2000)])
    database.close()


CONTAINERS: dict[str, Callable[[Path, bytes], None]] = {
    "a file": _in_a_file,
    "a log line": _in_a_log_line,
    "gzip": _in_gzip,
    "zip": _in_zip,
    "JSON in SQLite": _in_json_in_sqlite,
    "a torn SQLite cell": _in_a_torn_cell,
}


class TestCanaries:
    @pytest.mark.parametrize("container", CONTAINERS)
    @pytest.mark.parametrize("representation", REPRESENTATIONS)
    @pytest.mark.parametrize("kind", ["p-256", "p-384", "rsa-2048"])
    def test_planted_canary_is_found(self, kind: str, representation: str, container: str, tmp_path: Path) -> None:
        """Every representation of a secret is found in every container."""
        CONTAINERS[container](tmp_path, REPRESENTATIONS[representation](kind))

        assert scan_tree([tmp_path], _secrets(kind))

    @pytest.mark.parametrize("representation", TEXTS)
    def test_argument_of_a_process_is_found(self, representation: str) -> None:
        """A secret in a process's arguments is found, from its parent too."""
        canary = REPRESENTATIONS[representation]("p-256")
        with _sleeping([b"--password=" + canary], {}) as process:
            assert scan_processes([process.pid], _secrets("p-256"))
            assert scan_processes([os.getpid()], _secrets("p-256"))

    @pytest.mark.parametrize("representation", TEXTS)
    def test_environment_of_a_process_is_found(self, representation: str) -> None:
        """A secret in a process's environment is found."""
        canary = REPRESENTATIONS[representation]("p-256")
        with _sleeping([], {b"SSL_KEY": canary}) as process:
            assert scan_processes([process.pid], _secrets("p-256"))

    def test_process_that_has_ended_is_found(self) -> None:
        """A watch remembers the arguments of a process that lived only while it ran."""
        with ProcessWatch() as watch, _sleeping([DROP_SECRET.hex().encode()], {}):
            deadline = time.monotonic() + 20
            while not watch.scan(_secrets("p-256")) and time.monotonic() < deadline:
                pass

        assert [hit.where.split()[0] for hit in watch.scan(_secrets("p-256"))][:1] == ["arguments"]

    def test_across_chunks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A key that lies across the edge of two chunks is found."""
        monkeypatch.setattr("tests.leaks.CHUNK", 70_000)
        (tmp_path / "long").write_bytes(b" " * (70_000 - 80) + _pem("p-256") + b" " * 70_000)

        assert scan_tree([tmp_path], _secrets("p-256"))

    def test_name_of_a_file(self, tmp_path: Path) -> None:
        """A secret in a file's name is found."""
        (tmp_path / DROP_SECRET.hex()).touch()

        assert scan_tree([tmp_path], _secrets("p-256"))

    def test_any_torn_off_piece_of_the_secret_part(self) -> None:
        """Any 32 characters of the scalar's Base64 are enough, wherever they begin."""
        text = base64.b64encode(_number("p-384").to_bytes(48)).rstrip(b"=")
        pieces = [text[start : start + 32] for start in range(len(text) - 32)]

        assert all(scan_bytes(b"<" + piece + b">", _secrets("p-384")) for piece in pieces)

    def test_in_the_write_ahead_log(self, tmp_path: Path) -> None:
        """A row that is only in SQLite's -wal file, and deleted again, is found there."""
        database = sqlite3.connect(tmp_path / "live.db")
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE drops (seed BLOB)")
        database.execute("INSERT INTO drops VALUES (?)", [SEED])
        database.commit()
        database.execute("DELETE FROM drops")
        database.commit()

        hits = scan_tree([tmp_path], _secrets("p-256"))
        database.close()

        assert {str(tmp_path / "live.db-wal")} == {hit.where for hit in hits}


class TestCleanData:
    @pytest.mark.parametrize("kind", ["p-256", "p-384", "rsa-2048"])
    @pytest.mark.parametrize("container", CONTAINERS)
    def test_public_part_is_no_hit(self, kind: str, container: str, tmp_path: Path) -> None:
        """The certificate, the public key and their digests, in every representation, are no hits."""
        CONTAINERS[container](tmp_path, _public_things(kind))

        assert scan_tree([tmp_path], _secrets(kind)) == []

    @pytest.mark.parametrize("form", [PrivateFormat.PKCS8, OLD])
    @pytest.mark.parametrize("kind", ["p-256", "p-384", "rsa-2048"])
    def test_another_key_is_no_hit(self, kind: str, form: PrivateFormat) -> None:
        """What all keys of a kind have in common (headers, object identifiers) is no hit."""
        key = _key(kind)
        other = (
            rsa.generate_private_key(65537, 2048)
            if isinstance(key, rsa.RSAPrivateKey)
            else ec.generate_private_key(key.curve)
        )
        pem = other.private_bytes(Encoding.PEM, form, NoEncryption())

        assert scan_bytes(pem + base64.b64encode(pem), Secrets.of_key(_pem(kind))) == []

    def test_noise_is_no_hit(self) -> None:
        """A megabyte of chance, in Base64 too, is no hit."""
        noise = os.urandom(1_000_000)

        assert scan_bytes(noise + base64.b64encode(noise), _secrets("p-256")) == []

    def test_skipped_directory_is_not_read(self, tmp_path: Path) -> None:
        """What is left out is left out, and only that."""
        for name in ("edge", "elsewhere"):
            (tmp_path / name).mkdir()
            _in_a_file(tmp_path / name, _pem("p-256"))

        hits = scan_tree([tmp_path], _secrets("p-256"), skip=[tmp_path / "edge"])

        assert {str(tmp_path / "elsewhere/file")} == {hit.where for hit in hits}


class TestReport:
    def test_says_where_and_what_and_not_the_secret(self, tmp_path: Path) -> None:
        """A hit names the file, the offset and the representation; it does not leak what it found."""
        (tmp_path / "file").write_bytes(bytes(800) + DROP_SECRET.hex().encode())
        secrets = _secrets("p-256")

        (hit, *_) = scan_tree([tmp_path], secrets)

        assert (str(tmp_path / "file"), "drop secret, hex") == (hit.where, hit.what)
        assert 800 <= hit.offset < 864
        assert scan_bytes(f"{hit} {hit!r} {secrets!r}".encode(), secrets) == []


def _public_things(kind: str) -> bytes:
    key = _key(kind)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop.example.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("shop.example.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    things = [certificate.public_bytes(Encoding.PEM), certificate.public_bytes(Encoding.DER), spki]
    return b" ".join(
        rendered
        for thing in things
        for shift in range(3)
        for rendered in (thing, base64.b64encode(bytes(shift) + thing), thing.hex().encode(), thing.hex(":").encode())
    )


class _sleeping:  # noqa: N801 - reads as the words of a test
    """A process that sleeps, with a canary in its arguments or its environment."""

    def __init__(self, arguments: list[bytes], environment: dict[bytes, bytes]) -> None:
        command = [os.fsencode(sys.executable), b"-c", b"import time; print(flush=True); time.sleep(60)", *arguments]
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)

    def __enter__(self) -> subprocess.Popen[bytes]:
        assert self._process.stdout
        self._process.stdout.readline()
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
