"""The command as a program: exit codes, JSON, a calm terminal, a quick start."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tasks.core.errors import BadInput, FrontDeskUnavailable, PrefectUnavailable
from tasks.core.model import Finding, Severity
from tasks.customer.cli import main
from tasks.customer.client import FrontDesk
from tasks.customer.config import Login
from tasks.customer.output import Output
from tasks.customer.terminal import for_terminal
from tests.desk import HOSTNAME, NOW, URL, Customer, Ran, Town, a_certificate
from tests.leaks import Secrets, scan_bytes
from tests.pki import key_pem, make_key

HEAVY = ("prefect", "boto3", "botocore", "sqlalchemy", "pydantic", "fastapi", "httpx", "cryptography", "yaml", "rich")
HOSTILE = "\x1b]0;owned\x07 \x1b[31mred\x9b2J \u202etxt.exe\u200b \ud800 [bold]x[/bold] :smile:"


class TestLoading:
    def test_importing_the_command_loads_nothing_heavy(self) -> None:
        """`certferry --help` must not wait for Prefect, S3, a database or even the network library."""
        code = f"import sys, tasks.customer.cli, tasks.customer.commands; print([x for x in {HEAVY!r} if x in sys.modules])"
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert ran.stdout == "[]\n"

    def test_a_whole_push_loads_neither_prefect_nor_the_platforms_side(self, tmp_path: Path) -> None:
        """What runs on a customer's machine is core, httpx and cryptography."""
        code = (
            "import sys, importlib, pkgutil, tasks.customer as room\n"
            "for m in pkgutil.iter_modules(room.__path__, 'tasks.customer.'): importlib.import_module(m.name)\n"
            "print([x for x in ('prefect', 'boto3', 'sqlalchemy', 'pydantic', 'tasks.clients') if x in sys.modules])"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert ran.stdout == "[]\n"

    def test_it_runs_as_a_process(self, tmp_path: Path) -> None:
        """Help is 0, an unknown command is 2, no login is 1 and JSON; none shows a traceback."""
        environ = {"HOME": str(tmp_path), "PATH": ""}
        codes = []
        for arguments in (["--help"], ["bogus"], ["status", "--json"]):
            command = [sys.executable, "-m", "tasks.customer.cli", *arguments]
            ran = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
            codes.append(ran.returncode)
            assert "Traceback" not in ran.stderr
        assert codes == [0, 2, 1]
        assert json.loads(ran.stdout)["error"]["code"] == "not-logged-in"


class TestExitCodes:
    def test_done_is_0_and_help_too(self, customer: Customer) -> None:
        """Also without any command, which shows the help."""
        assert [customer.run(*x).code for x in (("status",), ("push", "--help"), ())] == [0, 0, 0]

    def test_refused_is_1(self, customer: Customer) -> None:
        """A hostname that is nobody's."""
        assert customer.run("create", "edge", "--app", "shop", "--hostname", "nobody.example.test").code == 1

    @pytest.mark.parametrize(
        "arguments",
        [
            ("bogus",),
            ("create", "edge"),
            ("status", "a", "b"),
            ("--json=maybe",),
            ("push", "edge"),
            ("force-https", "shop.example.test", "off", "--hsts"),
        ],
    )
    def test_usage_is_2(self, customer: Customer, arguments: tuple[str, ...]) -> None:
        """In the form of every error, and for programs as JSON."""
        assert customer.run(*arguments).code == 2
        if not arguments[0].startswith("--json"):
            assert customer.run("--json", *arguments).error["code"] == "usage"

    def test_unavailable_is_4(self, town: Town, customer: Customer) -> None:
        """A front desk that is away, and one whose Prefect is."""
        town.network.down = {"desk.test"}
        assert customer.run("--json", "status").error["code"] == "front-desk-unavailable"
        assert customer.run("status").code == 4
        town.network.down = set()
        town.runs.fail.append(PrefectUnavailable.because("api", "503"))
        assert customer.create().code == 4

    def test_too_many_requests_is_4(self, town: Town, customer: Customer) -> None:
        """Waiting helps, so it is no refusal."""
        limit = town.installation.settings.front_desk.requests_per_minute
        codes = [customer.run("--json", "sites").code for _ in range(limit + 1)]
        assert codes == [0] * limit + [4]


class TestClient:
    def client(self, answer: httpx.Response | Exception) -> FrontDesk:
        def respond(_: httpx.Request) -> httpx.Response:
            if isinstance(answer, Exception):
                raise answer
            return answer

        return FrontDesk(Login(URL, "cf_x"), httpx.MockTransport(respond))

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(502, text="<html>Bad Gateway</html>"),
            httpx.Response(200, text="<html>Log in to the hotel's network</html>"),
            httpx.Response(200, json=[]),
            httpx.Response(302, headers={"Location": "https://elsewhere.test"}),
            httpx.Response(503, json=["not", "ours"]),
            httpx.Response(
                422, json={"code": "x", "subject": "", "got": "", "wanted": "", "do": "", "who": "martians"}
            ),
            httpx.ReadTimeout("slow"),
        ],
    )
    def test_what_is_not_the_front_desk_is_unavailable(self, answer: httpx.Response | Exception) -> None:
        """A proxy's page, a captive portal, a redirect: never a traceback, never followed with the token."""
        with pytest.raises(FrontDeskUnavailable):
            self.client(answer).fetch_account()

    def test_a_lost_answer_is_asked_for_once_more(self, town: Town, customer: Customer) -> None:
        """Everything the front desk does is safe to repeat: a ticket whose answer got lost is filed once."""
        customer.create()
        carry = town.network.handle_request
        lost: list[httpx.Response] = []

        def lossy(request: httpx.Request) -> httpx.Response:
            answer = carry(request)
            if request.method == "POST" and not lost:
                lost.append(answer)
                raise httpx.ReadTimeout("lost")
            return answer

        town.network.handle_request = lossy  # type: ignore[method-assign]
        assert customer.run("ticket", "file", "edge").code == 0
        assert len(customer.run("--json", "ticket", "list").json) == 1

    def test_a_token_is_not_in_the_representation_of_anything(self) -> None:
        """Tracebacks print objects."""
        assert "cf_x" not in repr(Login(URL, "cf_x"))


class TestTerminal:
    def test_nothing_of_a_foreign_text_is_obeyed(self) -> None:
        """Escape sequences, C1 controls, writing direction and zero-width characters become visible."""
        shown = for_terminal(HOSTILE)
        assert not set("\x1b\x07\x9b\u202e\u200b\ud800") & set(shown)
        assert r"\x1b[31mred\x9b2J \u202etxt.exe\u200b \ud800" in shown

    def test_text_made_safe_stays_as_it_is(self) -> None:
        """Also a Windows path and a line break."""
        for text in (for_terminal(HOSTILE), r"C:\new\x1b", "two\nlines"):
            assert text == for_terminal(text)

    def test_errors_findings_and_tickets_are_drawn_safely(self, town: Town, customer: Customer) -> None:
        """Wherever foreign text meets the terminal: also Rich's own markup has no power in it."""
        out, err = io.StringIO(), io.StringIO()
        output = Output(out=out, err=err)
        text = HOSTILE.replace("\ud800", "")
        output.error(BadInput(text, got=text, wanted=text, do=text))
        output.findings((Finding("x", Severity.WARN, text, text),))
        output.note(text)
        drop = customer.create().json["hand_over"]["id"]
        town.installation.tickets.file("ticket-" + "a" * 26, "ops@acme.test", text[:100], text, drop, NOW)
        shown = (
            err.getvalue()
            + customer.run("ticket", "show", "ticket-" + "a" * 26).out
            + customer.run("ticket", "list").out
        )
        assert not set("\x1b\x07\x9b\u202e\u200b") & set(shown)
        assert shown.count("[bold]x[/bold]") >= 8
        assert ":smile:" in shown

    def test_an_error_has_its_parts(self, customer: Customer) -> None:
        """What, got, wanted, do, who and code are there, on stderr; stdout stays clean."""
        ran = customer.run("status", "nosuch")
        assert ran.out == ""
        for part in ("hand-over nosuch", "no such hand-over", "wanted:", "do:", "to act: customer", "not-found"):
            assert " ".join(part.split()) in " ".join(ran.err.split())


KEY = make_key("ec256")
SECRETS = Secrets.of_key(key_pem(KEY))
DER = KEY.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
PASTED = {
    "PEM": key_pem(KEY).decode(),
    "PEM, old": key_pem(KEY, PrivateFormat.TraditionalOpenSSL).decode(),
    "base64": base64.b64encode(DER).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(DER).decode(),
    "base64 of PEM": base64.b64encode(key_pem(KEY, PrivateFormat.TraditionalOpenSSL)).decode(),
    "hex": DER.hex(),
}
PLACES: dict[str, Callable[[str], tuple[str, ...]]] = {
    "a command": lambda key: (key,),
    "an option": lambda key: ("csr", "a.example.com", f"--{key}"),
    "a name to ask for": lambda key: ("csr", key),
    "a wildcard": lambda key: ("csr", f"*.{key}"),
    "a directory to write to": lambda key: ("csr", "a.example.com", "--out", key),
    "a directory to take the key from": lambda key: ("csr", "a.example.com", "--reuse", "--out", key),
    "a path": lambda key: ("doctor", key),
    "one path of two": lambda key: ("doctor", ".", key),
    "the words of a path": lambda key: ("doctor", "--", *key.split()),
    "a hostname": lambda key: ("doctor", ".", "--hostname", key),
    "a trust store": lambda key: ("doctor", ".", "--trust", key),
    "an installed certificate": lambda key: ("doctor", ".", "--installed", key),
    "a hand-over": lambda key: ("push", key, "."),
    "a hand-over's path": lambda key: ("push", "edge", key),
    "an invitation": lambda key: ("push", "edge", ".", "--invitation", key),
    "an app": lambda key: ("create", "edge", "--app", key, "--hostname", HOSTNAME),
    "a new hand-over's hostname": lambda key: ("create", "edge", "--app", "shop", "--hostname", key),
    "a place for an invitation": lambda key: (
        *("create", "edge", "--app", "shop", "--hostname", HOSTNAME),
        *("--invitation-out", f"{key}/x"),
    ),
    "a ticket": lambda key: ("ticket", "show", key),
    "an address": lambda key: ("login", "--url", key),
    "an address's path": lambda key: ("login", "--url", f"{URL}/{key}"),
}


class TestPastedKeys:
    @pytest.mark.parametrize("form", [*PASTED])
    @pytest.mark.parametrize("place", [*PLACES])
    def test_a_key_in_the_place_of_an_argument_is_never_repeated(
        self, customer: Customer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, form: str
    ) -> None:
        """A terminal's scrollback, a CI's log and a program's log of the JSON live longer than a command."""
        (tmp_path / "work").mkdir()
        monkeypatch.chdir(tmp_path / "work")
        arguments = PLACES[place](PASTED[form])
        for ran in (customer.run(*arguments), customer.run("--json", *arguments)):
            assert scan_bytes((ran.out + ran.err).encode(), SECRETS) == []

    def test_nor_in_a_message_that_a_ticket_has(self, town: Town, customer: Customer) -> None:
        """A key has many lines, and each is drawn by itself."""
        drop = customer.create().json["hand_over"]["id"]
        town.installation.tickets.file("ticket-" + "a" * 26, "ops@acme.test", "x", PASTED["PEM"], drop, NOW)
        for ran in (customer.run("ticket", "show", "ticket-" + "a" * 26), customer.run("--json", "ticket", "list")):
            assert scan_bytes((ran.out + ran.err).encode(), SECRETS) == []

    def test_nor_in_a_file_s_name(self, customer: Customer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Readable or not, a link or not; what remains of a command without its name is left out."""
        given = tmp_path / "given"
        given.mkdir()
        for name in (PASTED["hex"], f"{PASTED['hex']}.key", f"{PASTED['hex']}.crt"):
            (given / name).write_bytes(b"x")
        (given / f"{PASTED['base64 for URLs']}.pem").symlink_to(f"{PASTED['hex']}.key")
        monkeypatch.chdir(tmp_path)
        for arguments in (("doctor", "given"), ("--json", "doctor", "given"), ("doctor", "given", "--markdown")):
            ran = customer.run(*arguments)
            assert "[removed: private key]" in ran.out.replace("\\", "")
            assert scan_bytes((ran.out + ran.err).encode(), SECRETS) == []
        found = customer.run("--json", "doctor", "given").json["findings"]
        assert not any("removed" in finding["command"] for finding in found)


class Full(io.StringIO):
    """A disk that is full, or whatever *error* says."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, _: str, /) -> int:
        raise self.error


class TestOutputThatTakesNoMore:
    @pytest.mark.parametrize("arguments", [("status",), ("--json", "status"), ("--json", "status", "nosuch")])
    def test_is_4_and_said_on_stderr(self, customer: Customer, arguments: tuple[str, ...]) -> None:
        """Never 1, which means that something was refused."""
        err = io.StringIO()
        output = Output(out=Full(OSError(28, "No space left on device")), err=err)
        assert main(arguments, replace(customer.session(), output=output)) == 4
        assert "No space left on device" in err.getvalue()
        assert "cannot-write" in err.getvalue()

    def test_is_4_and_silent_where_nobody_reads(self, customer: Customer) -> None:
        """`certferry status | head -0` is nobody's fault."""
        for arguments in (("status",), ("--json", "status")):
            err = io.StringIO()
            output = Output(out=Full(BrokenPipeError(32, "Broken pipe")), err=err)
            assert (main(arguments, replace(customer.session(), output=output)), err.getvalue()) == (4, "")

    def test_not_even_for_an_error(self, customer: Customer) -> None:
        """Both outputs may be on the same full disk."""
        full = Full(OSError(28, "No space left on device"))
        assert main(("status", "nosuch"), replace(customer.session(), output=Output(out=full, err=full))) == 4

    @pytest.mark.parametrize("arguments", ["--help", "doctor .", "--json doctor .", "doctor . --markdown"])
    @pytest.mark.parametrize(
        ("away", "code"), [(">/dev/full", 4), (">/dev/full 2>/dev/full", 4), ("| head -0", 4), (">&-", 4)]
    )
    def test_as_a_process(self, tmp_path: Path, arguments: str, away: str, code: int) -> None:
        """A full disk, a reader that has gone, an output that was closed; the interpreter's end changes no code."""
        if (arguments, away) == ("--help", ">&-"):
            pytest.skip("nobody asked to see it")
        command = f"{sys.executable} -m tasks.customer.cli {arguments} {away}; exit ${{PIPESTATUS[0]}}"
        given = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])}
        ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=given, cwd=tmp_path)  # noqa: PLW1510
        assert ran.returncode == code
        assert "Traceback" not in ran.stderr
        assert "Exception ignored" not in ran.stderr


class TestInterrupted:
    def test_a_command_that_runs(self, customer: Customer) -> None:
        """130, as a shell has it, and no traceback."""

        def interrupt() -> None:
            raise KeyboardInterrupt

        customer.while_waiting = interrupt
        assert customer.create() == Ran(130, "", "")

    def test_what_is_shown(self, customer: Customer) -> None:
        """Also in the middle of it."""
        full: Any = Full(OSError())
        full.error = KeyboardInterrupt()
        assert main(("status",), replace(customer.session(), output=Output(out=full, err=io.StringIO()))) == 130

    def test_a_command_that_still_loads(self, tmp_path: Path) -> None:
        """Which is when somebody sees the slip in what they typed."""
        code = (
            "import sys\n"
            "class Late:\n"
            "    def find_spec(self, name, *_):\n"
            "        if name == 'cyclopts': raise KeyboardInterrupt\n"
            "sys.meta_path.insert(0, Late())\n"
            "from tasks.customer.cli import main\n"
            "sys.exit(main(['--help']))"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "")


def test_a_served_certificate_is_shown(town: Town, customer: Customer) -> None:
    """`sites` says until when HTTPS is served and since when both edges were seen doing so."""
    customer.create()
    drop = town.drop()
    certificate = a_certificate(drop.id)
    records = town.installation.certificates
    records.create(certificate, b"wrapped", NOW)
    records.assign("a", certificate, None)
    records.assign("b", certificate, None)
    records.mark_proven("a", drop.hostname, NOW)
    assert "not yet seen on both edges" in " ".join(customer.run("sites").out.split())
    records.mark_proven("b", drop.hostname, NOW)
    ran = customer.run("sites")
    assert f"seen on both edges {NOW:%Y-%m-%dT%H:%M}" in " ".join(ran.out.split())


def test_what_a_month_costs_is_shown(town: Town, customer: Customer) -> None:
    """A line each hostname, and the total; a month that is none is refused before anybody is asked."""
    town.charge("2026-04-10")

    drawn = customer.run("statement", "2026-04").out

    assert "acme, 2026-04 (days of UTC)" in drawn
    assert f"{HOSTNAME} shared 21 of 30 160 0.02 2.24" in " ".join(drawn.split())
    assert "Total: 2.24 EUR" in drawn
    assert customer.run("--json", "statement", "2026-04").json["total"] == "2.24"
    assert "until today" in customer.run("statement").out
    assert "Nothing was charged." in customer.run("statement", "2026-03").out
    asked = len(town.network.sent)
    assert customer.run("--json", "statement", "April").error["code"] == "bad-input"
    assert len(town.network.sent) == asked
