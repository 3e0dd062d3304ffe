"""
Nothing that anybody sends breaks the judge: not its promise never to raise, not its silence about keys.

The examples are the same each time; `make fuzz` is what searches, with CERTFERRY_FUZZ_EXAMPLES of them and with atheris.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tasks.core.doctor.archive import is_archive, unpack
from tasks.core.doctor.der import read_sequence, read_value, read_values
from tasks.core.doctor.identify import identify
from tasks.core.doctor.manifest import judge_manifest
from tasks.core.doctor.pem import armour, read_bare, read_blocks
from tasks.core.doctor.private_key import describe_private
from tests.corpus import craft
from tests.fuzz import seeds
from tests.fuzz.claims import check_hands_over, check_is_served, judge_firmly
from tests.pki import DOTCLOUD_YML

_WANTED = os.environ.get("CERTFERRY_FUZZ_EXAMPLES")
_bounded = settings(
    max_examples=int(_WANTED or 60),
    derandomize=not _WANTED,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

# --- What is sent ------------------------------------------------------------------------------------------------

_NAMES = st.one_of(
    st.sampled_from(
        ["ssl.key", "ssl.crt", "ssl.chain", "dotcloud.yml", "a/dotcloud.yml", "-rf.key", "x.p7b", "$(id).crt"]
    ),
    st.text(st.characters(), max_size=20),
)
_LABELS = st.sampled_from(
    [
        "CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CERTIFICATE", "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY",
        "DSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY", "PUBLIC KEY", "CERTIFICATE REQUEST", "PKCS7",
        "EC PARAMETERS", "PGP MESSAGE", "A",
    ]
)  # fmt: skip
_HEADERS = st.sampled_from(
    ["", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n", "x: y\n", ":\n", "> ", "\ufeff"]
)
_DASHES = st.sampled_from(["-----", "----", "--", "—", "–––––", "- ", ""])
_ENDS = st.sampled_from(["\n", "\r\n", "\r", " ", "\\n", "\\r\\n", "", "\n\n", "\u2028", "\u200b\n", "\x00"])


def _ders() -> tuple[bytes, ...]:
    return (*seeds.key_ders(), *seeds.certificate_ders(), *seeds.other_ders())


@st.composite
def _changed(draw: st.DrawFn, original: bytes) -> bytes:
    """Some bytes of *original* flipped, cut out, put in, repeated or cut off."""
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        length = draw(st.integers(0, 16))
        match draw(st.sampled_from(["flip", "set", "cut", "put", "repeat", "end"])):
            case "flip" if data:
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "set" if data:
                data[at] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0x81, 0x84, 0xFF, 0x30]))
            case "cut":
                del data[at : at + length]
            case "put":
                data[at:at] = draw(st.binary(max_size=16))
            case "repeat":
                data[at:at] = data[at : at + length] * 2
            case _:
                del data[at:]
    return bytes(data)


@st.composite
def _changed_der(draw: st.DrawFn, original: bytes) -> bytes:
    """One value in *original* left out, doubled, retagged or filled with something else, with all lengths put right."""
    number = draw(st.integers(0, seeds.count_values(original) - 1))
    what = draw(st.sampled_from(["drop", "double", "tag", "empty", "fill", "wrap", "long"]))
    tag = draw(st.integers(0, 255))
    filling = draw(st.binary(max_size=40)) if what == "fill" else b""

    def change(old: int, content: bytes) -> bytes:
        return {
            "drop": b"",
            "double": craft.tlv(old, content) * 2,
            "tag": craft.tlv(tag, content),
            "empty": craft.tlv(old),
            "fill": craft.tlv(old, filling),
            "wrap": craft.tlv(0x30, craft.tlv(old, content)),
            "long": craft.tlv(old, content, bytes(300)),
        }[what]

    return seeds.change_value(original, number, change)


_ORIGINALS = st.deferred(lambda: st.sampled_from(_ders()))
_DER = _ORIGINALS.flatmap(lambda der: st.one_of(_changed(der), _changed_der(der), st.just(der)))


@st.composite
def _block(draw: st.DrawFn) -> str:
    """Something like a PEM block, with one thing or another wrong."""
    der = draw(st.one_of(_DER, st.binary(max_size=60)))
    body, end = base64.b64encode(der).decode(), draw(_ENDS)
    width = draw(st.sampled_from([64, 76, 1, 10_000]))
    lines = end.join(body[at : at + width] for at in range(0, min(len(body), 4000), width))
    damage = draw(st.sampled_from(["", "", "", "=", "é", "-----BEGIN", "-----END CERTIFICATE-----", "\\"]))
    label, dashes = draw(_LABELS), draw(_DASHES)
    closing = draw(st.one_of(st.just(label), _LABELS))
    last = draw(st.sampled_from([f"{dashes}END {closing}{dashes}", ""]))
    return f"{dashes}BEGIN {label}{dashes}{end}{draw(_HEADERS)}{lines}{damage}{end}{last}{end}"


_TEXTS = st.lists(st.one_of(_block(), st.text(max_size=30)), max_size=4).map("".join)
_PEM = st.builds(
    lambda text, form: text.encode(form, "surrogatepass"), _TEXTS, st.sampled_from(["utf-8", "utf-16", "utf-16-le"])
)
_ARCHIVES = st.deferred(lambda: st.sampled_from(list(seeds.archives().values()))).flatmap(_changed)
_MAGICS = st.sampled_from(
    [
        b"PK\3\4",
        b"PK\5\6",
        b"\x1f\x8b\x08",
        b"BZh91AY&SY",
        b"\xfd7zXZ\0",
        b"7z\xbc\xaf\x27\x1c",
        bytes(257) + b"ustar\0",
    ]
)
_YAML = st.one_of(
    st.lists(
        st.sampled_from(
            ["type", ": ", "python-worker", "\n", "  ", "- ", "[", "]", "{", "}", "&a ", "*a", "!!x ", '"', "'", "\\U", "FFFFFFFF",
             "\\x", "|", ">", "%YAML 1.1\n", "---", "...", "? ", "#", "\t", "\0", "\u0085", "\ufeff", "<<"]
        ),
        max_size=20,
    ).map("".join),
    st.text(max_size=40),
)  # fmt: skip
_CONTENTS = st.one_of(
    st.binary(max_size=200), _PEM, _DER, _ARCHIVES, _YAML.map(lambda text: text.encode("utf-8", "replace"))
)


class TestJudge:
    """`judge` never raises, shows nothing of a key, and gives a bundle or a refusal."""

    @_bounded
    @given(files=st.dictionaries(_NAMES, _CONTENTS, max_size=5))
    def test_anything_under_any_name(self, files: dict[str, bytes]) -> None:
        """Any content under any names gets an answer that can be shown."""
        judge_firmly(files, seeds.terms(), seeds.key_ders())

    @_bounded
    @given(files=st.dictionaries(_NAMES, st.binary(max_size=300), max_size=4))
    def test_random_bytes(self, files: dict[str, bytes]) -> None:
        """Random bytes are refused."""
        assert not judge_firmly(files, seeds.terms(None)).accepted

    @_bounded
    @given(key=st.one_of(st.none(), _PEM), crt=_PEM, chain=st.one_of(st.none(), _PEM))
    def test_texts_like_pem(self, key: bytes | None, crt: bytes, chain: bytes | None) -> None:
        """Damaged, nested and mislabelled PEM is judged; what is accepted can be served and handed over."""
        files = {n: d for n, d in {**seeds.good().files(crt=crt, chain=chain), "ssl.key": key}.items() if d is not None}
        verdict = judge_firmly(files, seeds.terms(), seeds.key_ders())
        check_is_served(verdict, files)
        check_hands_over(verdict, files, seeds.terms())

    @_bounded
    @given(data=st.data(), rsa=st.booleans(), old=st.booleans())
    def test_a_changed_key(self, data: st.DataObject, rsa: bool, old: bool) -> None:
        """A key with a few bytes changed is refused, or is still the certificate's and loaded by an edge."""
        issued, der = (seeds.good_rsa() if rsa else seeds.good()), seeds.key_ders()[2 * rsa + old]
        changed = data.draw(st.one_of(_changed(der), _changed_der(der)))
        files = issued.files(key=armour("PRIVATE KEY", changed))
        verdict = judge_firmly(files, seeds.terms(), [der, changed])
        check_is_served(verdict, files)
        check_hands_over(verdict, files, seeds.terms())

    @_bounded
    @given(data=st.data(), rsa=st.booleans())
    def test_a_changed_leaf(self, data: st.DataObject, rsa: bool) -> None:
        """A leaf with a few bytes changed is refused: its signature no longer fits."""
        issued = seeds.good_rsa() if rsa else seeds.good()
        der = craft.der_of(issued.leaf)
        changed = data.draw(st.one_of(_changed(der), _changed_der(der)))
        files = issued.files(crt=armour("CERTIFICATE", changed))
        verdict = judge_firmly(files, seeds.terms(), seeds.key_ders())
        assert verdict.bundle is None or verdict.bundle.leaf_pem == issued.leaf_pem

    @_bounded
    @given(data=st.data(), public=st.booleans())
    def test_a_leaf_that_an_authority_signed_though_it_is_odd(self, data: st.DataObject, public: bool) -> None:
        """Whatever stands in a leaf that was properly signed, it is judged, and what is accepted can be served."""
        body = data.draw(_changed_der(seeds.good().leaf.tbs_certificate_bytes))
        files = seeds.good().files(crt=armour("CERTIFICATE", seeds.resign(body)))
        terms = seeds.terms(None) if public else seeds.terms()
        verdict = judge_firmly(files, terms, seeds.key_ders())
        check_is_served(verdict, files)
        check_hands_over(verdict, files, terms)

    @_bounded
    @given(data=st.data())
    def test_a_changed_intermediate(self, data: st.DataObject) -> None:
        """An intermediate with a few bytes changed is judged like any other certificate."""
        der = craft.der_of(seeds.middle().certificate)
        changed = data.draw(st.one_of(_changed(der), _changed_der(der)))
        judge_firmly(seeds.good().files(chain=armour("CERTIFICATE", changed)), seeds.terms(), seeds.key_ders())

    @_bounded
    @given(name=_NAMES, archive=st.one_of(_ARCHIVES, st.builds(bytes.__add__, _MAGICS, st.binary(max_size=600))))
    def test_archives(self, name: str, archive: bytes) -> None:
        """An archive, whole or damaged, gets an answer."""
        judge_firmly({name: archive, "dotcloud.yml": DOTCLOUD_YML}, seeds.terms(), seeds.key_ders())

    @_bounded
    @example(text='type: "\\UFFFFFFFF"')
    @given(text=_YAML)
    def test_manifests(self, text: str) -> None:
        """A manifest of any text gets an answer."""
        judge_firmly(seeds.good().files(yml=text.encode("utf-8", "surrogatepass")), seeds.terms(), seeds.key_ders())


class TestParsers:
    """A parser gives what it says, or raises what it says."""

    @_bounded
    @given(data=st.one_of(st.binary(max_size=300), _PEM))
    def test_pem(self, data: bytes) -> None:
        """`read_blocks` and `read_bare` raise nothing."""
        for block in read_blocks(data):
            assert block.label
            assert block.der is None or len(block.der) <= len(data)
        read_bare(data)

    @_bounded
    @given(der=st.one_of(st.binary(max_size=80), _DER))
    def test_der(self, der: bytes) -> None:
        """The readers of DER raise `ValueError` or give parts of what they were given."""
        for read in (read_value, read_values, read_sequence):
            try:
                read(der)
            except ValueError:
                continue
        identify(der)

    @_bounded
    @given(der=st.one_of(st.binary(max_size=80), _DER))
    def test_private_keys(self, der: bytes) -> None:
        """`describe_private` raises `ValueError`, without a word of what was in it, or gives facts."""
        try:
            describe_private(der)
        except ValueError as error:
            assert len(str(error)) < 60

    @_bounded
    @given(name=_NAMES, data=st.one_of(st.binary(max_size=600), _ARCHIVES))
    def test_archive(self, name: str, data: bytes) -> None:
        """`unpack` raises nothing, and what is refused has no files."""
        unpacked = unpack(name, data)
        assert not (unpacked.files and any(finding.refuses for finding in unpacked.findings))
        assert is_archive(data) or not unpacked.files

    @_bounded
    @given(data=st.one_of(st.binary(max_size=100), _YAML.map(lambda text: text.encode("utf-8", "replace"))))
    def test_manifest(self, data: bytes) -> None:
        """`judge_manifest` raises nothing."""
        judge_manifest(data)


def test_the_worst_cases_cost_little() -> None:
    """Whatever is made to cost time, memory or text is judged in a second, 256 MB and 100,000 characters."""
    done = subprocess.run([sys.executable, "-m", "tests.fuzz.measure"], capture_output=True, text=True, check=False)
    breaches = [line for line in done.stdout.splitlines() if "BREACH" in line]
    assert not breaches and not done.returncode, "\n".join([*breaches, done.stderr])
