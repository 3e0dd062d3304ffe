"""What an operator sees beside a run of what was found in a customer's files."""

from __future__ import annotations

import httpx
import pytest
from cryptography import x509

from tasks import artifacts
from tasks.core.errors import BadBundle
from tasks.ingest_secrets import ingest_secrets
from tests.leaks import Secrets, scan_bytes
from tests.office import SHOP, Office

MUST_STAPLE = x509.TLSFeature([x509.TLSFeatureType.status_request])


@pytest.fixture(name="shown")
def _shown(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The Markdown of each artifact by its key, as if there were a run."""
    shown: dict[str, str] = {}

    def keep(markdown: str, key: str, description: str) -> None:
        assert description
        shown[key] = markdown

    monkeypatch.setattr(artifacts, "_in_run", lambda: True)
    monkeypatch.setattr(artifacts, "note", lambda _: None)
    monkeypatch.setattr(artifacts, "create_markdown_artifact", keep)
    return shown


class TestFindings:
    def test_of_a_refusal_are_shown_with_letters_before_the_run_ends(
        self, office: Office, shown: dict[str, str]
    ) -> None:
        """The operator can send on what the customer must do; nothing of the key is in it."""
        issued = office.ca.issue(["www.example.test"], days=3)
        drop = office.open()
        office.upload(drop, issued.files())

        with pytest.raises(BadBundle):
            ingest_secrets.fn(drop.id)

        report = shown["findings-shop-example-test"]
        assert report.startswith(f"## Refused: 2 things to mend before these files can be handed over for {SHOP}.")
        for said in ("`name-mismatch`", "`expires-too-soon`", "Ready to send:", "openssl req -new", "intermediate"):
            assert said in report
        assert scan_bytes("".join(shown.values()).encode(), Secrets.of_key(issued.key_pem)) == []

    def test_that_only_warn_are_shown_beside_the_certificate(self, office: Office, shown: dict[str, str]) -> None:
        """The hand-over goes on."""
        drop = office.open()
        office.upload(drop, office.ca.issue([SHOP], extra=[MUST_STAPLE]).files())

        ingest_secrets.fn(drop.id)

        assert shown["findings-shop-example-test"].startswith("## Good, with 1 warning: these files can serve")
        assert "certificate-shop-example-test" in shown

    def test_that_ask_nothing_of_anybody_are_not_shown(self, office: Office, shown: dict[str, str]) -> None:
        """Good files leave the certificate only."""
        office.ingest()
        assert list(shown) == ["certificate-shop-example-test"]

    def test_cost_no_step_where_prefect_does_not_answer(self, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        """An artifact is a convenience; the refusal is the same."""

        def fail(**_: str) -> None:
            raise httpx.ConnectError("down")

        monkeypatch.setattr(artifacts, "_in_run", lambda: True)
        monkeypatch.setattr(artifacts, "create_markdown_artifact", fail)
        drop = office.open()
        office.upload(drop, office.ca.issue(["www.example.test"]).files())
        with pytest.raises(BadBundle):
            ingest_secrets.fn(drop.id)
