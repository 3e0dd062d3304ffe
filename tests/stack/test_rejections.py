"""Rejections that only a whole stack can show: the gate asks again, the run ends, the customer reads why."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.stack.conftest import Completed
from tests.stack.world import Customer, World, await_value


@pytest.fixture(name="opened", scope="module")
def _opened(world: World) -> tuple[Customer, str, str]:
    """A hand-over that operator olive asked for herself, at the approval gate: customer, drop, run."""
    customer = world.customer("selfmade", "selfmade.example.test")
    customer.buy_certificate()
    wish = {"account": "selfmade", "app": customer.app, "hostname": customer.hostname, "requested_by": "olive"}
    world.prefect.await_state(world.prefect.start("open-drop", wish), "Completed")
    with closing(world.records()) as records:
        query = "SELECT id FROM drops WHERE account = 'selfmade'"
        drop_id = str(records.execute(query).fetchone()[0])
    run_id = customer.push_and_ask(drop_id, "--invitation", str(customer.accept_invitation(drop_id)))
    return customer, drop_id, run_id


@pytest.fixture(name="mallory", scope="module")
def _mallory(world: World) -> Customer:
    return world.customer("mallory", "mallory.example.test", live=False)


class TestSelfApproval:
    def test_is_asked_again_and_a_colleague_decides(self, world: World, opened: tuple[Customer, str, str]) -> None:
        """Olive may not approve what she asked for: the gate asks again, says why, and takes a colleague's no."""
        customer, drop_id, run_id = opened
        first = world.prefect.await_gate(run_id, "approval")

        world.prefect.resume(run_id, {"decision": "approve", "name": "olive"})
        world.prefect.await_gate(run_id, "approval", other_than=first)

        assert world.count("approvals", "subject = ?", drop_id) == 0
        assert "the same person asked for this" in world.prefect.question_of(run_id)

        world.prefect.resume(run_id, {"decision": "reject", "name": "oscar", "note": "not this week"})
        assert world.prefect.await_state(run_id, "Rejected", "Completed", "Failed") == "Rejected"

        (ticket,) = customer.succeed("ticket", "list")
        assert "not this week" in " ".join(message["body"] for message in ticket["messages"])
        assert ticket["state"] == "closed"
        assert world.object_versions(f"drops/{drop_id}") == []
        assert world.count("ledger", "account = ?", customer.account) == 0


class TestKeyInTicket:
    def test_ends_the_hand_over(self, world: World) -> None:
        """The ticket is refused, the customer told why, the key marked compromised, the run Rejected."""
        customer = world.customer("careless", "careless.example.test")
        issued = customer.buy_certificate()
        drop_id = customer.create()
        assert customer.push().code == 0
        run = await_value(lambda: world.prefect.run_of(drop_id), "the provision run")
        world.prefect.await_gate(run["id"], "ticket")
        body = f"Here is everything you need for {drop_id}:\n{issued.key.decode()}"

        answer = customer.send("POST", "/v1/tickets", {"subject": "HTTPS, please", "body": body, "drop": "edge"})

        assert answer.is_client_error
        assert answer.json()["code"] == "key-in-ticket"
        assert world.prefect.await_state(run["id"], "Rejected", "Completed", "Failed") == "Rejected"
        shown = customer.succeed("status", "edge")
        assert (shown["stage"], shown["outcome_code"]) == ("rejected", "key-in-ticket")
        (ticket,) = customer.succeed("ticket", "list")
        assert "compromised" in " ".join(message["body"] for message in ticket["messages"])
        assert world.count("compromised_keys", "why LIKE ?", f"%{ticket['id']}%") == 1
        assert world.count("assignments", "hostname = ?", customer.hostname) == 0
        assert world.object_versions(f"drops/{drop_id}") == []


class TestForeignToken:
    """Another account's names look exactly like names that are not there."""

    @pytest.mark.parametrize("command", ["status", "destroy", "push"])
    def test_touches_no_foreign_drop(self, mallory: Customer, completed: Completed, command: str) -> None:
        """A drop of another account is not found, by name or by id."""
        files = [str(completed.customer.home / "files")] if command == "push" else []

        ended = mallory.run(command, "edge", *files)

        assert (ended.code, ended.document["error"]["code"]) == (1, "not-found")

    def test_opens_no_drop_for_a_foreign_hostname(self, mallory: Customer, completed: Completed) -> None:
        """A hostname of another account is one that is not there, for either app."""
        for app in (mallory.app, completed.customer.app):
            ended = mallory.run("create", "mine", "--app", app, "--hostname", completed.customer.hostname)

            assert (ended.code, ended.document["error"]["code"]) == (1, "not-found")

    def test_reads_no_foreign_ticket(self, mallory: Customer, completed: Completed) -> None:
        """A ticket of another account cannot be read, even by its id."""
        (ticket,) = completed.customer.succeed("ticket", "list")

        ended = mallory.run("ticket", "show", ticket["id"])

        assert (ended.code, ended.document["error"]["code"]) == (1, "not-found")

    def test_made_up_token_opens_nothing(self, mallory: Customer) -> None:
        """A token that nobody was given is refused at login."""
        ended = mallory.run("login", "--token-stdin", stdin="cf_" + "a" * 43)

        assert (ended.code, ended.document["error"]["code"]) == (1, "forbidden")
