"""One running stack for all tests in this directory, on free ports, below a temporary directory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deployments.local.configuration import APPROVER
from deployments.local.pki import Issued
from deployments.local.ports import Ports
from deployments.local.stack import Stack
from tests.leaks import ProcessWatch
from tests.stack.world import Customer, World

UPLOAD_LIFETIME = timedelta(seconds=60)  # the second sweep follows it, which the last test looks at


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the stack, and keep it in one process where tests run in several."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.stack)
            item.add_marker(pytest.mark.xdist_group("stack"))


@pytest.fixture(name="world", scope="session")
def _world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything real, up and running, watched from the first moment on."""
    root = tmp_path_factory.mktemp("stack")
    stack = Stack(root / "state", Ports.free(), upload_lifetime=UPLOAD_LIFETIME, die_with_parent=True)
    with ProcessWatch() as watch:
        stack.up()
        try:
            yield World(stack, root, watch)
        finally:
            stack.down()


@dataclass(frozen=True)
class Completed:
    """A hand-over that has ended well."""

    customer: Customer
    drop_id: str
    run_id: str
    issued: Issued
    ended_at: datetime


@pytest.fixture(name="completed", scope="session")
def _completed(world: World) -> Completed:
    """A hand-over from the customer's directory to both edges, by the two commands and the Prefect API."""
    customer = world.customer("acme", "shop.example.test")
    drop_id, run_id, issued = customer.hand_over()
    world.operate("approve", drop_id, "--name", APPROVER, "--note", "as agreed")
    world.prefect.await_state(run_id, "Completed")
    return Completed(customer, drop_id, run_id, issued, ended_at=datetime.now(UTC))
