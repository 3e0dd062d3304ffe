"""Foreign text, made safe for a terminal: the one way by which text is drawn."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from tasks.customer.unkeyed import unkeyed

if TYPE_CHECKING:
    from rich.text import Text


def for_terminal(text: str) -> str:
    r"""
    Give *text* with every control, format and surrogate character written as an escape (``\x1b``, ``\u202e``).

    Nothing that is left can colour, overwrite or reorder a line. Unlike `tasks.core.text.printable` it keeps line
    breaks and backslashes, so that text which has been made safe before stays as it is.
    """
    return "".join(x if x == "\n" or unicodedata.category(x)[0] != "C" else _escaped(x) for x in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def plain(text: str, style: str = "") -> Text:
    """Give foreign *text* as Rich text, without anything a terminal would obey, and without a private key."""
    from rich.text import Text

    return Text(for_terminal(unkeyed(text)), style=style)


def unbroken(text: str, style: str = "") -> Text:
    """Give foreign *text* as `plain` does, but with no line broken or cut: it is there to be copied."""
    line = plain(text, style)
    line.no_wrap, line.overflow = True, "ignore"
    return line
