"""Whoever reads a code finds a page about it, and what stands there is what the doctor says."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache

import pytest

from tasks.core.errors import Who
from tasks.core.model import Finding, Severity
from tests.core.finding_codes import Made, UnknownCode, find_made, find_made_in
from tests.core.finding_index import HEADINGS, INDEX, PAGES, make_index, read_pages
from tests.corpus import CASES
from tests.corpus.case import Lab

_CHANGING = re.compile(r"\b[0-9a-f]{64}\b|\b\d{5} (?=bytes)")
_PAGES = read_pages()
_LINK = re.compile(r"\]\(([^)]+)\)")


@cache
def _made() -> dict[str, list[Made]]:
    """Give the places that make findings, by code."""
    found = defaultdict(list)
    for made in find_made():
        found[made.code].append(made)
    return dict(found)


@pytest.fixture(name="lab", scope="module")
def _lab() -> Lab:
    return Lab()


def _shown(text: str) -> str:
    """Leave out digests and sizes, which are others with the next key."""
    return _CHANGING.sub("* ", text)


def test_each_code_has_a_page_and_each_page_a_code() -> None:
    """The pages are those of the codes in the source."""
    assert sorted(_PAGES) == sorted(_made())


def test_the_index_is_current() -> None:
    """`python -m tests.core.finding_index` would write what is there."""
    assert INDEX.read_text() == make_index()


@pytest.mark.parametrize("code", _PAGES)
class TestPage:
    """One page is whole and true."""

    def test_it_has_every_heading_in_order(self, code: str) -> None:
        """Every page answers the same questions, with some text."""
        sections = _PAGES[code].sections
        assert tuple(sections) == HEADINGS
        assert all(text.strip() for text in sections.values())

    def test_it_says_how_grave_it_is_and_who_acts(self, code: str) -> None:
        """Severity and who acts are those in the source."""
        made = _made()[code]
        assert _PAGES[code].severities == tuple(
            s for s in map(str, Severity) if any(str(m.severity) == s for m in made)
        )
        assert set(_PAGES[code].who) == {str(m.who) for m in made}

    def test_its_links_lead_somewhere(self, code: str) -> None:
        """A link to another page leads to one."""
        for target in _LINK.findall((PAGES / f"{code}.md").read_text()):
            assert (PAGES / target).is_file(), target


@pytest.mark.parametrize("code", [code for code, page in _PAGES.items() if page.case])
def test_the_example_is_what_the_doctor_says(code: str, lab: Lab) -> None:
    """The message, and the command unless the case has none, are those of the case of the corpus."""
    page = _PAGES[code]
    case = next(case for _, case in CASES if case.name == page.case)
    found = [finding for finding in case.judge(lab).verdict.findings if finding.code == code]
    assert _shown(page.message) in [_shown(finding.cause) for finding in found]
    commands = {finding.command for finding in found if finding.command}
    assert not commands or set(page.commands) <= commands


class TestReadingTheSource:
    """A code that cannot be read out of the source is not passed over."""

    def test_a_word(self) -> None:
        """A code that stands there is found, with its severity and who acts."""
        source = "from tasks.core.doctor.findings import refuse\nrefuse('a-b', cause, fix, who=Who.CA)"
        assert [(m.code, m.severity, m.who) for m in find_made_in(source)] == [("a-b", Severity.REFUSE, Who.CA)]

    def test_a_choice_among_words(self) -> None:
        """A code out of a table, or by a condition, may be any of them."""
        source = (
            "from tasks.core.doctor.findings import warn\n_T: Final = {1: 'a', 2: 'b'}\n"
            "def f(x):\n    code = _T.get(x, 'c' if x else 'd')\n    warn(code, '')"
        )
        assert [made.code for made in find_made_in(source)] == ["a", "b", "c", "d"]

    def test_the_code_of_another_finding(self) -> None:
        """Saying a finding in other words makes no new code."""
        assert find_made_in("from tasks.core.doctor.findings import note\nnote(finding.code, '')") == []

    def test_other_functions_of_the_name(self) -> None:
        """Only the makers of findings count, not what is called like them elsewhere."""
        assert find_made_in("from tasks.clients.audit import note\nnote('a', '')") == []

    @pytest.mark.parametrize("code", ["f'{a}-b'", "make(x)", "unknown", "_T[x]"])
    def test_what_is_computed(self, code: str) -> None:
        """A code that is computed is an error."""
        with pytest.raises(UnknownCode):
            find_made_in(f"from tasks.core.doctor.findings import refuse\nrefuse({code}, '', '')")

    def test_a_finding_by_hand(self) -> None:
        """`Finding` with a severity that is named is found; one whose severity is computed is an error."""
        source = "from tasks.core.model import Finding, Severity\nFinding('a', {}, '', '')"
        assert [made.code for made in find_made_in(source.format("Severity.NOTE"))] == ["a"]
        with pytest.raises(UnknownCode):
            find_made_in(source.format("severity"))

    def test_the_makers_are_all(self) -> None:
        """Whoever adds a way to make a `Finding` hears of it here."""
        source = ast.parse((PAGES.parents[1] / "tasks/core/doctor/findings.py").read_text())
        makers = {
            node.name
            for node in ast.walk(source)
            if isinstance(node, ast.FunctionDef) and node.returns and ast.unparse(node.returns) == Finding.__name__
        }
        assert makers == {"refuse", "warn", "note"}
