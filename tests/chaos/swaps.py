"""
Live traffic: thousands of certificate swaps on a pair of real edges, under HTTPS load, and nobody notices.

    python -m tests.chaos.swaps 10000

Each swap brings a new certificate: staged on both edges, pointed at on one, seen from outside, then on the other; the
one before is discarded. Visitors ask both edges all the time, on new connections and on kept ones.
"""

from __future__ import annotations

import argparse
import ssl
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from rich.console import Console
from rich.progress import track

from tasks.clients.edges import NginxEdge
from tasks.clients.probes import NetworkProbe
from tasks.clients.settings import Trust
from tasks.core.model import Hostname
from tests.edge_server import running_edge, running_platform
from tests.pki import CA, Issued
from tests.traffic import Visitors

SHOP = Hostname("shop.example.test")


@dataclass(frozen=True)
class Outcome:
    """
    What a campaign came to.

    Attributes:
        wrong: Proofs and visits that showed a certificate which was not, or no longer, to be shown.

        failures: Handshakes and requests that failed.
    """

    swaps: int
    seconds: float
    answers: int
    wrong: int
    failures: list[str]

    @property
    def is_clean(self) -> bool:
        return not self.wrong and not self.failures and self.answers > 0


def swap_under_traffic(directory: Path, swaps: int) -> Outcome:
    """Swap *swaps* times on two edges in *directory*."""
    ca = CA().intermediate()
    roots = directory / "roots.pem"
    roots.write_bytes(ca.root.pem)
    trust, probe = Trust(store="private", file=roots), NetworkProbe()

    def context() -> ssl.SSLContext:
        return ssl.create_default_context(cafile=roots)

    with ExitStack() as running:
        gateway = running.enter_context(running_platform(directory, [SHOP]))
        edges = [running.enter_context(running_edge(directory / name, gateway, name)) for name in ("a", "b")]
        clients = [NginxEdge(edge.settings) for edge in edges]
        before = ca.issue([SHOP])
        for client in clients:
            _serve(client, before)
        visitors = [Visitors(edge.settings, SHOP, context) for edge in edges]
        for group in visitors:
            running.enter_context(group.asking())
        known, wrong, began = {before.leaf_sha256}, 0, time.monotonic()
        for _ in track(range(swaps), "swapping", console=Console(stderr=True)):
            issued = ca.issue([SHOP], key=before.key)
            known.add(issued.leaf_sha256)
            for client in clients:
                client.stage(_digest(issued), issued.edge_pem)
            for client, edge in zip(clients, edges, strict=True):
                client.commit(SHOP, _digest(issued))
                shown = probe.handshake(edge.settings, SHOP, trust, datetime.now(UTC))
                wrong += shown.leaf_sha256 != issued.leaf_sha256
            for client in clients:
                client.discard(_digest(before))
            before = issued
        seconds = time.monotonic() - began
    wrong += sum(len(group.leaves - known) for group in visitors)
    failures = [failure for group in visitors for failure in group.failures]
    return Outcome(swaps, seconds, sum(group.answers for group in visitors), wrong, failures)


def _serve(client: NginxEdge, issued: Issued) -> None:
    client.stage(_digest(issued), issued.edge_pem)
    client.commit(SHOP, _digest(issued))


def _digest(issued: Issued) -> str:
    return sha256(issued.edge_pem).hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.swaps", description=__doc__)
    parser.add_argument("swaps", type=int)
    with tempfile.TemporaryDirectory() as directory:
        outcome = swap_under_traffic(Path(directory), parser.parse_args().swaps)
    Console().print(
        f"{outcome.swaps} swaps on two edges in {outcome.seconds:.0f} s, {outcome.answers} requests meanwhile: "
        f"{len(outcome.failures)} failed, {outcome.wrong} saw a wrong certificate {outcome.failures[:3]}"
    )
    return 0 if outcome.is_clean else 1


if __name__ == "__main__":
    raise SystemExit(main())
