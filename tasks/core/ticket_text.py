"""
Find private keys in the text of a ticket, and take them out.

Two signs count: an armour line (``BEGIN ... PRIVATE KEY``) with a body behind it, also where all of it is in base64
once more (``base64 ssl.key``, a Kubernetes secret), and the first bytes that every private key in DER has, in base64
or hex, with or without armour. Both are looked for in the text squeezed of
everything a mail program, a shell or a JSON encoder puts between the characters, so that quoting, line breaks,
literal ``\\n`` and spaces hide nothing.

The time is linear in the text: every place is looked at once, and what was claimed is not looked at again.
"""

from __future__ import annotations

import binascii
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tasks.core.doctor.private_key import describe_private

REMOVED: Final = "[removed: private key]"
_MAX_KEY_CHARS: Final = 64 * 1024  # of base64 or hex; an RSA-16384 key has 13,000 bytes
_MAX_PARSED: Final = 8  # candidates whose public half is looked for
_BODY_WITHIN: Final = 400  # characters of headers between an armour line and its body

# What stands between the characters of a key that was quoted, wrapped, escaped or marked up. Each match
# is blanked by spaces of its length, so that places stay what they are.
_NOISE: Final = re.compile(
    r"\\{1,4}[nrt]|=\r?\n(?=[^\r\n]{4})|=3D|</?[a-zA-Z]{1,10} ?/?>|&nbsp;|&#1[03];"
    r"|[>\"'`,|*\\\u200b-\u200f\u2060\ufeff\u00ad]"
)
_ARMOUR: Final = re.compile(r"[-–—−]{1,5}BEGIN[A-Z0-9]{0,20}PRIVATEKEY(?:BLOCK)?[-–—−]{1,5}|PuTTY-User-Key-File")
_ARMOUR_END: Final = re.compile(r"[-–—−]{1,5}END[A-Z0-9]{0,20}PRIVATEKEY(?:BLOCK)?[-–—−]{1,5}|Private-MAC:")
_BODY: Final = re.compile(r"[A-Za-z0-9+/]{32}")
_LONG_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{120,}")  # the shortest armoured key takes 160
_BASE64_WORD: Final = re.compile(r"[A-Za-z0-9+/=]{20,}")
_WORD: Final = re.compile(r"\S+")
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/_]|-(?!----))*")  # stops at padding and at the dashes of an armour line
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})*")

# What `openssl pkey -text` prints, and the private member of a JSON Web Key (RFC 7518 section 6).
_DUMP: Final = re.compile(r"(?:privateExponent|priv|prime[12]|exponent[12]|coefficient):(?:[0-9a-f]{2}:?){16,}")
_JWK: Final = re.compile(r'"(?:d|p|q|dp|dq|qi)"\s{0,4}:\s{0,4}"[A-Za-z0-9_-]{40,}"')

_BASE64_START: Final = re.compile(r"M[C-I]|b3BlbnNzaC1rZXk")
_HEX_START: Final = re.compile(r"30(?:82|81|[2-7][0-9a-f])", re.IGNORECASE)
_HEX_NOISE: Final = re.compile(r"0?x|[\s:;]", re.IGNORECASE)
_HEADER_BYTES: Final = 30

_LENGTH: Final = rb"(?:[\x10-\x7f]|\x81.|\x82..)"
_KEY_HEADER: Final = re.compile(
    rb"\x30" + _LENGTH + rb"(?:"
    # PKCS#8: version, then the algorithm of a key
    rb"\x02\x01[\x00\x01]\x30" + _LENGTH.replace(rb"\x10", rb"\x05") + rb"\x06(?:"
    rb"\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01[\x01\x0a]|\x07\x2a\x86\x48\xce\x3d\x02\x01|\x07\x2a\x86\x48\xce\x38\x04\x01"
    rb"|\x03\x2b\x65[\x6e-\x71]|\x09\x60\x86\x48\x01\x65\x03\x04[\x03\x04])"
    # PKCS#1 and the old form of DSA: version, then a large number
    rb"|\x02\x01[\x00\x01]\x02(?:[\x40-\x7f]|\x81.|\x82..)"
    # SEC1: version 1, then the scalar
    rb"|\x02\x01\x01\x04[\x1c\x20\x30\x42]"
    # PKCS#8 encrypted: PBES2, or one of the older PBES1 and PKCS#12 schemes
    rb"|\x30" + _LENGTH + rb"\x06[\x09\x0a]\x2a\x86\x48\x86\xf7\x0d\x01(?:\x05|\x0c\x01)"
    # PKCS#12: version 3, then data
    rb"|\x02\x01\x03\x30" + _LENGTH + rb"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
    rb")",
    re.DOTALL,
)
_OPENSSH_HEADER: Final = b"openssh-key"
_SUBJECT: Final = re.compile(r"(?<![a-z0-9])(?:drop|removal)-[a-z2-7]{26}(?![a-z0-9])", re.IGNORECASE)


@dataclass(frozen=True)
class KeyMaterial:
    """
    Private key material that was found.

    Attributes:
        spki_sha256: Of the public half, so that the key can be marked compromised; None where it does not parse.
    """

    spki_sha256: str | None


@dataclass(frozen=True)
class _Region:
    start: int
    end: int
    spki_sha256: str | None = None


def find_key_material(text: str) -> KeyMaterial | None:
    """Give what private key material *text* holds, or None."""
    regions = _find_regions(text)
    if not regions:
        return None
    return KeyMaterial(next((region.spki_sha256 for region in regions if region.spki_sha256), None))


def redact(text: str) -> str:
    """Give *text* with ``[removed: private key]`` in the place of each piece of key material."""
    parts, at = [], 0
    for region in _merge(_find_regions(text)):
        parts += [text[at : region.start], REMOVED]
        at = region.end
    return "".join([*parts, text[at:]])


def find_subject(text: str) -> str | None:
    """Give the first id of a drop or a removal that *text* mentions, lower case, or None."""
    found = _SUBJECT.search(text)
    return found[0].lower() if found else None


class _Squeezed:
    """A text without its noise and spaces, and where each remaining character came from."""

    def __init__(self, text: str, noise: re.Pattern[str]) -> None:
        blanked = noise.sub(lambda match: " " * len(match[0]), text)
        pieces = list(re.finditer(r"\S+", blanked))
        self.text = "".join(piece[0] for piece in pieces)
        self._lengths = [0]
        self._offsets = []
        for piece in pieces:
            self._offsets.append(piece.start() - self._lengths[-1])
            self._lengths.append(self._lengths[-1] + len(piece[0]))

    def origin(self, at: int) -> int:
        """Give where the character at *at* stood."""
        return at + self._offsets[bisect_left(self._lengths, at + 1) - 1]

    def region(self, start: int, end: int, spki_sha256: str | None = None) -> _Region:
        return _Region(self.origin(start), self.origin(end - 1) + 1, spki_sha256)


def _find_regions(text: str) -> list[_Region]:
    in_base64 = _Squeezed(text, _NOISE)
    return [*_find_plain(text, in_base64), *_find_encoded(in_base64)]


def _find_encoded(squeezed: _Squeezed) -> Iterator[_Region]:
    """Find armoured keys in base64 as a whole; in which of four places a run begins to make sense is not known."""
    for run in _LONG_BASE64.finditer(squeezed.text):
        for shift in range(4):
            decoded = _decode_base64(squeezed.text, run.start() + shift, len(run[0]) - shift)
            if b"PRIVATE KEY" not in decoded:
                continue
            text = decoded.decode("latin-1")  # a character an octet, so places can be reckoned back
            for inner in _find_plain(text, _Squeezed(text, _NOISE)):
                start, end = run.start() + shift + inner.start * 4 // 3, run.start() + shift - (-inner.end * 4 // 3)
                yield squeezed.region(start, min(end, run.end()), inner.spki_sha256)


def _find_plain(text: str, in_base64: _Squeezed) -> list[_Region]:
    in_hex = _Squeezed(_NOISE.sub(lambda match: " " * len(match[0]), text), _HEX_NOISE)
    return [
        *_find_armour(in_base64, text),
        *(in_base64.region(*match.span()) for match in _DUMP.finditer(in_base64.text)),
        *(_Region(*match.span()) for match in _JWK.finditer(text) if '"kty"' in text),
        *_find_der(in_base64, _BASE64_START, _decode_base64, 4, 3),
        *_find_der(in_hex, _HEX_START, _decode_hex, 2, 1),
    ]


def _find_armour(squeezed: _Squeezed, text: str) -> Iterator[_Region]:
    """Find armour lines with a body behind them, and all up to the line that ends it, or to the body's end."""
    ends = [match.end() for match in _ARMOUR_END.finditer(squeezed.text)]
    claimed = 0
    for begin in _ARMOUR.finditer(squeezed.text):
        if begin.start() < claimed:
            continue
        behind = squeezed.origin(begin.end() - 1) + 1
        next_block = text.find("BEGIN", behind, behind + _BODY_WITHIN)
        until = next_block if next_block >= 0 else behind + _BODY_WITHIN
        body = next(filter(_is_random, _BODY.finditer(text, behind, until)), None)
        if not body:
            continue
        following = bisect_left(ends, begin.end())
        if following < len(ends) and ends[following] - begin.end() <= _MAX_KEY_CHARS:
            claimed = ends[following]
            yield squeezed.region(begin.start(), claimed)
        else:
            claimed = begin.end()
            yield _Region(squeezed.origin(begin.start()), _end_of_body(text, body.start()))


def _is_random(match: re.Match[str]) -> bool:
    """Tell base64 of a key from a path or a long word: 32 characters of it have all three kinds, most of the time."""
    return all(any(kind(c) for c in match[0]) for kind in (str.isdigit, str.isupper, str.islower))


def _end_of_body(text: str, start: int) -> int:
    """Give where the lines of base64 end: at the first word that a wrapped key would not have."""
    end = start
    for word in _WORD.finditer(text, start, start + _MAX_KEY_CHARS):
        if not _BASE64_WORD.fullmatch(word[0]):
            break
        end = word.end()
    return end


def _find_der(
    squeezed: _Squeezed, start: re.Pattern[str], decode: Callable[[str, int, int], bytes], chars: int, octets: int
) -> Iterator[_Region]:
    """Find DER that begins as a private key does; *chars* characters of the text are *octets* bytes."""
    claimed = parsed = 0
    for found in start.finditer(squeezed.text):
        at = found.start()
        if at < claimed:
            continue
        header = decode(squeezed.text, at, _HEADER_BYTES * chars // octets)
        if not (_KEY_HEADER.match(header) or header.startswith(_OPENSSH_HEADER)):
            continue
        length = _total_length(header)
        der = decode(squeezed.text, at, min(-(-length * chars // octets), _MAX_KEY_CHARS))
        end = at + -(-len(der) * chars // octets)
        claimed = end + len(squeezed.text[end : end + 2]) - len(squeezed.text[end : end + 2].lstrip("="))
        spki_sha256 = _spki_sha256(der[:length]) if parsed < _MAX_PARSED else None
        parsed += 1
        yield squeezed.region(at, claimed, spki_sha256)


def _total_length(header: bytes) -> int:
    """Give how many bytes the DER value has that *header* begins; an OpenSSH key does not say, so all that follows."""
    if header.startswith(_OPENSSH_HEADER):
        return _MAX_KEY_CHARS
    size = header[1] & 0x7F if header[1] >= 0x80 else 0
    return 2 + size + (int.from_bytes(header[2 : 2 + size], "big") if size else header[1])


def _decode_base64(text: str, at: int, most: int) -> bytes:
    """Decode what is base64, in either alphabet, of at most *most* characters from *at* on."""
    found = _BASE64.match(text, at, at + most)
    front = found[0].replace("-", "+").replace("_", "/") if found else ""
    if len(front) % 4 == 1:
        front = front[:-1]
    return binascii.a2b_base64(front + "=" * (-len(front) % 4))


def _decode_hex(text: str, at: int, most: int) -> bytes:
    found = _HEX.match(text, at, at + most)
    return bytes.fromhex(found[0]) if found else b""


def _spki_sha256(der: bytes) -> str | None:
    try:
        return describe_private(der).spki_sha256
    except ValueError:
        return None


def _merge(regions: list[_Region]) -> list[_Region]:
    """Give *regions* in order of place, those that overlap made one."""
    merged: list[_Region] = []
    for region in sorted(regions, key=lambda r: r.start):
        if merged and region.start <= merged[-1].end:
            merged[-1] = _Region(merged[-1].start, max(merged[-1].end, region.end))
        else:
            merged.append(region)
    return merged
