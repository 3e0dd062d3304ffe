"""A key and a request for its certificate: what any authority takes, written once and shown to nobody."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import PrivateFormat, load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from tasks.core import policy
from tasks.core.errors import BadInput
from tasks.customer import private, request
from tasks.customer.request import KINDS, build_request, parse_names
from tests.desk import HOSTNAME, NOW, Customer, Ran, Town, a_certificate
from tests.pki import CA, key_pem, make_key


@pytest.fixture(name="out")
def _out(tmp_path: Path) -> Path:
    return tmp_path / "certs"


def ask(customer: Customer, out: Path, *arguments: str) -> Ran:
    return customer.run("--json", "csr", *arguments, "--out", str(out))


def openssl(out: Path, *options: str) -> str:
    """Give what openssl reads in the request, once its signature verifies."""
    command = ["openssl", "req", "-in", str(out / "ssl.csr"), "-noout", "-verify", *options]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "verify OK" in ran.stderr
    return ran.stdout


def read(out: Path) -> x509.CertificateSigningRequest:
    return x509.load_pem_x509_csr((out / "ssl.csr").read_bytes())


def extension(request: x509.CertificateSigningRequest) -> x509.Extension[x509.SubjectAlternativeName]:
    return request.extensions.get_extension_for_class(x509.SubjectAlternativeName)


def lines(key: bytes) -> Sequence[str]:
    """Give the lines of a key that nobody may see."""
    return key.decode().splitlines()[1:-1]


class TestRequest:
    def test_openssl_reads_what_was_asked_for(self, customer: Customer, out: Path) -> None:
        """The first name is the subject, all of them are alternative names, and the key signed it."""
        assert ask(customer, out, "shop.example.com", "*.shop.example.com").code == 0
        text = openssl(out, "-text")
        assert "Subject: CN = shop.example.com" in text
        assert "DNS:shop.example.com, DNS:*.shop.example.com" in text
        assert "critical" not in text

    @pytest.mark.parametrize(
        ("kind", "said"),
        [
            ("ec-p256", ("NIST CURVE: P-256", "ecdsa-with-SHA256")),
            ("ec-p384", ("NIST CURVE: P-384", "ecdsa-with-SHA384")),
            ("rsa-2048", ("(2048 bit)", "Exponent: 65537", "sha256WithRSAEncryption")),
            ("rsa-3072", ("(3072 bit)", "Exponent: 65537", "sha256WithRSAEncryption")),
            ("rsa-4096", ("(4096 bit)", "Exponent: 65537", "sha256WithRSAEncryption")),
        ],
    )
    def test_every_kind_of_key(
        self, customer: Customer, out: Path, monkeypatch: pytest.MonkeyPatch, kind: str, said: tuple[str, ...]
    ) -> None:
        """Each is of the size and curve it says, and the platform accepts it."""
        if kind in ("rsa-3072", "rsa-4096"):  # slow to make, so one is enough for all tests
            monkeypatch.setitem(KINDS, kind, lambda: make_key(kind.replace("-", "")))
        ran = ask(customer, out, "shop.example.com", "--key", kind)
        text = openssl(out, "-text")
        assert ran.json["key_type"] == kind
        assert all(words in text for words in said)
        (out / "ssl.csr").unlink()
        assert ask(customer, out, "shop.example.com", "--reuse", "--key", kind).json["key_type"] == kind

    def test_a_name_too_long_for_a_subject_leaves_it_empty(self) -> None:
        """Then the alternative names are critical (RFC 5280 section 4.2.1.6); 64 characters still fit."""
        fits, longer = f"{'a' * 52}.example.com", f"{'a' * 53}.example.com"
        assert build_request(KINDS["ec-p256"](), [fits]).subject.rfc4514_string() == f"CN={fits}"
        made = build_request(KINDS["ec-p256"](), [longer, "b.example.com"])
        assert (len(fits), len(made.subject.rdns), extension(made).critical) == (64, 0, True)
        assert extension(made).value.get_values_for_type(x509.DNSName) == [longer, "b.example.com"]

    def test_what_an_authority_makes_of_it_passes_the_check(self, customer: Customer, out: Path) -> None:
        """The new key and a certificate for it can be pushed."""
        ask(customer, out, "shop.example.test")
        key = load_pem_private_key((out / "ssl.key").read_bytes(), None)
        issued = CA().issue(["shop.example.test"], key=key)  # type: ignore[arg-type]
        (out / "ssl.crt").write_bytes(issued.leaf_pem)
        (out / "dotcloud.yml").write_bytes(b"type: python-worker\n")
        customer.create()
        assert customer.run("push", "edge", str(out)).code == 0


class TestNames:
    def test_they_are_read_as_people_write_them(self) -> None:
        """Upper case, a final dot, umlauts, the same name twice: once each, in their order."""
        given_names = ["Shop.Example.COM.", "*.Grün.example", " a.example.com ", "shop.example.com", "*.a.example.com"]
        wanted = ("shop.example.com", "*.xn--grn-ioa.example", "a.example.com", "*.a.example.com")
        assert wanted == parse_names(given_names)

    @pytest.mark.parametrize(
        "name",
        ["", "*", "*.", "localhost", "192.0.2.1", "*.192.0.2.1", "https://shop.example.com/", "a.*.example.com",
         "*.*.example.com", "w*.example.com", "*example.com", "-a.example.com", "a..example.com", "shop.example.com,b.example.com",
         "a b.example.com", "shop.example.com\n", "x" * 64 + ".example.com", "*." + "a." * 125 + "ab"],
    )  # fmt: skip
    def test_what_is_no_hostname_is_refused(self, name: str) -> None:
        """With the form that is right; a line break at the end alone is forgiven."""
        if name.endswith("\n"):
            assert parse_names([name]) == (name.strip(),)
            return
        with pytest.raises(BadInput) as caught:
            parse_names([name])
        assert (caught.value.code, "*.example.com" in caught.value.wanted) == ("bad-hostname", True)

    @pytest.mark.parametrize(
        "name", ["*.com", "*.co.uk", "*.CO.UK.", "*.kawasaki.jp", "*.xn--p1ai", "*.рф", "*.localhost"]
    )
    def test_a_wildcard_over_other_peoples_domains_is_refused(self, name: str) -> None:
        """Directly below a registry's suffix anybody may have a domain."""
        with pytest.raises(BadInput) as caught:
            parse_names(["shop.example.com", name])
        assert caught.value.code == "wildcard-public-suffix"

    def test_a_wildcard_below_a_companys_suffix_is_not(self) -> None:
        """Only the ICANN part of the list counts: GitHub may ask for its own."""
        assert parse_names(["*.github.io", "*.example.co.uk"]) == ("*.github.io", "*.example.co.uk")

    def test_as_many_as_the_platform_takes(self) -> None:
        """Repeated ones do not count."""
        most = [f"{number}.example.com" for number in range(policy.MAX_SANS)]
        assert parse_names([*most, *most]) == tuple(most)
        for wrong in ([*most, "one.more.example.com"], []):
            with pytest.raises(BadInput) as caught:
                parse_names(wrong)
            assert caught.value.code == "too-many-names"

    @given(st.lists(st.one_of(st.text(), st.from_regex(r"\*?[a-z0-9.*-]{1,70}\.com", fullmatch=True)), max_size=4))
    def test_whatever_is_typed_gives_names_or_a_refusal(self, typed: list[str]) -> None:
        """And names that were read are read the same again."""
        try:
            names = parse_names(typed)
        except BadInput:
            return
        assert names == parse_names(names)


class TestFiles:
    def test_only_the_owner_can_read_the_key(self, customer: Customer, out: Path) -> None:
        """The key is PKCS#8 of mode 0600, whatever the umask; a directory that had to be made is the owner's."""
        before = os.umask(0)
        try:
            ran = ask(customer, out, "shop.example.com")
        finally:
            os.umask(before)
        assert ran.json["files"] == [str(out / "ssl.key"), str(out / "ssl.csr")]
        assert [stat.S_IMODE((out / name).stat().st_mode) for name in ("ssl.key", "ssl.csr", ".")] == [
            0o600,
            0o644,
            0o700,
        ]
        assert (out / "ssl.key").read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")
        assert sorted(x.name for x in out.iterdir()) == ["ssl.csr", "ssl.key"]

    def test_nobody_is_shown_the_key(self, town: Town, customer: Customer, out: Path) -> None:
        """Not a person, not a program, not the network; the digest of its public half is there to recognise it by."""
        shown = customer.run("csr", "shop.example.com", "--out", str(out))
        key = (out / "ssl.key").read_bytes()
        public = subprocess.run(
            ["openssl", "pkey", "-pubout", "-outform", "DER"], input=key, capture_output=True, check=True
        ).stdout
        digest = hashes.Hash(hashes.SHA256())
        digest.update(public)
        assert digest.finalize().hex() in shown.out
        (out / "ssl.csr").unlink()
        again = ask(customer, out, "shop.example.com", "--reuse")
        assert not any(line in x.out + x.err for x in (shown, again) for line in lines(key))
        assert town.network.sent == []

    def test_it_says_what_to_do_next(self, customer: Customer, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """In the words of the customer's own directory."""
        out.mkdir()
        monkeypatch.chdir(out)
        ran = customer.run("csr", "shop.example.com", "*.shop.example.com")
        said = " ".join(ran.out.split())
        assert "Written: ssl.key, ssl.csr. Keep ssl.key secret." in said
        assert "names: shop.example.com, *.shop.example.com key: ec-p256" in said
        assert "Send ssl.csr to your certificate authority; put what comes back into ssl.crt." in said

    @pytest.mark.parametrize("name", ["ssl.key", "ssl.csr"])
    @pytest.mark.parametrize("what", ["file", "directory", "link to nothing"])
    def test_nothing_is_overwritten(self, customer: Customer, out: Path, name: str, what: str) -> None:
        """A key that is lost is lost for good, so what has the name stays, and no other file is made beside it."""
        out.mkdir()
        place = out / name
        if what == "link to nothing":
            place.symlink_to("elsewhere")
        else:
            place.mkdir() if what == "directory" else place.touch()
        ran = ask(customer, out, "shop.example.com")
        assert (ran.code, ran.error["code"], ran.error["subject"]) == (1, "file-exists", str(place))
        assert ("--reuse" in ran.error["do"]) == (name == "ssl.key")
        assert [x.name for x in out.iterdir()] == [name]

    def test_a_file_that_appears_meanwhile_is_not_overwritten_either(
        self, customer: Customer, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two of these commands at once: the second one fails, and the first one's key stays."""
        assert ask(customer, out, "shop.example.com").code == 0
        key = (out / "ssl.key").read_bytes()
        monkeypatch.setattr(request, "_check_free", lambda *_: None)
        assert ask(customer, out, "shop.example.com").error["got"] == os.strerror(errno.EEXIST)
        assert key == (out / "ssl.key").read_bytes()

    def test_a_link_is_not_written_through(self, tmp_path: Path) -> None:
        """What somebody else puts there cannot lead the key elsewhere."""
        (tmp_path / "ssl.key").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(FileExistsError):
            private.create_new(tmp_path / "ssl.key", b"key")
        assert not (tmp_path / "elsewhere").exists()

    def test_a_place_that_cannot_be_written(self, customer: Customer, tmp_path: Path) -> None:
        """A file where the directory should be."""
        (tmp_path / "file").touch()
        ran = ask(customer, tmp_path / "file", "shop.example.com")
        assert (ran.code, ran.error["code"]) == (1, "unwritable-file")

    def test_a_full_disk_leaves_no_half_key(
        self, customer: Customer, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was begun is taken away, and the command can simply be repeated."""

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            ran = ask(customer, out, "shop.example.com")
        assert (ran.error["code"], list(out.iterdir())) == ("unwritable-file", [])
        assert ask(customer, out, "shop.example.com").code == 0

    def test_a_request_that_cannot_be_written_leaves_the_key(
        self, customer: Customer, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The error says where it is, and --reuse goes on with it."""

        def create(path: Path, content: bytes, mode: int) -> None:
            if path.name == "ssl.csr":
                raise OSError(errno.ENOSPC, "No space left on device")
            private.create_new(path, content, mode)

        with monkeypatch.context() as patch:
            patch.setattr(request, "create_new", create)
            ran = ask(customer, out, "shop.example.com")
        key = (out / "ssl.key").read_bytes()
        assert f"stays in {out / 'ssl.key'}" in ran.error["got"]
        assert "--reuse" in ran.error["do"]
        assert not any(line in ran.out + ran.err for line in lines(key))
        assert ask(customer, out, "shop.example.com", "--reuse").code == 0
        assert key == (out / "ssl.key").read_bytes()
        openssl(out)

    def test_no_core_file_can_hold_the_key(
        self, customer: Customer, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The limit is set before there is a key."""
        limits: list[Any] = []
        monkeypatch.setattr(resource, "setrlimit", lambda *limit: limits.append((limit, out.exists())))
        ask(customer, out, "shop.example.com")
        assert limits == [((resource.RLIMIT_CORE, (0, 0)), False)]


class TestReuse:
    def lay(self, out: Path, content: bytes) -> Path:
        out.mkdir()
        (out / "ssl.key").write_bytes(content)
        return out / "ssl.key"

    @pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
    @pytest.mark.parametrize(("kind", "shown"), [("ec256", "ec-p256"), ("ec384", "ec-p384"), ("rsa2048", "rsa-2048")])
    def test_a_key_of_ones_own_is_taken(
        self, customer: Customer, out: Path, kind: str, shown: str, form: PrivateFormat
    ) -> None:
        """As openssl writes it, in either form; the file stays as it is and only the request is new."""
        key = make_key(kind)
        path = self.lay(out, key_pem(key, form))
        ran = ask(customer, out, "shop.example.com", "--reuse")
        assert (ran.code, ran.json["files"], ran.json["key_type"]) == (0, [str(out / "ssl.csr")], shown)
        assert read(out).public_key() == key.public_key()
        assert path.read_bytes() == key_pem(key, form)
        openssl(out)

    @pytest.mark.parametrize(
        ("make", "code"),
        [
            (lambda: b"", "key-missing"),
            (lambda: b"not a key", "key-unreadable"),
            (lambda: key_pem(make_key("ec256"), passphrase=b"secret"), "key-encrypted"),
            (lambda: key_pem(make_key("ec256"), PrivateFormat.TraditionalOpenSSL, b"secret"), "key-encrypted"),
            (lambda: key_pem(make_key("ed25519")), "key-ed25519"),
            (lambda: key_pem(make_key("ec521")), "curve"),
            (lambda: key_pem(make_key("rsa1024")), "rsa-size"),
            (lambda: key_pem(make_key("rsa2048-e3")), "rsa-exponent"),
            (lambda: key_pem(make_key("ec256")) + key_pem(make_key("ec256")), "two-keys"),
            (lambda: key_pem(make_key("ec256"))[:-60], "key-unreadable"),
            (lambda: CA().pem, "key-missing"),
            (lambda: bytes(policy.FILE_MAX_BYTES + 1), "file-too-large"),
        ],
    )
    def test_a_key_that_the_platform_would_refuse_is_refused_here(
        self, customer: Customer, out: Path, make: Callable[[], bytes], code: str
    ) -> None:
        """Before an authority is paid for a certificate for it; nothing is written."""
        content = self.lay(out, make()).read_bytes()
        ran = ask(customer, out, "shop.example.com", "--reuse")
        assert (ran.code, ran.error["code"]) == (1, code)
        assert [x.name for x in out.iterdir()] == ["ssl.key"]
        assert not any(line in ran.out + ran.err for line in lines(content) if len(line) > 30)

    def test_a_missing_key(self, customer: Customer, out: Path) -> None:
        """Without --reuse there would be a new one."""
        assert ask(customer, out, "shop.example.com", "--reuse").error["code"] == "missing-file"

    def test_a_key_that_cannot_be_read(self, customer: Customer, out: Path) -> None:
        """A directory, and a pipe that nobody ever writes to."""
        (out / "ssl.key").mkdir(parents=True)
        assert ask(customer, out, "shop.example.com", "--reuse").error["code"] == "not-a-file"
        (out / "ssl.key").rmdir()
        os.mkfifo(out / "ssl.key")
        assert ask(customer, out, "shop.example.com", "--reuse").error["code"] == "not-a-file"

    def test_a_key_of_another_kind_than_asked_for(self, customer: Customer, out: Path) -> None:
        """Nobody gets a request for a key they did not want."""
        self.lay(out, key_pem(make_key("ec256")))
        ran = ask(customer, out, "shop.example.com", "--reuse", "--key", "rsa-2048")
        assert (ran.error["code"], ran.error["got"]) == ("other-key", "a key of kind ec-p256")

    def test_a_request_that_is_there_stays(self, customer: Customer, out: Path) -> None:
        """It may be on its way to the authority."""
        assert ask(customer, out, "shop.example.com").code == 0
        before = (out / "ssl.csr").read_bytes()
        ran = ask(customer, out, "other.example.com", "--reuse")
        assert (ran.error["code"], "--reuse" in ran.error["do"]) == ("file-exists", False)
        assert before == (out / "ssl.csr").read_bytes()


class TestCommand:
    @pytest.mark.parametrize(
        "arguments", [(), ("shop.example.com", "--key", "dsa"), ("shop.example.com", "--bits", "1")]
    )
    def test_usage(self, customer: Customer, out: Path, arguments: tuple[str, ...]) -> None:
        """No name, an unknown kind of key, an unknown option."""
        assert ask(customer, out, *arguments).code == 2
        assert not out.exists()

    def test_the_help_says_it_all(self, customer: Customer, capsys: pytest.CaptureFixture[str]) -> None:
        """What is written, that nothing is sent or overwritten, every kind of key."""
        assert customer.run("csr", "--help").code == 0
        said = " ".join(capsys.readouterr().out.replace("│", " ").split())
        for words in (
            "ssl.key, which only you can read",
            "Nothing is overwritten",
            *KINDS,
            "--reuse",
            "'*.example.com'",
        ):
            assert words in said

    def test_it_needs_no_login(self, town: Town, tmp_path: Path, out: Path) -> None:
        """A customer may begin with it, before the platform knows them."""
        assert ask(Customer(town, tmp_path / "stranger", logged_in=False), out, "shop.example.com").code == 0


class TestRenew:
    def test_asks_for_the_names_that_are_served_with_a_new_key(self, customer: Customer, town: Town, out: Path) -> None:
        """The hostname itself is the main name; the others follow. The key is new and made on this machine."""
        serve(town, customer, (f"www.{HOSTNAME}", HOSTNAME))

        made = ask(customer, out, "--renew", HOSTNAME).json

        assert made["names"] == [HOSTNAME, f"www.{HOSTNAME}"]
        assert made["files"] == [str(out / "ssl.key"), str(out / "ssl.csr")]
        assert extension(read(out)).value.get_values_for_type(x509.DNSName) == made["names"]

    def test_with_the_key_that_is_kept(self, customer: Customer, town: Town, out: Path, tmp_path: Path) -> None:
        """Only the request is written; the key stays where it lies."""
        serve(town, customer, (HOSTNAME,))
        kept = tmp_path / "kept.pem"
        kept.write_bytes(key_pem(make_key()))

        made = ask(customer, out, "--renew", HOSTNAME, "--same-key", str(kept)).json

        assert made["files"] == [str(out / "ssl.csr")]
        assert read(out).public_key() == load_pem_private_key(kept.read_bytes(), None).public_key()
        assert sorted(path.name for path in out.iterdir()) == ["ssl.csr"]

    def test_without_a_certificate_there_is_nothing_to_renew(self, customer: Customer, out: Path) -> None:
        """Nor is there for a hostname that is not the account's: the two look the same."""
        ran = ask(customer, out, "--renew", "other.example.test")

        assert (ran.code, ran.error["code"]) == (1, "not-found")
        assert not out.exists()

    @pytest.mark.parametrize("wrong", [(), (HOSTNAME, "--renew", HOSTNAME), (HOSTNAME, "--reuse", "--same-key", "k")])
    def test_names_come_from_one_place(self, customer: Customer, out: Path, wrong: tuple[str, ...]) -> None:
        """Names or --renew, and one key."""
        assert ask(customer, out, *wrong).code == 2
        assert not out.exists()


def serve(town: Town, customer: Customer, names: tuple[str, ...]) -> None:
    """Let both edges be meant to serve a certificate for *names*."""
    customer.create()
    certificate = a_certificate(town.drop().id, dns_names=names)
    town.installation.certificates.create(certificate, b"wrapped", NOW)
    for edge in ("a", "b"):
        town.installation.certificates.assign(edge, certificate, None)
