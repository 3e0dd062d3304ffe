"""The office that an operator's commands are tested on, and a way to run them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tasks.clients.installation import lend
from tasks.customer.output import Output
from tasks.operator.cli import main
from tests.office import Office, make_office
from tests.pki import CA


@dataclass(frozen=True)
class Operator:
    """Somebody who runs ``certferry-operator`` in the office."""

    office: Office

    def run(self, *arguments: str) -> tuple[int, Any]:
        """Run a command with ``--json``; give its exit code and its document."""
        shown = io.StringIO()
        code = main(arguments, Output(as_json=True, out=shown))
        return code, json.loads(shown.getvalue())

    def succeed(self, *arguments: str) -> Any:
        """Run a command that must succeed, and give its document."""
        code, document = self.run(*arguments)
        assert code == 0, document
        return document

    def refused(self, *arguments: str) -> tuple[int, str]:
        """Run a command that must fail, and give its exit code and its error's code."""
        code, document = self.run(*arguments)
        return code, document["error"]["code"]

    def read(self, *arguments: str) -> str:
        """Run a command as a person does, and give what it draws."""
        shown = io.StringIO()
        assert main(arguments, Output(out=shown, err=shown)) == 0, shown.getvalue()
        return shown.getvalue()

    def wait_at(self, gate: str, drop_id: str) -> str:
        """Let a run of the drop wait at *gate*, and give its id."""
        run = self.office.runs.start("provision/provision", {"drop_id": drop_id}, f"provision-{drop_id}", "provision")
        self.office.here.drops.attach_run(drop_id, run)
        self.office.runs.suspend(run, gate)
        return run


@pytest.fixture(name="authority", scope="session")
def _authority() -> CA:
    return CA("Office Root").intermediate()


@pytest.fixture(name="operator")
def _operator(tmp_path: Path, authority: CA) -> Iterator[Operator]:
    office = make_office(tmp_path, authority)
    with lend(office.here):
        office.settle()
        yield Operator(office)
        office.here.database.dispose()
