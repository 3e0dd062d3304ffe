"""Text that came from outside, made safe to show."""

from __future__ import annotations

import unicodedata


def printable(text: str, limit: int = 200) -> str:
    r"""
    Give *text* so that it can neither move a cursor, break a line nor turn the writing direction.

    Control, format, surrogate and private characters, and every space but U+0020, become ``\u`` escapes;
    a backslash is doubled, so that nobody can fake one. What is longer than *limit* characters ends in ``...``.
    """
    shown = "".join(_escaped(character) for character in text[:limit])
    return shown + "..." if len(text) > limit else shown


def _escaped(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character == " " or unicodedata.category(character)[0] not in "CZ":
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"
