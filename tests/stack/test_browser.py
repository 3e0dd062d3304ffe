"""The same provisioning, clicked by an operator through the Prefect UI in a headless Chromium."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from deployments.local.ports import EDGE_ADDRESSES
from tests.browser import PrefectUI, find_chromium
from tests.stack.world import World, leaf_seen_by_openssl, leaf_sha256

pytestmark = pytest.mark.browser


@pytest.fixture(name="screenshots")
def _screenshots(tmp_path: Path) -> Path:
    """Where pictures are kept: ``CERTFERRY_SCREENSHOTS``, to look at them afterwards."""
    return Path(os.environ.get("CERTFERRY_SCREENSHOTS") or tmp_path)


@pytest.fixture(autouse=True)
def _chromium() -> None:
    if find_chromium() is None:
        if os.environ.get("CERTFERRY_REQUIRE_BROWSER") == "1":
            pytest.fail("no Chromium, and CERTFERRY_REQUIRE_BROWSER=1: apt-get install chromium")
        pytest.skip("no Chromium on this machine: the Prefect UI is not driven (apt-get install chromium)")


class TestOperatorInTheBrowser:
    def test_opens_a_drop_and_approves(self, world: World, screenshots: Path) -> None:
        """From the form of open-drop, over an invitation as a file, to the Resume dialog: both edges serve the leaf."""
        customer = world.customer("clicked", "www.example.test")
        issued = customer.buy_certificate()
        fields = {
            "Account": "clicked",
            "App": customer.app,
            "Hostname": customer.hostname,
            "Hand-over": "edge",
            "Your name": "olive",
        }

        with PrefectUI(world.stack.place.prefect_url, world.prefect.auth) as ui:
            ui.login()
            ui.open("deployments", "open-drop")
            ui.screenshot(screenshots / "1-deployments.png")
            opening = ui.run_deployment(
                world.prefect.deployment_id("open-drop"), fields, screenshots / "2-open-drop-form.png"
            )
            world.prefect.await_state(opening, "Completed")
            ui.open(f"runs/flow-run/{opening}", "Completed")
            ui.screenshot(screenshots / "3-drop-opened.png")

            drop_id = _drop_of(world, customer.account)
            run_id = customer.push_and_ask(drop_id, "--invitation", str(customer.accept_invitation(drop_id)))

            answer = {"Decision": "approve", "Your name": "oscar", "Note": "looked at it"}
            shown = ui.resume(run_id, "Digest of this plan", answer, screenshots / "4-approve.png")
            world.prefect.await_state(run_id, "Completed")
            ui.open(f"runs/flow-run/{run_id}", "Completed")
            ui.screenshot(screenshots / "5-completed.png")
            ui.open("artifacts", "Receipt")
            ui.screenshot(screenshots / "6-artifacts.png")

        assert leaf_sha256(issued) in shown.replace(" ", "")
        for said in (customer.hostname, customer.account, "certferry local vendor", "edge-a, edge-b", "8.00 EUR"):
            assert said in shown
        assert {leaf_sha256(issued)} == {
            leaf_seen_by_openssl(world.stack, address, customer.hostname) for address in EDGE_ADDRESSES.values()
        }
        assert world.count("ledger", "account = ?", customer.account) == 1


def _drop_of(world: World, account: str) -> str:
    with closing(world.records()) as records:
        ((drop_id,),) = records.execute("SELECT id FROM drops WHERE account = ?", [account]).fetchall()
    return str(drop_id)
