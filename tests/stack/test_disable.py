"""Force HTTPS and disable, on the real stack: what visitors, the customer and the vault see of them, from outside."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from deployments.local.configuration import APPROVER
from deployments.local.ports import EDGE_ADDRESSES
from tasks.clients.installation import Installation, lend
from tasks.clients.settings import load_settings
from tasks.core import policy
from tasks.destroy_vault_copies import destroy_vault_copies, list_kept
from tests.client_hello import leaf_shown_to
from tests.stack.world import Customer, World, ask_over_https, await_value, leaf_seen_by_openssl

ADDRESSES = list(EDGE_ADDRESSES.values())


@dataclass(frozen=True)
class Served:
    """A hostname that was handed over for these tests, and its drop."""

    customer: Customer
    drop_id: str


@pytest.fixture(name="served", scope="module")
def _served(world: World) -> Served:
    customer = world.customer("leaver", "leaver.example.test")
    drop_id, run_id, _ = customer.hand_over()
    world.operate("approve", drop_id, "--name", APPROVER)
    world.prefect.await_state(run_id, "Completed")
    return Served(customer, drop_id)


class TestForceHTTPS:
    def test_visitors_are_sent_to_https_and_no_more(self, world: World, served: Served) -> None:
        """The customer turns it on: both edges answer 308 and promise five minutes; off again: neither."""
        hostname = served.customer.hostname
        shown = served.customer.succeed("force-https", hostname, "on", "--hsts")
        assert shown["force_https"]["hsts"] == "max-age=300"
        for address in ADDRESSES:
            await_status(world, address, hostname, 308)
            assert plain(world, address, hostname)[1]["location"].startswith(f"https://{hostname}")
            assert head_over_https(world, address, hostname)["strict-transport-security"] == "max-age=300"
            assert ask_over_https(world.stack, address, hostname, "/")[0] == 200

        served.customer.succeed("force-https", hostname, "off")
        for address in ADDRESSES:
            await_status(world, address, hostname, 200)
            assert head_over_https(world, address, hostname)["strict-transport-security"] == "max-age=0"

    def test_is_refused_where_no_certificate_is(self, world: World) -> None:
        """A hostname on HTTP only keeps its visitors."""
        other = world.customer("plainly", "plainly.example.test")
        ended = other.run("force-https", other.hostname, "on")
        assert (ended.code, ended.document["error"]["code"]) == (1, "no-certificate")
        assert plain(world, ADDRESSES[0], other.hostname)[0] == 200


class TestDisable:
    def test_by_ticket_and_approval_it_is_gone(self, world: World, served: Served) -> None:
        """
        HTTPS is refused by both edges and HTTP works, the app's own name still has HTTPS, the charge has ended, the
        customer reads what was seen; and after the grace period no copy is left in the vault.
        """
        customer = served.customer
        filed = customer.succeed("disable", customer.hostname)
        removal_id = str(filed["drop_id"])
        run_id = await_value(lambda: run_of(world, removal_id), "a run for the removal")
        world.prefect.await_gate(run_id, "approval")
        for address in ADDRESSES:
            assert leaf_seen_by_openssl(world.stack, address, customer.hostname)  # nothing before the approval

        world.operate("approve", removal_id, "--name", APPROVER)
        world.prefect.await_state(run_id, "Completed")

        for address in ADDRESSES:
            where = (address, world.stack.place.ports.edge_https)
            assert leaf_shown_to(where, customer.hostname.encode()) is None
            with pytest.raises(subprocess.CalledProcessError):
                leaf_seen_by_openssl(world.stack, address, customer.hostname)
            assert plain(world, address, customer.hostname)[0] == 200
            assert ask_over_https(world.stack, address, f"{customer.app}.apps.platform.test", "/")[0] == 200
        assert world.count("ledger", "account = ? AND kind = 'disable'", customer.account) == 1
        assert world.count("assignments", "hostname = ?", customer.hostname) == 0
        for edge in EDGE_ADDRESSES:
            assert not (world.stack.place.edge_directory(edge) / "force-https" / customer.hostname).exists()
        (ticket,) = [t for t in customer.succeed("ticket", "list") if t["id"] == filed["id"]]
        text = " ".join(message["body"] for message in ticket["messages"])
        assert ticket["state"] == "closed"
        assert "handshake refused" in text
        assert "Its charge ended on" in text

        with later(world, policy.VAULT_GRACE) as here:
            vault_key = next(c.vault_key for c in here.certificates.list_of(customer.hostname, customer.account))  # type: ignore[arg-type]
            assert removal_id in list_kept()
            destroy_vault_copies.fn(removal_id)
            assert here.vault.delete(vault_key).empty
        assert world.count("certificates", "hostname = ? AND wrapped_data_key IS NULL", customer.hostname) == 1
        assert world.count("audit", "action = 'vault.cleared' AND subject = ?", removal_id) == 1
        assert world.operate("audit", "verify")["intact"] is True


class Later(Installation):
    """The stack's installation with its clock put forward."""

    ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@contextmanager
def later(world: World, ahead: timedelta) -> Iterator[Installation]:
    """Lend the running stack's installation at a later time, with an operator's access to its store."""
    environment = world.stack.operator_environment()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, environment[name])
        here = Later(load_settings(world.stack.place.settings_file))
        here.ahead = ahead
        with lend(here):
            yield here
        here.database.dispose()


def run_of(world: World, removal_id: str) -> str | None:
    """Give the id of the run that carries a removal, or None."""
    runs = world.prefect.call("POST", "/flow_runs/filter", {"flows": {"name": {"any_": ["disable"]}}})
    return next((str(run["id"]) for run in runs if run["parameters"].get("removal_id") == removal_id), None)


def plain(world: World, address: str, hostname: str) -> tuple[int, dict[str, str]]:
    """Ask an edge for ``/`` over plain HTTP, and give status and headers."""
    with socket.create_connection((address, world.stack.place.ports.edge_http), timeout=10) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {hostname}\r\nConnection: close\r\n\r\n".encode())
        with closing(connection.makefile("rb")) as stream:
            return parse_head(stream.read())


def await_status(world: World, address: str, hostname: str, status: int) -> None:
    """Wait until an edge answers *status* over plain HTTP."""
    await_value(lambda: plain(world, address, hostname)[0] == status or None, f"status {status} of {hostname}")


def head_over_https(world: World, address: str, hostname: str) -> dict[str, str]:
    """Ask an edge for ``/`` over HTTPS: the headers of the answer."""
    asked = subprocess.run(
        [
            *("openssl", "s_client", "-quiet", "-connect", f"{address}:{world.stack.place.ports.edge_https}"),
            *("-servername", hostname, "-CAfile", str(world.stack.ca.root_file)),
        ],
        input=f"GET / HTTP/1.1\r\nHost: {hostname}\r\nConnection: close\r\n\r\n".encode(),
        capture_output=True,
        timeout=30,
        check=False,
    )
    return parse_head(asked.stdout)[1]


def parse_head(answer: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split()[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}
