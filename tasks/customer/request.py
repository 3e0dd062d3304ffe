"""A new private key, and the request by which a certificate authority certifies it. Nothing leaves the machine."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)
from cryptography.x509.oid import NameOID

from tasks.closed_memory import close_memory
from tasks.core import policy
from tasks.core.doctor.case import Case
from tasks.core.doctor.checks.key import check_private_key, check_public_key
from tasks.core.doctor.contents import read_contents
from tasks.core.doctor.public_suffix import is_public_suffix
from tasks.core.doctor.terms import Terms
from tasks.core.errors import BadHostname, BadInput, NotFound
from tasks.core.model import parse_hostname, quote_typed
from tasks.customer.private import create_new
from tasks.customer.reading import NotAFile, read_file
from tasks.customer.session import Session

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
KEY, REQUEST, CERTIFICATE = "ssl.key", "ssl.csr", "ssl.crt"
KINDS: Final[dict[str, Callable[[], PrivateKey]]] = {
    "ec-p256": lambda: ec.generate_private_key(ec.SECP256R1()),  # the default
    "ec-p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "rsa-2048": lambda: rsa.generate_private_key(policy.RSA_EXPONENT, 2048),
    "rsa-3072": lambda: rsa.generate_private_key(policy.RSA_EXPONENT, 3072),
    "rsa-4096": lambda: rsa.generate_private_key(policy.RSA_EXPONENT, 4096),
}
_LONGEST_COMMON_NAME: Final = 64  # RFC 5280 appendix A.1, ub-common-name-length
_NO_REASON: Final = "certificate-missing"  # the key is about to get its first one


def make_request(
    session: Session, hostnames: Sequence[str], kind: str | None, out: Path, kept: Path | None
) -> dict[str, Any]:
    """
    Make a key and a request for its certificate, and write them into *out*; what is there stays as it is.

    Args:
        kind: One of `KINDS`; None is the first of them, or with *kept* whatever that key is.

        kept: The key to take; None makes one.

    Raises:
        BadInput: A name cannot be asked for; a file is in the way or cannot be written; the key to take is missing,
            of another kind, or one that the platform refuses.
    """
    names = parse_names(hostnames)
    close_memory()
    key_file, request_file = kept or out / KEY, out / REQUEST
    _check_free(None if kept else key_file, request_file)
    key = _read_key(kept, kind, session.now()) if kept else _make_key(session, key_file, kind or next(iter(KINDS)))
    try:
        _write(request_file, build_request(key, names).public_bytes(Encoding.PEM), 0o644)
    except BadInput as error:
        raise error if kept else _half_done(error, key_file) from None
    return {
        "files": [str(request_file)] if kept else [str(key_file), str(request_file)],
        "key_file": str(key_file),
        "key_type": _name_kind(key),
        "spki_sha256": _digest_public(key),
        "names": list(names),
        "next": f"Send {request_file} to your certificate authority; put what comes back into {out / CERTIFICATE}.",
    }


def list_served_names(session: Session, hostname: str) -> list[str]:
    """
    Give the names that the certificate of *hostname* covers now, that hostname first.

    Raises:
        NotFound: The account has no such hostname, or it is served without a certificate: there is nothing to renew.

        FrontDeskUnavailable: It did not answer.
    """
    wanted = parse_hostname(hostname)
    sites = session.front_desk().list_sites()
    served = next((site["served"] for site in sites if site["hostname"] == wanted), None)
    if served is None:
        raise NotFound.named("certificate of", wanted)
    return [wanted, *(name for name in served["dns_names"] if name != wanted)]


def parse_names(hostnames: Sequence[str]) -> tuple[str, ...]:
    """
    Give the names to ask for: A-labels, lower case, perhaps behind ``*.``, each once, in their order.

    Raises:
        BadInput: One is no hostname; a wildcard stands right above a public suffix; there are too many, or none.
    """
    names = tuple(dict.fromkeys(_parse_name(each) for each in hostnames))
    if not 1 <= len(names) <= policy.MAX_SANS:
        wanted = f"1 to {policy.MAX_SANS}, the most that the platform accepts in one certificate"
        raise _refused("the names", f"{len(names)} of them", wanted, "Ask for several certificates.", "too-many-names")
    return names


def _parse_name(text: str) -> str:
    name = text.strip()
    wildcard = name.startswith("*.")
    try:
        parsed = parse_hostname(f"x.{name[2:]}" if wildcard else name)  # x: as one of the names it stands for
    except BadHostname:
        raise BadHostname(
            quote_typed(text),
            got="not a hostname",
            wanted="a fully qualified name such as shop.example.com, or *.example.com",
            do="Give it as your visitors type it, without https:// and path; * may only be the whole first label.",
        ) from None
    if not wildcard:
        return parsed
    parent = parsed.removeprefix("x.")
    if is_public_suffix(parent):
        raise _refused(
            f"*.{parent}",
            f"a wildcard for everybody's domains below {parent}",
            "a wildcard below a domain of your own, such as *.example.com",
            "Give your own domain; no authority may certify this one.",
            "wildcard-public-suffix",
        )
    return f"*.{parent}"


def build_request(key: PrivateKey, names: Sequence[str]) -> x509.CertificateSigningRequest:
    """
    Give the request for *names*, signed by *key*; the first is the common name too, unless it is too long for one.

    Source:
        RFC 5280 section 4.2.1.6: beside an empty subject, the subject alternative name is critical.
    """
    fits = len(names[0]) <= _LONGEST_COMMON_NAME
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])] if fits else [])
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    builder = x509.CertificateSigningRequestBuilder(subject).add_extension(alternatives, critical=not fits)
    return builder.sign(key, hashes.SHA384() if _name_kind(key) == "ec-p384" else hashes.SHA256())


def _make_key(session: Session, path: Path, kind: str) -> PrivateKey:
    with session.output.working("making the key"):
        key = KINDS[kind]()
    _write(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    return key


def _read_key(path: Path, kind: str | None, now: datetime) -> PrivateKey:
    """
    Give the key in *path*, judged as it will be when it is handed over.

    Raises:
        BadInput: It is missing, refused, or not of *kind*.
    """
    contents = read_contents({str(path): _read(path)}, None, now)
    wanted = "an unencrypted private key of a kind that browsers accept"
    for found in contents.findings:
        if found.refuses and found.code != _NO_REASON:
            how = f" The command: {found.command}" if found.command else ""
            do = f"{found.fix}{how}\nWhat --reuse takes has to lie in {path}."
            raise _refused(str(path), found.cause, wanted, do, found.code)
    case = Case(contents, Terms((), public_trust=False, now=now), None)
    for found in (*check_private_key(case), *check_public_key(case)):
        raise _refused(str(path), found.cause, wanted, "Make a new key: --out OTHER-DIRECTORY, no --reuse.", found.code)
    key = load_der_private_key(contents.key.der, None) if contents.key else None
    if not isinstance(key, PrivateKey):
        raise TypeError("a key that passes the checks is RSA or EC")
    if kind not in (None, _name_kind(key)):
        do = "Leave out --key, or make a new key: --out OTHER-DIRECTORY, no --reuse."
        raise _refused(str(path), f"a key of kind {_name_kind(key)}", f"one of kind {kind}", do, "other-key")
    return key


def _read(path: Path) -> bytes:
    try:
        return read_file(path, policy.FILE_MAX_BYTES + 1)
    except NotAFile as error:
        do = "Put the key into a file of that name, or make a new one: --out OTHER-DIRECTORY, no --reuse."
        raise _refused(str(path), str(error.strerror), "the key to take", do, "not-a-file") from None
    except FileNotFoundError:
        do = "Leave out --reuse: then a new key is made."
        raise _refused(str(path), "no such file", "the key to take", do, "missing-file") from None
    except OSError as error:
        raise _unusable(path, error) from None


def _check_free(key_file: Path | None, request_file: Path) -> None:
    """Raise if anything has one of the names, a link that leads nowhere included."""
    taken = [file for file in (key_file, request_file) if file and os.path.lexists(file)]
    if not taken:
        return
    ways = ["For new files: --out OTHER-DIRECTORY."]
    if request_file in taken:
        ways.append(f"If {request_file} is of no more use: move it away.")
    if key_file in taken:
        ways.append("For a request with the key that is there: --reuse.")
    subject, wanted = " and ".join(map(str, taken)), "no such file: nothing is overwritten"
    raise _refused(subject, "there already", wanted, " ".join(ways), "file-exists")


def _write(path: Path, content: bytes, mode: int) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        create_new(path, content, mode)
    except OSError as error:
        raise _unusable(path, error) from None


def _name_kind(key: PrivateKey) -> str:
    return f"rsa-{key.key_size}" if isinstance(key, rsa.RSAPrivateKey) else f"ec-p{key.key_size}"


def _digest_public(key: PrivateKey) -> str:
    return hashlib.sha256(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _half_done(error: BadInput, key_file: Path) -> BadInput:
    got = f"{error.got}; the new key is whole and stays in {key_file}"
    return _refused(error.subject, got, error.wanted, f"{error.do} Then repeat the command with --reuse.", error.code)


def _unusable(path: Path, error: OSError) -> BadInput:
    why = error.strerror or type(error).__name__
    do = "Mend that, or give --out OTHER-DIRECTORY."
    return _refused(str(path), why, "a directory of yours that can be written", do, "unwritable-file")


def _refused(subject: str, got: str, wanted: str, do: str, code: str) -> BadInput:
    return BadInput(subject, got=got, wanted=wanted, do=do, code=code)
