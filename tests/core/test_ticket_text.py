"""A private key in a ticket is found however it was pasted, and nothing else is taken for one."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import quopri
import textwrap
from collections.abc import Callable
from unittest.mock import patch

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs12,
)
from hypothesis import given
from hypothesis import strategies as st

from tasks.core import ticket_text
from tasks.core.ticket_text import REMOVED, find_key_material, find_subject, redact
from tests.pki import CA, KEY_KINDS, PrivateKey, key_pem, make_key

PKCS8, OLD = PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL
BEFORE, AFTER = "Dear support, please set up drop 7: ", " Kind regards, Max."

Disguise = Callable[[str, bytes], str]
DISGUISES: dict[str, Disguise] = {
    "as it is": lambda pem, der: pem,
    "Windows line ends": lambda pem, der: pem.replace("\n", "\r\n"),
    "one line": lambda pem, der: pem.replace("\n", " "),
    "no line ends at all": lambda pem, der: pem.replace("\n", ""),
    "literal line ends": lambda pem, der: pem.replace("\n", "\\n"),
    "literal Windows line ends": lambda pem, der: pem.replace("\n", "\\r\\n"),
    "escaped twice": lambda pem, der: pem.replace("\n", "\\\\n"),
    "JSON": lambda pem, der: json.dumps({"key": pem}),
    "JSON of PHP": lambda pem, der: json.dumps({"key": pem}).replace("/", "\\/"),
    "a list of lines": lambda pem, der: json.dumps(pem.splitlines(), indent=2),
    "quoted in a reply": lambda pem, der: "".join(f"> {line}" for line in pem.splitlines(True)),
    "quoted twice": lambda pem, der: "".join(f">> > {line}" for line in pem.splitlines(True)),
    "indented": lambda pem, der: textwrap.indent(pem, "        "),
    "in a table": lambda pem, der: "".join(f"| {line} |\n" for line in pem.splitlines()),
    "HTML": lambda pem, der: pem.replace("\n", "<br/>\n"),
    "quoted printable": lambda pem, der: quopri.encodestring(pem.encode()).decode(),
    "typographic dashes": lambda pem, der: pem.replace("-----", "—–"),
    "blank lines between": lambda pem, der: pem.replace("\n", "\n\n"),
    "zero-width spaces": lambda pem, der: pem.replace("\n", "\u200b\n"),
    "without its first line": lambda pem, der: pem.split("\n", 1)[1],
    "without its last line": lambda pem, der: pem.rsplit("-----END", 1)[0],
    "bare base64": lambda pem, der: base64.b64encode(der).decode(),
    "base64 in short lines": lambda pem, der: textwrap.fill(base64.b64encode(der).decode(), 10),
    "URL-safe base64": lambda pem, der: base64.urlsafe_b64encode(der).decode(),
    "without padding": lambda pem, der: base64.b64encode(der).decode().rstrip("="),
    "an assignment": lambda pem, der: f'SSL_KEY="{base64.b64encode(der).decode()}"',
    "base64 of the file": lambda pem, der: base64.b64encode(pem.encode()).decode(),
    "base64 of the file in lines": lambda pem, der: base64.encodebytes(pem.encode()).decode(),
    "base64 of a longer file": lambda pem, der: base64.b64encode(b"Bag Attributes\n" + pem.encode()).decode(),
    "hex": lambda pem, der: der.hex(),
    "upper-case hex in words": lambda pem, der: der.hex(" ", 2).upper(),
    "hex with colons": lambda pem, der: der.hex(":"),
    "hex in lines": lambda pem, der: textwrap.fill(der.hex(), 32),
    "a C array": lambda pem, der: "{" + ", ".join(f"0x{octet:02x}" for octet in der) + "}",
    "a Python literal": lambda pem, der: "".join(f"\\x{octet:02x}" for octet in der),
}


def spki_sha256(key: PrivateKey) -> str:
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
@pytest.mark.parametrize(("kind", "form"), [("ec256", PKCS8), ("ec384", OLD), ("rsa2048", PKCS8), ("rsa2048", OLD)])
def test_a_key_is_found_in_every_disguise(disguise: Disguise, kind: str, form: PrivateFormat) -> None:
    """The key is found, identified by its public half, taken out whole, and the letter around it stays."""
    key = make_key(kind)
    der = key.private_bytes(Encoding.DER, form, NoEncryption())
    pasted = disguise(key_pem(key, form).decode(), der)
    text = BEFORE + pasted + AFTER
    found = find_key_material(text)
    assert found is not None
    assert spki_sha256(key) == found.spki_sha256
    left = redact(text)
    assert left.startswith(BEFORE)
    assert left.endswith(AFTER)
    assert REMOVED in left
    assert not any(pasted[at : at + 40] in left for at in range(len(pasted) - 40) if pasted[at : at + 40].isalnum())
    assert find_key_material(left) is None


@pytest.mark.parametrize("kind", KEY_KINDS)
def test_a_key_of_every_kind_is_found(kind: str) -> None:
    """Kinds that certferry would not serve are private keys all the same."""
    key = make_key(kind)
    found = find_key_material(base64.b64encode(key.private_bytes(Encoding.DER, PKCS8, NoEncryption())).decode())
    assert found is not None
    assert spki_sha256(key) == found.spki_sha256


def opaque_keys() -> dict[str, str]:
    key = make_key("ec256")
    good = CA().issue(key=key)
    lock = BestAvailableEncryption(b"secret")
    p12 = pkcs12.serialize_key_and_certificates(b"x", key, good.leaf, None, lock)
    pkcs8 = key.private_bytes(Encoding.DER, PKCS8, lock)
    openssh = key_pem(key, PrivateFormat.OpenSSH).decode()
    return {
        "PKCS#8": key_pem(key, PKCS8, b"secret").decode(),
        "PKCS#8 without armour": base64.b64encode(pkcs8).decode(),
        "PKCS#8 in hex": pkcs8.hex(),
        "the old way": key_pem(make_key("rsa2048"), OLD, b"secret").decode(),
        "the old way, quoted": textwrap.indent(key_pem(make_key("rsa2048"), OLD, b"secret").decode(), "> "),
        "PKCS#12": base64.b64encode(p12).decode(),
        "PKCS#12 in lines": base64.encodebytes(p12).decode(),
        "OpenSSH": openssh,
        "OpenSSH without armour": "".join(openssh.splitlines()[1:-1]),
        "PGP": "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\n" + base64.encodebytes(os.urandom(300)).decode(),
        "X25519": x25519.X25519PrivateKey.generate().private_bytes(Encoding.PEM, PKCS8, NoEncryption()).decode(),
        "a JSON Web Key": json.dumps({"kty": "EC", "crv": "P-256", "x": "A" * 43, "d": "fE3x_9-" * 6 + "a"}),
        "openssl's text": "RSA Private-Key: (2048 bit)\nprivateExponent:\n    00:" + os.urandom(45).hex(":") + "\n",
        "another label": key_pem(key).decode().replace("PRIVATE KEY", "ANY OTHER PRIVATE KEY"),
        "a damaged body": key_pem(key).decode().replace("MIG", "XIG"),
    }


@pytest.mark.parametrize("name", opaque_keys())
def test_a_key_that_does_not_parse_is_found_all_the_same(name: str) -> None:
    """Encrypted, foreign and damaged private keys are no more welcome than others."""
    text = BEFORE + "\n" + opaque_keys()[name] + "\n" + AFTER
    assert find_key_material(text) is not None
    assert REMOVED in redact(text)
    assert find_key_material(redact(text)) is None


def harmless_texts() -> dict[str, str]:
    authority = CA(key="rsa2048")
    good = authority.intermediate(key="rsa2048").issue(key="rsa3072")
    public = good.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    request = x509.CertificateSigningRequestBuilder().subject_name(good.leaf.subject).sign(authority.key, _sha256())  # type: ignore[arg-type]
    nameless = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(make_key(), _sha256())  # type: ignore[arg-type]
    assert isinstance(good.key, rsa.RSAPrivateKey)
    old_public = good.key.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 200
    return {
        "nothing": "",
        "a letter": "Please set up HTTPS for shop.example.test. My drop is drop-"
        + "a" * 26
        + ". Thanks, Max Mustermann",
        "a question": "Shall I send you ssl.key? It starts with -----BEGIN PRIVATE KEY----- and I would rather not.",
        "an example": "It looks like -----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY----- I think.",
        "a path": "-----BEGIN PRIVATE KEY----- is line 1 of /etc/nginx/certificates/customers/shop/production/ssl",
        "a key's line before a certificate": "No -----BEGIN PRIVATE KEY----- but:\n" + good.leaf_pem.decode(),
        "a certificate": good.leaf_pem.decode(),
        "an EC certificate": CA().issue().leaf_pem.decode(),
        "a chain": good.leaf_pem.decode() + good.chain_pem.decode(),
        "a certificate in base64": base64.b64encode(good.leaf.public_bytes(Encoding.DER)).decode(),
        "a certificate's file in base64": base64.b64encode(good.leaf_pem + good.chain_pem).decode(),
        "a certificate in hex": good.leaf.public_bytes(Encoding.DER).hex(),
        "a certificate in hex with colons": good.leaf.public_bytes(Encoding.DER).hex(":"),
        "a request": request.public_bytes(Encoding.PEM).decode(),
        "a request in hex": request.public_bytes(Encoding.DER).hex(),
        "a request without a name": nameless.public_bytes(Encoding.DER).hex(),
        "a public key": public,
        "a public key in hex": good.key.public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        .hex(),
        "an old public key": base64.b64encode(old_public).decode() + " " + old_public.hex(),
        "an SSH public key": good.key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
        "fingerprints": f"SHA-256 {good.leaf_sha256} {':'.join(good.leaf_sha256[i : i + 2] for i in range(0, 64, 2))}",
        "an image": "data:image/png;base64," + base64.b64encode(png).decode(),
        "noise": base64.b64encode(bytes(i * i * 7919 % 251 for i in range(50_000))).decode(),
        "addresses": "https://shop.example.test/a/b?MIID=MIIEvgIBADANBgk&x=%2F " * 50,
        "a hex dump": bytes(range(256)).hex(" ") * 20,
        "words": "MIIE My Mini Mice MIGHT Make Midnight Meals " * 500,
        "numbers": "30 81 02 01 00 30 82 30 77 02 01 01 " * 200,
        "a web key of the public kind": json.dumps({"kty": "EC", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"}),
        "a JSON with a d": json.dumps({"d": "A" * 60}),
    }


def _sha256() -> object:
    from cryptography.hazmat.primitives.hashes import SHA256

    return SHA256()


@pytest.mark.parametrize("name", harmless_texts())
def test_what_is_no_private_key_is_left_alone(name: str) -> None:
    """Certificates, requests, public keys, pictures and prose pass, unchanged."""
    text = harmless_texts()[name]
    assert find_key_material(text) is None
    assert text == redact(text)


@given(st.text(max_size=300))
def test_ordinary_text_is_never_changed(text: str) -> None:
    """Whatever people write, in whatever script, stays as it is."""
    assert text == redact(text)


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_key_is_found_between_any_two_texts(before: str, after: str) -> None:
    """What stands around a key does not hide it."""
    pem = key_pem(make_key("rsa2048")).decode()
    left = redact(f"{before}\n{pem}\n{after}")
    assert REMOVED in left
    assert pem.splitlines()[5] not in left


def test_every_key_of_a_ticket_is_taken_out() -> None:
    """Three keys, three pieces removed, the text between them kept."""
    text = "\nand\n".join(key_pem(make_key(kind)).decode() for kind in ("ec256", "rsa2048", "ec384"))
    assert redact(text).count(REMOVED) == 3
    assert redact(text).count("and") == 2


def test_a_key_beside_its_certificate_goes_and_the_certificate_stays() -> None:
    """A whole bundle pasted by mistake loses its key only."""
    good = CA().issue()
    assert find_key_material(good.edge_pem.decode()) is not None
    assert redact(good.edge_pem.decode()) == REMOVED + "\n" + good.leaf_pem.decode()


def test_the_finding_shows_no_key() -> None:
    """What is logged about a find is a digest of the public half."""
    pem = key_pem(make_key("ec256")).decode()
    assert pem.splitlines()[1] not in repr(find_key_material(pem))


HOSTILE = {
    "starts of base64": "MI" * 500_000,
    "starts of hex": "30" * 500_000,
    "armour": "-----BEGIN PRIVATE KEY-----" * 37_000,
    "heads": "MIIJQgIBADANBgkqhkiG9w0BAQEFAASC!" * 30_000,
    "heads without end": "MIIJQgIBADANBgkqhkiG9w0BAQEFAASC" * 30_000,
    "hex heads": "30820942020100300d06092a864886f70d010101050004820" * 20_000,
    "backslashes": "\\" * 1_000_000,
    "equals signs": "= \r\n" * 250_000,
    "dashes": "-" * 1_000_000,
    "angle brackets": "<" * 1_000_000,
    "one body": "-----BEGIN PRIVATE KEY-----\n" + "aB3d" * 250_000,
    "dump names": "prime1:" * 140_000,
    "web keys": '"kty"' + '"d": "' * 160_000,
    "spaces": " " * 1_000_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_costs_no_more_than_its_length(text: str) -> None:
    """A megabyte made to be slow is read with a bounded number of looks, and few keys are loaded."""
    octets = loads = 0

    def counted(decode: Callable[[str, int, int], bytes]) -> Callable[[str, int, int], bytes]:
        def run(text: str, at: int, most: int) -> bytes:
            nonlocal octets
            data = decode(text, at, most)
            octets += len(data)
            return data

        return run

    def load(der: bytes) -> None:
        nonlocal loads
        loads += 1

    with (
        patch.object(ticket_text, "_decode_base64", counted(ticket_text._decode_base64)),
        patch.object(ticket_text, "_decode_hex", counted(ticket_text._decode_hex)),
        patch.object(ticket_text, "_spki_sha256", load),
    ):
        find_key_material(text)
    assert octets <= 40 * len(text)
    assert loads <= 16


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("for drop-" + "a" * 26 + ", please", "drop-" + "a" * 26),
        ("DROP-" + "A2" * 13, "drop-" + "a2" * 13),
        ("<drop-" + "b" * 26 + ">", "drop-" + "b" * 26),
        ("drop-" + "a" * 26 + " or drop-" + "b" * 26, "drop-" + "a" * 26),
        ("drop-" + "a" * 25, None),
        ("drop-" + "a" * 27, None),
        ("drop-" + "a" * 25 + "1", None),
        ("airdrop-" + "a" * 26, None),
        ("ticket-" + "a" * 26, None),
        ("", None),
    ],
)
def test_the_drop_of_a_ticket_is_read_from_its_text(text: str, found: str | None) -> None:
    """The first whole drop id counts, in either case."""
    assert found == find_subject(text)
