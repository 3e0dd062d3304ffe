"""A town with a front desk, and a customer in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.clients.installation import lend
from tests.desk import Customer, Town, make_town


@pytest.fixture(name="town")
def _town(tmp_path: Path) -> Iterator[Town]:
    with lend(make_town(tmp_path)) as installation:
        yield Town(installation)
        installation.database.dispose()


@pytest.fixture(name="customer")
def _customer(town: Town, tmp_path: Path) -> Customer:
    return Customer(town, tmp_path / "home")
