"""What the pieces are together: the leaf, the key that it belongs to, and the other certificates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography import x509

from tasks.core import policy
from tasks.core.doctor.commands import name_new, request_with_new_key
from tasks.core.doctor.findings import note, refuse, shell_name
from tasks.core.doctor.formats import unreadable_key
from tasks.core.doctor.identify import LABELS, PRIVATE_KEYS, Kind
from tasks.core.doctor.intake import Intake, Piece, take_in
from tasks.core.doctor.leaf import UNREADABLE, covers, dns_names, find_malformation, has_raw_names, is_authority
from tasks.core.doctor.pem import armour
from tasks.core.doctor.private_key import describe_private
from tasks.core.doctor.public_key import PublicFacts, describe_certified
from tasks.core.errors import Who
from tasks.core.files import FILES
from tasks.core.model import Finding, Hostname
from tasks.core.text import printable

_PLAIN: Final = re.compile(  # as openssl wants it: no spaces or empty lines before or between
    rb"^(?:\xef\xbb\xbf)?-----BEGIN ([A-Z ]{11,20})-----[ \t\r]*\n(?:[A-Za-z0-9+/=]+[ \t\r]*\n)+-----END", re.MULTILINE
)
_WHY_NO_KEY: Final = frozenset({"archive-refused"})
_WHY_NO_CERTIFICATE: Final = frozenset({"certificate-unreadable", "certificate-malformed", "archive-refused"})


@dataclass(frozen=True)
class Key:
    """
    The private key as it was sent, never shown, and the facts about it.

    Attributes:
        is_plain: Whether openssl reads it from its file as it is.
    """

    file: str
    kind: Kind
    der: bytes = field(repr=False)
    facts: PublicFacts
    is_plain: bool

    def pem(self) -> bytes:
        """Give the very bytes that were sent, in lines of 64."""
        return armour(LABELS[self.kind], self.der)


@dataclass(frozen=True)
class Contents:
    """
    What was found.

    Attributes:
        key: The one that belongs to *leaf*, else the first.

        certificates: All of them once, in the order they were sent, each with its file.

        leaf: The customer's own certificate, as far as one can be told.

        manifest: The `dotcloud.yml`.

        names: Of all files that were given, and of those in archives.

        unpacking: By the name of a file out of an archive: the command that puts it on disk.
    """

    key: Key | None
    certificates: Mapping[x509.Certificate, str]
    leaf: x509.Certificate | None
    manifest: bytes | None
    findings: tuple[Finding, ...]
    names: tuple[str, ...]
    unpacking: Mapping[str, str]

    @property
    def key_file(self) -> str:
        return self.key.file if self.key else FILES[0]

    @property
    def leaf_file(self) -> str:
        return self.certificates[self.leaf] if self.leaf else FILES[1]


def read_contents(files: Mapping[str, bytes], hostname: Hostname | None, now: datetime) -> Contents:
    """
    Find the key, the leaf and the other certificates in *files*.

    Args:
        hostname: Where there are several leaves, the one for it is meant.

        now: Where there are several for it, one that is valid is meant.
    """
    intake = take_in(files)
    findings = list(intake.findings)
    certificates = _load_certificates(intake, findings)
    keys = _load_keys(intake, findings)
    leaf = _choose_leaf(list(certificates), keys, hostname, now)
    key = _choose_key(keys, leaf, findings)
    findings = [*_judge_set_aside(intake, key, leaf), *findings]
    findings += _missing(intake, key, leaf, hostname, findings)
    findings += _swapped(intake)
    names = tuple(dict.fromkeys((*files, *intake.files)))
    return Contents(key, certificates, leaf, intake.manifest, tuple(findings), names, intake.unpacking)


def find_key(files: Mapping[str, bytes], spki_sha256: str) -> Key | None:
    """Give the private key in *files* whose public half has this SHA-256, or None."""
    keys = _load_keys(take_in(files), [])
    return next((key for key in keys if key.facts.spki_sha256 == spki_sha256), None)


def _load_keys(intake: Intake, findings: list[Finding]) -> list[Key]:
    """Load the keys, each once; several in one file are refused, since nobody knows which one is meant."""
    sent = [piece for piece in intake.pieces if piece.kind in PRIVATE_KEYS]
    pieces = list({piece.der: piece for piece in reversed(sent)}.values())[::-1]
    if len(pieces) > policy.MAX_KEYS:
        cause = f"there are {len(pieces)} private keys; at most {policy.MAX_KEYS} are read"
        findings.append(refuse("two-keys", cause, "Give only the key of this certificate."))
    keys = []
    for piece in pieces[: policy.MAX_KEYS]:
        try:
            keys.append(_load_key(piece, intake.files[piece.file]))
        except ValueError:
            intake.set_aside.append(unreadable_key(piece.file))
    findings += _several_in_one(keys)
    if len(sent) > len({key.facts for key in keys}) > 0 and len(keys) == len(pieces):
        findings.append(note("key-repeated", "a private key is there more than once; one is used"))
    return keys


def _load_key(piece: Piece, data: bytes) -> Key:
    """
    Load a key out of the *data* of its file.

    Raises:
        ValueError: It is damaged.
    """
    labels = {LABELS[piece.kind], LABELS[Kind.PKCS8]}
    is_plain = data[:1] == b"\x30" or any(label.decode("ascii") in labels for label in _PLAIN.findall(data))
    return Key(piece.file, piece.kind, piece.der, describe_private(piece.der), is_plain)


def _several_in_one(keys: Sequence[Key]) -> Iterator[Finding]:
    for file in dict.fromkeys(key.file for key in keys):
        inside = [key for key in keys if key.file == file]
        if all(key is inside[0] or key.facts.is_same_key(inside[0].facts) for key in inside):
            continue
        cause = f"there are {len(inside)} private keys in {printable(file)}"
        fix = "Keep the one that belongs to the certificate: this shows its first key, take away the one that differs."
        yield refuse("two-keys", cause, fix, f"openssl pkey -in {shell_name(file)} -pubout")


def _load_certificates(intake: Intake, findings: list[Finding]) -> dict[x509.Certificate, str]:
    pieces = [piece for piece in intake.pieces if piece.kind is Kind.CERTIFICATE]
    if len(pieces) > policy.MAX_CERTIFICATES:
        cause = f"there are {len(pieces)} certificates; at most {policy.MAX_CERTIFICATES} are read"
        files = " ".join(shell_name(file) for file in dict.fromkeys(piece.file for piece in pieces))
        fix = "Keep the leaf and the intermediates of its chain; this counts what is in each file."
        findings.append(refuse("too-many-certificates", cause, fix, f"grep -c BEGIN {files}"))
    if len({piece.der for piece in pieces}) < len(pieces):
        findings.append(note("certificate-repeated", "a certificate is there more than once; one is used"))
    loaded: dict[x509.Certificate, str] = {}
    for piece in pieces[: policy.MAX_CERTIFICATES]:
        certificate = _load_certificate(piece)
        if isinstance(certificate, Finding):
            findings.append(certificate)
        else:
            loaded.setdefault(certificate, piece.file)
    return loaded


def _load_certificate(piece: Piece) -> x509.Certificate | Finding:
    try:
        certificate = x509.load_der_x509_certificate(piece.der)
        part = find_malformation(certificate)
        if part and has_raw_names(certificate):
            part = "a name beyond ASCII (it must be written in ASCII, xn--...)"
    except UNREADABLE:
        part = "its structure"
    if part is None:
        return certificate
    cause = f"the certificate in {printable(piece.file)} is not as the standard says: {part} cannot be read"
    fix = "Copy it once more. If that does not help, ask your certificate authority to issue it again."
    return refuse("certificate-malformed", cause, fix, who=Who.CA)


def _choose_leaf(
    certificates: Sequence[x509.Certificate], keys: Sequence[Key], hostname: Hostname | None, now: datetime
) -> x509.Certificate | None:
    """
    Give the first of the best: no authority, then for the hostname and valid, then with its key, then the newest.

    The certificate of an authority is none, unless it has the key or is for the hostname and so was meant for one.
    """

    def merit(certificate: x509.Certificate) -> tuple[bool, bool, bool, datetime]:
        facts = describe_certified(certificate)
        names = dns_names(certificate)
        fits = any(covers(name, hostname) for name in names) if hostname else bool(names)
        valid = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
        has_key = any(facts.is_same_key(key.facts) for key in keys)
        return not is_authority(certificate), fits and valid, has_key, certificate.not_valid_before_utc

    best = max(certificates, key=merit, default=None)
    return best if best and any(merit(best)[:3]) else None


def _choose_key(keys: Sequence[Key], leaf: x509.Certificate | None, findings: list[Finding]) -> Key | None:
    facts = describe_certified(leaf) if leaf else None
    chosen = next((key for key in keys if facts and facts.is_same_key(key.facts)), keys[0] if keys else None)
    for key in keys:
        if chosen and key.file != chosen.file and not key.facts.is_same_key(chosen.facts):
            findings.append(
                note("key-left-out", f"the private key in {printable(key.file)} is not the one; it is left")
            )
    return chosen


def _judge_set_aside(intake: Intake, key: Key | None, leaf: x509.Certificate | None) -> Iterator[Finding]:
    """Refuse what was set aside where it is needed, and pass over the rest."""
    fit = bool(key and leaf and describe_certified(leaf).may_be_same_key(key.facts))
    for aside in intake.set_aside:
        needed = (aside.holds_key and not fit) or (aside.holds_certificate and leaf is None)
        yield aside.finding if needed and not intake.is_mended(aside) else aside.passed_over


def _missing(
    intake: Intake,
    key: Key | None,
    leaf: x509.Certificate | None,
    hostname: Hostname | None,
    findings: Sequence[Finding],
) -> Iterator[Finding]:
    """Say what is not there at all, unless something else explains why it was not found."""
    explained = {finding.code for finding in findings if finding.refuses}
    asides = [aside for aside in intake.set_aside if not intake.is_mended(aside)]
    if not (key or explained & _WHY_NO_KEY or any(aside.holds_key for aside in asides)):
        fix = "Add the private key that the certificate was requested with. If it is lost, make a new one."
        command = request_with_new_key([hostname] if hostname else [], name_new(intake.files))
        yield refuse("key-missing", "there is no private key in the files", fix, command)
    if leaf or explained & _WHY_NO_CERTIFICATE or any(aside.holds_certificate for aside in asides):
        return
    if authorities := [piece for piece in intake.pieces if piece.kind is Kind.CERTIFICATE]:
        files = ", ".join(printable(file) for file in dict.fromkeys(piece.file for piece in authorities))
        cause = f"there are only certificates of authorities in the files ({files}), and none for a server"
        fix = "Add the certificate that your certificate authority issued for your server."
        yield refuse("leaf-missing", cause, fix)
    else:
        fix = "Add what your certificate authority sent you; its first line is -----BEGIN CERTIFICATE-----."
        yield refuse("certificate-missing", "there is no certificate in the files", fix)


def _swapped(intake: Intake) -> Iterator[Finding]:
    """Say that `ssl.key` and `ssl.crt` each hold what the other is for; nothing has to be done about it."""
    key_file, certificate_file, *_ = FILES
    kinds = {
        name: {piece.kind is Kind.CERTIFICATE for piece in intake.pieces if piece.file == name}
        for name in (key_file, certificate_file)
    }
    if kinds[key_file] == {True} and kinds[certificate_file] == {False}:
        cause = f"{key_file} holds the certificate and {certificate_file} the private key; they were read the right way"
        yield note("files-swapped", cause)
