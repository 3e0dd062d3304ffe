"""
Formats that hold a key or a certificate which cannot be used as it is: recognised, and explained with the command.

What is set aside is refused only if the files hold no other key and certificate that fit together, and not once its
command was run: a ``.pfx`` beside the files that were taken out of it does no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tasks.core.doctor.commands import private
from tasks.core.doctor.findings import note, refuse, shell_name
from tasks.core.doctor.identify import Kind
from tasks.core.doctor.pem import decode_text
from tasks.core.model import Finding
from tasks.core.text import printable


@dataclass(frozen=True)
class SetAside:
    """
    A file that is not used as it is.

    Attributes:
        what: What it is, as the end of "x is ...".

        holds_key, holds_certificate: What it would be needed for.

        finding: What to say if it is needed.

        makes: The files that the command of *finding* makes.
    """

    file: str
    what: str
    finding: Finding
    holds_key: bool = False
    holds_certificate: bool = False
    makes: tuple[str, ...] = ()

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
        return ssh_ed25519(name) if "ssh-ed25519" in start.partition("\n")[0] else _putty(name)
    if start.startswith(("ssh-rsa ", "ssh-ed25519 ", "ssh-dss ", "ecdsa-sha2-")):
        return _public(name)
    return None


def unreadable_key(name: str) -> SetAside:
    """Explain a private key that is damaged, or something else in a file that is called like one."""
    fix = "Copy the whole file again, from its BEGIN line to its END line, until this command says that it is valid."
    command = f"openssl pkey -in {shell_name(name)} -noout -check"
    finding = refuse("key-unreadable", f"the private key in {printable(name)} cannot be read", fix, command)
    return SetAside(name, "a file with a private key that cannot be read", finding, holds_key=True)


def beside(name: str, ending: str) -> str:
    """Name a new file after the one that it comes from."""
    return f"{name.removesuffix('.key')}.{ending}"


def _openssl(command: str, name: str, is_base64: bool) -> str:
    """Have openssl read a file, or what it is in base64, perhaps between the two lines of PEM."""
    if not is_base64:
        return f"openssl {command} -in {shell_name(name)}"
    return f"grep -v -e ----- {shell_name(name)} | tr -d ' \\r\\n' | openssl base64 -d -A | openssl {command}"


def _encrypted(name: str, form: str) -> SetAside:
    plain = beside(name, "plain.key")
    read = _openssl("pkey" if form == "PEM" else "pkey -inform DER", name, form == "base64")
    command = f"{read} -out {shell_name(plain)}"
    fix = f"Take the passphrase off, and hand over {shell_name(plain)} in its place."
    cause = f"the private key in {printable(name)} is protected by a passphrase"
    finding = refuse("key-encrypted", cause, fix, private(command, plain))
    return SetAside(name, "a private key behind a passphrase", finding, holds_key=True, makes=(plain,))


def _openssh(name: str) -> SetAside:
    plain = beside(name, "plain.key")
    word = shell_name(plain)
    command = f"cp {shell_name(name)} {word} && ssh-keygen -q -p -m PEM -N '' -f {word} || rm {word}"
    cause = f"the private key in {printable(name)} is in OpenSSH's own format"
    fix = f"Convert it, and hand over {word} in its place."
    finding = refuse("key-is-openssh", cause, fix, private(command, plain))
    return SetAside(name, "a private key in OpenSSH's own format", finding, holds_key=True, makes=(plain,))


def _putty(name: str) -> SetAside:
    plain = beside(name, "plain.key")
    command = f"puttygen {shell_name(name)} -O private-openssh -o {shell_name(plain)}"
    cause = f"the private key in {printable(name)} is in PuTTY's own format"
    fix = f"Convert it, and hand over {shell_name(plain)} in its place."
    finding = refuse("key-is-putty", cause, fix, private(command, plain))
    return SetAside(name, "a private key in PuTTY's own format", finding, holds_key=True, makes=(plain,))


def ssh_ed25519(name: str) -> SetAside:
    """Explain a key for SSH that no certificate for browsers can be for, and that ssh-keygen does not convert."""
    cause = f"the private key in {printable(name)} is an SSH key of type Ed25519, which no browser takes"
    finding = refuse("key-ed25519", cause, *_FIND_KEY)
    return SetAside(name, "an SSH key of type Ed25519", finding, holds_key=True)


def _public(name: str) -> SetAside:
    cause = f"{printable(name)} holds only the public half of a key"
    finding = refuse("key-is-public", cause, *_FIND_KEY)
    return SetAside(name, Kind.PUBLIC_KEY.value, finding, holds_key=True)


def _request(name: str) -> SetAside:
    cause = f"{printable(name)} is a certificate signing request, not a certificate"
    fix = "Send it to your certificate authority, and hand over what comes back."
    finding = refuse("is-request", cause, fix, f"openssl req -in {shell_name(name)} -noout -subject -verify")
    return SetAside(name, Kind.REQUEST.value, finding, holds_certificate=True)


def _pkcs12(name: str, form: str) -> SetAside:
    makes = beside(name, "plain.key"), beside(name, "certificates.pem")
    plain, certificates = map(shell_name, makes)
    take = _openssl("pkcs12", name, form != "DER")
    command = f"{take} -nocerts -nodes -out {plain} && {take} -nokeys -out {certificates}"
    fix = f"Take it apart, and hand over {plain} and {certificates}; older files need the option -legacy in both."
    cause = f"{printable(name)} is a PKCS#12 (.p12, .pfx) file, which is protected by a password"
    finding = refuse("is-pkcs12", cause, fix, private(command, *makes))
    return SetAside(name, Kind.PKCS12.value, finding, holds_key=True, holds_certificate=True, makes=makes)


def _keystore(name: str) -> SetAside:
    converted, plain = beside(name, "p12"), beside(name, "plain.key")
    between, word = shell_name(converted), shell_name(plain)
    command = (
        f"keytool -importkeystore -srckeystore {shell_name(name)} -destkeystore {between} -deststoretype PKCS12"
        f" && openssl pkcs12 -in {between} -nodes -out {word}"
    )
    cause = f"{printable(name)} is a Java keystore"
    fix = f"Take it apart, and hand over {word}, which then holds the key and the certificates."
    finding = refuse("is-keystore", cause, fix, private(command, converted, plain))
    return SetAside(name, "a Java keystore", finding, holds_key=True, holds_certificate=True, makes=(plain,))


BY_LABEL: Final[dict[str, Callable[[str], SetAside]]] = {
    "OPENSSH PRIVATE KEY": _openssh,
    "PUBLIC KEY": _public,
    "RSA PUBLIC KEY": _public,
    "CERTIFICATE REQUEST": _request,
    "NEW CERTIFICATE REQUEST": _request,
}
_FIND_KEY: Final = (
    "Hand over the private key that the certificate was requested with; its first line has the words PRIVATE KEY.",
    "grep -l 'PRIVATE KEY' -r .",
)
_KEYSTORES: Final = (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce")  # JKS, JCEKS
