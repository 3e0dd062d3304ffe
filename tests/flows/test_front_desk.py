"""The front desk: one account a token, nothing of anybody else's, no key material, every error typed."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.front_desk_guards import MAX_BODY_BYTES, Guard, TooManyRequests, Window
from tasks.clients.installation import lend
from tasks.core.errors import NotFound, PrefectUnavailable, StoreUnavailable
from tasks.core.invitation import parse_invitation
from tasks.core.model import Outcome, make_id
from tasks.issue_token import issue_token
from tasks.onboard import Onboarding, onboard
from tests.desk import HOSTNAME, NOW, Town, make_town
from tests.pki import CA

WISH = {"name": "edge", "app": "shop", "hostname": HOSTNAME}
PROBLEM = {"code", "subject", "got", "wanted", "do", "who"}
SECOND_HOSTNAME = {
    "account": "acme",
    "contact": "ops@acme.test",
    "apps": [{"name": "shop", "hostnames": ["www.example.test"]}],
}
KEY = CA().issue([HOSTNAME]).key_pem.decode()


@pytest.fixture(name="town")
def _town(tmp_path: Path) -> Iterator[Town]:
    with lend(make_town(tmp_path)) as installation:
        yield Town(installation)
        installation.database.dispose()


@pytest.fixture(name="acme")
def _acme(town: Town) -> Iterator[httpx.Client]:
    with town.client() as client:
        yield client


def is_problem(answer: httpx.Response, status: int, code: str) -> bool:
    """Say whether *answer* is our typed error of that status and code."""
    return (answer.status_code, answer.json()["code"], set(answer.json())) == (status, code, PROBLEM)


class TestDrops:
    def test_asking_for_a_drop_records_it_and_starts_its_run(self, town: Town, acme: httpx.Client) -> None:
        """A wish is answered with the hand-over, and a run of open-drop is on its way under the drop's own key."""
        answer = acme.post("/v1/drops", json=WISH)
        drop = town.drop()
        assert (answer.status_code, answer.json()["stage"]) == (202, "opening")
        assert town.runs.started == {f"open-{drop.id}": ("open-drop/open-drop", {"drop_id": drop.id})}
        assert drop.requested_by == "account:acme"

    def test_asking_again_gives_the_same_drop_while_it_waits(self, town: Town, acme: httpx.Client) -> None:
        """The same wish again makes no second drop and no second run, before and after it has opened."""
        ids = {acme.post("/v1/drops", json=WISH).json()["id"] for _ in range(2)}
        town.open_drops()
        again = acme.post("/v1/drops", json={**WISH, "hostname": HOSTNAME.upper()})
        assert ids == {again.json()["id"]}
        assert len(town.runs.started) == 1

    def test_another_wish_of_the_same_name_is_refused(self, town: Town, acme: httpx.Client) -> None:
        """A name stands for one live drop: another hostname under it is refused; after its end the name is free."""
        onboard(Onboarding.model_validate(SECOND_HOSTNAME), NOW)
        other = {**WISH, "hostname": "www.example.test"}
        acme.post("/v1/drops", json=WISH)
        assert is_problem(acme.post("/v1/drops", json=other), 422, "name-taken")
        town.installation.drops.close(town.drop().id, Outcome.CANCELLED, None, None)
        town.installation.drops.shred(town.drop().id, NOW)
        assert acme.post("/v1/drops", json=other).status_code == 202

    def test_a_foreign_hostname_looks_like_none(self, acme: httpx.Client) -> None:
        """Another account's hostname and one that nobody has give the same answer, but for the name itself."""
        foreign = acme.post("/v1/drops", json={**WISH, "hostname": "rival.example.test"})
        nobodys = acme.post("/v1/drops", json={**WISH, "hostname": "nobody.example.test"})
        assert is_problem(foreign, 404, "not-found")
        assert foreign.text.replace("rival", "nobody") == nobodys.text

    def test_another_accounts_drop_cannot_be_told_from_none(self, town: Town, acme: httpx.Client) -> None:
        """Reading, filling, announcing and destroying a foreign drop all answer as for a name that nobody has."""
        acme.post("/v1/drops", json=WISH)
        with town.client("rival") as rival:
            for method, tail in (("GET", ""), ("POST", "/invitation"), ("POST", "/uploaded"), ("DELETE", "")):
                foreign = rival.request(method, f"/v1/drops/edge{tail}")
                nobodys = rival.request(method, f"/v1/drops/none{tail}")
                assert is_problem(foreign, 404, "not-found")
                assert foreign.text.replace("edge", "none") == nobodys.text
            assert rival.get("/v1/drops").json() == []
            filed = rival.post("/v1/tickets", json={"subject": "x", "body": "y", "drop": "edge"})
            assert is_problem(filed, 404, "not-found")

    def test_a_drop_whose_run_could_not_start_is_asked_for_again(self, town: Town, acme: httpx.Client) -> None:
        """Without Prefect the answer is 503 and when to try again; the same wish then starts that run."""
        town.runs.fail.append(PrefectUnavailable.because("api", "503"))
        first = acme.post("/v1/drops", json=WISH)
        assert is_problem(first, 503, "prefect-unavailable")
        assert int(first.headers["Retry-After"]) > 0
        second = acme.post("/v1/drops", json=WISH)
        assert second.status_code == 202
        assert list(town.runs.started) == [f"open-{second.json()['id']}"]

    def test_a_run_that_crashed_is_started_again(self, town: Town, acme: httpx.Client) -> None:
        """A worker that died before the drop was open does not leave the customer waiting for ever."""
        drop_id = acme.post("/v1/drops", json=WISH).json()["id"]
        town.runs.states[f"open-{drop_id}"] = "Crashed"
        acme.post("/v1/drops", json=WISH)
        assert town.runs.states[f"open-{drop_id}"] == "Scheduled"

    def test_a_missing_deployment_is_the_platforms_trouble(self, town: Town, acme: httpx.Client) -> None:
        """What the platform has not deployed is 503, not a 404 that looks like the customer's mistake."""
        town.runs.fail.append(NotFound.named("deployment", "open-drop/open-drop"))
        assert is_problem(acme.post("/v1/drops", json=WISH), 503, "prefect-unavailable")

    def test_destroying_starts_its_run_once_and_names_who_asked(self, town: Town, acme: httpx.Client) -> None:
        """Destroying twice starts one run; a destroyed drop starts none."""
        acme.post("/v1/drops", json=WISH)
        drop = town.drop()
        for _ in range(2):
            assert acme.delete("/v1/drops/edge").status_code == 202
        parameters = {"drop_id": drop.id, "requested_by": "account:acme"}
        assert town.runs.started.pop(f"destroy-{drop.id}") == ("destroy-drop/destroy-drop", parameters)
        town.installation.drops.close(drop.id, Outcome.CANCELLED, None, None)
        town.installation.drops.shred(drop.id, NOW)
        town.runs.started.clear()
        assert acme.delete("/v1/drops/edge").json()["stage"] == "cancelled"
        assert town.runs.started == {}


class TestUpload:
    def test_an_invitation_comes_when_the_drop_is_open(self, town: Town, acme: httpx.Client) -> None:
        """While opening the answer is 409; then it is an invitation whose secret is on record as a digest only."""
        acme.post("/v1/drops", json=WISH)
        assert is_problem(acme.post("/v1/drops/edge/invitation"), 409, "not-ready")
        town.open_drops()
        invitation = parse_invitation(acme.post("/v1/drops/edge/invitation").content)
        assert (invitation.drop_id, invitation.account, invitation.hostname) == (town.drop().id, "acme", HOSTNAME)
        assert town.seed(town.drop())[1] != invitation.secret.hex()

    def test_an_upload_is_believed_when_it_is_there(self, town: Town, acme: httpx.Client) -> None:
        """Saying so with nothing in the drop is 409 and starts nothing; with an envelope in it the run starts."""
        acme.post("/v1/drops", json=WISH)
        town.open_drops()
        town.runs.started.clear()
        assert is_problem(acme.post("/v1/drops/edge/uploaded"), 409, "upload-pending")
        assert town.runs.started == {}
        drop = town.drop()
        town.store.arrive(drop.id, b"envelope")
        assert acme.post("/v1/drops/edge/uploaded").status_code == 202
        assert town.runs.started == {f"provision-{drop.id}": ("provision/provision", {"drop_id": drop.id})}

    def test_an_upload_is_taken_note_of_without_prefect(self, town: Town, acme: httpx.Client) -> None:
        """If Prefect does not answer the customer is done all the same: a watcher finds the upload."""
        acme.post("/v1/drops", json=WISH)
        town.open_drops()
        town.store.arrive(town.drop().id, b"envelope")
        town.runs.fail.append(PrefectUnavailable.because("api", "503"))
        assert acme.post("/v1/drops/edge/uploaded").status_code == 202

    def test_a_closed_hand_over_takes_nothing(self, town: Town, acme: httpx.Client) -> None:
        """After the end, an invitation and an announcement answer 410."""
        acme.post("/v1/drops", json=WISH)
        town.installation.drops.close(town.drop().id, Outcome.EXPIRED, None, None)
        town.installation.drops.shred(town.drop().id, NOW)
        for tail in ("invitation", "uploaded"):
            assert is_problem(acme.post(f"/v1/drops/edge/{tail}"), 410, "hand-over-closed")

    def test_a_silent_store_is_503(self, town: Town, acme: httpx.Client) -> None:
        """A store that does not answer is the platform's trouble, and says when to try again."""
        acme.post("/v1/drops", json=WISH)
        town.open_drops()
        town.store.fail.append(StoreUnavailable.because("drops", "503"))
        answer = acme.post("/v1/drops/edge/uploaded")
        assert is_problem(answer, 503, "store-unavailable")
        assert "Retry-After" in answer.headers


class TestForceHTTPS:
    PATH = f"/v1/sites/{HOSTNAME}/force-https"

    def test_is_refused_without_a_certificate(self, acme: httpx.Client) -> None:
        """The switch cannot be turned on for a hostname that is served over HTTP only, and the customer reads why."""
        assert is_problem(acme.put(self.PATH, json={"switch": "on"}), 422, "no-certificate")

    def test_off_is_recorded_and_its_run_started(self, town: Town, acme: httpx.Client) -> None:
        """The answer shows the hostname as it is on record now."""
        answer = acme.put(self.PATH, json={"switch": "off"})
        assert (answer.status_code, answer.json()["force_https"]) == (202, None)
        assert [run[0] for run in town.runs.started.values()] == ["force-https/force-https"]

    def test_anothers_hostname_is_not_there(self, acme: httpx.Client) -> None:
        """As everywhere: not yours and not there look the same."""
        assert is_problem(
            acme.put("/v1/sites/rival.example.test/force-https", json={"switch": "off"}), 404, "not-found"
        )


class TestTokens:
    def test_no_token_an_unknown_one_and_a_revoked_one_get_one_answer(self, town: Town) -> None:
        """401, with one and the same text, on every route but health."""
        token_id, revoked = issue_token("acme", NOW)
        town.installation.accounts.revoke_token(token_id, NOW)
        answers = []
        for headers in (
            {},
            {"Authorization": "Bearer cf_guess"},
            {"Authorization": f"Bearer {revoked}"},
            {"Authorization": "Basic eDp5"},
        ):
            with httpx.Client(base_url="https://desk.test", transport=town.network, headers=headers) as client:
                answers.append(client.get("/v1/drops"))
        assert {(a.status_code, a.text) for a in answers} == {(401, answers[0].text)}
        assert is_problem(answers[0], 401, "forbidden")
        assert answers[0].headers["WWW-Authenticate"] == "Bearer"

    def test_every_route_asks_for_a_token_but_health(self, town: Town) -> None:
        """A route added without the caller's dependency would answer somebody unknown; none does."""
        body = {"name": "a", "app": "a", "hostname": "a.test", "subject": "a", "body": "a"}
        open_to_all = set()
        with httpx.Client(base_url="https://desk.test", transport=town.network) as client:
            for path, operations in town.app.openapi()["paths"].items():
                for method in operations:
                    answer = client.request(
                        method, path.format(name="a", ticket_id="t", hostname="a.test", month="2026-01"), json=body
                    )
                    if answer.status_code != 401:
                        open_to_all.add(path)
        assert open_to_all == {"/v1/health"}

    def test_a_token_has_so_many_requests_a_minute(self, town: Town) -> None:
        """The request after the last of the minute is 429 with Retry-After; another token is not touched by it."""
        limit = town.installation.settings.front_desk.requests_per_minute
        with town.client() as one, town.client() as other:
            statuses = [one.get("/v1/account").status_code for _ in range(limit + 1)]
            assert statuses == [200] * limit + [429]
            refused = one.get("/v1/account")
            assert is_problem(refused, 429, "too-many-requests")
            assert 0 < int(refused.headers["Retry-After"]) <= 60
            assert other.get("/v1/account").status_code == 200

    def test_guesses_use_up_their_own_count_only(self, town: Town) -> None:
        """Wrong tokens from one address meet 429 after a while, and a right token from there still passes."""
        limit = town.installation.settings.front_desk.requests_per_minute
        with town.client(token="cf_guess") as guesser, town.client() as customer:
            assert {guesser.get("/v1/drops").status_code for _ in range(limit)} == {401}
            assert guesser.get("/v1/drops").status_code == 429
            assert customer.get("/v1/drops").status_code == 200


class TestWindow:
    def test_it_slides(self) -> None:
        """A place is free again 60 seconds after the request that took it, not at the turn of a minute."""
        now = [0.0]
        window = Window(2, lambda: now[0])
        window.check_admits("a")
        now[0] = 30
        window.check_admits("a")
        with pytest.raises(TooManyRequests) as caught:
            window.check_admits("a")
        assert caught.value.retry_seconds == 31
        now[0] = 60
        window.check_admits("a")
        with pytest.raises(TooManyRequests):
            window.check_admits("a")

    def test_it_forgets_the_longest_silent_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A flood of callers takes no more memory than so many callers do, and a busy one stays counted."""
        monkeypatch.setattr("flows.front_desk_guards.MOST_CALLERS", 3)
        window = Window(2, lambda: 0.0)
        for flooder in range(10):
            window.check_admits(f"flood {flooder}")
            with suppress(TooManyRequests):
                window.check_admits("busy")
        with pytest.raises(TooManyRequests):
            window.check_admits("busy")
        window.check_admits("flood 0")
        window.check_admits("flood 0")


class TestKeyMaterial:
    @pytest.mark.parametrize("field", ["name", "app", "hostname", "surprise"])
    def test_a_key_in_any_field_is_refused_and_kept_nowhere(
        self, field: str, town: Town, acme: httpx.Client, caplog: pytest.LogCaptureFixture, tmp_path: Path
    ) -> None:
        """The answer says that a key was found; neither it, nor a log, nor the database has a line of the key."""
        caplog.set_level(logging.DEBUG)
        answer = acme.post("/v1/drops", json={**WISH, field: KEY})
        assert is_problem(answer, 422, "key-in-ticket")
        line = KEY.splitlines()[1]
        assert line not in answer.text + caplog.text
        assert all(line.encode() not in path.read_bytes() for path in tmp_path.iterdir())

    def test_a_key_in_a_ticket_is_recorded_as_refused_without_it(
        self, town: Town, acme: httpx.Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The ticket is kept as refused with the key taken out, the watcher is called, and the customer is told."""
        caplog.set_level(logging.DEBUG)
        acme.post("/v1/drops", json=WISH)
        answer = acme.post("/v1/tickets", json={"subject": "HTTPS", "body": f"Here it is:\n{KEY}", "drop": "edge"})
        assert is_problem(answer, 422, "key-in-ticket")
        (ticket,) = acme.get("/v1/tickets").json()
        assert ticket["state"] == "refused"
        assert f"watch-{ticket['id']}" in town.runs.started
        line = KEY.splitlines()[1]
        assert line not in json.dumps(ticket) + answer.text + caplog.text
        assert all(line.encode() not in path.read_bytes() for path in tmp_path.iterdir())

    def test_a_key_in_a_later_message_is_refused_too(self, acme: httpx.Client) -> None:
        """A message with a key is answered with 422 and stored without it."""
        ticket = acme.post("/v1/tickets", json={"subject": "HTTPS", "body": "please"}).json()
        answer = acme.post(f"/v1/tickets/{ticket['id']}/messages", json={"body": KEY})
        assert is_problem(answer, 422, "key-in-ticket")
        assert KEY.splitlines()[1] not in acme.get(f"/v1/tickets/{ticket['id']}").text

    def test_a_malformed_body_is_not_repeated(self, acme: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
        """What does not fit a form is named by field and fault; nothing of what was sent comes back or is logged."""
        caplog.set_level(logging.DEBUG)
        canary = "canary-7f3a"
        for content in (
            json.dumps({**WISH, canary: canary}),
            json.dumps({**WISH, "name": [canary]}),
            json.dumps(WISH | {"app": canary * 20}),
            f'{{"name": {canary}',
            json.dumps(canary),
        ):
            answer = acme.post("/v1/drops", content=content, headers={"Content-Type": "application/json"})
            assert is_problem(answer, 422, "bad-input")
            assert canary not in answer.text + caplog.text


class TestTickets:
    def test_a_ticket_is_filed_from_the_accounts_address(self, town: Town, acme: httpx.Client) -> None:
        """The sender is the account's contact, whatever the text says, and the drop is the one named."""
        acme.post("/v1/drops", json=WISH)
        body = {"subject": "HTTPS", "body": "From: ops@rival.test", "drop": "edge"}
        filed = acme.post("/v1/tickets", json=body)
        assert (filed.status_code, filed.json()["drop_id"]) == (201, town.drop().id)
        assert town.installation.tickets.fetch(filed.json()["id"]).sender == "ops@acme.test"
        assert town.runs.started[f"watch-{filed.json()['id']}"] == ("watch-tickets/watch-tickets", {})

    def test_a_ticket_stands_without_prefect(self, town: Town, acme: httpx.Client) -> None:
        """The scheduled watcher finds it."""
        town.runs.fail.append(PrefectUnavailable.because("api", "503"))
        assert acme.post("/v1/tickets", json={"subject": "HTTPS", "body": "please"}).status_code == 201

    def test_the_same_key_again_files_one_ticket_and_one_message(self, acme: httpx.Client) -> None:
        """A request whose answer got lost may be sent again with its Idempotency-Key."""
        headers = {"Idempotency-Key": "once"}
        filed = [acme.post("/v1/tickets", json={"subject": "a", "body": "b"}, headers=headers).json() for _ in "12"]
        path = f"/v1/tickets/{filed[0]['id']}/messages"
        said = [acme.post(path, json={"body": "and?"}, headers=headers).json() for _ in "12"]
        assert filed[0] == filed[1]
        assert [m["body"] for m in said[1]["messages"]] == ["b", "and?"]
        assert len(acme.get("/v1/tickets").json()) == 1

    def test_the_same_key_of_another_account_is_another_ticket(self, town: Town, acme: httpx.Client) -> None:
        """An idempotency key is the caller's own."""
        headers = {"Idempotency-Key": "once"}
        with town.client("rival") as rival:
            mine, theirs = (
                x.post("/v1/tickets", json={"subject": "a", "body": "b"}, headers=headers).json() for x in (acme, rival)
            )
        assert mine["id"] != theirs["id"]

    def test_a_foreign_ticket_cannot_be_told_from_none(self, town: Town, acme: httpx.Client) -> None:
        """Reading and writing on another account's ticket answer as for an id that nobody has."""
        ticket = acme.post("/v1/tickets", json={"subject": "a", "body": "b"}).json()["id"]
        nobodys = make_id("ticket", bytes(16))
        with town.client("rival") as rival:
            for method, tail, body in (("GET", "", None), ("POST", "/messages", {"body": "hello"})):
                foreign = rival.request(method, f"/v1/tickets/{ticket}{tail}", json=body)
                none = rival.request(method, f"/v1/tickets/{nobodys}{tail}", json=body)
                assert is_problem(foreign, 404, "not-found")
                assert foreign.text.replace(ticket, nobodys) == none.text
            assert rival.get("/v1/tickets").json() == []


class TestSites:
    def test_a_site_shows_the_records_it_needs(self, acme: httpx.Client) -> None:
        """The challenge and the CNAME are given as they go into a zone, and nothing is served yet."""
        (site,) = acme.get("/v1/sites").json()
        records = {(r["type"], r["name"]): r["value"] for r in site["records"]}
        assert records["CNAME", HOSTNAME] == "edge.platform.test"
        assert records["TXT", f"_certferry-challenge.{HOSTNAME}"].startswith("certferry-challenge=")
        assert (site["hostname"], site["served"]) == (HOSTNAME, None)

    def test_the_account_is_told_by_the_token(self, acme: httpx.Client) -> None:
        """A token says whose it is, and nobody else's."""
        assert acme.get("/v1/account").json()["account"] == "acme"


class TestStatements:
    def test_an_account_reads_what_it_pays_and_nobody_elses(self, town: Town, acme: httpx.Client) -> None:
        """A month of the shop is its price; the same page is empty for the rival."""
        town.charge("2026-03-01")

        statement = acme.get("/v1/statements/2026-04").json()

        assert (statement["total"], statement["currency"], statement["final"]) == ("3.20", "EUR", True)
        (line,) = statement["lines"]
        assert (line["hostname"], line["placement"], line["days"], line["amount"]) == (HOSTNAME, "shared", 30, "3.20")
        with town.client("rival") as rival:
            assert rival.get("/v1/statements/2026-04").json()["lines"] == []

    def test_without_a_month_it_is_this_one(self, town: Town, acme: httpx.Client) -> None:
        """Up to today, in the time zone of the price book."""
        town.charge("2026-03-01")
        now = town.installation.now()

        statement = acme.get("/v1/statement").json()

        assert (statement["month"], statement["final"]) == (f"{now:%Y-%m}", False)
        assert [line["days"] for line in statement["lines"]] == [now.day]

    def test_what_is_no_month_is_refused(self, acme: httpx.Client) -> None:
        """With an error of ours."""
        assert is_problem(acme.get("/v1/statements/2026-13"), 422, "bad-input")


class TestGuard:
    def test_a_large_body_is_413(self, acme: httpx.Client) -> None:
        """One byte over the limit is refused before anybody parses it; the limit itself is not."""
        fits = acme.post("/v1/drops", content=b" " * MAX_BODY_BYTES)
        over = acme.post("/v1/drops", content=b" " * (MAX_BODY_BYTES + 1))
        assert fits.status_code == 422
        assert is_problem(over, 413, "too-large")

    @pytest.mark.parametrize(
        ("length", "status", "code"), [(MAX_BODY_BYTES + 1, 413, "too-large"), (10, 408, "too-slow")]
    )
    def test_a_body_that_does_not_come_is_not_waited_for(
        self, town: Town, monkeypatch: pytest.MonkeyPatch, length: int, status: int, code: str
    ) -> None:
        """One announced as too large is refused at once, one that stays away is after a while."""
        monkeypatch.setattr("flows.front_desk_guards.BODY_TIMEOUT_SECONDS", 0.01 if status == 408 else 60)
        sent: list[Any] = []

        async def receive() -> Any:
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "headers": [(b"content-length", str(length).encode())]}
        asyncio.run(asyncio.wait_for(Guard(town.app)(scope, receive, send), 10))
        assert (sent[0]["status"], json.loads(sent[1]["body"])["code"]) == (status, code)

    def test_the_access_log_has_templates_only(self, acme: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
        """A line has method, route, status and time: no name, query, token or body."""
        caplog.set_level(logging.INFO, logger="certferry.front_desk.access")
        acme.get("/v1/drops/secret-name?token=cf_leak")
        acme.get("/nowhere/secret-name")
        lines = [r.getMessage() for r in caplog.records if r.name == "certferry.front_desk.access"]
        assert [x.rsplit(" ", 2)[0] for x in lines] == ["GET /v1/drops/{name} 404", "GET (no route) 404"]

    def test_a_defect_is_a_typed_500_and_its_message_is_not_logged(
        self, town: Town, acme: httpx.Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An exception nobody expected is logged by class and lines of code; its text may quote what was sent."""

        canary = "-".join(("canary", "7f3a"))  # the line of code itself is logged

        def break_down(_: str) -> None:
            raise RuntimeError(canary)

        monkeypatch.setattr(town.installation.drops, "list_of", break_down)
        answer = acme.get("/v1/drops")
        assert is_problem(answer, 500, "defect")
        assert "RuntimeError" in caplog.text
        assert canary not in caplog.text + answer.text

    def test_nothing_is_cached(self, acme: httpx.Client) -> None:
        """An invitation in a proxy's cache would be a secret in a proxy's cache."""
        assert acme.get("/v1/account").headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/nowhere", 404), ("PUT", "/v1/drops", 405)])
    def test_what_does_not_exist_is_typed_too(self, acme: httpx.Client, method: str, path: str, status: int) -> None:
        """An unknown path and an unknown method answer in the same form as everything."""
        answer = acme.request(method, path)
        assert (answer.status_code, set(answer.json())) == (status, PROBLEM)


class TestPages:
    def test_health_needs_no_token(self, town: Town) -> None:
        """A load balancer can ask."""
        with httpx.Client(base_url="https://desk.test", transport=town.network) as client:
            assert client.get("/v1/health").json() == {"status": "ok"}

    def test_the_page_shows_every_route_and_loads_nothing_from_elsewhere(self, town: Town) -> None:
        """The page for people is complete, works without the internet, and runs no script."""
        with httpx.Client(base_url="https://desk.test", transport=town.network) as client:
            page = client.get("/docs").text
            document = client.get("/openapi.json").json()
        operations = [(m.upper(), p) for p, o in document["paths"].items() for m in o]
        assert len(operations) == 17
        for method, path in operations:
            assert f"{method} {path}" in page
        assert not re.search(r"<(script|link|img|iframe)|src=|@import|url\(", page)

    def test_every_operation_and_every_field_is_described(self, town: Town) -> None:
        """A customer's programmer finds a sentence for everything that can be sent."""
        document = town.app.openapi()
        for operations in document["paths"].values():
            assert all(operation["description"] for operation in operations.values())
        assert document["components"]["schemas"]["DropWish"]["properties"]["name"]["description"]
