"""An operator takes customers on, and gives out and revokes their tokens."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tasks.core.errors import Forbidden
from tasks.issue_token import authenticate
from tests.operator.conftest import Operator

EXAMPLE = Path(__file__).parents[2] / "deployments" / "onboarding.example.yaml"


class TestOnboard:
    def test_example_file_is_taken(self, operator: Operator) -> None:
        """The example in deployments/ is a valid one; each hostname comes with the records it needs."""
        sites = operator.succeed("onboard", str(EXAMPLE))

        assert [site["hostname"] for site in sites] == ["shop.example.com", "www.example.com", "blog.example.com"]
        assert {record["type"] for site in sites for record in site["records"]} == {"TXT", "CNAME"}

    def test_again_gives_the_same_challenges(self, operator: Operator) -> None:
        """Onboarding twice changes nothing, so a record that is set stays right."""
        assert operator.succeed("onboard", str(EXAMPLE)) == operator.succeed("onboard", str(EXAMPLE))

    def test_without_a_file(self, operator: Operator) -> None:
        """Account, app and hostnames can be options; a known account keeps its contact address."""
        wish = ("--account", "acme", "--app", "blog", "--hostname", "a.example.test", "--hostname", "b.example.test")

        sites = operator.succeed("onboard", *wish)

        assert [site["hostname"] for site in sites] == ["a.example.test", "b.example.test"]
        accounts = {each["account"]: each for each in operator.succeed("accounts")}
        assert accounts["acme"]["contact"] == "ops@acme.test"
        assert "a.example.test" in accounts["acme"]["hostnames"]

    @pytest.mark.parametrize(
        ("text", "named"),
        [
            ("account: acme\ncontact: nobody\n", "not an e-mail address"),
            ("account: acme\ncontact: ops@acme.test\napps: [{name: shop, hostnames: [localhost]}]\n", "not a hostname"),
            ("account: acme\n", "contact: Field required"),
            ("account: acme\ncontact: ops@acme.test\ntoken: x\n", "token: Extra inputs are not permitted"),
            ("- acme\n", "dictionary"),
            ("account: [\n", "unreadable"),
        ],
    )
    def test_fault_in_a_file_is_named(self, operator: Operator, tmp_path: Path, text: str, named: str) -> None:
        """A file that does not say what is wanted is refused, and what is wrong with it is said."""
        file = tmp_path / "bad.yaml"
        file.write_text(text)

        code, document = operator.run("onboard", str(file))

        assert code == 1
        assert named in document["error"]["got"]

    def test_missing_file(self, operator: Operator, tmp_path: Path) -> None:
        """A file that is not there is said to be not there."""
        code, document = operator.run("onboard", str(tmp_path / "nowhere.yaml"))

        assert (code, document["error"]["got"]) == (1, "no such file")

    def test_another_accounts_hostname_is_refused(self, operator: Operator) -> None:
        """A hostname belongs to one account."""
        wish = ("--account", "acme", "--app", "shop", "--hostname", "rival.example.test")

        assert operator.refused("onboard", *wish) == (1, "taken")

    def test_neither_file_nor_account(self, operator: Operator) -> None:
        """Onboarding nobody is a mistake in usage."""
        assert operator.refused("onboard") == (2, "usage")


class TestTokens:
    def test_token_opens_the_front_desk_until_revoked(self, operator: Operator) -> None:
        """A token speaks for its account, and for nobody once it is revoked."""
        given = operator.succeed("token", "issue", "acme")
        assert authenticate(given["token"]).name == "acme"

        operator.succeed("token", "revoke", given["token_id"])

        with pytest.raises(Forbidden):
            authenticate(given["token"])

    def test_token_in_a_file(self, operator: Operator, tmp_path: Path) -> None:
        """With --out the token goes into a file that only its owner may read, and not to the screen."""
        file = tmp_path / "token"

        shown = operator.read("token", "issue", "acme", "--out", str(file))

        token = file.read_text().strip()
        assert authenticate(token).name == "acme"
        assert token not in shown
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def test_unknown_account_gets_none(self, operator: Operator) -> None:
        """There is no token for an account that is not on record."""
        assert operator.refused("token", "issue", "nobody") == (1, "not-found")
