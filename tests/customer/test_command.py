"""The command as a program: exit codes, JSON, a calm terminal, a quick start."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tasks.core.errors import BadInput, FrontDeskUnavailable, PrefectUnavailable
from tasks.core.model import Certificate, Finding, Severity
from tasks.customer.client import FrontDesk
from tasks.customer.config import Login
from tasks.customer.output import Output
from tasks.customer.terminal import for_terminal
from tests.desk import HOSTNAME, NOW, URL, Customer, Town

HEAVY = ("prefect", "boto3", "botocore", "sqlalchemy", "pydantic", "fastapi", "httpx", "cryptography", "yaml", "rich")
HOSTILE = "\x1b]0;owned\x07 \x1b[31mred\x9b2J \u202etxt.exe\u200b \ud800 [bold]x[/bold] :smile:"


class TestLoading:
    def test_importing_the_command_loads_nothing_heavy(self) -> None:
        """`certferry --help` must not wait for Prefect, S3, a database or even the network library."""
        code = f"import sys, tasks.customer.cli; print([x for x in {HEAVY!r} if x in sys.modules])"
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
        [("bogus",), ("create", "edge"), ("status", "a", "b"), ("--json=maybe",), ("push", "edge")],
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


def test_a_served_certificate_is_shown(town: Town, customer: Customer) -> None:
    """`sites` says until when HTTPS is served and since when both edges were seen doing so."""
    customer.create()
    drop = town.drop()
    certificate = Certificate(
        id="cert-" + "a" * 26,
        drop_id=drop.id,
        account="acme",
        hostname=drop.hostname,
        leaf_sha256="ab" * 32,
        spki_sha256="cd" * 32,
        bundle_sha256="ef" * 32,
        subject="CN=shop",
        issuer="CN=ca",
        serial="01",
        dns_names=(HOSTNAME,),
        not_before=NOW,
        not_after=NOW + timedelta(days=90),
        vault_key="k",
        vault_version="v",
    )
    records = town.installation.certificates
    records.create(certificate, b"wrapped", NOW)
    records.assign("a", certificate, None)
    records.assign("b", certificate, None)
    records.mark_proven("a", drop.hostname, NOW)
    assert "not yet seen on both edges" in " ".join(customer.run("sites").out.split())
    records.mark_proven("b", drop.hostname, NOW)
    ran = customer.run("sites")
    assert f"seen on both edges {NOW:%Y-%m-%dT%H:%M}" in " ".join(ran.out.split())
