"""What the tests of the rules share: one authority, one hostname, one moment."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.pki import CA, Issued

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(name="root", scope="session")
def _root() -> CA:
    return CA("Example Root", now=NOW)


@pytest.fixture(name="intermediate", scope="session")
def _intermediate(root: CA) -> CA:
    return root.intermediate("Example Intermediate")


@pytest.fixture(name="good", scope="session")
def _good(intermediate: CA) -> Issued:
    return intermediate.issue(["shop.example.test", "www.example.test"])
