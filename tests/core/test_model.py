"""Names are parsed once, at the door, and nothing odd gets behind it."""

from __future__ import annotations

import base64
import os
import string

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import BadHostname, BadInput, Who
from tasks.core.model import Finding, Invitation, Severity, make_id, parse_hostname, parse_id, parse_name
from tests.pki import key_pem, make_key

KEY_HEX = make_key("ec256").private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()).hex()
KEY_TEXT = base64.b64encode(bytes.fromhex(KEY_HEX)).decode()
KEY_IN_BASE64_TWICE = base64.b64encode(key_pem(make_key("ec256"), PrivateFormat.TraditionalOpenSSL)).decode()

HOSTILE_NAMES = [
    "",
    " ",
    ".",
    "..",
    "../etc/passwd",
    "../../../../etc/shadow",
    "..\\..\\windows",
    "/etc/passwd",
    "C:\\ssl.key",
    "shop.example.test/../../x",
    "shop.example.test/",
    "shop/example.test",
    "%2e%2e%2fshop.example.test",
    "shop%2eexample.test",
    "shop%00.example.test",
    "shop\0.example.test",
    "shop.example.test\0",
    "shop.example.test\n.evil.test",
    "shop.example.test\r\nHost: evil.test",
    "shop example.test",
    "shop\t.example.test",
    "shop;reboot.example.test",
    "shop.example.test;",
    "$(reboot).example.test",
    "`id`.example.test",
    "${PATH}.example.test",
    "shop|cat.example.test",
    "shop&x.example.test",
    'shop".example.test',
    "shop'.example.test",
    "shop<b>.example.test",
    "{shop}.example.test",
    "shop#x.example.test",
    "shop?x=1.example.test",
    "https://shop.example.test",
    "user@shop.example.test",
    "shop.example.test:443",
    "CON",
    "NUL.",
    "localhost",
    "shop",
    "shop..example.test",
    ".example.test",
    "-shop.example.test",
    "shop-.example.test",
    "shop_1.example.test",
    "_dmarc.example.test",
    "*.example.test",
    "*",
    "s*.example.test",
    "127.0.0.1",
    "127.1",
    "0x7f.0.0.1",
    "2130706433",
    "::1",
    "[::1]",
    "fe80::1%eth0",
    "example.123",
    "a" * 64 + ".example.test",
    ".".join(["a" * 63] * 4),
    "shop.example.test" * 20,
    "shop\u202e.example.test",
    "\u202etset.elpmaxe.pohs",
    "shop\u200b\u200b .example.test",
    "shop.\u2028example.test",
    "sh\u0338op.example.test\ud800",
    "☃\u0301\u0301..test",
    "xn--a.example.test\u0000",
    "\u0661\u0662\u0667.0.0.1",
    "shop.example.test ..",
    "shop。/。test",
]


@pytest.mark.parametrize("text", HOSTILE_NAMES)
def test_no_hostile_name_is_a_hostname(text: str) -> None:
    """Paths, commands, headers, addresses and tricks of script are refused, with an error of ours."""
    with pytest.raises(BadHostname) as caught:
        parse_hostname(text)
    assert len(caught.value.subject) < 1000
    assert "\n" not in str(caught.value)
    assert "\x00" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "hostname"),
    [
        ("shop.example.test", "shop.example.test"),
        ("SHOP.Example.Test", "shop.example.test"),
        ("shop.example.test.", "shop.example.test"),
        ("  shop.example.test\n", "shop.example.test"),
        ("example.test", "example.test"),
        ("bücher.example.test", "xn--bcher-kva.example.test"),
        ("BÜCHER.example.test", "xn--bcher-kva.example.test"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("xn--bcher-kva.example.test", "xn--bcher-kva.example.test"),
        ("1.example.test", "1.example.test"),
        ("a-b--c.example.test", "a-b--c.example.test"),
        ("a" * 63 + ".test", "a" * 63 + ".test"),
        ("123.com", "123.com"),
    ],
)
def test_a_hostname_is_the_name_as_certificates_have_it(text: str, hostname: str) -> None:
    """Case, a final dot, blanks around it and U-labels make no difference."""
    assert hostname == parse_hostname(text)


@pytest.mark.parametrize("text", [KEY_TEXT, f"*.{KEY_TEXT}", KEY_IN_BASE64_TWICE, bytes.fromhex(KEY_HEX).hex(":")])
def test_a_key_in_a_names_place_is_not_repeated(text: str) -> None:
    """Not even its beginning: 80 characters would hold the whole secret of an EC key."""
    for parse in (parse_hostname, lambda x: parse_name(x, "app"), lambda x: parse_id(x, "ticket")):
        with pytest.raises(BadInput) as caught:
            parse(text)
        assert "[removed: private key]" in caught.value.subject
        assert text[30:40] not in str(caught.value)


@given(st.text(max_size=80))
def test_parsing_any_text_gives_a_clean_name_or_our_error(text: str) -> None:
    """Nothing but letters, digits, hyphens and dots ever comes out, and parsing it again changes nothing."""
    try:
        hostname = parse_hostname(text)
    except BadHostname:
        return
    assert set(hostname) <= set(string.ascii_lowercase + string.digits + "-.")
    assert hostname == parse_hostname(hostname)
    assert len(hostname) <= 253
    assert ".." not in hostname


def test_a_long_text_never_reaches_the_tables_of_idna(monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoding takes time that grows faster than the text (CVE-2024-3651)."""
    monkeypatch.setattr("idna.encode", lambda *_, **__: pytest.fail("encoded"))
    with pytest.raises(BadHostname):
        parse_hostname("\u0660" * 1_000_000 + ".test")


labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True).filter(lambda x: x[2:4] != "--")


@given(st.lists(labels, min_size=1, max_size=3), st.from_regex(r"[a-z]{2,10}", fullmatch=True))
def test_every_proper_name_is_taken(parts: list[str], top: str) -> None:
    """What RFC 1123 allows and is fully qualified passes."""
    name = ".".join([*parts, top])
    assert name == parse_hostname(name.upper())


@pytest.mark.parametrize("kind", ["drop", "cert", "ticket", "token"])
@given(randomness=st.binary(min_size=16, max_size=16))
def test_an_id_is_read_as_it_was_made(kind: str, randomness: bytes) -> None:
    """Every id that is made parses, as its own kind only."""
    made = make_id(kind, randomness)
    assert made == parse_id(made, kind)
    with pytest.raises(BadInput):
        parse_id(made, "ticket" if kind != "ticket" else "drop")


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_different_randomness_gives_different_ids(one: bytes, other: bytes) -> None:
    """All 128 bits are in the id."""
    assert (one == other) == (make_id("drop", one) == make_id("drop", other))


@pytest.mark.parametrize("randomness", [b"", bytes(8), bytes(15), bytes(17)])
def test_an_id_takes_exactly_128_bits(randomness: bytes) -> None:
    """Fewer could be guessed."""
    with pytest.raises(ValueError, match="16"):
        make_id("drop", randomness)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "drop",
        "drop-",
        "drop-" + "a" * 25,
        "drop-" + "a" * 27,
        "drop-" + "A" * 26,
        "drop-" + "1" * 26,
        "drop-" + "a" * 26 + "\n",
        " drop-" + "a" * 26,
        "drop-../" + "a" * 23,
        "drop-" + "ａ" * 26,
        "DROP-" + "a" * 26,
        "file-" + "a" * 26,
        "cert-" + "a" * 26,
    ],
)
def test_nothing_else_is_a_drop_id(text: str) -> None:
    """Ids become keys in a store: nothing but the one form gets there."""
    with pytest.raises(BadInput):
        parse_id(text, "drop")


@pytest.mark.parametrize("text", ["a", "edge", "shop-2", "a" * 63, "a-", "a--b"])
def test_a_name_is_a_word(text: str) -> None:
    """Letters, digits and hyphens, starting with a letter."""
    assert text == parse_name(text, "hand-over")


@pytest.mark.parametrize(
    "text",
    ["", "A", "1a", "-a", "a b", "a_b", "a.b", "a/b", "../a", "a\n", "a\0", "ä", "a" * 64, "--json", "a;b", "𝖆"],
)
def test_nothing_else_is_a_name(text: str) -> None:
    """Names stand in addresses, tags and file names."""
    with pytest.raises(BadInput) as caught:
        parse_name(text, "account")
    assert "account" in caught.value.subject


def test_a_finding_is_flat_text_for_programs() -> None:
    """Codes, severities and who are words."""
    finding = Finding("expired", Severity.REFUSE, "it expired", "Renew it.", "openssl req", Who.CA)
    assert finding.refuses
    assert finding.as_dict() == {
        "code": "expired",
        "severity": "refuse",
        "cause": "it expired",
        "fix": "Renew it.",
        "command": "openssl req",
        "who": "certificate authority",
    }


@pytest.mark.parametrize("severity", [Severity.WARN, Severity.NOTE])
def test_only_a_refusal_refuses(severity: Severity) -> None:
    """Warnings and notes let a bundle through."""
    assert not Finding("no-sct", severity, "x", "y").refuses


def test_an_invitation_never_shows_its_secret() -> None:
    """Neither in a log nor in a traceback."""
    secret = os.urandom(32)
    values = dict.fromkeys(Invitation.__annotations__, "x")
    invitation = Invitation(**{**values, "secret": secret, "drop_id": "drop-x"})  # type: ignore[arg-type]
    assert repr(invitation) == str(invitation) == "Invitation(drop-x)"
