"""
The pages about findings, and their index.

    python -m tests.core.finding_index > docs/findings/README.md
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGES: Final = Path(__file__).parents[2] / "docs" / "findings"
INDEX: Final = PAGES / "README.md"
HEADINGS: Final = ("What it means", "Why", "How to mend it", "Who acts", "Example")
_FRONT: Final = re.compile(r"# (\S+)\n\n(.+)\n\nSeverity: (.+)\. To act: (.+)\.\n\n")
_SECTION: Final = re.compile(r"^## (.+)\n\n((?:(?!^## ).*\n)*)", re.MULTILINE)
_FENCED: Final = re.compile(r"```(sh|text)\n(.*?)\n```", re.DOTALL)
_CASE: Final = re.compile(r"From the corpus, \*(.+)\*:")
_INTRODUCTION: Final = """\
# What the doctor says

Each finding has a code, which stays the same. *refuse*: the files cannot serve; *warn*: they can, with a drawback;
*note*: something was put right. An installation may have a warning refuse (`refused_warnings`).

Written by `python -m tests.core.finding_index > docs/findings/README.md`.
"""


@dataclass(frozen=True)
class Page:
    """
    What stands in one page.

    Attributes:
        sections: By their headings.
    """

    code: str
    sentence: str
    severities: tuple[str, ...]
    who: tuple[str, ...]
    sections: dict[str, str]

    @property
    def commands(self) -> list[str]:
        return [text for kind, text in _FENCED.findall(self.sections["How to mend it"]) if kind == "sh"]

    @property
    def message(self) -> str:
        """The example of the message."""
        texts: list[str] = [text for kind, text in _FENCED.findall(self.sections["Example"]) if kind == "text"]
        return texts[0]

    @property
    def case(self) -> str | None:
        """The name of the corpus's case that the example is from."""
        found = _CASE.search(self.sections["Example"])
        return found[1] if found else None


def read_page(path: Path) -> Page:
    """
    Read one page.

    Raises:
        ValueError: Its first lines are not as those of the others.
    """
    text = path.read_text()
    front = _FRONT.match(text)
    if front is None or front[1] != path.stem:
        raise ValueError(f"{path.name} does not begin with its code, a sentence, its severity and who acts")
    code, sentence, severities, who = front.groups()
    return Page(code, sentence, tuple(severities.split(", ")), tuple(who.split(", ")), dict(_SECTION.findall(text)))


def read_pages() -> dict[str, Page]:
    """Give all pages by their codes."""
    return {path.stem: read_page(path) for path in sorted(PAGES.glob("*.md")) if path != INDEX}


def make_index() -> str:
    rows = [
        f"| [{page.code}]({page.code}.md) | {', '.join(page.severities)} | {page.sentence} | {', '.join(page.who)} |"
        for page in read_pages().values()
    ]
    return "\n".join([_INTRODUCTION, "| code | severity | what it says | who acts |", "|---|---|---|---|", *rows, ""])


if __name__ == "__main__":
    sys.stdout.write(make_index())
