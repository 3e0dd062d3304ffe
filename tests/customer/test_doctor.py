"""`certferry doctor`: any files in, a verdict out; nothing leaves the machine, and no key is ever shown."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
    pkcs12,
)

from tasks.core.certificate import FILES
from tasks.customer.cli import main
from tasks.customer.collect import collect
from tasks.customer.examination import examine
from tasks.customer.output import Output
from tasks.customer.session import Session
from tests.corpus.case import logged_twice
from tests.customer.test_collect import not_as_root
from tests.desk import Ran
from tests.leaks import Secrets, scan_bytes
from tests.pki import CA, Issued, cert_pem, key_pem, make_key

SHOP = "shop.example.test"
ROOT = CA("The Platform's Own Root")
MIDDLE = ROOT.intermediate("Example Intermediate")
GOOD = MIDDLE.issue([SHOP, "www.example.test"], key="rsa2048")
SECRETS = Secrets.of_key(GOOD.key_pem)
NOW = datetime.now(UTC)
HOSTILE = "\x1b]0;owned\x07\x1b[31m\n\u202etxt\u2066\u200b[bold]x[/bold]<script>`|"
SCTS = logged_twice()


@pytest.fixture(name="doctor")
def _doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "root.pem").write_bytes(ROOT.pem)
    (tmp_path / "files").mkdir()
    return Doctor(tmp_path / "files")


class Doctor:
    """A customer with a directory, who asks about it from the one above, where the platform's roots lie."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def lay_out(self, files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            (self.directory / name).parent.mkdir(parents=True, exist_ok=True)
            (self.directory / name).write_bytes(content)

    def run(self, *arguments: str) -> Ran:
        """Run the command as it is."""
        out, err = io.StringIO(), io.StringIO()
        session = Session(output=Output(out=out, err=err), environ={}, now=lambda: NOW)
        return Ran(main(["doctor", *arguments], session), out.getvalue(), err.getvalue())

    def ask(self, *arguments: str) -> Ran:
        """Ask about the directory, by the platform's roots, for programs."""
        return self.run("files", "--trust", "root.pem", "--json", *arguments)


def codes(ran: Ran) -> set[str]:
    return {finding["code"] for finding in ran.json["findings"]}


def openssh(issued: Issued) -> bytes:
    return issued.key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def der(issued: Issued) -> bytes:
    return issued.key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def pfx(issued: Issued) -> bytes:
    return pkcs12.serialize_key_and_certificates(
        b"shop",
        issued.key,
        issued.leaf,
        issued.chain,
        BestAvailableEncryption(b"x"),
    )


def p7b(issued: Issued) -> bytes:
    return pkcs7.serialize_certificates([*issued.chain, issued.leaf], Encoding.DER)


def zipped(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def tarred(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def request(issued: Issued) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(issued.leaf.subject)
    return builder.sign(make_key("ec256"), issued.leaf.signature_hash_algorithm).public_bytes(Encoding.PEM)  # type: ignore[arg-type]


KEY, LEAF, CHAIN = GOOD.key_pem, GOOD.leaf_pem, GOOD.chain_pem
PUBLIC = GOOD.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
FORMS: dict[str, tuple[dict[str, bytes], str | None]] = {
    "as the manual says": (GOOD.files(), None),
    "all in one file": ({"bundle.pem": CHAIN + KEY + LEAF}, None),
    "windows line endings": ({n: d.replace(b"\n", b"\r\n") for n, d in GOOD.files().items()}, None),
    "files swapped": ({"ssl.key": LEAF + CHAIN, "ssl.crt": KEY}, None),
    "der": ({"a.bin": der(GOOD), "b.bin": GOOD.leaf.public_bytes(Encoding.DER), "c": CHAIN}, None),
    "pkcs#7": ({"shop.p7b": p7b(GOOD), "shop.key": KEY}, None),
    "base64 without its lines": ({"key.txt": b"".join(KEY.splitlines()[1:-1]), "crt.txt": LEAF + CHAIN}, None),
    "utf-16": ({"key.txt": KEY.decode().encode("utf-16"), "crt.txt": LEAF + CHAIN}, None),
    "zip": ({"shop.zip": zipped({"in/a.crt": LEAF, "in/ca.crt": CHAIN}), "k": KEY}, None),
    "tar": ({"shop.tgz": tarred(GOOD.files())}, None),
    "root, duplicates, others": (
        {"1": cert_pem([GOOD.root]), "2": CHAIN, "3": KEY, "4": LEAF, "5": LEAF, "notes.txt": b"dear diary"},
        None,
    ),
    "awkward names": ({"my key (1).pem": KEY, "-rf": LEAF, "für.pem": CHAIN, "two\nlines": b"x"}, None),
    "pkcs#12": ({"shop.pfx": pfx(GOOD)}, "is-pkcs12"),
    "keystore": ({"shop.jks": b"\xfe\xed\xfe\xed" + bytes(99)}, "is-keystore"),
    "passphrase": ({"key": key_pem(GOOD.key, passphrase=b"xyzzy"), "c": LEAF + CHAIN}, "key-encrypted"),
    "openssh": ({"key": openssh(GOOD), "c": LEAF + CHAIN}, "key-is-openssh"),
    "putty": ({"key": b"PuTTY-User-Key-File-3: ssh-rsa\n", "c": LEAF + CHAIN}, "key-is-putty"),
    "public key": ({"key": PUBLIC, "c": LEAF + CHAIN}, "key-is-public"),
    "request": ({"key": KEY, "c.csr": request(GOOD)}, "is-request"),
    "web page": ({"ssl.key": KEY, "ssl.crt": b"<!doctype html><title>Log in"}, "certificate-unreadable"),
    "rubbish": ({"ssl.key": b"rubbish", "ssl.crt": LEAF + CHAIN}, "key-unreadable"),
    "no key": ({"c": LEAF + CHAIN}, "key-missing"),
    "nothing": ({}, "key-missing"),
}


class TestForms:
    @pytest.mark.parametrize(("files", "code"), FORMS.values(), ids=FORMS)
    def test_each_is_accepted_or_explained_and_no_key_is_shown(
        self, doctor: Doctor, files: dict[str, bytes], code: str | None
    ) -> None:
        """What can be used is used, whatever it is called; the rest has a code. In all three ways to show it."""
        doctor.lay_out(files)
        ran = doctor.ask("--hostname", SHOP)
        assert (ran.code, ran.err) == (int(code is not None), "")
        assert ran.json["accepted"] is (code is None)
        assert code is None or code in codes(ran)
        for shown in (ran, *(doctor.run("files", "--trust", "root.pem", *x) for x in ((), ("--markdown",)))):
            assert shown.code == ran.code
            assert scan_bytes((shown.out + shown.err).encode(), SECRETS) == []

    @pytest.mark.parametrize("name", [name for name, (_, code) in FORMS.items() if code is None])
    def test_what_would_be_handed_over_is_accepted_again(self, doctor: Doctor, name: str) -> None:
        """The four files that push seals pass the platform's check, which is this one: without a note even."""
        doctor.lay_out(FORMS[name][0])
        examination = examine(collect([doctor.directory]), None, Path("root.pem"), None, NOW)
        assert list(examination.files) == list(FILES)
        assert examination.files["ssl.crt"] + examination.files["ssl.chain"] == LEAF + CHAIN
        doctor.directory = doctor.directory.parent / "again"
        doctor.lay_out(examination.files)
        ran = doctor.run("again", "--trust", "root.pem", "--json")
        assert (ran.code, ran.json["findings"]) == (0, [])

    def test_files_can_be_named_one_by_one(self, doctor: Doctor) -> None:
        """A key here, a certificate there."""
        doctor.lay_out({"a/key": KEY, "b/c": LEAF + CHAIN})
        assert doctor.run("files/a/key", "files/b", "--trust", "root.pem").code == 0

    def test_a_dotcloud_yml_is_added_where_there_is_none(self, doctor: Doctor) -> None:
        """All of them say the same; an empty one counts as none, and one that says something else is refused."""
        doctor.lay_out(GOOD.files(yml=None))
        assert codes(doctor.ask()) == {"yaml-added"}
        doctor.lay_out({"dotcloud.yml": b"\n"})
        assert codes(doctor.ask()) == {"yaml-added"}
        doctor.lay_out({"dotcloud.yml": b"type: php\n"})
        assert codes(doctor.ask()) == {"wrong-type"}


class TestExitCodes:
    @pytest.mark.parametrize(
        "arguments",
        [
            (),
            ("nosuch",),
            ("files", "--hostname", "-"),
            ("files", "--hostname", "no hostname"),
            ("files", "--hostname", "127.0.0.1"),
            ("files", "--trust", "nosuch.pem"),
            ("files", "--trust", "files"),
            ("files", "--trust", "files/ssl.key"),
            ("files", "--installed", "nosuch.pem"),
            ("files", "--installed", "files/ssl.key"),
            ("files", "--bogus"),
        ],
    )
    def test_usage_is_2(self, doctor: Doctor, arguments: tuple[str, ...]) -> None:
        """What cannot be examined at all, in the form of every error."""
        doctor.lay_out(GOOD.files())
        ran = doctor.run(*arguments, "--json")
        assert (ran.code, set(ran.error) >= {"code", "got", "wanted", "do"}) == (2, True)
        assert scan_bytes(ran.out.encode(), SECRETS) == []

    def test_warnings_are_0(self, doctor: Doctor) -> None:
        """They are said, and are no refusal."""
        doctor.lay_out(MIDDLE.issue([SHOP], extra=[x509.TLSFeature([x509.TLSFeatureType.status_request])]).files())
        ran = doctor.ask()
        assert (ran.code, ran.json["accepted"], codes(ran)) == (0, True, {"must-staple"})


class TestJson:
    def test_has_the_verdict_the_chain_and_each_finding(self, doctor: Doctor) -> None:
        """One document, whose members are there whatever was found."""
        doctor.lay_out(GOOD.files())
        good = doctor.ask("--hostname", SHOP).json
        assert (good["hostname"], good["key"]) == (SHOP, "RSA, 2048 bits (ssl.key)")
        assert (good["leaf_sha256"], good["names"]) == (GOOD.leaf_sha256, [SHOP, "www.example.test"])
        assert [link["role"] for link in good["chain"]] == ["leaf", "intermediate", "root"]
        assert [link["file"] for link in good["chain"]] == ["ssl.crt", "ssl.chain", "the trust store"]
        doctor.lay_out({"ssl.chain": b""})
        bad = doctor.ask().json
        assert set(bad) == set(good)
        assert bad["chain"][-1] == {
            "role": "missing",
            "subject": "CN=Example Intermediate",
            "not_after": None,
            "file": "",
        }
        for finding in bad["findings"]:
            assert set(finding) == {"code", "severity", "cause", "fix", "command", "who"}


class TestTrust:
    def test_a_private_root_is_for_the_platform_to_decide(self, doctor: Doctor) -> None:
        """Without its roots the chain is warned of; every certificate is handed over, since it may know another way."""
        doctor.lay_out(GOOD.files(chain=CHAIN + cert_pem([GOOD.root])))
        ran = doctor.run("files")
        assert (ran.code, "Good as far as can be told here" in ran.out) == (0, True)
        assert "--trust FILE" in " ".join(ran.out.split())
        files = examine(collect([doctor.directory]), None, None, None, NOW).files
        assert files["ssl.chain"] == CHAIN + cert_pem([GOOD.root])

    def test_another_root_refuses(self, doctor: Doctor) -> None:
        """With the platform's roots the verdict is final."""
        doctor.lay_out(GOOD.files())
        Path("other.pem").write_bytes(CA("Another Root").pem)
        assert doctor.run("files", "--trust", "other.pem").code == 1

    def test_a_public_authoritys_chain_must_be_whole(self, doctor: Doctor) -> None:
        """A certificate that was logged comes from an authority that everybody knows: no platform can mend its chain."""
        doctor.lay_out(MIDDLE.issue([SHOP], extra=[SCTS]).files(chain=None))
        ran = doctor.run("files", "--json")
        assert (ran.code, codes(ran)) == (1, {"chain-incomplete"})

    def test_other_faults_refuse_all_the_same(self, doctor: Doctor) -> None:
        """Only the root is left to the platform."""
        doctor.lay_out(MIDDLE.issue([SHOP], days=3).files())
        ran = doctor.run("files", "--json")
        severities = {finding["code"]: finding["severity"] for finding in ran.json["findings"]}
        assert (ran.code, severities) == (1, {"expires-too-soon": "refuse", "chain-incomplete": "warn"})


class TestInstalled:
    @pytest.mark.parametrize("form", [Issued.files, lambda issued: {"ssl.crt": p7b(issued)}], ids=["pem", "pkcs#7"])
    def test_a_renewal_is_compared_with_what_serves(
        self, doctor: Doctor, form: Callable[[Issued], Mapping[str, bytes]]
    ) -> None:
        """In whatever form that comes: names that were dropped, an older certificate, the same key."""
        old = MIDDLE.issue([SHOP, "old.example.test"], days=300, key=GOOD.key)
        Path("installed").write_bytes(form(old)["ssl.crt"])
        doctor.lay_out(GOOD.files())
        ran = doctor.ask("--installed", "installed")
        assert ran.code == 0
        assert codes(ran) == {"renewal-names-dropped", "renewal-older", "renewal-same-key"}

    def test_the_same_again_is_told(self, doctor: Doctor) -> None:
        """Who sends last year's files hears of it before they are sent."""
        doctor.lay_out(GOOD.files())
        assert codes(doctor.ask("--installed", "files/ssl.crt")) == {"renewal-same-certificate"}


class TestArgumentsThatGiveNoEnd:
    @pytest.mark.parametrize("option", ["--trust", "--installed"])
    @pytest.mark.parametrize("given", ["/dev/zero", "pipe", "files"])
    def test_are_not_read(self, doctor: Doctor, tmp_path: Path, option: str, given: str) -> None:
        """A device fills the memory, a pipe that nobody writes to is waited for for ever."""
        os.mkfifo(tmp_path / "pipe")
        doctor.lay_out(GOOD.files())
        ran = doctor.run("files", option, given, "--json")
        assert (ran.code, ran.error["code"]) == (2, "unreadable-file")
        assert ran.error["got"].startswith("not a regular file, but a ")

    def test_nor_is_more_of_a_file_than_can_be_right(self, doctor: Doctor, tmp_path: Path) -> None:
        """A disk image costs no memory; of a certificate, no more is read than of one that is handed over."""
        doctor.lay_out(GOOD.files())
        with (tmp_path / "disk.img").open("wb") as file:
            file.truncate(10**12)
        assert doctor.run("files", "--trust", "disk.img", "--json").error["code"] == "file-too-large"
        assert doctor.run("files", "--installed", "disk.img", "--json").code == 2

    def test_a_name_too_long_for_a_file_is_a_finding(self, doctor: Doctor) -> None:
        """And no traceback, which would repeat it."""
        assert doctor.run("a" * 300).code == 1


class TestUnread:
    def test_what_was_not_needed_is_only_noted(self, doctor: Doctor) -> None:
        """A link beside files that are complete does no harm."""
        doctor.lay_out(GOOD.files())
        (doctor.directory / "link.pem").symlink_to("ssl.crt")
        ran = doctor.ask()
        (finding,) = ran.json["findings"]
        assert (ran.code, finding["code"], finding["severity"]) == (0, "symbolic-link", "note")

    def test_what_may_be_what_is_missing_refuses_and_the_missing_is_not_said_twice(self, doctor: Doctor) -> None:
        """In certbot's directory the way out is to copy, not to make a new key; when that is done all is good."""
        doctor.lay_out({"archive/1.key": KEY, "archive/1.crt": LEAF + CHAIN, "live/README": b"symlinks"})
        for name in ("key", "crt"):
            (doctor.directory / "live" / f"ssl.{name}").symlink_to(f"../archive/1.{name}")
        ran = doctor.run("files/live", "--trust", "root.pem", "--json")
        refusals = [finding for finding in ran.json["findings"] if finding["severity"] == "refuse"]
        assert (ran.code, [finding["code"] for finding in refusals]) == (1, ["symbolic-link"])
        subprocess.run(["/bin/sh", "-c", refusals[0]["command"]], cwd=doctor.directory / "live", check=True)
        for given in ("files/live/copies", "files/live"):
            assert doctor.run(given, "--trust", "root.pem").code == 0

    def test_a_slip_in_a_name_is_told_beside_everything_else(self, doctor: Doctor) -> None:
        """Nobody mends one thing only to hear of the next."""
        doctor.lay_out({"ssl.crt": MIDDLE.issue([SHOP], days=3).leaf_pem})
        ran = doctor.run("files/ssl.crt", "files/slip.key", "--trust", "root.pem", "--json")
        assert codes(ran) >= {"file-missing", "expires-too-soon", "chain-incomplete"}
        assert "key-missing" not in codes(ran)

    @not_as_root
    def test_an_unreadable_key_is_told_with_its_command(self, doctor: Doctor) -> None:
        """After which it is good."""
        doctor.lay_out(GOOD.files())
        (doctor.directory / "ssl.key").chmod(0)
        ran = doctor.ask()
        assert (ran.code, codes(ran)) == (1, {"file-unreadable"})
        subprocess.run(["/bin/sh", "-c", ran.json["findings"][0]["command"]], cwd=doctor.directory, check=True)
        assert doctor.ask().code == 0


class TestPicture:
    def test_the_verdict_comes_first_then_what_was_found_then_what_to_do(self, doctor: Doctor) -> None:
        """And last where the commands belong, and how to have it all as text."""
        doctor.lay_out({"k.pem": key_pem(GOOD.key, passphrase=b"xyzzy"), "c.pem": LEAF})
        lines = doctor.run("files", "--trust", "root.pem").out.splitlines()
        assert lines[0].startswith("Refused: 2 things to mend")
        text = "\n".join(lines)
        places = [
            text.index(said)
            for said in (
                "key:   none that can be used",
                f"CN={SHOP}",
                "in c.pem",
                "CN=Example Intermediate",
                "missing: the chain stops here",
                "refuse: the private key in k.pem",
                "[key-encrypted]",
                "to act: you. Take the passphrase off",
                "    test ! -s k.pem.plain.key && (umask 077; openssl pkey -in k.pem -out k.pem.plain.key)\n",
                "[chain-incomplete]",
                "note: dotcloud.yml",
                "meant for the directory files",
                "--markdown",
            )
        ]
        assert places == sorted(places)

    def test_a_command_is_never_broken_nor_cut(self, doctor: Doctor) -> None:
        """However long, it is one line to be copied; what two findings ask for is said once."""
        name = "a very long name " * 8 + ".pem"
        doctor.lay_out({name: openssh(GOOD), "c.pem": MIDDLE.issue(["x.example.test"], days=3).leaf_pem})
        shown = doctor.run("files", "--trust", "root.pem", "--hostname", SHOP)
        for finding in doctor.ask("--hostname", SHOP).json["findings"]:
            assert not finding["command"] or f"\n    {finding['command']}\n" in shown.out
        assert shown.out.count("openssl req") == 1
        assert "The same as above." in shown.out

    def test_the_hostname_that_nobody_asked_for_is_hinted_at(self, doctor: Doctor) -> None:
        """Good files for another name are no good."""
        doctor.lay_out(GOOD.files())
        assert "--hostname NAME" in doctor.run("files", "--trust", "root.pem").out
        assert "--hostname NAME" not in doctor.run("files", "--trust", "root.pem", "--hostname", SHOP).out

    def test_markdown_is_written_as_it_is(self, doctor: Doctor) -> None:
        """No line of it is broken by the terminal's width."""
        doctor.lay_out({"c.pem": LEAF})
        ran = doctor.run("files", "--trust", "root.pem", "--markdown")
        assert (ran.code, ran.out.startswith("## Refused: ")) == (1, True)
        assert max(map(len, ran.out.splitlines())) > 120
        assert "accepted" in doctor.ask("--markdown").json


class TestHostileNames:
    def test_of_files_and_in_certificates_move_nothing(self, doctor: Doctor) -> None:
        """No control, format or bidirectional character reaches the terminal, a report or a program."""
        issued = MIDDLE.issue([SHOP], common_name=HOSTILE[:60], organization=HOSTILE[:60])
        name = HOSTILE.replace("/", "")
        doctor.lay_out({f"{name}.key": b"x", f"d{name}/{name}.crt": issued.leaf_pem, f"{name}.pem": openssh(issued)})
        (doctor.directory / f"{name}.lnk").symlink_to(name)
        os.mkfifo(doctor.directory / f"{name}.fifo")
        (doctor.directory / os.fsdecode(b"\xff\x9b2J.crt")).write_bytes(b"x")
        odd = str(doctor.directory / name)
        for arguments in (
            ("files",),
            ("files", "--markdown"),
            ("files", "--json"),
            (f"files/d{name}", odd),
            (odd,),
            (odd, "--json"),
            ("files", "--hostname", HOSTILE),
            ("files", "--trust", odd),
            ("files", "--installed", odd),
        ):
            ran = doctor.run(*arguments)
            assert ran.code in (1, 2)
            shown = (ran.out + ran.err).replace("\n", "")
            assert {c for c in shown if unicodedata.category(c)[0] == "C"} == set()
            shown.encode()


class TestProcess:
    def run(self, directory: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        code = (
            "import sys, json\n"
            "seen = []\n"
            "sys.addaudithook(lambda event, _: event.startswith('socket.') and seen.append(event))\n"
            "from tasks.customer.cli import main\n"
            "given = main()\n"
            "import resource\n"
            "loaded = [x for x in ('prefect', 'httpx', 'boto3', 'sqlalchemy', 'pydantic') if x in sys.modules]\n"
            "print(json.dumps([given, seen, loaded, resource.getrlimit(resource.RLIMIT_CORE)]), file=sys.stderr)\n"
        )
        return subprocess.run(
            [sys.executable, "-c", code, "doctor", *arguments],
            capture_output=True,
            check=True,
            text=True,
            env={"PATH": "", "PYTHONPATH": str(Path(__file__).parents[2]), **environ},
            cwd=directory,
        )

    def test_it_opens_no_socket_loads_nothing_heavy_and_dumps_no_core(self, tmp_path: Path) -> None:
        """Entirely on this machine; and the key that was read cannot end in a core file."""
        for name, content in GOOD.files(chain=None).items():
            (tmp_path / name).write_bytes(content)
        ran = self.run(tmp_path, ".", "--hostname", SHOP)
        assert json.loads(ran.stderr) == [0, [], [], [0, 0]]

    def test_a_terminal_without_the_letters_gets_escapes(self, tmp_path: Path) -> None:
        """A name in letters that the terminal's encoding lacks is no stack trace."""
        (tmp_path / "schlüssel.key").write_bytes(KEY)
        for more in ((), ("--markdown",)):
            ran = self.run(tmp_path, ".", *more, PYTHONIOENCODING="ascii")
            assert json.loads(ran.stderr)[0] == 1
            assert "schl\\xfcssel.key" in ran.stdout

    def test_colour_is_for_terminals_that_want_it(self, tmp_path: Path) -> None:
        """Piped it is plain; where colour is asked for the gap is red, unless NO_COLOR is set."""
        (tmp_path / "c.pem").write_bytes(MIDDLE.issue([SHOP], extra=[SCTS]).leaf_pem)
        red = "\x1b[1;31mmissing: the chain stops here"
        assert "\x1b" not in self.run(tmp_path, ".").stdout
        assert red in self.run(tmp_path, ".", FORCE_COLOR="1", TERM="xterm").stdout
        assert "31m" not in self.run(tmp_path, ".", FORCE_COLOR="1", TERM="xterm", NO_COLOR="1").stdout
