"""The records of accounts, apps, sites and tokens: a name belongs to one account, platform-wide."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from tasks.clients.database import Database
from tasks.clients.records.accounts import Accounts
from tasks.core.errors import BadInput, NotFound
from tasks.core.model import Account, Hostname, Site
from tests.clients.examples import ACME, NOW, SHOP, at_once, with_site

OTHER = Account("other", "ops@other.test")


@pytest.fixture(name="accounts")
def _accounts(database: Database) -> Accounts:
    accounts = Accounts(with_site(database))
    accounts.create_account(OTHER, NOW)
    accounts.create_app("blog", "other", NOW)
    return accounts


class TestAccounts:
    def test_a_new_contact_replaces_the_old(self, accounts: Accounts) -> None:
        """Onboarding again with another address is how a contact changes."""
        moved = Account("acme", "new@acme.test")

        assert moved == accounts.create_account(moved, NOW)
        assert moved == accounts.fetch_account("acme")
        assert (moved, OTHER) == accounts.list_accounts()

    def test_unknown_is_not_found(self, accounts: Accounts) -> None:
        """Nothing is made up."""
        with pytest.raises(NotFound, match="account nobody"):
            accounts.fetch_account("nobody")

    def test_the_same_account_at_once_is_one(self, accounts: Accounts) -> None:
        """Two onboardings at the same moment both succeed."""
        new = Account("new", "ops@new.test")

        assert [new] * 6 == at_once([partial(accounts.create_account, new, NOW)] * 6)


class TestAppsAndSites:
    def test_onboarding_again_changes_nothing(self, accounts: Accounts) -> None:
        """The first challenge stays: the customer has it in the DNS."""
        accounts.create_app("shop", "acme", NOW)

        assert Site(SHOP, "shop", "acme", "challenge-1") == accounts.create_site(
            SHOP, "shop", "acme", "challenge-2", NOW
        )

    @pytest.mark.parametrize(
        "grab",
        [
            lambda accounts: accounts.create_app("shop", "other", NOW),
            lambda accounts: accounts.create_site(SHOP, "blog", "other", "challenge", NOW),
        ],
        ids=["app", "hostname"],
    )
    def test_what_is_anothers_is_taken(self, accounts: Accounts, grab: Callable[[Accounts], object]) -> None:
        """Nobody gets another account's app or hostname by asking later."""
        with pytest.raises(BadInput) as refusal:
            grab(accounts)

        assert refusal.value.code == "taken"
        assert accounts.fetch_site(SHOP, "acme").account == "acme"

    def test_a_hostname_does_not_change_apps(self, accounts: Accounts) -> None:
        """Within one account too it belongs to one app."""
        accounts.create_app("admin", "acme", NOW)
        with pytest.raises(BadInput, match=SHOP):
            accounts.create_site(SHOP, "admin", "acme", "challenge", NOW)

    @pytest.mark.parametrize(
        "make",
        [
            lambda accounts: accounts.create_app("new", "nobody", NOW),
            lambda accounts: accounts.create_site(Hostname("a.example.test"), "none", "acme", "challenge", NOW),
            lambda accounts: accounts.create_site(Hostname("a.example.test"), "blog", "acme", "challenge", NOW),
            lambda accounts: accounts.create_token("token-1", "nobody", "a" * 64, NOW),
        ],
        ids=["app", "site without app", "site of another's app", "token"],
    )
    def test_nothing_hangs_in_the_air(self, accounts: Accounts, make: Callable[[Accounts], object]) -> None:
        """An app needs its account, a hostname an app of that account, a token its account."""
        with pytest.raises(NotFound):
            make(accounts)

    @pytest.mark.parametrize(
        ("hostname", "account", "app"),
        [(SHOP, "other", None), (SHOP, "acme", "blog"), (Hostname("none.example.test"), "acme", None)],
        ids=["account", "app", "hostname"],
    )
    def test_fetch_site_hides_what_is_anothers(
        self, accounts: Accounts, hostname: Hostname, account: str, app: str | None
    ) -> None:
        """Another's hostname and no hostname look the same."""
        with pytest.raises(NotFound, match=f"hostname {hostname}: no such hostname"):
            accounts.fetch_site(hostname, account, app)

    def test_list_sites_gives_the_accounts_own(self, accounts: Accounts) -> None:
        """By hostname."""
        admin = accounts.create_site(Hostname("admin.example.test"), "shop", "acme", "challenge-2", NOW)

        assert (admin, accounts.fetch_site(SHOP, "acme", "shop")) == accounts.list_sites("acme")
        assert accounts.list_sites("other") == ()

    def test_of_two_accounts_at_once_one_gets_the_hostname(self, accounts: Accounts) -> None:
        """Never both, and the other is told."""
        wanted = Hostname("new.example.test")

        def grab(app: str, account: str) -> str:
            try:
                return accounts.create_site(wanted, app, account, "challenge", NOW).account
            except BadInput as refusal:
                return refusal.code

        answers = at_once([partial(grab, "shop", "acme"), partial(grab, "blog", "other")])

        assert answers.count("taken") == 1
        assert len([account for account in ("acme", "other") if wanted in _hostnames(accounts, account)]) == 1


class TestTokens:
    def test_a_token_opens_its_account_until_revoked(self, accounts: Accounts) -> None:
        """And nobody else's, and nothing after."""
        accounts.create_token("token-1", "acme", "a" * 64, NOW)
        assert accounts.find_by_token("a" * 64) == ACME

        accounts.revoke_token("token-1", NOW)
        accounts.revoke_token("token-1", NOW + timedelta(days=1))

        assert accounts.find_by_token("a" * 64) is None
        assert accounts.find_by_token("b" * 64) is None

    def test_a_repeated_issue_is_one_token(self, accounts: Accounts) -> None:
        """It does not bring a revoked one back either."""
        accounts.create_token("token-1", "acme", "a" * 64, NOW)
        accounts.revoke_token("token-1", NOW)
        accounts.create_token("token-1", "acme", "a" * 64, NOW)

        assert accounts.find_by_token("a" * 64) is None

    @pytest.mark.parametrize(
        ("token_id", "account", "digest"),
        [("token-1", "other", "a"), ("token-1", "acme", "b"), ("token-2", "other", "a")],
        ids=["account", "digest", "id"],
    )
    def test_another_token_under_its_id_or_digest_is_refused(
        self, accounts: Accounts, token_id: str, account: str, digest: str
    ) -> None:
        """A token never passes from one account to another."""
        accounts.create_token("token-1", "acme", "a" * 64, NOW)

        with pytest.raises(BadInput) as refusal:
            accounts.create_token(token_id, account, digest * 64, NOW)
        assert refusal.value.code == "taken"
        assert accounts.find_by_token("a" * 64) == ACME

    def test_revoking_none_is_not_found(self, accounts: Accounts) -> None:
        """A misspelt id does not look revoked."""
        with pytest.raises(NotFound):
            accounts.revoke_token("token-9", NOW)


def _hostnames(accounts: Accounts, account: str) -> set[Hostname]:
    return {site.hostname for site in accounts.list_sites(account)}
