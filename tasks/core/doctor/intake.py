"""
What the customer sent, piece by piece: every file is told by its content, not by its name.

    files -> (archives opened) -> pieces: private keys and certificates
                               -> set aside: what is neither, but may hold one (PKCS#12, a key behind a passphrase)

Whatever is wrong with the form of a file becomes a finding, and reading goes on, so that the customer
hears about everything at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tasks.core import policy
from tasks.core.doctor.archive import is_archive, unpack
from tasks.core.doctor.commands import private
from tasks.core.doctor.findings import note, refuse, shell_name
from tasks.core.doctor.formats import BY_LABEL, SetAside, beside, recognise, set_aside, ssh_ed25519, unreadable_key
from tasks.core.doctor.identify import LABELS, PRIVATE_KEYS, Kind, identify, trim_der
from tasks.core.doctor.pem import Block, read_bare, read_blocks
from tasks.core.files import FILES
from tasks.core.model import Finding
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

    def is_mended(self, aside: SetAside) -> bool:
        """Tell whether what its command makes is there, and something was read out of it."""
        return all(file in self.files for file in aside.makes) and any(p.file in aside.makes for p in self.pieces)

    @property
    def manifest(self) -> bytes | None:
        """The `dotcloud.yml`, wherever it lies."""
        found = [name for name in self.files if name.rpartition("/")[2] == MANIFEST]
        return self.files[min(found, key=len)] if found else None


def take_in(files: Mapping[str, bytes]) -> Intake:
    """Read all of *files*, as far as the limits let it; never raises, whatever is in them."""
    intake = Intake({})
    names = [name for name in sorted(files, key=_place) if not _is_clutter(name)]
    archives = [name for name in names if is_archive(files[name])]
    for name in names:
        if name not in archives:
            intake.files[name] = files[name]
    for name in archives[: policy.MAX_ARCHIVES]:  # after them: what was unpacked already counts as it is now
        _unpack(name, files[name], intake)
    if len(intake.files) > policy.MAX_FILES or len(archives) > policy.MAX_ARCHIVES:
        cause = f"there are {len(intake.files)} files and {len(archives)} archives;"
        _say_too_much(f"{cause} at most {policy.MAX_FILES} and {policy.MAX_ARCHIVES} are read", intake)
    budget = _Budget()
    for name in list(intake.files)[: policy.MAX_FILES]:
        if name.rpartition("/")[2] != MANIFEST:
            _read_file(name, intake.files[name], intake, budget)
    if budget.is_spent:
        most = f"{policy.READ_MAX_BYTES} bytes or {policy.MAX_BLOCKS} PEM blocks"
        _say_too_much(f"there is more in the files than is read: {most}", intake)
    return intake


@dataclass
class _Budget:
    """What may still be read: of many files, each within its limit, together."""

    bytes_left: int = policy.READ_MAX_BYTES
    blocks_left: int = policy.MAX_BLOCKS

    def spend(self, size: int, blocks: int) -> None:
        self.bytes_left -= size
        self.blocks_left -= blocks

    @property
    def is_spent(self) -> bool:
        return self.bytes_left < 0 or self.blocks_left < 0


def _say_too_much(cause: str, intake: Intake) -> None:
    fix = "Give only the key, the certificates and dotcloud.yml."
    intake.findings.append(refuse("too-many-files", cause, fix))


def _place(name: str) -> int:
    """Sort the files of a hand-over before others; `sorted` leaves the rest as it was."""
    return FILES.index(name) if name in FILES else len(FILES)


def _is_clutter(name: str) -> bool:
    """Tell whether macOS made it beside a file of the customer's: it holds none of the content."""
    return any(part.startswith("._") or part == "__MACOSX" for part in name.split("/"))


def _unpack(name: str, data: bytes, intake: Intake) -> None:
    unpacked = unpack(name, data)
    intake.findings += unpacked.findings
    for member in sorted(unpacked.files, key=lambda path: _place(path.rpartition("/")[2])):
        if intake.files.get(member, unpacked.files[member]) != unpacked.files[member]:
            cause = f"{printable(member)} is there already; what {printable(name)} has under that name was left out"
            intake.findings.append(note("file-left-out", cause))
        if member not in intake.files:
            intake.files[member] = unpacked.files[member]
            intake.unpacking[member] = private(unpacked.command)  # there may be a key in it


def _read_file(name: str, data: bytes, intake: Intake, budget: _Budget) -> None:
    if len(data) > policy.FILE_MAX_BYTES:
        _set_aside_large(name, data, intake)
        return
    budget.spend(len(data), 0)
    blocks = [] if budget.is_spent else read_blocks(data)
    budget.spend(0, len(blocks))
    if budget.is_spent:
        return
    for block in blocks:
        _read_block(name, block, intake)
    if not blocks and data.strip():
        _read_without_pem(name, data, intake)
    elif blocks and all(map(_says_nothing, blocks)):
        _leave_out(name, intake)


def _says_nothing(block: Block) -> bool:
    """Tell whether it is a block of something else: a revocation list, a PGP message."""
    known = block.label in _KNOWN_LABELS or block.label.endswith("PARAMETERS")
    return not known and identify(block.der or b"") in (Kind.UNKNOWN, Kind.REVOCATIONS)


def _read_block(name: str, block: Block, intake: Intake) -> None:
    """Read one PEM block: its content decides, its label where the content says nothing."""
    kind = identify(block.der or b"")
    if block.label == "OPENSSH PRIVATE KEY" and b"ssh-ed25519" in (block.der or b""):
        intake.set_aside.append(ssh_ed25519(name))
    elif found := recognise(name, block.label, block.encrypted):
        intake.set_aside.append(found)
    elif block.label == "TRUSTED CERTIFICATE" and kind is Kind.CERTIFICATE and block.der:
        _read_trusted(name, block.der, intake)
    elif block.der is None or kind is Kind.UNKNOWN:
        _set_aside_unreadable(name, block.label, intake)
    else:
        if kind in LABELS and _PEM_LABELS.get(block.label) is not kind:
            label = block.label if block.label in _KNOWN_LABELS else "something else"  # it may be a piece of a key
            cause = f"{printable(name)}: what is labelled {label} is {kind.value}"
            intake.findings.append(note("label-corrected", cause))
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
        if kind is Kind.CERTIFICATE:
            intake.findings.append(note("certificate-is-der", f"{printable(name)} is in DER; it was read as it is"))
        elif kind in PRIVATE_KEYS:
            intake.findings.append(note("key-is-der", f"{printable(name)} is in DER; it was read as it is"))
        _read_der(name, kind, _without_line_break(data), intake, "DER")
    elif found := recognise(name, data):
        intake.set_aside.append(found)
    elif name.lower().endswith(_CERTIFICATE_ENDINGS):
        page = data[:512].lower().lstrip(b"\xef\xbb\xbf \r\n\t").startswith((b"<!doctype", b"<html", b"<?xml"))
        what = "is a web page, not a certificate" if page else "holds something that is not a readable certificate"
        intake.findings.append(unreadable_certificate(name, what))
    else:
        _leave_out(name, intake)


def _leave_out(name: str, intake: Intake) -> None:
    """Leave out a file that holds nothing for us, unless its name promises a key."""
    if name.lower().endswith(_KEY_ENDINGS):
        intake.set_aside.append(unreadable_key(name))
    else:
        intake.findings.append(note("file-left-out", f"{printable(name)} holds neither a key nor a certificate"))


def _without_line_break(data: bytes) -> bytes:
    """Take away the line break that an editor adds, and not a byte of the value that looks like one."""
    try:
        der = trim_der(data)
    except ValueError:
        return data
    return data if data[len(der) :].strip(b"\r\n") else der


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


def _set_aside_unreadable(name: str, label: str, intake: Intake) -> None:
    if label.endswith(("PRIVATE KEY", "PRIVATE KEY BLOCK")):
        intake.set_aside.append(unreadable_key(name))
    elif label in _KNOWN_LABELS:
        intake.findings.append(unreadable_certificate(name, "holds a certificate that cannot be read"))


def _set_aside_large(name: str, data: bytes, intake: Intake) -> None:
    """Leave out a large file, unless its name or its PEM promises something, and there is no smaller one of it."""
    cause = f"{printable(name)} has {len(data)} bytes; at most {policy.FILE_MAX_BYTES} are read"
    small = beside(name, "small.pem")
    promised = name.lower().endswith((*_KEY_ENDINGS, *_CERTIFICATE_ENDINGS))
    pem = _measure_pem(data)
    if small in intake.files or not (promised or pem):
        intake.findings.append(note("file-left-out", cause))
        return
    command = private(f"sed -n '/-----BEGIN/,/-----END/p' {shell_name(name)} > {shell_name(small)}", small)
    fits = 0 < pem <= policy.FILE_MAX_BYTES
    fix = f"Keep only its PEM blocks, and hand over {shell_name(small)} in its place."
    other = "Give a file that holds only the key, or only the certificates of this chain."
    finding = refuse("file-too-large", cause, fix if fits else other, command if fits else "")
    if promised:
        intake.findings.append(finding)
    else:
        intake.set_aside.append(SetAside(name, "too large", finding, holds_key=True, holds_certificate=True))


def _measure_pem(data: bytes) -> int:
    """Give about how many bytes of *data* are PEM blocks."""
    total, begin = 0, data.find(b"-----BEGIN")
    while begin >= 0:
        end = data.find(b"-----END", begin)
        total += (end if end >= 0 else len(data)) - begin + 40
        begin = data.find(b"-----BEGIN", end) if end >= 0 else -1
    return total


def unreadable_certificate(name: str, what: str) -> Finding:
    fix = "Copy it again, from its BEGIN line to its END line, until this command shows its name."
    command = f"openssl x509 -in {shell_name(name)} -noout -subject"
    return refuse("certificate-unreadable", f"{printable(name)} {what}", fix, command)
