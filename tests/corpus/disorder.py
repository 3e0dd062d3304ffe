"""The right things under other names, in other places and among other files."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import partial

from tests.corpus import containers
from tests.corpus.archives import packed, zipped
from tests.corpus.case import SHOP, Case, Files, Lab, accepted, refused
from tests.corpus.containers import OLD
from tests.pki import CA, DOTCLOUD_YML, Issued, key_pem


def _named(good: Issued, key: str, crt: str, chain: str = "") -> Files:
    """The good files under other names; without *chain* it is in the certificate's file."""
    files = {key: good.key_pem, crt: good.leaf_pem + (b"" if chain else good.chain_pem)}
    return files | ({chain: good.chain_pem} if chain else {}) | {"dotcloud.yml": DOTCLOUD_YML}


def _beside(lab: Lab, **more: bytes) -> Files:
    return lab.good.files() | more


def _with(name: str, data: bytes) -> Case:
    """A file that has nothing to do with it."""
    return accepted(f"a file {name} beside", lambda lab: lab.good.files() | {name: data}, "file-left-out")


def _certbot(lab: Lab) -> Files:
    """A directory of ``/etc/letsencrypt/live``."""
    good = lab.good
    return {
        "README": b"This directory contains your keys and certificates.\n",
        "cert.pem": good.leaf_pem,
        "chain.pem": good.chain_pem,
        "fullchain.pem": good.leaf_pem + good.chain_pem,
        "privkey.pem": good.key_pem,
        "dotcloud.yml": DOTCLOUD_YML,
    }


def _two_pairs(lab: Lab) -> Files:
    """An RSA pair and an EC pair for one host, as large sites have."""
    return lab.good.files() | {"rsa.key": lab.rsa.key_pem, "rsa.crt": lab.rsa.leaf_pem}


def _two_hosts(lab: Lab) -> Files:
    """One key for two certificates: only one is for the host."""
    other = lab.middle.issue(["other.example.test"], key=lab.good.key)
    return lab.good.files(crt=other.leaf_pem + lab.good.leaf_pem)


def _expired(lab: Lab, write: Callable[[bytes], bytes]) -> Files:
    """An expired certificate, and the key written in some way."""
    issued = lab.middle.issue([SHOP], days=10, age_days=11)
    return issued.files(key=write(issued.key_pem))


_WAYS: dict[str, Callable[[bytes], bytes]] = {
    "in UTF-16": lambda pem: pem.decode().encode("utf-16"),
    "in JSON": lambda pem: json.dumps({"key": pem.decode()}).encode(),
    "indented": lambda pem: b"  " + pem.replace(b"\n", b"\n  "),
    "with empty lines between": lambda pem: pem.replace(b"\n", b"\n\n"),
    "quoted": lambda pem: b"> " + pem.replace(b"\n", b"\n> "),
    "without its first and last line": lambda pem: b"".join(pem.splitlines(True)[1:-1]),
    "in DER": lambda pem: base64.b64decode(b"".join(pem.splitlines()[1:-1])),
    "with the label of another": lambda pem: pem.replace(b"PRIVATE KEY", b"CERTIFICATE"),
    "behind text": lambda pem: b"Bag Attributes\n    localKeyID: 01\n" + pem,
    "in Windows' lines behind a byte order mark": lambda pem: b"\xef\xbb\xbf" + pem.replace(b"\n", b"\r\n"),
}

_MACOS = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(60)

CASES: tuple[Case, ...] = (
    accepted(
        "certificate and key swapped",
        lambda lab: lab.good.files(key=lab.good.leaf_pem, crt=lab.good.key_pem),
        "files-swapped",
    ),
    accepted("everything in ssl.crt", lambda lab: lab.good.files(key=None, crt=lab.good.edge_pem, chain=None)),
    accepted("everything in ssl.key", lambda lab: lab.good.files(key=lab.good.edge_pem, crt=None, chain=None)),
    accepted("everything in one PEM file", lambda lab: {"shop.pem": lab.good.edge_pem, "dotcloud.yml": DOTCLOUD_YML}),
    accepted("chain in ssl.crt", lambda lab: lab.good.files(crt=lab.good.leaf_pem + lab.good.chain_pem, chain=None)),
    accepted(
        "key in ssl.crt as well",
        lambda lab: lab.good.files(crt=lab.good.edge_pem),
        "key-repeated",
        "certificate-repeated",
    ),
    accepted("key three times in its file", lambda lab: lab.good.files(key=lab.good.key_pem * 3), "key-repeated"),
    accepted(
        "key in two forms",
        lambda lab: lab.good.files(key=lab.good.key_pem + key_pem(lab.good.key, OLD)),
        "key-repeated",
    ),
    accepted("key in ssl.chain", lambda lab: lab.good.files(key=None, chain=lab.good.chain_pem + lab.good.key_pem)),
    accepted(
        "everything twice",
        lambda lab: lab.good.files(crt=lab.good.leaf_pem * 2 + lab.good.chain_pem, chain=lab.good.chain_pem * 2),
        "certificate-repeated",
    ),
    accepted("a directory of Let's Encrypt", _certbot, "file-left-out", "certificate-repeated"),
    accepted(
        "names of an authority",
        lambda lab: _named(lab.good, "shop.example.test.key", "STAR_shop_example_test.crt", "shop.ca-bundle"),
    ),
    accepted(
        "names of Windows",
        lambda lab: _named(lab.good, "Private Key.txt", "Certificate (1).cer", "Chain Bundle - Kopie.cer"),
    ),
    accepted("names of text files", lambda lab: _named(lab.good, "key.txt", "cert.txt", "chain.txt")),
    accepted("names without endings", lambda lab: _named(lab.good, "key", "cert", "chain")),
    accepted(
        "names with umlauts", lambda lab: _named(lab.good, "schlüssel.key", "zertifikat für müller.crt", "kette.crt")
    ),
    accepted("names with leading dashes", lambda lab: _named(lab.good, "-key.pem", "--cert.pem", "-rf")),
    accepted("names with quotes", lambda lab: _named(lab.good, "it's.key", 'the "good".crt', "`ch`.crt")),
    accepted("names with a line break", lambda lab: _named(lab.good, "ssl\n.key", "ssl\n.crt", "ssl\n.chain")),
    accepted("names of other languages", lambda lab: _named(lab.good, "κλειδί.key", "证书.crt", "цепь.crt")),
    accepted("names of 250 characters", lambda lab: _named(lab.good, "k" * 246 + ".key", "c" * 246 + ".crt")),
    accepted(
        "names in directories", lambda lab: _named(lab.good, "private/shop.key", "certs/shop.crt", "certs/ca/chain.crt")
    ),
    accepted("everything in a directory", lambda lab: {f"tls/{name}": data for name, data in lab.good.files().items()}),
    accepted("names in capitals", lambda lab: _named(lab.good, "SSL.KEY", "SSL.CRT", "SSL.CHAIN")),
    accepted("an old key beside", lambda lab: lab.good.files() | {"ssl.key.old": lab.other.key_pem}, "key-left-out"),
    accepted(
        "an old key first",
        lambda lab: lab.good.files(key=lab.other.key_pem) | {"new.key": lab.good.key_pem},
        "key-left-out",
    ),
    accepted(
        "a certificate of another site beside",
        lambda lab: lab.good.files() | {"other.crt": lab.other.leaf_pem},
        "certificate-left-out",
    ),
    accepted(
        "a pair of another site beside",
        lambda lab: lab.good.files() | {"other.key": lab.other.key_pem, "other.crt": lab.other.leaf_pem},
        "certificate-left-out",
        "key-left-out",
    ),
    accepted("an RSA pair and an EC pair", _two_pairs, "certificate-left-out", "key-left-out"),
    accepted("one key for two hosts", _two_hosts, "certificate-left-out"),
    accepted(
        "the request beside", lambda lab: lab.good.files() | {"ssl.csr": containers.request(lab.good)}, "file-left-out"
    ),
    accepted(
        "the public key beside",
        lambda lab: lab.good.files() | {"ssl.pub": containers.public(lab.good.key)},
        "file-left-out",
    ),
    accepted(
        "the PKCS#12 beside", lambda lab: lab.good.files() | {"shop.pfx": containers.p12(lab.good)}, "file-left-out"
    ),
    accepted(
        "the PKCS#7 beside",
        lambda lab: lab.good.files() | {"shop.p7b": containers.p7(lab.good)},
        "is-pkcs7",
        "certificate-repeated",
    ),
    accepted(
        "the Java keystore beside",
        lambda lab: lab.good.files() | {"shop.jks": containers.keystore(lab.good)},
        "file-left-out",
    ),
    accepted(
        "the key under a passphrase beside",
        lambda lab: lab.good.files() | {"locked.key": containers.locked(lab.good.key)},
        "file-left-out",
    ),
    accepted(
        "an SSH key beside",
        lambda lab: lab.good.files() | {"id_rsa.pub": containers.ssh_public(lab.other.key)},
        "file-left-out",
    ),
    accepted(
        "a revocation list beside",
        lambda lab: lab.good.files() | {"ca.crl": containers.revocations(lab.middle)},
        "file-left-out",
    ),
    accepted(
        "the root beside", lambda lab: lab.good.files() | {"AddTrustExternalCARoot.crt": lab.root.pem}, "root-left-out"
    ),
    accepted(
        "intermediates each in a file",
        lambda lab: lab.deep.files(chain=None) | {"b.crt": lab.high.pem, "a.crt": lab.low.pem},
    ),
    _with(".DS_Store", b"\x00\x00\x00\x01Bud1"),
    _with("Thumbs.db", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(60)),
    _with("README.txt", b"Install the certificate first.\n"),
    _with("nginx.conf", b"server { listen 443 ssl; ssl_certificate ssl.crt; }\n"),
    _with("logo.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(40)),
    _with(".ssl.key.swp", b"b0VIM 9.0\0\0\0\0" + bytes(60)),
    _with("CONTENTS.TXT", b"-----BEGIN X-----\nAAAA\n-----END X-----\n"),
    accepted(
        "files of macOS beside",
        lambda lab: {**lab.good.files(), "._ssl.key": _MACOS, "__MACOSX/ssl.crt": _MACOS, "tls/._chain.pem": _MACOS},
    ),
    accepted("empty files beside", lambda lab: lab.good.files() | {".gitkeep": b"", "notes.txt": b"\n"}),
    accepted(
        "a damaged key beside",
        lambda lab: lab.good.files() | {"backup.key": lab.other.key_pem[:-40]},
        "file-left-out",
    ),
    accepted(
        "a presentation beside, which Keynote calls .key",
        lambda lab: lab.good.files() | {"slides.key": zipped({"Index/Document.iwa": bytes(range(256)) * 9})},
        "archive-unpacked",
        "file-left-out",
    ),
    accepted(
        "a log larger than may be beside",
        lambda lab: lab.good.files() | {"install.log": b"done\n" * 20_000 + lab.other.edge_pem},
        "file-left-out",
    ),
    accepted("a name of octets that are no text", lambda lab: _named(lab.good, "schl\udcfcssel.key", "z\udcff.crt")),
    accepted("a name that is empty", lambda lab: lab.good.files(key=None) | {"": lab.good.key_pem}),
    accepted(
        "everything in a zip, and its key freed from the passphrase where it was unpacked",
        lambda lab: {
            "files.zip": zipped(lab.good.files(key=containers.locked(lab.good.key))),
            "files/ssl.key": lab.good.key_pem,
        },
        "archive-unpacked",
        "file-left-out",
    ),
    refused("only a pair of another site", "name-mismatch", lambda lab: lab.other.files()),
    refused(
        "key of one pair, certificate of another", "key-mismatch", lambda lab: lab.good.files(crt=lab.other.leaf_pem)
    ),
    refused(
        "only an SSH key beside the certificate",
        "key-is-public",
        lambda lab: lab.good.files(key=None) | {"id_ecdsa.pub": containers.ssh_public(lab.good.key)},
    ),
    refused(
        "only the root beside the key",
        "leaf-missing",
        lambda lab: lab.good.files(crt=None, chain=None) | {"root.crt": lab.root.pem},
    ),
    *(
        refused(f"an expired certificate, and its key {what}", "expired", partial(_expired, write=write))
        for what, write in _WAYS.items()
    ),
    refused(
        "an expired certificate, and its pair in a zip",
        "expired",
        lambda lab: {"files.zip": packed(_expired(lab, lambda pem: pem))},
    ),
    refused(
        "an expired certificate, and files of the names that a new one would get",
        "expired",
        lambda lab: (
            _expired(lab, lambda pem: pem) | {"new.key": lab.other.key_pem, "new-2.csr": containers.request(lab.other)}
        ),
    ),
    refused("only the manifest", "key-missing", lambda lab: {"dotcloud.yml": DOTCLOUD_YML}),
    refused(
        "only pictures", "key-missing", lambda lab: {"scan.png": b"\x89PNG\r\n\x1a\n", "dotcloud.yml": DOTCLOUD_YML}
    ),
    refused(
        "more files than are read",
        "too-many-files",
        lambda lab: {**{f"{n:03}.txt": b"x" for n in range(300)}, **lab.good.files()},
    ),
    refused(
        "thirty keys in a directory",
        "two-keys",
        lambda lab: lab.good.files() | {f"{n}.key": CA(f"{n}").issue([SHOP]).key_pem for n in range(30)},
    ),
)
