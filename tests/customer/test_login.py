"""The token is asked for, checked, kept for its owner alone, and shown to nobody."""

from __future__ import annotations

import io
import stat
from pathlib import Path

import pytest

from tasks.core.errors import BadInput
from tests.desk import URL, Customer, Town


@pytest.fixture(name="stranger")
def _stranger(town: Town, tmp_path: Path) -> Customer:
    return Customer(town, tmp_path / "home", logged_in=False)


def config(customer: Customer) -> Path:
    return customer.home / ".config" / "certferry" / "config.json"


class TestLogin:
    def test_the_token_is_kept_0600_and_says_whose_it_is(self, stranger: Customer) -> None:
        """After the login the account is named, and the file is its owner's alone, in a directory of the same."""
        ran = stranger.run("login", "--url", URL)
        assert (ran.code, "acme" in ran.out) == (0, True)
        assert stat.S_IMODE(config(stranger).stat().st_mode) == 0o600
        assert stat.S_IMODE(config(stranger).parent.stat().st_mode) == 0o700
        assert stranger.run("status").code == 0

    def test_the_token_is_never_shown(self, stranger: Customer) -> None:
        """Neither for people nor for programs."""
        for arguments in (("login", "--url", URL), ("--json", "login", "--url", URL), ("--json", "status")):
            ran = stranger.run(*arguments)
            assert (ran.code, stranger.token in ran.out + ran.err) == (0, False)

    def test_it_can_come_from_stdin(self, stranger: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
        """For scripts; there is no option that takes it as an argument."""
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{stranger.token}\n"))
        token, stranger.token = stranger.token, "not asked for"
        assert stranger.run("login", "--url", URL, "--token-stdin").code == 0
        assert token in config(stranger).read_text()
        assert stranger.run("--json", "login", "--token", token).code == 2

    def test_an_unknown_token_is_not_kept(self, stranger: Customer) -> None:
        """The front desk is asked before anything is written."""
        stranger.token = "cf_" + "a" * 52
        ran = stranger.run("--json", "login", "--url", URL)
        assert (ran.code, ran.error["code"]) == (1, "forbidden")
        assert not config(stranger).exists()

    def test_what_is_no_token_is_not_sent(self, town: Town, stranger: Customer) -> None:
        """A password pasted by mistake stays on the machine, and off the screen."""
        stranger.token = "my other password"
        ran = stranger.run("--json", "login", "--url", URL)
        assert (ran.code, ran.error["code"]) == (1, "bad-token")
        assert town.network.sent == []
        assert "password" not in ran.out

    @pytest.mark.parametrize(
        ("url", "code"),
        [
            ("http://desk.test", 1),
            ("http://127.0.0.1.desk.test", 1),
            ("ftp://desk.test", 1),
            ("desk.test", 1),
            ("https://[", 1),
            ("https://desk.test:99999", 1),
            ("https://desk.test/two\nlines", 1),
            ("https://desk.test/" + "a" * 70_000, 1),
            ("http://127.0.0.1:9", 4),
            ("http://[::1]:9", 4),
            ("http://localhost:9", 4),
        ],
    )
    def test_a_token_goes_over_https_or_nowhere(self, town: Town, stranger: Customer, url: str, code: int) -> None:
        """Plain HTTP is for this very machine (where nobody answers here); anything else is refused unsent."""
        town.network.down = {"127.0.0.1", "::1", "localhost"}
        ran = stranger.run("--json", "login", "--url", url)
        assert (ran.code, bool(town.network.sent)) == (code, code == 4)

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
    def test_a_token_that_others_may_read_is_not_used(self, town: Town, customer: Customer, mode: int) -> None:
        """The command says how to mend it, and sends nothing."""
        config(customer).chmod(mode)
        ran = customer.run("--json", "status")
        assert (ran.code, ran.error["code"]) == (1, "readable-by-others")
        assert "chmod 600" in ran.error["do"]
        assert town.network.sent == []

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"url": 1, "token": 2}', "[" * 9000])
    def test_a_damaged_file_is_told(self, customer: Customer, content: str) -> None:
        """It is never a stack trace."""
        config(customer).write_text(content)
        assert customer.run("--json", "status").code == 1

    def test_nothing_of_a_damaged_file_hangs_behind_the_error(self, customer: Customer) -> None:
        """A JSONDecodeError has all that it was to decode, the token included."""
        config(customer).write_text('{"token": "cf_x",')
        with pytest.raises(BadInput) as caught:
            customer.session().home.find_login()
        assert caught.value.__cause__ is caught.value.__context__ is None

    def test_without_a_login_the_way_to_one_is_shown(self, stranger: Customer) -> None:
        """Every command that needs the front desk says `certferry login`."""
        for arguments in (("status",), ("sites",), ("destroy", "edge"), ("ticket", "list")):
            ran = stranger.run(*arguments)
            assert (ran.code, "certferry login" in ran.err) == (1, True)
