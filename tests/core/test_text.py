"""Text from outside is shown so that it can do nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.text import printable


@given(st.text(max_size=100))
def test_nothing_but_printable_characters_comes_out(text: str) -> None:
    """Whatever goes in, what is shown is one plain line."""
    assert printable(text).isprintable()


@given(st.text(max_size=30), st.text(max_size=30))
def test_two_texts_never_look_the_same(one: str, other: str) -> None:
    """Nobody can write a text that looks like the escape of another."""
    assert (one == other) == (printable(one) == printable(other))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("CN=Bücher, O=株式会社", "CN=Bücher, O=株式会社"),
        ("a\nb", "a\\u000ab"),
        ("\x1b[31m", "\\u001b[31m"),
        ("\u202e", "\\u202e"),
        ("\u00a0\u2003", "\\u00a0\\u2003"),
        ("\\u000a", "\\\\u000a"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_could_do_harm_is_written_out(text: str, shown: str) -> None:
    """Letters of every script stay; controls, formats and odd spaces are escaped."""
    assert shown == printable(text)


def test_a_long_text_is_cut() -> None:
    """A name of a megabyte does not fill a log."""
    assert printable("a" * 1000, 10) == "a" * 10 + "..."
