"""Text from outside is shown so that it can do nothing."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tasks.core.text import code_block, code_span, escape_markdown, one_line, printable

MARKS = st.text(alphabet=" \t\n\\`*_{}[]()#+-!|~<>&=.:1aé\x1b\u202e\u2028", max_size=40)


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


def read_back(markdown: str, frame: str) -> str:
    """Give what a browser would show of *markdown*, which must be one element of the tags *frame*."""
    drawn = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown).strip()
    inside = re.fullmatch(frame.replace("...", "(.*?)"), drawn, re.DOTALL)
    assert inside, drawn
    assert "<" not in inside[1]
    return html.unescape(inside[1])


@given(MARKS.filter(str.strip))
def test_markdown_shows_escaped_text_as_it_is(text: str) -> None:
    """Whatever marks it has, at the beginning of a line too, it makes one plain paragraph."""
    shown = read_back(escape_markdown(text), "<p>...</p>")
    assert shown.strip() == one_line(text).strip()


@given(MARKS.filter(str.strip))
def test_no_text_breaks_out_of_a_code_span(text: str) -> None:
    """Not with any number of backticks, nor by a line break."""
    shown = read_back(f"x {code_span(text)} y", "<p>x <code>...</code> y</p>")
    assert shown.strip() == one_line(text).strip()


@given(MARKS)
def test_no_text_breaks_out_of_a_code_block(text: str) -> None:
    """Each line stays a line of the block; only line breaks remain of what is not printable."""
    shown = read_back(code_block(text, "sh"), '<pre><code class="language-sh">...</code></pre>')
    assert shown == "\n".join(map(one_line, text.split("\n"))) + "\n"
