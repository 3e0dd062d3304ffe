"""Guardrails for every test, and the office that steps and flows are tested on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pki import CA


@pytest.fixture(autouse=True)
def _guardrails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test reach an account or a Prefect server of the person who runs it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_PROFILE", "PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "CERTFERRY_SETTINGS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(name="authority", scope="session")
def _authority() -> CA:
    """An intermediate below a root that the office trusts."""
    return CA("Office Root").intermediate()
