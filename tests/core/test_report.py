"""A verdict in words: complete, readable where nothing draws it, and without power for foreign text."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from markdown_it import MarkdownIt

from tasks.core import policy
from tasks.core.certificate import Terms, Verdict, judge
from tasks.core.doctor.findings import note, refuse, warn
from tasks.core.doctor.report import render_markdown, render_plain, summarise
from tasks.core.doctor.verdict import Link, Role
from tasks.core.errors import BadBundle, Who
from tasks.core.hand_over import describe_refusal
from tasks.core.model import Finding, Hostname
from tasks.core.ticket_text import find_key_material
from tests.core.conftest import NOW
from tests.pki import CA, Issued, key_pem

SHOP = Hostname("shop.example.test")
HOSTILE = "`x` ```</code><script>alert(1)</script> **b** _i_ [a](http://e.test) ![p](q) # h | t | ~~s~~ \\"
REFUSED = refuse("key-encrypted", "the key is locked", "Unlock it.", "openssl pkey -in 'my key' -out plain.key")
WARNED = warn("no-sct", "it was not logged", "Ask for one that is.", who=Who.CA)
NOTED = note("root-left-out", "the root is not served")


def rejected(*findings: Finding, chain: tuple[Link, ...] = ()) -> Verdict:
    return Verdict(SHOP, None, findings, "RSA, 2048 bits (ssl.key)", chain)


def drawn(markdown: str) -> str:
    """Give the HTML of *markdown*, with the extensions that most programs have."""
    return str(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown))


def terms(root: CA, hostname: Hostname | None = SHOP) -> Terms:
    return Terms([root.certificate], False, NOW, hostname)


class TestSummarise:
    def test_names_what_can_be_served_and_until_when(self, root: CA, good: Issued) -> None:
        """The hostname that was asked for, or else the names in the certificate."""
        until = f"{good.leaf.not_valid_after_utc:%Y-%m-%d}"
        assert summarise(judge(good.files(), terms(root))) == f"Good: these files can serve {SHOP} until {until}."
        both = summarise(judge(good.files(), terms(root, None)))
        assert both == f"Good: these files can serve {SHOP}, www.example.test until {until}."

    def test_a_long_list_of_names_is_cut(self, root: CA, intermediate: CA) -> None:
        """Five names are enough to recognise a certificate by."""
        issued = intermediate.issue([f"n{n}.example.test" for n in range(9)])
        assert "n4.example.test and 4 more until" in summarise(judge(issued.files(), terms(root, None)))

    @pytest.mark.parametrize(
        ("findings", "words"),
        [
            ((REFUSED,), "Refused: 1 thing to mend before these files can be handed over for shop.example.test."),
            ((REFUSED, REFUSED, WARNED), "Refused: 2 things to mend"),
            ((WARNED,), "Good as far as can be told here, with 1 warning: whether the root is trusted, the platform"),
        ],
    )
    def test_counts_what_is_to_mend(self, findings: tuple[Finding, ...], words: str) -> None:
        """Warnings and notes are not to mend; without bundle and refusal the platform decides."""
        assert summarise(rejected(*findings)).startswith(words)


class TestMarkdown:
    def test_has_cause_actor_fix_command_and_letter_of_each_finding(self) -> None:
        """Whoever reads it can act, or send the letter on to who must."""
        text = render_markdown(rejected(REFUSED, WARNED, NOTED))
        for said in (REFUSED.cause, "`key-encrypted`; to act: **customer**. Unlock it.", f"\n{REFUSED.command}\n"):
            assert said in text
        assert "to act: **certificate authority**" in text
        assert "Please look at the certificate that you issued for shop.example.test: it was not logged." in text
        assert text.index("Refused:") < text.index("Warning:") < text.index("the root is not served")

    def test_a_letter_has_its_command_in_one_piece(self) -> None:
        """A long command is not broken where the words around it are."""
        long = "openssl " + " ".join(f"-option{n}" for n in range(60))
        assert render_markdown(rejected(replace(REFUSED, command=long))).count(f"\n{long}\n") == 2

    def test_shows_the_chain_and_the_gap(self) -> None:
        """Each certificate with its end and its file, and in bold what is missing."""
        end = datetime(2027, 1, 2, tzinfo=UTC)
        links = (Link(Role.LEAF, "CN=shop", end, "a b.crt"), Link(Role.MISSING, "CN=Missing CA"))
        text = render_markdown(rejected(REFUSED, chain=links))
        assert "1. `CN=shop` (leaf, until 2027-01-02, in a b.crt)" in text
        assert "2. `CN=Missing CA` (**missing: the chain stops here**)" in text

    def test_nothing_found_is_said(self) -> None:
        """Neither a key nor a certificate: both are named."""
        text = render_markdown(replace(rejected(REFUSED), key=None))
        assert text.count("**none that can be used**") == 2

    def test_foreign_text_has_no_power(self) -> None:
        """No tag, link, picture, heading or code of a stranger's, wherever the stranger's text stands."""
        finding = Finding("x", REFUSED.severity, HOSTILE, HOSTILE, f"echo {HOSTILE}\n```\n# <b>")
        links = (Link(Role.LEAF, HOSTILE, None, HOSTILE), Link(Role.MISSING, HOSTILE))
        html = drawn(render_markdown(replace(rejected(finding, note("y", HOSTILE), chain=links), key=HOSTILE)))
        for tag in ("<script", "<a ", "<img", "<h1", "<em", "<s>", "<table", "<b>"):
            assert tag not in html
        assert html.count("<pre>") == 2
        assert html.count("<h2") + html.count("<h3") == 3
        assert html.count("<strong>") == 2

    def test_control_characters_are_written_out(self) -> None:
        """A report can be read in a terminal too."""
        finding = replace(REFUSED, cause="a\x1b[31m\u202eb", fix="c\x9b\nd", command="echo \x07\u2066")
        text = render_markdown(rejected(finding)) + render_plain([finding])
        assert all(line.isprintable() for line in text.split("\n"))

    def test_fits_into_a_ticket_and_is_not_taken_for_a_key(self) -> None:
        """However much was found; what is left out is counted."""
        many = [replace(REFUSED, cause=f"{n} {'long ' * 100}") for n in range(100)]
        for text in (render_markdown(rejected(*many)), render_plain(many)):
            assert len(text) <= policy.TICKET_MAX_CHARS
            assert text.endswith("were left out for length.")
        broken = {"ssl.key": key_pem(CA().key, passphrase=b"xyzzy"), "b.key": b"rubbish", "ssl.crt": b"rubbish"}
        verdict = judge(broken, Terms([], False, NOW, SHOP))
        assert find_key_material(render_markdown(verdict)) is None


class TestPlain:
    def test_lists_each_finding_with_its_command_on_a_line_of_its_own(self) -> None:
        """As a ticket shows it, where nothing is drawn; notes ask nothing of anybody and are left out."""
        assert render_plain([REFUSED, WARNED, NOTED]) == (
            "1 thing to mend:\n\n"
            "1. the key is locked [key-encrypted]\n"
            "   To act: customer. Unlock it.\n"
            "    openssl pkey -in 'my key' -out plain.key\n\n"
            "2. Warning: it was not logged [no-sct]\n"
            "   To act: certificate authority. Ask for one that is."
        )

    def test_is_what_a_customer_reads_of_a_refusal(self) -> None:
        """The ticket's answer lists all of it."""
        assert describe_refusal(BadBundle.of(SHOP, [REFUSED, WARNED])) == render_plain([REFUSED, WARNED])
