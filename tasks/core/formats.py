"""
Formats that hold a key or a certificate which cannot be used as it is: recognised, and explained with the command.

What is set aside is refused only if the files hold no other key and certificate that fit together: a ``.pfx``
beside the files that were taken out of it does no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tasks.core.findings import note, refuse, shell_name
from tasks.core.identify import Kind
from tasks.core.model import Finding
from tasks.core.pem import decode_text
from tasks.core.text import printable


@dataclass(frozen=True)
class SetAside:
    """
    A file that is not used as it is.

    Attributes:
        what: What it is, as the end of "x is ...".

        holds_key, holds_certificate: What it would be needed for.

        finding: What to say if it is needed.
    """

    file: str
    what: str
    finding: Finding
    holds_key: bool = False
    holds_certificate: bool = False

    @property
    def passed_over(self) -> Finding:
        """What to say if it is not needed."""
        return note("file-left-out", f"{printable(self.file)} is {self.what}; it was not needed")


def set_aside(name: str, kind: Kind, form: str) -> SetAside:
    """
    Explain a *kind* of DER that is neither a private key nor a certificate.

    Args:
        form: How it is written: ``PEM``, ``DER``, or ``base64`` without its first and last line.
    """
    match kind:
        case Kind.ENCRYPTED_KEY:
            return _encrypted(name, form)
        case Kind.PUBLIC_KEY:
            return _public(name)
        case Kind.REQUEST:
            return _request(name)
        case Kind.PKCS12:
            return _pkcs12(name, form)
        case _:
            return SetAside(name, kind.value, note("file-left-out", f"{printable(name)} is {kind.value}"))


def recognise(name: str, content: bytes | str, encrypted: bool = False) -> SetAside | None:
    """
    Explain what is told by its first words: the label of a PEM block, or the beginning of another file.

    Args:
        content: A PEM label, or the bytes of a file without PEM.

        encrypted: A ``Proc-Type`` header says that the block is.
    """
    if isinstance(content, str):
        if encrypted or content == "ENCRYPTED PRIVATE KEY":
            return _encrypted(name, "PEM")
        return BY_LABEL[content](name) if content in BY_LABEL else None
    if content[:4] in _KEYSTORES:
        return _keystore(name)
    start = decode_text(content[:4096]).lstrip()
    if start.startswith("PuTTY-User-Key-File-"):
        return _putty(name)
    if start.startswith(("ssh-rsa ", "ssh-ed25519 ", "ssh-dss ", "ecdsa-sha2-")):
        return _public(name)
    return None


def _beside(name: str, ending: str) -> str:
    """Name a new file after the one it comes from, so that no other is written over, as a word of a command."""
    return shell_name(f"{name.removesuffix('.key')}.{ending}")


def _as_der(name: str, form: str) -> tuple[str, str]:
    """Give how the file is called as DER, and what makes it so where it is base64."""
    if form != "base64":
        return shell_name(name), ""
    decoded = _beside(name, "der")
    return decoded, f"openssl base64 -d -A -in {shell_name(name)} -out {decoded} && "


def _encrypted(name: str, form: str) -> SetAside:
    what = "a private key behind a passphrase"
    plain, (source, before) = _beside(name, "plain.key"), _as_der(name, form)
    given = "" if form == "PEM" else " -inform DER"
    command = f"{before}openssl pkey{given} -in {source} -out {plain}"
    fix = f"Take the passphrase off, and hand over {plain} in its place."
    cause = f"the private key in {printable(name)} is protected by a passphrase"
    return SetAside(name, what, refuse("key-encrypted", cause, fix, command), holds_key=True)


def _openssh(name: str) -> SetAside:
    word, plain = shell_name(name), _beside(name, "plain.key")
    command = f"(umask 077; cp {word} {plain}) && ssh-keygen -q -p -m PEM -N '' -f {plain}"
    cause = f"the private key in {printable(name)} is in OpenSSH's own format"
    fix = f"Convert it, and hand over {plain} in its place."
    finding = refuse("key-is-openssh", cause, fix, command)
    return SetAside(name, "a private key in OpenSSH's own format", finding, holds_key=True)


def _putty(name: str) -> SetAside:
    plain = _beside(name, "plain.key")
    command = f"puttygen {shell_name(name)} -O private-openssh -o {plain}"
    cause = f"the private key in {printable(name)} is in PuTTY's own format"
    fix = f"Convert it, and hand over {plain} in its place."
    finding = refuse("key-is-putty", cause, fix, command)
    return SetAside(name, "a private key in PuTTY's own format", finding, holds_key=True)


def _public(name: str) -> SetAside:
    cause = f"{printable(name)} holds only the public half of a key"
    fix = "Hand over the private key that was made together with it; its first line has the words PRIVATE KEY."
    finding = refuse("key-is-public", cause, fix, "grep -l 'PRIVATE KEY' -r .")
    return SetAside(name, Kind.PUBLIC_KEY.value, finding, holds_key=True)


def _request(name: str) -> SetAside:
    cause = f"{printable(name)} is a certificate signing request, not a certificate"
    fix = "Send it to your certificate authority, and hand over what comes back."
    finding = refuse("is-request", cause, fix, f"openssl req -in {shell_name(name)} -noout -subject -verify")
    return SetAside(name, Kind.REQUEST.value, finding, holds_certificate=True)


def _pkcs12(name: str, form: str) -> SetAside:
    plain, certificates = _beside(name, "plain.key"), _beside(name, "certificates.pem")
    source, before = _as_der(name, form)
    take = f"openssl pkcs12 -in {source}"
    command = f"{before}{take} -nocerts -nodes -out {plain} && {take} -nokeys -out {certificates}"
    fix = f"Take it apart, and hand over {plain} and {certificates}; older files need the option -legacy in both."
    cause = f"{printable(name)} is a PKCS#12 (.p12, .pfx) file, which is protected by a password"
    return SetAside(name, Kind.PKCS12.value, refuse("is-pkcs12", cause, fix, command), True, True)


def _keystore(name: str) -> SetAside:
    word, plain = shell_name(name), _beside(name, "plain.key")
    converted = _beside(name, "p12")
    command = (
        f"keytool -importkeystore -srckeystore {word} -destkeystore {converted} -deststoretype PKCS12"
        f" && openssl pkcs12 -in {converted} -nodes -out {plain}"
    )
    cause = f"{printable(name)} is a Java keystore"
    fix = f"Take it apart, and hand over {plain}, which then holds the key and the certificates."
    return SetAside(name, "a Java keystore", refuse("is-keystore", cause, fix, command), True, True)


BY_LABEL: Final[dict[str, Callable[[str], SetAside]]] = {
    "OPENSSH PRIVATE KEY": _openssh,
    "PUBLIC KEY": _public,
    "RSA PUBLIC KEY": _public,
    "CERTIFICATE REQUEST": _request,
    "NEW CERTIFICATE REQUEST": _request,
}
_KEYSTORES: Final = (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce")  # JKS, JCEKS
