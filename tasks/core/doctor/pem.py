r"""
PEM as people really send it: CRLF, a byte order mark, UTF-16, Bag Attributes, EC PARAMETERS, spaces at line ends,
``\n`` written out by a program, quoted by a mail client, with the dashes that a word processor likes better.

Source:
    RFC 7468; RFC 1421 section 4.4 for the headers of a key encrypted the old way.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from dataclasses import dataclass, field
from typing import Final

_BEGIN: Final = re.compile(r"-{2,10} ?BEGIN ([A-Z0-9#.]{1,20}(?: [A-Z0-9#.]{1,20}){0,4}) ?-{2,10}")
_TYPOGRAPHY: Final = str.maketrans(
    {**dict.fromkeys("‐‑‒–―−", "-"), "—": "--", **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", "")}
)
_WRITTEN_OUT: Final = re.compile(r"\\r\\n|\\n|\\r")
_QUOTED: Final = re.compile(r"^[ \t]*(?:>[ \t]?)+", re.MULTILINE)
_COLUMNS: Final = 64  # RFC 7468 section 2


@dataclass(frozen=True)
class Block:
    """
    One PEM block.

    Attributes:
        label: What stands after BEGIN.

        der: The content; None where it is cut off or not base64.

        encrypted: Whether a ``Proc-Type`` header says so.
    """

    label: str
    der: bytes | None = field(repr=False)
    encrypted: bool = False


def read_blocks(data: bytes) -> list[Block]:
    """Give the PEM blocks of *data* in order; text around them is ignored."""
    text = decode_text(data)
    blocks = []
    begin = _BEGIN.search(text)
    while begin:
        following = _BEGIN.search(text, begin.end())
        body = text[begin.end() : following.start() if following else len(text)]
        inside, end, _ = body.partition(f"END {begin[1]}")
        headers, content = _split_headers(inside.rstrip(" -"))
        blocks.append(Block(begin[1], _unarmour(content) if end else None, "ENCRYPTED" in headers))
        begin = following
    return blocks


def read_bare(data: bytes) -> bytes | None:
    """Give what *data* holds if it is base64 and nothing else: a PEM block that lost its first and last line."""
    text = "".join(decode_text(data).split())
    return _unarmour(text) if len(text) >= _COLUMNS else None


def armour(label: str, der: bytes) -> bytes:
    """Give *der* as one PEM block with lines of 64 and ``\\n`` at each end."""
    text = base64.b64encode(der).decode("ascii")
    lines = [text[at : at + _COLUMNS] for at in range(0, len(text), _COLUMNS)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode("ascii")


def decode_text(data: bytes) -> str:
    """Give *data* as text, whatever an editor or a program did to it; what is no text becomes U+FFFD."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # what PowerShell's `>` writes
        text = data.decode("utf-16", errors="replace")
    elif data[1:8:2] == bytes(4):  # the same without its mark
        text = data.decode("utf-16-le", errors="replace")
    else:
        text = data.decode("utf-8-sig", errors="replace")
    return _QUOTED.sub("", _WRITTEN_OUT.sub("\n", text)).translate(_TYPOGRAPHY)


def _split_headers(inside: str) -> tuple[str, str]:
    lines = inside.splitlines()
    headers = [line for line in lines if ":" in line]
    return "\n".join(headers), "".join(line for line in lines if ":" not in line)


def _unarmour(content: str) -> bytes | None:
    try:
        return base64.b64decode("".join(content.split()), validate=True) or None
    except (binascii.Error, ValueError):
        return None
