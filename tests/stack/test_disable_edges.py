"""Force HTTPS and disable on two real edges, the flows played without Prefect: what a visitor gets, from outside."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from flows import disable, force_https
from tasks.adjust_billing import adjust_billing
from tasks.clients.edges import NginxEdge
from tasks.clients.probes import NetworkProbe
from tasks.close_hand_over import close_hand_over
from tasks.confirm_edges import confirm_edges
from tasks.core.model import EntryKind, Hostname, Outcome
from tasks.provision_edges import provision_edges
from tasks.request_removal import request_removal
from tests.client_hello import leaf_shown_to
from tests.edge_server import RunningEdge, running_edge, running_platform
from tests.office import SHOP, Office, _authority, _office
from tests.theatre import Theatre, _theatre, without_prefect

__all__ = ["_authority", "_office", "_theatre"]

APP = Hostname("shop.apps.platform.test")


@pytest.fixture(name="pair")
def _pair(
    office: Office, theatre: Theatre, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[RunningEdge, RunningEdge]]:
    """Two nginx with the platform behind them, in the place of the office's fakes; SHOP is handed over to them."""
    without_prefect(monkeypatch, (disable, force_https))
    with (
        running_platform(tmp_path, [SHOP, APP]) as gateway,
        running_edge(tmp_path / "a", gateway, "a") as one,
        running_edge(tmp_path / "b", gateway, "b") as other,
    ):
        edges = (NginxEdge(one.settings), NginxEdge(other.settings))
        office.here.__dict__.update(edges=edges, probe=NetworkProbe())
        office.here.settings = office.here.settings.model_copy(update={"edges": [one.settings, other.settings]})
        piggyback = office.ca.issue(["*.apps.platform.test"])
        digest = sha256(piggyback.edge_pem).hexdigest()
        for edge in edges:
            edge.stage(digest, piggyback.edge_pem)
            edge.set_piggyback(Hostname("apps.platform.test"), digest)
        certificate = office.match()
        provision_edges.fn(certificate.drop_id, office.approve(certificate.drop_id))
        confirm_edges.fn(certificate.drop_id)
        adjust_billing.fn(certificate.drop_id)
        close_hand_over.fn(certificate.drop_id, Outcome.COMPLETED)
        yield one, other


def test_from_forced_to_disabled(office: Office, theatre: Theatre, pair: tuple[RunningEdge, RunningEdge]) -> None:
    """308 and HSTS by both edges; then no handshake and no redirect, HTTP 200, the app's own name unaffected."""
    force_https.force_https.fn(SHOP, "on-with-hsts", "oscar")
    probe, trust = NetworkProbe(), office.here.settings.trust
    for edge in pair:
        assert probe.ask_plainly(edge.settings, SHOP).status == 308
        shown = probe.handshake(edge.settings, SHOP, trust, office.here.now())
        assert (shown.http_status, shown.chain_trusted, shown.hsts) == (200, True, "max-age=300")

    removal = request_removal(office.here.accounts.fetch_site(SHOP, "acme"), "account:acme", office.here.now())
    office.file(removal.id)
    theatre.answer("approval", decision="approve", name="olga")
    assert disable.disable.fn(removal_id=removal.id)["outcome"] == "completed"

    for edge in pair:
        where = (edge.settings.address, edge.settings.https_port)
        assert leaf_shown_to(where, SHOP.encode()) is None
        assert probe.find_refusal(edge.settings, SHOP) == "TLSV1_ALERT_INTERNAL_ERROR"
        assert probe.ask_plainly(edge.settings, SHOP).status == 200
        apps = probe.handshake(edge.settings, APP, trust, office.here.now())
        assert (apps.http_status, apps.chain_trusted) == (200, True)
        assert [*(edge.settings.directory / "force-https").iterdir()] == []
        assert len([*(edge.settings.directory / "bundles").iterdir()]) == 1  # the platform's own
    kinds = [entry.kind for entry in office.here.billing.list_entries("acme")]
    assert kinds == [EntryKind.ENABLE, EntryKind.DISABLE]
    assert "handshake refused (TLSV1_ALERT_INTERNAL_ERROR), plain HTTP 200" in office.answers(removal.id)
