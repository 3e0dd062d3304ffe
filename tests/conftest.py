"""Guardrails for every test."""

from __future__ import annotations

import pytest

_PERSONAL = ("AWS_PROFILE", "PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "CERTFERRY_SETTINGS")


@pytest.fixture(autouse=True)
def _guardrails(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test reach the account, the Prefect server or the installation of the person who runs it."""
    if request.node.get_closest_marker("stack"):
        return  # the stack has an account and a server of its own, and names them itself
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in _PERSONAL:
        monkeypatch.delenv(name, raising=False)
