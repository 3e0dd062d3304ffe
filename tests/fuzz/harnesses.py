"""One harness for each parser of ours, and two for the judge: what is called with the fuzzer's bytes, and where to start."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from tasks.core.doctor.archive import is_archive, unpack
from tasks.core.doctor.der import read_sequence, read_value, read_values
from tasks.core.doctor.identify import identify
from tasks.core.doctor.manifest import judge_manifest
from tasks.core.doctor.pem import Block, armour, read_bare, read_blocks
from tasks.core.doctor.private_key import describe_private
from tests.corpus import craft
from tests.fuzz import seeds
from tests.fuzz.claims import check_hands_over, check_is_served, judge_firmly
from tests.pki import DOTCLOUD_YML

_BLOCK: Final = 512
_CHECKSUM: Final = slice(148, 156)  # of a tar header

Mutator = Callable[[bytes, int, random.Random], bytes]


@dataclass(frozen=True)
class Harness:
    """
    Attributes:
        run: Raises where a claim does not hold.

        seeds: Good inputs to start from.

        mutate: Changes an input so that what is around the change stays whole; None leaves it to the fuzzer.
    """

    run: Callable[[bytes], None] = field(repr=False)
    seeds: Callable[[], Iterable[bytes]] = field(repr=False)
    mutate: Mutator | None = field(default=None, repr=False)


# --- Parsers -----------------------------------------------------------------------------------------------------


def _pem(data: bytes) -> None:
    for block in read_blocks(data):
        assert block.label
        if block.der is not None:
            assert read_blocks(armour(block.label, block.der)) == [Block(block.label, block.der)], (
                "what is written is read"
            )
    read_bare(data)


def _der(data: bytes) -> None:
    for read in (read_value, read_values, read_sequence):
        try:
            read(data)
        except ValueError:
            continue
    identify(data)
    try:
        describe_private(data)
    except ValueError as error:
        assert len(str(error)) < 60, "the error says nothing about the content"


def _archive(data: bytes) -> None:
    """The first byte says whether the rest is the archive, or a tar whose checksums are put right and that is packed."""
    pack = {0: gzip.compress, 1: bz2.compress, 2: lzma.compress, 3: bytes}.get(data[0] if data else 255)
    archive = pack(_repaired(data[1:])) if pack else data[1:]  # type: ignore[operator]
    unpacked = unpack("shop.archive", archive)
    refused = any(finding.refuses for finding in unpacked.findings)
    assert refused == (not unpacked.files and not any(f.code == "archive-unpacked" for f in unpacked.findings))
    assert is_archive(archive) or not unpacked.files
    assert all(path.startswith("shop.archive.d/") and ".." not in path.split("/") for path in unpacked.files)


def _repaired(tar: bytes) -> bytes:
    """Give *tar* with the checksum of every block that could be a header put right."""
    blocks = [bytearray(tar[at : at + _BLOCK]) for at in range(0, len(tar), _BLOCK)]
    for block in blocks:
        if block[257:262] == b"ustar" and len(block) == _BLOCK:
            block[_CHECKSUM] = b" " * 8
            block[_CHECKSUM] = b"%06o\0 " % sum(block)
    return b"".join(blocks)


def _manifest(data: bytes) -> None:
    finding = judge_manifest(data)
    assert finding is None or finding.refuses
    judge_firmly({**seeds.good().files(), "dotcloud.yml": data}, seeds.terms(), seeds.key_ders())


# --- The judge ---------------------------------------------------------------------------------------------------


def _judge(data: bytes) -> None:
    files, terms = seeds.unpack(data), seeds.terms()
    verdict = judge_firmly(files, terms, seeds.key_ders())
    check_hands_over(verdict, files, terms)
    check_is_served(verdict, files)


def _leaf(data: bytes) -> None:
    """What an authority signs, whatever it is; the first byte says whether somebody asks for a hostname."""
    files = seeds.good().files(crt=armour("CERTIFICATE", seeds.resign(data[1:])))
    terms = seeds.terms() if data[:1] < b"\x80" else seeds.terms(None)
    verdict = judge_firmly(files, terms, seeds.key_ders())
    check_hands_over(verdict, files, terms)
    check_is_served(verdict, files)


def _key(data: bytes) -> None:
    files = seeds.good_rsa().files(key=armour("PRIVATE KEY", data)) | {"second.key": data}
    verdict = judge_firmly(files, seeds.terms(), [*seeds.key_ders(), data])
    check_is_served(verdict, files)


# --- Changes that leave the rest whole ---------------------------------------------------------------------------

_TAGS: Final = (
    0x01,
    0x02,
    0x03,
    0x04,
    0x05,
    0x06,
    0x0C,
    0x13,
    0x16,
    0x17,
    0x18,
    0x30,
    0x31,
    0x80,
    0x82,
    0x87,
    0xA0,
    0xA3,
)


def _change_der(data: bytes, most: int, random_: random.Random) -> bytes:
    """Change one value of *data*, with all lengths put right."""
    try:
        number = random_.randrange(seeds.count_values(data))
    except ValueError:  # it is not whole
        return data

    def change(tag: int, content: bytes) -> bytes:
        other = bytes(random_.randrange(256) for _ in range(random_.randrange(9)))
        return random_.choice(
            [
                b"",
                craft.tlv(tag),
                craft.tlv(tag, content) * 2,
                craft.tlv(random_.choice(_TAGS), content),
                craft.tlv(tag, other),
                craft.tlv(tag, content, other),
                craft.tlv(tag, content[: random_.randrange(len(content) + 1)]),
                craft.tlv(random_.choice(_TAGS), craft.tlv(tag, content)),
                craft.tlv(tag, bytes(byte ^ (random_.random() < 0.1) for byte in content)),
            ]
        )

    changed = seeds.change_value(data, number, change)
    return changed if len(changed) <= most else data


def _change_der_behind(data: bytes, most: int, random_: random.Random) -> bytes:
    return data[:1] + _change_der(data[1:], most - 1, random_)


# --- Where to start ----------------------------------------------------------------------------------------------


def _pem_seeds() -> Iterable[bytes]:
    text = seeds.good().edge_pem
    yield from (
        text,
        text.decode().encode("utf-16"),
        b"> " + text.replace(b"\n", b"\r\n> "),
        text.replace(b"\n", b"\\n"),
    )
    yield b"".join(text.splitlines()[1:3])
    yield b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----"


def _archive_seeds() -> Iterable[bytes]:
    archives = seeds.archives()
    yield from (b"\xff" + data for data in archives.values())
    yield from (bytes([how]) + archives["a.tar"] for how in range(4))


def _manifest_seeds() -> Iterable[bytes]:
    yield from (
        DOTCLOUD_YML,
        b"a: &b [*b]\n",
        b'type: "\\x41"\n',
        b"? {a: [b, 'c']}\n: !!x |\n  y\n",
        b"%YAML 1.1\n---\n...\n",
    )


def _judge_seeds() -> Iterable[bytes]:
    for issued in (seeds.good(), seeds.good_rsa()):
        yield seeds.pack(issued.files())
    ders = (*seeds.key_ders(), *seeds.certificate_ders(), *seeds.other_ders())
    yield from (seeds.pack({"a": der, "ssl.key": seeds.good().key_pem}) for der in ders)
    yield from (seeds.pack({name: data}) for name, data in seeds.archives().items())


def _leaf_seeds() -> Iterable[bytes]:
    bodies = [issued.leaf.tbs_certificate_bytes for issued in (seeds.good(), seeds.good_rsa())]
    yield from (start + body for body in bodies for start in (b"\0", b"\xff"))


HARNESSES: Final = {
    "pem": Harness(_pem, _pem_seeds),
    "der": Harness(_der, lambda: (*seeds.key_ders(), *seeds.certificate_ders(), *seeds.other_ders()), _change_der),
    "archive": Harness(_archive, _archive_seeds),
    "manifest": Harness(_manifest, _manifest_seeds),
    "key": Harness(_key, seeds.key_ders, _change_der),
    "leaf": Harness(_leaf, _leaf_seeds, _change_der_behind),
    "judge": Harness(_judge, _judge_seeds),
}
