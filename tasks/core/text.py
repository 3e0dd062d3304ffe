"""Text that came from outside, made safe to show."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_MARKDOWN: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", **{character: f"\\{character}" for character in "\\`*_{}[]#|~"}}
)
_LINE_START: Final = re.compile(r"^ *(\d*)(?=[-+#=.)])")  # where these make a list, a heading or a rule
_BACKTICKS: Final = re.compile("`+")


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


def escape_markdown(text: object) -> str:
    """
    Give *text* as one line that Markdown and HTML show as it is.

    Line breaks, control and bidirectional characters become their Python escapes.
    """
    return _LINE_START.sub(r"\1\\", one_line(str(text)).translate(_MARKDOWN))


def code_span(text: str) -> str:
    """Give *text* as a Markdown code span that it cannot break out of, and that reads well where nothing draws it."""
    line = one_line(text)
    fence = _fence(line, 1)
    pad = " " if line.startswith(("`", " ")) or line.endswith(("`", " ")) or not line else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def code_block(text: str, language: str) -> str:
    """Give the lines of *text* as a Markdown code block that they cannot break out of."""
    lines = [one_line(line) for line in text.split("\n")]
    fence = _fence(text, 3)
    return "\n".join((f"{fence}{language}", *lines, fence))


def one_line(text: str) -> str:
    """Give *text* with every line break, control and bidirectional character as its Python escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _fence(text: str, least: int) -> str:
    """Give one more backtick than *text* has in a row."""
    return "`" * max(least, 1 + max((len(run) for run in _BACKTICKS.findall(text)), default=0))
