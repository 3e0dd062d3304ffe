"""The office that steps are tested on; they are called without Prefect, through `.fn`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.clients.installation import lend
from tests.office import Office, make_office
from tests.pki import CA


@pytest.fixture(name="authority", scope="session")
def _authority() -> CA:
    """An intermediate below the root that the office trusts."""
    return CA("Office Root").intermediate()


@pytest.fixture(name="office")
def _office(tmp_path: Path, authority: CA) -> Iterator[Office]:
    office = make_office(tmp_path, authority)
    with lend(office.here):
        office.settle()
        yield office
        office.here.database.dispose()
