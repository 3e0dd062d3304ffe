"""A whole hand-over on a real stack, judged from outside: by openssl, the app, S3, SQL and the leak scanner."""

from __future__ import annotations

import json
import stat
from contextlib import closing
from hashlib import sha256

import pytest

from deployments.local.ports import EDGE_ADDRESSES
from tests.leaks import scan_tree
from tests.stack.conftest import Completed
from tests.stack.world import World, ask_over_https, leaf_seen_by_openssl, leaf_sha256

ADDRESSES = list(EDGE_ADDRESSES.values())
SPOOFED = {
    "X-Forwarded-Port": "80",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-For": "203.0.113.7",
    "Forwarded": "for=203.0.113.7;proto=http",
}


class TestSeenFromOutside:
    @pytest.mark.parametrize("address", ADDRESSES)
    def test_both_edges_serve_the_customers_leaf(self, world: World, completed: Completed, address: str) -> None:
        """`openssl s_client` sees the customer's leaf on both edges, trusted, under its own name."""
        assert leaf_seen_by_openssl(world.stack, address, "shop.example.test") == leaf_sha256(completed.issued)

    @pytest.mark.parametrize("address", ADDRESSES)
    def test_app_is_told_port_and_protocol(self, world: World, completed: Completed, address: str) -> None:
        """The app sees the forwarded port 443 and https, and the Host as the visitor typed it."""
        status, body = ask_over_https(world.stack, address, completed.customer.hostname, "/headers")

        seen = json.loads(body)
        assert (status, seen["x-forwarded-port"], seen["x-forwarded-proto"]) == (200, "443", "https")
        assert seen["host"] == "shop.example.test"

    @pytest.mark.parametrize("address", ADDRESSES)
    def test_spoofed_headers_are_overwritten(self, world: World, completed: Completed, address: str) -> None:
        """What a visitor claims about where the request came from does not reach the app."""
        _, body = ask_over_https(world.stack, address, completed.customer.hostname, "/headers", SPOOFED)

        seen = json.loads(body)
        assert (seen["x-forwarded-port"], seen["x-forwarded-proto"]) == ("443", "https")
        assert "203.0.113.7" not in body.decode()

    @pytest.mark.parametrize("address", ADDRESSES)
    def test_piggyback_answers_over_https(self, world: World, completed: Completed, address: str) -> None:
        """The app's regular address answers over HTTPS too, with the platform's wildcard certificate."""
        name = f"{completed.customer.app}.apps.platform.test"

        assert leaf_seen_by_openssl(world.stack, address, name) != leaf_sha256(completed.issued)
        assert ask_over_https(world.stack, address, name, "/")[0] == 200


class TestOnRecord:
    def test_exactly_one_ledger_entry(self, world: World, completed: Completed) -> None:
        """The account pays for 160 MB, once."""
        with closing(world.records()) as records:
            query = "SELECT megabytes, unit_price, currency FROM ledger WHERE account = ?"
            lines = records.execute(query, [completed.customer.account]).fetchall()

        assert [(megabytes, float(price), currency) for megabytes, price, currency in lines] == [(160, 0.05, "EUR")]

    def test_one_approval_by_the_person_who_gave_it(self, world: World, completed: Completed) -> None:
        """The approval is on record with name and note, and nobody was asked twice."""
        with closing(world.records()) as records:
            query = "SELECT decision, approver, note FROM approvals WHERE subject = ?"
            approvals = records.execute(query, [completed.drop_id]).fetchall()

        assert approvals == [("approve", "olive", "as agreed")]

    def test_audit_trail_is_whole(self, world: World, completed: Completed) -> None:
        """The chain of the audit trail verifies, and tells the hand-over from request to destruction."""
        assert world.operate("audit", "verify")["intact"] is True
        actions = [entry["action"] for entry in world.operate("audit", "show", completed.drop_id)]
        assert actions[0] == "drop.requested"
        assert "drop.destroyed" in actions

    def test_ticket_is_answered_with_the_proof(self, world: World, completed: Completed) -> None:
        """The customer reads on the ticket what is served, and that the drop is destroyed; the ticket is closed."""
        (ticket,) = completed.customer.succeed("ticket", "list")
        text = " ".join(message["body"] for message in ticket["messages"])

        assert ticket["state"] == "closed"
        assert leaf_sha256(completed.issued) in text
        assert "destroyed" in text

    def test_customer_sees_it_completed(self, completed: Completed) -> None:
        """`certferry status` says that it is done, and that it is nobody's turn."""
        shown = completed.customer.succeed("status", "edge")

        assert (shown["stage"], shown["turn"]) == ("completed", "nobody")


class TestDestroyed:
    def test_no_object_version_is_left(self, world: World, completed: Completed) -> None:
        """S3 holds no version and no delete marker of the drop."""
        assert world.object_versions(f"drops/{completed.drop_id}") == []

    def test_wrapped_seed_is_gone_from_the_database_files(self, world: World, completed: Completed) -> None:
        """Not only from the table: from every page, the journal and the write-ahead log."""
        files = sorted(world.stack.place.root.glob("records.db*"))

        assert files
        assert scan_tree(files, world.wrapped_seeds([completed.drop_id])) == []
        assert world.count("drops", "id = ? AND wrapped_seed IS NULL", completed.drop_id) == 1


class TestKeyIsOnTheEdgesOnly:
    @pytest.mark.parametrize("edge", EDGE_ADDRESSES)
    def test_key_lies_in_a_file_only_its_owner_reads(self, world: World, completed: Completed, edge: str) -> None:
        """Each edge holds the key in one file, named by its content, mode 0600: and there the scanner does find it."""
        directory = world.stack.place.edge_directory(edge)
        (file,) = [f for f in (directory / "bundles").iterdir() if f.read_bytes() == completed.issued.bundle]

        assert file.name == f"{sha256(completed.issued.bundle).hexdigest()}.pem"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert scan_tree([file], world.all_secrets)
