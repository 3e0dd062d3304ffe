"""
What the customer sent, piece by piece: every file is told by its content, not by its name.

    files -> (archives opened) -> pieces: private keys and certificates
                               -> set aside: what is neither, but may hold one (PKCS#12, a key behind a passphrase)

Whatever is wrong with the form of a file becomes a finding, and reading goes on, so that the customer
hears about everything at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tasks.core import policy
from tasks.core.archive import is_archive, unpack
from tasks.core.files import FILES
from tasks.core.findings import note, refuse, shell_name
from tasks.core.formats import BY_LABEL, SetAside, recognise, set_aside
from tasks.core.identify import LABELS, PRIVATE_KEYS, Kind, identify, trim_der
from tasks.core.model import Finding
from tasks.core.pem import Block, read_bare, read_blocks
from tasks.core.text import printable

MANIFEST: Final = "dotcloud.yml"
_KEY_ENDINGS: Final = (".key",)
_CERTIFICATE_ENDINGS: Final = (".crt", ".cer", ".cert", ".pem", ".chain", ".ca-bundle", ".der", ".p7b", ".p7c")
_PEM_LABELS: Final = {**{label: kind for kind, label in LABELS.items()}, "X509 CERTIFICATE": Kind.CERTIFICATE}
_KNOWN_LABELS: Final = (*_PEM_LABELS, *BY_LABEL, "TRUSTED CERTIFICATE", "PKCS7", "ENCRYPTED PRIVATE KEY")


@dataclass(frozen=True)
class Piece:
    """
    A private key or a certificate.

    Attributes:
        file: Where it was found.

        der: As it was sent, never shown.
    """

    file: str
    kind: Kind
    der: bytes = field(repr=False)


@dataclass
class Intake:
    """
    What was found.

    Attributes:
        files: Each file once, archives replaced by what is in them; `FILES` come first, in their order.

        unpacking: By the name of a file out of an archive: the command that puts it on disk.
    """

    files: dict[str, bytes] = field(repr=False)
    unpacking: dict[str, str] = field(default_factory=dict)
    pieces: list[Piece] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def manifest(self) -> bytes | None:
        """The `dotcloud.yml`, wherever it lies."""
        found = [name for name in self.files if name.rpartition("/")[2] == MANIFEST]
        return self.files[min(found, key=len)] if found else None


def take_in(files: Mapping[str, bytes]) -> Intake:
    """Read all of *files*; never raises, whatever is in them."""
    intake = Intake({})
    if len(files) > policy.MAX_FILES:
        cause = f"there are {len(files)} files; at most {policy.MAX_FILES} are read"
        intake.findings.append(refuse("too-many-files", cause, "Give only the key, the certificates and dotcloud.yml."))
    for name in sorted(files, key=_place)[: policy.MAX_FILES]:
        if not _is_clutter(name):
            _open(name, files[name], intake)
    for name, data in intake.files.items():
        if name.rpartition("/")[2] != MANIFEST:
            _read_file(name, data, intake)
    return intake


def _place(name: str) -> int:
    """Sort the files of a hand-over before others; `sorted` leaves the rest as it was."""
    return FILES.index(name) if name in FILES else len(FILES)


def _is_clutter(name: str) -> bool:
    """Tell whether macOS made it beside a file of the customer's: it holds none of the content."""
    return any(part.startswith("._") or part == "__MACOSX" for part in name.split("/"))


def _open(name: str, data: bytes, intake: Intake) -> None:
    if not is_archive(data):
        intake.files.setdefault(name, data)
        return
    unpacked = unpack(name, data)
    intake.findings += unpacked.findings
    for member in sorted(unpacked.files, key=lambda path: _place(path.rpartition("/")[2])):
        intake.files.setdefault(member, unpacked.files[member])
        intake.unpacking.setdefault(member, unpacked.command)


def _read_file(name: str, data: bytes, intake: Intake) -> None:
    if len(data) > policy.FILE_MAX_BYTES:
        intake.findings.append(_too_large(name, len(data)))
        return
    blocks = read_blocks(data)
    for block in blocks:
        _read_block(name, block, intake)
    if not blocks and data.strip():
        _read_without_pem(name, data, intake)
    elif blocks and all(map(_says_nothing, blocks)):
        intake.findings.append(note("file-left-out", f"{printable(name)} holds neither a key nor a certificate"))


def _says_nothing(block: Block) -> bool:
    """Tell whether it is a block of something else: a revocation list, a PGP message."""
    known = block.label in _KNOWN_LABELS or block.label.endswith("PARAMETERS")
    return not known and identify(block.der or b"") in (Kind.UNKNOWN, Kind.REVOCATIONS)


def _read_block(name: str, block: Block, intake: Intake) -> None:
    """Read one PEM block: its content decides, its label where the content says nothing."""
    kind = identify(block.der or b"")
    if found := recognise(name, block.label, block.encrypted):
        intake.set_aside.append(found)
    elif block.label == "TRUSTED CERTIFICATE" and kind is Kind.CERTIFICATE and block.der:
        _read_trusted(name, block.der, intake)
    elif block.der is None or kind is Kind.UNKNOWN:
        intake.findings += _unreadable_block(name, block.label)
    else:
        if kind in LABELS and _PEM_LABELS.get(block.label) is not kind:
            shown = printable(name)
            intake.findings.append(note("label-corrected", f"{shown}: what is labelled {block.label} is {kind.value}"))
        _read_der(name, kind, block.der, intake, "PEM")


def _read_der(name: str, kind: Kind, der: bytes, intake: Intake, form: str) -> None:
    if kind in PRIVATE_KEYS or kind is Kind.CERTIFICATE:
        intake.pieces.append(Piece(name, kind, der))
    elif kind is Kind.PKCS7:
        _read_pkcs7(name, der, intake, form)
    else:
        intake.set_aside.append(set_aside(name, kind, form))


def _read_without_pem(name: str, data: bytes, intake: Intake) -> None:
    kind = identify(data)
    if kind is Kind.UNKNOWN and (bare := read_bare(data)) and (kind := identify(bare)) is not Kind.UNKNOWN:
        intake.findings.append(note("armour-missing", f"{printable(name)} lacks its BEGIN and END lines; it was read"))
        _read_der(name, kind, bare, intake, "base64")
    elif kind is not Kind.UNKNOWN:
        der = data.rstrip(b"\r\n") if data[-1:] in b"\r\n" and _ends_early(data) else data
        if kind is Kind.CERTIFICATE:
            intake.findings.append(note("certificate-is-der", f"{printable(name)} is in DER; it was read as it is"))
        elif kind in PRIVATE_KEYS:
            intake.findings.append(note("key-is-der", f"{printable(name)} is in DER; it was read as it is"))
        _read_der(name, kind, der, intake, "DER")
    elif found := recognise(name, data):
        intake.set_aside.append(found)
    else:
        intake.findings.append(_unreadable_file(name, data))


def _ends_early(data: bytes) -> bool:
    """Tell whether something follows the first value of *data*: the line break that an editor adds."""
    try:
        return len(trim_der(data)) < len(data)
    except ValueError:
        return False


def _read_trusted(name: str, der: bytes, intake: Intake) -> None:
    """Take the certificate out of OpenSSL's own format: what follows it are OpenSSL's notes on trust."""
    cause = f"{printable(name)} is in OpenSSL's own format (TRUSTED CERTIFICATE); the certificate in it was read"
    intake.findings.append(note("trusted-certificate", cause))
    _read_der(name, Kind.CERTIFICATE, trim_der(der), intake, "PEM")


def _read_pkcs7(name: str, der: bytes, intake: Intake, form: str) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs7  # here: few files need it

    try:
        certificates = pkcs7.load_der_pkcs7_certificates(der)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        certificates = []
    if not certificates:
        intake.findings.append(unreadable_certificate(name, "is a PKCS#7 file without certificates that can be read"))
        return
    count = len(certificates)
    intake.findings.append(note("is-pkcs7", f"{printable(name)} is a PKCS#7 file; {count} certificates were taken out"))
    intake.pieces += [Piece(name, Kind.CERTIFICATE, each.public_bytes(Encoding.DER)) for each in certificates]


def _unreadable_block(name: str, label: str) -> Iterator[Finding]:
    if label.endswith(("PRIVATE KEY", "PRIVATE KEY BLOCK")):
        yield unreadable_key(name)
    elif label in _KNOWN_LABELS:
        yield unreadable_certificate(name, "holds a certificate that cannot be read")


def _unreadable_file(name: str, data: bytes) -> Finding:
    """Say what a file is that holds nothing for us; only one whose name promises something is refused."""
    lower = name.lower()
    page = data[:512].lower().lstrip(b"\xef\xbb\xbf \r\n\t").startswith((b"<!doctype", b"<html", b"<?xml"))
    if lower.endswith(_KEY_ENDINGS):
        return unreadable_key(name)
    if lower.endswith(_CERTIFICATE_ENDINGS):
        what = "is a web page, not a certificate" if page else "holds something that is not a readable certificate"
        return unreadable_certificate(name, what)
    return note("file-left-out", f"{printable(name)} holds neither a key nor a certificate")


def _too_large(name: str, size: int) -> Finding:
    cause = f"{printable(name)} has {size} bytes; at most {policy.FILE_MAX_BYTES} are read"
    if not name.lower().endswith((*_KEY_ENDINGS, *_CERTIFICATE_ENDINGS)):
        return note("file-left-out", cause)
    pem = "/-----BEGIN/,/-----END/p"
    word = shell_name(name)
    command = f"sed -n '{pem}' {word} > small.pem && mv small.pem {word}"
    return refuse("file-too-large", cause, "Keep only the PEM blocks in it.", command)


def unreadable_key(name: str) -> Finding:
    fix = "Copy the whole file again, from its BEGIN line to its END line, until this command says that it is valid."
    command = f"openssl pkey -in {shell_name(name)} -noout -check"
    return refuse("key-unreadable", f"the private key in {printable(name)} cannot be read", fix, command)


def unreadable_certificate(name: str, what: str) -> Finding:
    fix = "Copy it again, from its BEGIN line to its END line, until this command shows its name."
    command = f"openssl x509 -in {shell_name(name)} -noout -subject"
    return refuse("certificate-unreadable", f"{printable(name)} {what}", fix, command)
