"""The right things, written down in every way that editors, mail clients and consoles have."""

from __future__ import annotations

import base64
import json
import quopri
from dataclasses import replace
from urllib.parse import quote

from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat

from tasks.core import policy
from tasks.core.doctor.pem import armour
from tests.corpus import containers, craft
from tests.corpus.case import SHOP, Case, Files, Lab, accepted, refused
from tests.corpus.containers import OLD
from tests.pki import DOTCLOUD_YML, Issued, cert_pem, key_pem, make_key

_DASHES = b"-----"


def _everything(lab: Lab, old: bytes, new: bytes) -> Files:
    """The good files with something exchanged in each PEM file."""
    return {n: d if n == "dotcloud.yml" else d.replace(old, new) for n, d in lab.good.files().items()}


def _crt(good: Issued, pem: bytes) -> Files:
    """The good files with another text for certificate and chain together."""
    return good.files(crt=pem, chain=None)


def _full(lab: Lab) -> bytes:
    return lab.good.leaf_pem + lab.good.chain_pem


def one_line(label: str, der: bytes) -> bytes:
    body = base64.b64encode(der).decode()
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n".encode()


def drop_line(pem: bytes, number: int) -> bytes:
    lines = pem.splitlines(True)
    del lines[number]
    return b"".join(lines)


def written_out(pem: bytes, line_end: bytes = b"\\n") -> bytes:
    r"""One line with ``\n`` in two characters, as a program prints a string."""
    return pem.replace(b"\n", line_end)


def _numbered(pem: bytes) -> bytes:
    return b"".join(b"%4d  %s\n" % (n, line) for n, line in enumerate(pem.splitlines(), 1))


def _rtf(pem: bytes) -> bytes:
    return b"{\\rtf1\\ansi\\deff0 {\\fonttbl{\\f0 Courier;}}\n" + pem.replace(b"\n", b"\\par\n") + b"}"


def _mail(pem: bytes) -> bytes:
    """The file as an attachment in a saved message, quoted-printable."""
    head = b"From: ca@example.test\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    return head + quopri.encodestring(pem)


def _s_client(lab: Lab) -> bytes:
    """What ``openssl s_client -showcerts`` prints."""
    leaf, middle = lab.good.leaf_pem, lab.good.chain_pem
    return b"".join(
        [
            b"CONNECTED(00000003)\n---\nCertificate chain\n 0 s:CN = shop.example.test\n   i:CN = Example Intermediate\n",
            leaf,
            b" 1 s:CN = Example Intermediate\n   i:CN = Example Root\n",
            middle,
            b"---\nServer certificate\n",
            leaf,
            b"subject=CN = shop.example.test\n---\nSSL handshake has read 3121 bytes\nVerify return code: 0 (ok)\n",
        ]
    )


def _values(lab: Lab) -> Files:
    """Everything in one file of settings, as for Helm."""

    def block(pem: bytes) -> bytes:
        return b" |\n" + b"".join(b"    " + line for line in pem.splitlines(True))

    text = b"tls:\n  key:" + block(lab.good.key_pem) + b"  crt:" + block(lab.good.leaf_pem + lab.good.chain_pem)
    return {"values.yaml": text, "dotcloud.yml": DOTCLOUD_YML}


_BAG = b"Bag Attributes\n    friendlyName: caf\xc3\xa9\n    localKeyID: 01 02\nsubject=CN = x\n\nissuer=CN = y\n"
_KEY_BAG = b"Bag Attributes\n    localKeyID: 01 02\nKey Attributes: <No Attributes>\n"
_EC_PARAMETERS = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"


def _scalar(good: Issued) -> int:
    return int(good.key.private_numbers().private_value)  # type: ignore[union-attr]


def _with_attributes(good: Issued) -> bytes:
    point = craft.point_of(good.key)  # type: ignore[arg-type]
    usage = craft.sequence(craft.oid("2.5.29.15"), craft.tlv(0x31, craft.tlv(0x03, b"\x07\x80")))
    return armour("PRIVATE KEY", craft.ec_private(_scalar(good), point, more=craft.tlv(0xA0, usage)))


def _without_point(good: Issued) -> bytes:
    return armour("PRIVATE KEY", craft.ec_private(_scalar(good)))


def _line_twice(pem: bytes) -> bytes:
    lines = pem.splitlines(True)
    return b"".join([*lines[:4], lines[3], *lines[4:]])


def _hex(good: Issued) -> bytes:
    return containers.key_der(good.key).hex().encode() + b"\n"


def _pgp(what: str) -> bytes:
    body = containers.bare(bytes(range(256)))
    return f"-----BEGIN PGP {what}-----\n\n".encode() + body + f"=njUN\n-----END PGP {what}-----\n".encode()


def _keystore_only(lab: Lab, magic: str) -> Files:
    return {"keystore.jks": containers.keystore(lab.good, magic), "dotcloud.yml": lab.good.files()["dotcloud.yml"]}


_ACCEPTED = (
    accepted("four files as the manual says", lambda lab: lab.good.files()),
    accepted("an RSA key", lambda lab: lab.rsa.files()),
    accepted("key in its traditional form", lambda lab: lab.good.files(key=key_pem(lab.good.key, OLD))),
    accepted("RSA key in its traditional form", lambda lab: lab.rsa.files(key=key_pem(lab.rsa.key, OLD))),
    accepted("Windows line ends", lambda lab: _everything(lab, b"\n", b"\r\n")),
    accepted("old Mac line ends", lambda lab: _everything(lab, b"\n", b"\r")),
    accepted("a byte order mark", lambda lab: {n: b"\xef\xbb\xbf" + d for n, d in lab.good.files().items()}),
    accepted(
        "UTF-16 from PowerShell",
        lambda lab: lab.good.files(
            crt=lab.good.leaf_pem.decode().encode("utf-16"), key=lab.good.key_pem.decode().encode("utf-16")
        ),
    ),
    accepted("UTF-16 without its mark", lambda lab: lab.good.files(crt=lab.good.leaf_pem.decode().encode("utf-16-le"))),
    accepted(
        "UTF-16, big end first",
        lambda lab: lab.good.files(crt=b"\xfe\xff" + lab.good.leaf_pem.decode().encode("utf-16-be")),
    ),
    accepted("spaces at line ends", lambda lab: _everything(lab, b"\n", b"  \n")),
    accepted("indented", lambda lab: lab.good.files(crt=b"  " + lab.good.leaf_pem.replace(b"\n", b"\n  "))),
    accepted("no final line break", lambda lab: {n: d.strip() for n, d in lab.good.files().items()}),
    accepted("an empty line after each line", lambda lab: _everything(lab, b"\n", b"\n\n")),
    accepted("one long line", lambda lab: lab.good.files(crt=one_line("CERTIFICATE", craft.der_of(lab.good.leaf)))),
    accepted(
        "line breaks turned into spaces",
        lambda lab: {n: d if n == "dotcloud.yml" else d.replace(b"\n", b" ") for n, d in lab.good.files().items()},
    ),
    accepted(
        "line breaks written out as in an environment variable",
        lambda lab: lab.good.files(key=written_out(lab.good.key_pem), crt=written_out(lab.good.leaf_pem)),
    ),
    accepted(
        "a JSON string",
        lambda lab: lab.good.files(key=json.dumps({"key": lab.good.key_pem.decode()}).encode()),
    ),
    accepted(
        "the assignment of a shell variable",
        lambda lab: lab.good.files(crt=b'SSL_CERT="' + written_out(lab.good.leaf_pem, b"\\r\\n") + b'"\n'),
    ),
    accepted(
        "quoted by a mail client",
        lambda lab: lab.good.files(crt=b"On Monday you wrote:\n> " + lab.good.leaf_pem.replace(b"\n", b"\n> ")),
    ),
    accepted(
        "dashes of a word processor",
        lambda lab: lab.good.files(crt=lab.good.leaf_pem.replace(_DASHES, "–––––".encode())),
    ),
    accepted(
        "long dashes of a word processor",
        lambda lab: lab.good.files(crt=lab.good.leaf_pem.replace(_DASHES, "——-".encode())),
    ),
    accepted(
        "a dash lost while copying",
        lambda lab: lab.good.files(crt=lab.good.leaf_pem[1:].replace(b"E-----\n", b"E----\n")),
    ),
    accepted(
        "spaces that do not break, from a web page",
        lambda lab: lab.good.files(crt=lab.good.leaf_pem.replace(b"\n", "\u00a0\n".encode())),
    ),
    accepted(
        "invisible spaces from a web page",
        lambda lab: lab.good.files(crt=lab.good.leaf_pem.replace(b"\n", "\u200b\n".encode())),
    ),
    accepted("glued together without a line break", lambda lab: _crt(lab.good, _full(lab).replace(b"-\n-", b"--"))),
    accepted(
        "byte order marks in the middle, from joining files",
        lambda lab: _crt(lab.good, b"\xef\xbb\xbf" + lab.good.leaf_pem + b"\xef\xbb\xbf" + lab.good.chain_pem),
    ),
    accepted("a block in a YAML file", _values),
    accepted(
        "Bag Attributes", lambda lab: lab.good.files(key=_KEY_BAG + lab.good.key_pem, crt=_BAG + lab.good.leaf_pem)
    ),
    accepted(
        "EC PARAMETERS before the key", lambda lab: lab.good.files(key=_EC_PARAMETERS + key_pem(lab.good.key, OLD))
    ),
    accepted(
        "DH PARAMETERS after the certificate",
        lambda lab: lab.good.files(crt=lab.good.leaf_pem + armour("DH PARAMETERS", b"\x30\x03\x02\x01\x02")),
    ),
    accepted(
        "comments between the blocks",
        lambda lab: _crt(lab.good, b"# leaf\n" + lab.good.leaf_pem + b"# chain\n" + lab.good.chain_pem),
    ),
    accepted(
        "openssl's text above",
        lambda lab: lab.good.files(crt=b"Certificate:\n    Data:\n        Version: 3 (0x2)\n" + lab.good.leaf_pem),
    ),
    accepted("what openssl s_client prints", lambda lab: _crt(lab.good, _s_client(lab)), "certificate-repeated"),
    accepted(
        "the label of long ago",
        lambda lab: lab.good.files(crt=lab.good.leaf_pem.replace(b"CERTIFICATE", b"X509 CERTIFICATE")),
    ),
    accepted(
        "PKCS#8 labelled RSA PRIVATE KEY",
        lambda lab: lab.rsa.files(key=lab.rsa.key_pem.replace(b"PRIVATE", b"RSA PRIVATE")),
        "label-corrected",
    ),
    accepted(
        "PKCS#1 labelled PRIVATE KEY",
        lambda lab: lab.rsa.files(key=key_pem(lab.rsa.key, OLD).replace(b"RSA PRIVATE", b"PRIVATE")),
        "label-corrected",
    ),
    accepted(
        "an EC key labelled RSA PRIVATE KEY",
        lambda lab: lab.good.files(key=key_pem(lab.good.key, OLD).replace(b"EC PRIVATE", b"RSA PRIVATE")),
        "label-corrected",
    ),
    accepted(
        "a key labelled CERTIFICATE",
        lambda lab: lab.good.files(key=armour("CERTIFICATE", containers.key_der(lab.good.key))),
        "label-corrected",
    ),
    accepted(
        "a certificate labelled PUBLIC CERTIFICATE",
        lambda lab: lab.good.files(crt=lab.good.leaf_pem.replace(b"CERTIFICATE", b"PUBLIC CERTIFICATE")),
        "label-corrected",
    ),
    accepted("certificate in DER", lambda lab: lab.good.files(crt=craft.der_of(lab.good.leaf)), "certificate-is-der"),
    accepted("chain in DER", lambda lab: lab.good.files(chain=craft.der_of(lab.good.chain[0])), "certificate-is-der"),
    accepted("key in DER", lambda lab: lab.good.files(key=containers.key_der(lab.good.key)), "key-is-der"),
    accepted(
        "traditional key in DER", lambda lab: lab.rsa.files(key=containers.key_der(lab.rsa.key, OLD)), "key-is-der"
    ),
    accepted(
        "everything in DER",
        lambda lab: lab.good.files(
            key=containers.key_der(lab.good.key, OLD),
            crt=craft.der_of(lab.good.leaf),
            chain=craft.der_of(lab.good.chain[0]),
        ),
        "certificate-is-der",
        "key-is-der",
    ),
    accepted(
        "DER with a line break that an editor added",
        lambda lab: lab.good.files(crt=craft.der_of(lab.good.leaf) + b"\r\n"),
        "certificate-is-der",
    ),
    accepted("PKCS#7 in PEM", lambda lab: _crt(lab.good, armour("PKCS7", containers.p7(lab.good))), "is-pkcs7"),
    accepted(
        "PKCS#7 sorted by length",
        lambda lab: _crt(lab.good, containers.p7_sorted(lab.good)),
        "chain-out-of-order",
        "is-pkcs7",
    ),
    accepted("PKCS#7 in DER", lambda lab: _crt(lab.good, containers.p7(lab.good)), "is-pkcs7"),
    accepted("PKCS#7 labelled CMS", lambda lab: _crt(lab.good, armour("CMS", containers.p7(lab.good))), "is-pkcs7"),
    accepted(
        "PKCS#7 labelled CERTIFICATE",
        lambda lab: _crt(lab.good, armour("CERTIFICATE", containers.p7(lab.good))),
        "is-pkcs7",
    ),
    accepted(
        "PKCS#7 without its first and last line",
        lambda lab: _crt(lab.good, containers.bare(containers.p7(lab.good))),
        "armour-missing",
        "is-pkcs7",
    ),
    accepted(
        "the chain as PKCS#7",
        lambda lab: lab.good.files(chain=armour("PKCS7", containers.p7(lab.good))),
        "is-pkcs7",
        "certificate-repeated",
    ),
    accepted(
        "certificate without its first and last line",
        lambda lab: lab.good.files(crt=containers.bare(craft.der_of(lab.good.leaf))),
        "armour-missing",
    ),
    accepted(
        "key without its first and last line",
        lambda lab: lab.good.files(key=containers.bare(containers.key_der(lab.good.key))),
        "armour-missing",
    ),
    accepted(
        "OpenSSL's own TRUSTED CERTIFICATE",
        lambda lab: lab.good.files(crt=containers.trusted(lab.good.leaf)),
        "trusted-certificate",
    ),
    accepted(
        "a revocation list behind the chain",
        lambda lab: lab.good.files(chain=lab.good.chain_pem + containers.revocations(lab.middle)),
        "file-left-out",
    ),
    accepted(
        "a key with attributes, as Windows exports it", lambda lab: lab.good.files(key=_with_attributes(lab.good))
    ),
    accepted("a key without its public point", lambda lab: lab.good.files(key=_without_point(lab.good))),
    accepted(
        "a damaged copy of the key before the whole one",
        lambda lab: lab.good.files(key=drop_line(lab.good.key_pem, -1) + lab.good.key_pem),
        "file-left-out",
    ),
    accepted(
        "a label that nobody knows",
        lambda lab: lab.good.files(crt=lab.good.leaf_pem.replace(b"CERTIFICATE", b"SERVER CERT 2026")),
        "label-corrected",
    ),
    accepted("an empty ssl.chain", lambda lab: _crt(lab.good, _full(lab)) | {"ssl.chain": b"\n"}),
    accepted(
        "a text of thanks around the certificate",
        lambda lab: lab.good.files(
            crt="Grüße, hier das Zertifikat:\n".encode("cp1252") + lab.good.leaf_pem + b"--\nCA Inc.\n"
        ),
    ),
)

_REFUSED = (
    refused("key under a passphrase", "key-encrypted", lambda lab: lab.good.files(key=containers.locked(lab.good.key))),
    refused(
        "traditional key under a passphrase",
        "key-encrypted",
        lambda lab: lab.good.files(key=containers.locked(lab.good.key, OLD)),
    ),
    refused(
        "traditional RSA key under a passphrase, Windows line ends",
        "key-encrypted",
        lambda lab: lab.rsa.files(key=containers.locked(lab.rsa.key, OLD).replace(b"\n", b"\r\n")),
    ),
    refused(
        "key under a passphrase in DER",
        "key-encrypted",
        lambda lab: lab.good.files(key=containers.locked_der(lab.good.key)),
    ),
    refused(
        "key under a passphrase, labelled PRIVATE KEY",
        "key-encrypted",
        lambda lab: lab.good.files(key=armour("PRIVATE KEY", containers.locked_der(lab.good.key))),
    ),
    refused(
        "key under a passphrase without its first and last line",
        "key-encrypted",
        lambda lab: lab.good.files(key=containers.bare(containers.locked_der(lab.good.key))),
    ),
    refused(
        "key under a passphrase, on one line of base64",
        "key-encrypted",
        lambda lab: lab.good.files(key=base64.b64encode(containers.locked_der(lab.good.key))),
    ),
    refused(
        "OpenSSH key",
        "key-is-openssh",
        lambda lab: lab.good.files(key=key_pem(lab.good.key, PrivateFormat.OpenSSH)),
    ),
    refused(
        "OpenSSH RSA key",
        "key-is-openssh",
        lambda lab: lab.rsa.files(key=key_pem(lab.rsa.key, PrivateFormat.OpenSSH)),
    ),
    refused(
        "OpenSSH key under a passphrase", "key-is-openssh", lambda lab: containers.openssh_locked(lab.middle, SHOP)
    ),
    refused(
        "OpenSSH key of type Ed25519",
        "key-ed25519",
        lambda lab: lab.good.files(key=key_pem(make_key("ed25519"), PrivateFormat.OpenSSH)),
    ),
    refused(
        "PuTTY key of type Ed25519",
        "key-ed25519",
        lambda lab: lab.good.files(
            key=b"PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: none\r\nComment: it\r\nPublic-Lines: 2\r\n"
        ),
    ),
    refused("PuTTY key", "key-is-putty", lambda lab: lab.good.files(key=containers.putty(lab.good.key))),  # type: ignore[arg-type]
    refused(
        "PuTTY key of version 2 under a passphrase",
        "key-is-putty",
        lambda lab: lab.good.files(key=containers.putty(lab.good.key, 2, encrypted=True)),  # type: ignore[arg-type]
    ),
    refused("public key", "key-is-public", lambda lab: lab.good.files(key=containers.public(lab.good.key))),
    refused(
        "public key in DER",
        "key-is-public",
        lambda lab: lab.good.files(key=containers.public(lab.good.key, Encoding.DER)),
    ),
    refused("RSA public key", "key-is-public", lambda lab: lab.rsa.files(key=containers.rsa_public(lab.rsa.key))),
    refused("public key for SSH", "key-is-public", lambda lab: lab.good.files(key=containers.ssh_public(lab.good.key))),
    refused("PGP private key", "key-unreadable", lambda lab: lab.good.files(key=_pgp("PRIVATE KEY BLOCK"))),
    refused("key encrypted with PGP for support", "key-unreadable", lambda lab: lab.good.files(key=_pgp("MESSAGE"))),
    refused(
        "SSH2 encrypted key",
        "key-unreadable",
        lambda lab: lab.good.files(
            key=b'---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: "shop"\n'
            + containers.bare(bytes(range(160)))
            + b"---- END SSH2 ENCRYPTED PRIVATE KEY ----\n"
        ),
    ),
    refused("key as JSON (JWK)", "key-unreadable", lambda lab: lab.good.files(key=containers.jwk(lab.good.key))),  # type: ignore[arg-type]
    refused("key as XML (.NET)", "key-unreadable", lambda lab: lab.rsa.files(key=containers.xml(lab.rsa.key))),  # type: ignore[arg-type]
    refused(
        "key once more in base64 (kubectl get secret)",
        "key-unreadable",
        lambda lab: lab.good.files(key=base64.b64encode(lab.good.key_pem)),
    ),
    refused("Java keystore", "is-keystore", lambda lab: _keystore_only(lab, "feedfeed")),
    refused("Java keystore, JCEKS", "is-keystore", lambda lab: _keystore_only(lab, "cececece")),
    refused("PKCS#12 for the key", "is-pkcs12", lambda lab: lab.good.files(key=containers.p12(lab.good))),
    refused(
        "PKCS#12 alone",
        "is-pkcs12",
        lambda lab: {"shop.pfx": containers.p12(lab.good), "dotcloud.yml": lab.good.files()["dotcloud.yml"]},
    ),
    replace(
        refused(
            "PKCS#12 without a password",
            "is-pkcs12",
            lambda lab: {"shop.p12": containers.p12(lab.good, None), "dotcloud.yml": lab.good.files()["dotcloud.yml"]},
        ),
        passphrase=b"",
    ),
    refused(
        "PKCS#12 in base64, as Azure gives it",
        "is-pkcs12",
        lambda lab: {
            "shop.pfx.txt": base64.b64encode(containers.p12(lab.good)),
            "dotcloud.yml": lab.good.files()["dotcloud.yml"],
        },
    ),
    refused(
        "PKCS#12 in base64 of many lines",
        "is-pkcs12",
        lambda lab: {"shop.pfx.txt": containers.bare(containers.p12(lab.good)), "dotcloud.yml": DOTCLOUD_YML},
    ),
    refused(
        "PKCS#12 between lines of PEM, as certtool writes it",
        "is-pkcs12",
        lambda lab: {"shop.p12": armour("PKCS12", containers.p12(lab.good)), "dotcloud.yml": DOTCLOUD_YML},
    ),
    replace(
        refused(
            "PKCS#12 in base64, without a password",
            "is-pkcs12",
            lambda lab: {"a.pfx": containers.bare(containers.p12(lab.good, None)), "dotcloud.yml": DOTCLOUD_YML},
        ),
        passphrase=b"",
    ),
    refused(
        "PKCS#12 for the key, PKCS#7 for the certificates",
        "is-pkcs12",
        lambda lab: {
            "shop.pfx": containers.p12(lab.good),
            "shop.p7b": containers.p7(lab.good),
            "dotcloud.yml": DOTCLOUD_YML,
        },
    ),
    refused("request", "is-request", lambda lab: _crt(lab.good, containers.request(lab.good))),
    refused("request in DER", "is-request", lambda lab: _crt(lab.good, containers.request(lab.good, Encoding.DER))),
    refused(
        "request with the old label",
        "is-request",
        lambda lab: _crt(lab.good, containers.request(lab.good).replace(b"CERTIFICATE R", b"NEW CERTIFICATE R")),
    ),
    refused(
        "request and chain, as before the certificate came",
        "is-request",
        lambda lab: lab.good.files(crt=containers.request(lab.good)),
    ),
    refused("revocation list", "certificate-missing", lambda lab: _crt(lab.good, containers.revocations(lab.middle))),
    refused("no key", "key-missing", lambda lab: lab.good.files(key=None)),
    refused("the request for the key", "key-missing", lambda lab: lab.good.files(key=containers.request(lab.good))),
    refused("the parameters for the key", "key-missing", lambda lab: lab.good.files(key=_EC_PARAMETERS)),
    refused("empty key", "key-missing", lambda lab: lab.good.files(key=b" \n")),
    refused("no certificate", "certificate-missing", lambda lab: _crt(lab.good, b"")),
    refused("no files at all", "key-missing", lambda lab: {}),
    refused("prose for a key", "key-unreadable", lambda lab: lab.good.files(key=b"The key is with our hoster.\n")),
    refused("key of zeros, from a full disk", "key-unreadable", lambda lab: lab.good.files(key=bytes(241))),
    refused("key cut off", "key-unreadable", lambda lab: lab.good.files(key=lab.good.key_pem[:-30])),
    refused("key without END line", "key-unreadable", lambda lab: lab.good.files(key=drop_line(lab.good.key_pem, -1))),
    refused("key with a lost line", "key-unreadable", lambda lab: lab.good.files(key=drop_line(lab.good.key_pem, 2))),
    refused("RSA key with a lost line", "key-unreadable", lambda lab: lab.rsa.files(key=drop_line(lab.rsa.key_pem, 9))),
    refused(
        "key with a mistyped character",
        "key-unreadable",
        lambda lab: lab.good.files(key=lab.good.key_pem.replace(b"MIG", b"M!G")),
    ),
    refused("empty key block", "key-unreadable", lambda lab: lab.good.files(key=armour("PRIVATE KEY", b""))),
    refused("key block of zeros", "key-unreadable", lambda lab: lab.good.files(key=armour("PRIVATE KEY", bytes(99)))),
    refused(
        "key that was redacted",
        "key-unreadable",
        lambda lab: lab.good.files(key=b"-----BEGIN PRIVATE KEY-----\n[REDACTED]\n-----END PRIVATE KEY-----\n"),
    ),
    refused(
        "a Git LFS pointer for a key",
        "key-unreadable",
        lambda lab: lab.good.files(
            key=b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\nsize 241\n"
        ),
    ),
    refused("certificate cut off", "certificate-unreadable", lambda lab: _crt(lab.good, lab.good.leaf_pem[:-30])),
    refused(
        "half a certificate",
        "certificate-unreadable",
        lambda lab: _crt(lab.good, lab.good.leaf_pem[: len(lab.good.leaf_pem) // 2]),
    ),
    refused(
        "second half of a certificate", "certificate-unreadable", lambda lab: _crt(lab.good, lab.good.leaf_pem[300:])
    ),
    refused(
        "certificate without END line",
        "certificate-unreadable",
        lambda lab: lab.good.files(crt=drop_line(lab.good.leaf_pem, -1) + lab.good.chain_pem, chain=None),
    ),
    refused(
        "certificate with a lost line",
        "certificate-unreadable",
        lambda lab: _crt(lab.good, drop_line(lab.good.leaf_pem, 3)),
    ),
    refused(
        "certificate with a line twice",
        "certificate-unreadable",
        lambda lab: _crt(lab.good, _line_twice(lab.good.leaf_pem)),
    ),
    refused(
        "certificate with line numbers",
        "certificate-unreadable",
        lambda lab: _crt(lab.good, _numbered(lab.good.leaf_pem)),
    ),
    refused(
        "certificate in quoted-printable",
        "certificate-unreadable",
        lambda lab: _crt(lab.good, _mail(one_line("CERTIFICATE", craft.der_of(lab.good.leaf)))),
    ),
    refused("certificate in rich text", "certificate-unreadable", lambda lab: _crt(lab.good, _rtf(lab.good.leaf_pem))),
    refused(
        "certificate with HTML line breaks",
        "certificate-unreadable",
        lambda lab: _crt(lab.good, lab.good.leaf_pem.replace(b"\n", b"<br>\n")),
    ),
    refused(
        "certificate in percent signs (nginx)",
        "certificate-unreadable",
        lambda lab: _crt(lab.good, quote(lab.good.leaf_pem).encode()),
    ),
    refused(
        "certificate once more in base64 (kubectl get secret)",
        "certificate-unreadable",
        lambda lab: _crt(lab.good, base64.b64encode(lab.good.leaf_pem)),
    ),
    refused(
        "certificate as a data URI",
        "certificate-unreadable",
        lambda lab: _crt(lab.good, b"data:application/x-pem-file;base64," + base64.b64encode(lab.good.leaf_pem)),
    ),
    refused("key in hexadecimal", "key-unreadable", lambda lab: lab.good.files(key=_hex(lab.good))),
    refused(
        "certificate in hexadecimal",
        "certificate-unreadable",
        lambda lab: _crt(lab.good, craft.der_of(lab.good.leaf).hex().encode()),
    ),
    refused(
        "log-in page of the authority",
        "certificate-unreadable",
        lambda lab: _crt(lab.good, b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>\n"),
    ),
    refused(
        "error page for the chain",
        "certificate-unreadable",
        lambda lab: lab.good.files(chain=b"<html><head><title>404 Not Found</title></head></html>\n"),
    ),
    refused(
        "picture of the certificate",
        "certificate-unreadable",
        lambda lab: _crt(lab.good, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(200)),
    ),
    refused(
        "PDF of the certificate",
        "certificate-unreadable",
        lambda lab: _crt(lab.good, b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"),
    ),
    refused(
        "fingerprint of the certificate",
        "certificate-unreadable",
        lambda lab: _crt(lab.good, b"SHA256 Fingerprint=" + lab.good.leaf_sha256.upper().encode() + b"\n"),
    ),
    refused(
        "openssl's text alone",
        "certificate-unreadable",
        lambda lab: _crt(
            lab.good, b"Certificate:\n    Data:\n        Version: 3 (0x2)\n    Subject: CN = shop.example.test\n"
        ),
    ),
    refused(
        "garbage for the chain", "certificate-unreadable", lambda lab: lab.good.files(chain=b"\x00\x01\x02\xff" * 20)
    ),
    refused(
        "certificate file larger than may be",
        "file-too-large",
        lambda lab: _crt(lab.good, b"# notes\n" * (policy.FILE_MAX_BYTES // 8) + _full(lab)),
    ),
    refused(
        "key file larger than may be",
        "file-too-large",
        lambda lab: lab.good.files(key=lab.good.key_pem + b"\n" * policy.FILE_MAX_BYTES),
    ),
    refused(
        "everything in a log larger than may be",
        "file-too-large",
        lambda lab: {"install.log": b"done\n" * 20_000 + lab.good.edge_pem, "dotcloud.yml": DOTCLOUD_YML},
    ),
    refused(
        "a bundle of browsers' roots for the chain",
        "file-too-large",
        lambda lab: lab.good.files(chain=lab.middle.pem + lab.root.pem * 120),
    ),
    refused("something large for the chain", "file-too-large", lambda lab: lab.good.files(chain=bytes(80_000))),
    refused(
        "a path where the key should be",
        "key-unreadable",
        lambda lab: lab.good.files(key=b"/etc/ssl/private/shop.example.test.key\n"),
    ),
    refused("a certificate for a key as well", "key-missing", lambda lab: lab.good.files(key=lab.good.leaf_pem)),
    refused(
        "only the intermediate's certificates and a key",
        "leaf-missing",
        lambda lab: _crt(lab.good, cert_pem(lab.good.chain)),
    ),
)

CASES: tuple[Case, ...] = _ACCEPTED + _REFUSED
