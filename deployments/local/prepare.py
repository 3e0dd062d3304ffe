"""
Things the local stack does once at each start, each a command of its own so that they run side by side.

    python -m deployments.local.prepare records|buckets|piggyback|prefect

All are safe to repeat.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from deployments.local.configuration import PIGGYBACK_DOMAIN
from deployments.local.pki import LocalCA
from deployments.local.processes import await_true
from tasks.clients.settings import load_settings, settings_path

PREFECT_DEADLINE = 300.0  # seconds; it takes 10 on a fresh database and a quiet machine


def prepare_records() -> None:
    """Bring the database of records to the newest schema."""
    from tasks.clients.database import Database

    Database(load_settings(settings_path()).database.url).migrate()


def prepare_buckets() -> None:
    """Make the buckets of drops and vault, with versions."""
    from tasks.clients.store import create_buckets

    create_buckets(load_settings(settings_path()).store)


def prepare_piggyback() -> None:
    """Put the platform's own wildcard certificate on both edges, as the answer for every app's own name on it."""
    from tasks.clients.edges import NginxEdge

    file = settings_path().parent / "piggyback.pem"
    settings = load_settings(settings_path())
    bundle = file.read_bytes() if file.exists() else _issue_piggyback(file)
    digest = sha256(bundle).hexdigest()
    for edge in map(NginxEdge, settings.edges):
        edge.stage(digest, bundle)
        edge.set_piggyback(settings.platform.piggyback_domain, digest)


def _issue_piggyback(file: Path) -> bytes:
    from deployments.local.pki import write_private

    bundle = LocalCA(file.parent / "ca").issue([f"*.{PIGGYBACK_DOMAIN}"]).bundle
    write_private(file, bundle)
    return bundle


def prepare_prefect() -> None:
    """Once the server answers, make work pool and automations, and put runs that lost their process in the queue."""
    from deployments.local.prefect_server import PrefectServer

    with PrefectServer(os.environ["PREFECT_API_URL"], os.environ["PREFECT_API_AUTH_STRING"]) as server:
        if not await_true(server.is_ready, PREFECT_DEADLINE):
            raise TimeoutError("the Prefect server does not answer")
        server.apply_work_pool(Path.cwd())
        server.apply_automations(Path("deployments/automations.yaml"))
        for name in server.requeue_orphans():
            print(f"requeued {name}")  # noqa: T201  goes to the log


COMMANDS: dict[str, Callable[[], None]] = {
    "records": prepare_records,
    "buckets": prepare_buckets,
    "piggyback": prepare_piggyback,
    "prefect": prepare_prefect,
}

if __name__ == "__main__":
    os.umask(0o077)
    COMMANDS[sys.argv[1]]()
