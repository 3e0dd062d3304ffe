"""
What is in the customer's files: the key, the leaf and the other certificates, wherever they lie.

Whatever is wrong with the form of a file becomes a finding, and reading goes on, so that the customer
hears about everything at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from tasks.core import policy
from tasks.core.der import is_der
from tasks.core.findings import note, refuse
from tasks.core.model import Finding
from tasks.core.pem import Block, armour, read_blocks
from tasks.core.private_key import PublicFacts, describe_private, describe_public

KEY, CRT, CHAIN = "ssl.key", "ssl.crt", "ssl.chain"
_CERTIFICATE_LABELS = ("CERTIFICATE", "X509 CERTIFICATE")
_REQUEST_LABELS = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
_PKCS7_DATA = bytes.fromhex("06092a864886f70d010702")
_PKCS12_START = bytes.fromhex("020103")


@dataclass(frozen=True)
class Key:
    """The private key: as it was sent (label and DER), never shown, and the facts about it."""

    label: str
    der: bytes = field(repr=False)
    facts: PublicFacts

    def pem(self) -> bytes:
        """Give the very bytes that were sent, in lines of 64."""
        return armour(self.label, self.der)


@dataclass(frozen=True)
class Contents:
    """
    What was found.

    Attributes:
        certificates: All of them once, in the order of the files.

        leaf: The one that the key belongs to, else the first that is no authority.
    """

    key: Key | None
    certificates: tuple[x509.Certificate, ...]
    leaf: x509.Certificate | None
    findings: tuple[Finding, ...]


@dataclass
class _Reading:
    """The notes taken while reading."""

    keys: dict[str, list[Block]] = field(default_factory=dict)
    certificates: dict[str, list[bytes]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def read_contents(files: Mapping[str, bytes]) -> Contents:
    """Read `ssl.key`, `ssl.crt` and `ssl.chain` of *files*."""
    reading = _Reading()
    for name in (KEY, CRT, CHAIN):
        _read_file(name, files.get(name, b""), reading)
    reading.findings += _misplaced(reading)
    key = _choose_key(reading)
    certificates = _load_certificates(reading)
    leaf = _choose_leaf(certificates, key)
    return Contents(key, tuple(certificates), leaf, tuple(reading.findings))


def _read_file(name: str, data: bytes, reading: _Reading) -> None:
    if len(data) > policy.FILE_MAX_BYTES:
        cause = f"{name} has {len(data)} bytes; at most {policy.FILE_MAX_BYTES} are read"
        reading.findings.append(refuse("file-too-large", cause, f"Keep only PEM blocks in {name}: less {name}"))
        return
    blocks = read_blocks(data)
    if not blocks:
        _read_without_pem(name, data, reading)
    for block in blocks:
        _read_block(name, block, reading)


def _read_block(name: str, block: Block, reading: _Reading) -> None:
    if block.is_private_key:
        reading.keys.setdefault(name, []).append(block)
    elif block.label in _REQUEST_LABELS:
        fix = f"Send it to your certificate authority, and put what comes back into {name}."
        reading.findings.append(refuse("is-request", f"{name} holds a certificate signing request", fix))
    elif block.label == "PKCS7":
        reading.findings.append(_pkcs7(name, "PEM"))
    elif block.label in _CERTIFICATE_LABELS:
        if block.der is None:
            reading.findings.append(_unreadable_certificate(name))
        else:
            reading.certificates.setdefault(name, []).append(block.der)


def _read_without_pem(name: str, data: bytes, reading: _Reading) -> None:
    """Explain a file that is not PEM, and read it all the same where it is DER."""
    if not data.strip():
        return
    if not is_der(data):
        reading.findings.append(_unreadable_key(name) if name == KEY else _unreadable_certificate(name))
    elif _PKCS12_START in data[:12]:
        fix = (
            f"Take it apart: openssl pkcs12 -in {name} -nocerts -nodes -out key.pem; "
            f"openssl pkcs12 -in {name} -nokeys -out certs.pem; mv key.pem ssl.key; mv certs.pem ssl.crt"
        )
        reading.findings.append(refuse("is-pkcs12", f"{name} is a PKCS#12 (.p12, .pfx) file", fix))
    elif _PKCS7_DATA in data[:24]:
        reading.findings.append(_pkcs7(name, "DER"))
    elif _is_certificate(data):
        fix = f"Convert it: openssl x509 -inform DER -in {name} -out {name}.pem && mv {name}.pem {name}"
        reading.findings.append(refuse("certificate-is-der", f"{name} is a certificate in DER, not PEM", fix))
        reading.certificates.setdefault(name, []).append(data)
    elif name == KEY:
        fix = f"Convert it: openssl pkey -inform DER -in {name} -out {name}.pem && mv {name}.pem {name}"
        reading.findings.append(refuse("key-is-der", f"{name} is in DER, not PEM", fix))
        reading.keys.setdefault(name, []).append(Block("PRIVATE KEY", data))
    else:
        reading.findings.append(_unreadable_certificate(name))


def _misplaced(reading: _Reading) -> Iterator[Finding]:
    """Say which files hold what another one should."""
    keys, certificates = reading.keys, reading.certificates
    explained = {finding.code for finding in reading.findings}
    if KEY not in keys and CRT in keys and KEY in certificates and CRT not in certificates:
        fix = "Swap them: mv ssl.key ssl.tmp && mv ssl.crt ssl.key && mv ssl.tmp ssl.crt"
        yield refuse("files-swapped", "ssl.key holds the certificate and ssl.crt the private key", fix)
        return
    if KEY not in keys and (elsewhere := next(iter(keys), None)):
        cause = f"ssl.key holds no private key, but {elsewhere} does"
        yield refuse("key-missing", cause, f"Take it out: openssl pkey -in {elsewhere} -out ssl.key")
    elif not keys and not explained & {"key-unreadable", "is-pkcs12"}:
        fix = "Put the key in that the certificate was requested with; if it is lost, make a new one: " + _REQUEST
        yield refuse("key-missing", "ssl.key is missing, empty or holds no private key", fix)
    if not certificates and not explained & {"certificate-unreadable", "is-request", "is-pkcs7", "is-pkcs12"}:
        fix = "Put in what your authority sent, until this shows its name: openssl x509 -in ssl.crt -noout -subject"
        yield refuse("certificate-missing", "ssl.crt is missing, empty or holds no certificate", fix)


_REQUEST = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ssl.key -out ssl.csr"


def _choose_key(reading: _Reading) -> Key | None:
    """Give the one key, from `ssl.key` if there is one in it."""
    blocks = [(name, block) for name in (KEY, CRT, CHAIN) for block in reading.keys.get(name, [])]
    if len({block.der for _, block in blocks}) > 1:
        places = ", ".join(dict.fromkeys(name for name, _ in blocks))
        fix = "Keep the one whose public half is the certificate's: openssl x509 -in ssl.crt -noout -pubkey"
        reading.findings.append(refuse("two-keys", f"there are {len(blocks)} private keys in {places}", fix))
    elif len(blocks) > 1:
        reading.findings.append(note("key-repeated", "the private key is there more than once; one is used"))
    for name, block in blocks[:1]:
        try:
            return _load_key(name, block, reading)
        except ValueError:
            reading.findings.append(_unreadable_key(name, block.label))
    return None


def _load_key(name: str, block: Block, reading: _Reading) -> Key | None:
    if block.encrypted or block.label == "ENCRYPTED PRIVATE KEY":
        fix = f"Take the passphrase off: openssl pkey -in {name} -out ssl.plain && mv ssl.plain ssl.key"
        cause = f"the private key in {name} is protected by a passphrase"
        reading.findings.append(refuse("key-encrypted", cause, fix))
        return None
    if block.der is None:
        raise ValueError("cut off")
    return Key(block.label, block.der, describe_private(block.der))


def _load_certificates(reading: _Reading) -> list[x509.Certificate]:
    ders = [(name, der) for name in (KEY, CRT, CHAIN) for der in reading.certificates.get(name, [])]
    if len(ders) > policy.MAX_CERTIFICATES:
        cause = f"there are {len(ders)} certificates; at most {policy.MAX_CERTIFICATES} are read"
        fix = "Keep the leaf and the intermediates of its chain: grep -c BEGIN ssl.crt ssl.chain"
        reading.findings.append(refuse("too-many-certificates", cause, fix))
    loaded: dict[x509.Certificate, None] = {}
    for name, der in ders[: policy.MAX_CERTIFICATES]:
        certificate = _load_certificate(der)
        if certificate is None:
            reading.findings.append(_unreadable_certificate(name))
        else:
            loaded[certificate] = None
    return list(loaded)


def _load_certificate(der: bytes) -> x509.Certificate | None:
    """Load a certificate and look at every part the checks look at: parts are parsed when first asked for."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        _ = (certificate.extensions, certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string())
        _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc, certificate.public_bytes(Encoding.DER))
    except _UNREADABLE:
        return None
    return certificate


def _is_certificate(der: bytes) -> bool:
    return _load_certificate(der) is not None


def is_authority(certificate: x509.Certificate) -> bool:
    """Tell whether the certificate says that it may sign others."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def public_facts(certificate: x509.Certificate) -> PublicFacts | None:
    """Give the facts about the certified key; None where it is of a kind that nothing here loads."""
    pss = x509.ObjectIdentifier("1.2.840.113549.1.1.10")
    try:
        kind = "RSASSA-PSS" if certificate.public_key_algorithm_oid == pss else None
        return describe_public(certificate.public_key(), kind)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _choose_leaf(certificates: list[x509.Certificate], key: Key | None) -> x509.Certificate | None:
    def suits(certificate: x509.Certificate) -> tuple[bool, bool]:
        facts = public_facts(certificate) if key else None
        matches = bool(key and facts and facts.is_same_key(key.facts))
        return matches, not is_authority(certificate)

    return max(certificates, key=suits, default=None)  # the first of equals


def _unreadable_key(name: str, label: str = "") -> Finding:
    if label == "OPENSSH PRIVATE KEY":
        fix = f"It is in OpenSSH's own format; convert it: ssh-keygen -p -m PEM -N '' -f {name}"
    else:
        fix = (
            f"Copy the whole file again, from BEGIN to END; openssl pkey -in {name} -noout -check must say it is valid."
        )
    return refuse("key-unreadable", f"the private key in {name} cannot be read", fix)


def _unreadable_certificate(name: str) -> Finding:
    fix = f"Copy it again, from BEGIN to END, until this shows its name: openssl x509 -in {name} -noout -subject"
    return refuse("certificate-unreadable", f"{name} holds something that is not a readable certificate", fix)


def _pkcs7(name: str, form: str) -> Finding:
    fix = (
        f"Take the certificates out: openssl pkcs7 -inform {form} -in {name} -print_certs -out {name}.pem "
        f"&& mv {name}.pem {name}"
    )
    return refuse("is-pkcs7", f"{name} is a PKCS#7 (.p7b) file", fix)
