"""
What a finished hand-over must show, looked at from outside: the edges, the app, the bill, the destruction.

Used by the demo, and by the tests that play a hand-over in other ways.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import sqlite3
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from deployments.local.configuration import Place
from deployments.local.ports import EDGE_ADDRESSES

TIMEOUT_SECONDS = 5


@dataclass(frozen=True)
class HandedOver:
    """
    What was handed over.

    Attributes:
        piggyback: The app's regular name on the platform.

        leaf_file: The certificate in the customer's own folder.
    """

    drop_id: str
    account: str
    hostname: str
    piggyback: str
    leaf_file: Path


@dataclass(frozen=True)
class Proof:
    """One claim, what was seen, and whether it holds."""

    claim: str
    seen: str
    holds: bool


@dataclass(frozen=True)
class Answer:
    """One HTTPS answer of an edge, and the leaf it was given under (SHA-256)."""

    leaf_sha256: str
    status: int
    headers_at_app: dict[str, str]


def ask_edge(place: Place, edge: str, hostname: str) -> Answer:
    """
    Shake hands with one edge under SNI *hostname*, trusting the local vendor only, and ask the app for its headers.

    Raises:
        OSError: No connection, or no trusted handshake.
    """
    context = ssl.create_default_context(cafile=str(place.root / "ca" / "root.pem"))
    where = (EDGE_ADDRESSES[edge], place.ports.edge_https)
    asked = http.client.HTTPSConnection(hostname, place.ports.edge_https, timeout=TIMEOUT_SECONDS)
    with closing(asked), socket.create_connection(where, timeout=TIMEOUT_SECONDS) as plain:
        secured = context.wrap_socket(plain, server_hostname=hostname)
        asked.sock = secured
        leaf = secured.getpeercert(binary_form=True) or b""
        # what a visitor's browser sends, and a lie of a kind that the edge must overwrite
        asked.request("GET", "/headers", headers={"Host": hostname, "X-Forwarded-Port": "1"})
        answer = asked.getresponse()
        headers = json.loads(answer.read()) if answer.status == http.client.OK else {}
    return Answer(hashlib.sha256(leaf).hexdigest(), answer.status, headers)


def prove(place: Place, handed_over: HandedOver, store: Any, ledger: list[dict[str, Any]]) -> Iterator[Proof]:
    """
    Look at everything a finished hand-over must show.

    Args:
        store: A boto3 S3 client that may list the bucket of drops.

        ledger: The account's ledger entries, as ``certferry-operator ledger --json`` gives them.
    """
    leaf = x509.load_pem_x509_certificate(handed_over.leaf_file.read_bytes()).fingerprint(SHA256()).hex()
    for edge in EDGE_ADDRESSES:
        yield _look(
            f"edge-{edge} serves the customer's leaf", partial(_see_leaf, place, edge, handed_over.hostname, leaf)
        )
    yield _look("the app is told how the visitor came", lambda: _see_headers(place, handed_over.hostname))
    yield _look("the platform's address answers over HTTPS", lambda: _see_piggyback(place, handed_over.piggyback, leaf))
    yield _look("one line on the ledger", lambda: _see_charge(ledger, handed_over.hostname))
    yield _look("no object version is left of the drop", lambda: _see_empty(store, handed_over.drop_id))
    yield _look("the drop's key is forgotten, with proof", lambda: _see_shredded(place, handed_over.drop_id))
    yield _look("swept again once nothing could be uploaded", lambda: _see_swept(place, handed_over.drop_id))


def _look(claim: str, look: Callable[[], tuple[bool, str]]) -> Proof:
    try:
        holds, seen = look()
    except (OSError, http.client.HTTPException, sqlite3.Error, ValueError) as error:
        holds, seen = False, f"{type(error).__name__}: {error}"
    return Proof(claim, seen, holds)


def _see_leaf(place: Place, edge: str, hostname: str, leaf: str) -> tuple[bool, str]:
    answer = ask_edge(place, edge, hostname)
    shown = f"{EDGE_ADDRESSES[edge]}:{place.ports.edge_https} answers {answer.status}, SHA-256 {answer.leaf_sha256}"
    return answer.leaf_sha256 == leaf and answer.status == http.client.OK, shown


def _see_headers(place: Place, hostname: str) -> tuple[bool, str]:
    headers = ask_edge(place, "a", hostname).headers_at_app
    port, proto = headers.get("x-forwarded-port"), headers.get("x-forwarded-proto")
    return (port, proto) == ("443", "https"), f"X-Forwarded-Port: {port}, X-Forwarded-Proto: {proto}"


def _see_piggyback(place: Place, name: str, leaf: str) -> tuple[bool, str]:
    answer = ask_edge(place, "b", name)
    return answer.status == http.client.OK and answer.leaf_sha256 != leaf, f"https://{name}/: {answer.status}"


def _see_charge(ledger: list[dict[str, Any]], hostname: str) -> tuple[bool, str]:
    lines = [line for line in ledger if line["hostname"] == hostname]
    shown = "; ".join(
        f"{line['megabytes']} MB at {line['unit_price']} {line['currency']} a month from {line['at'][:19]}"
        for line in lines
    )
    return len(lines) == 1 and lines[0]["megabytes"] == 160, shown or "no line"


def _see_empty(store: Any, drop_id: str) -> tuple[bool, str]:
    found = store.list_object_versions(Bucket="certferry-drops", Prefix=f"drops/{drop_id}/")
    left = len(found.get("Versions", [])) + len(found.get("DeleteMarkers", []))
    return left == 0, f"{left} versions and delete markers below drops/{drop_id}/"


def _see_shredded(place: Place, drop_id: str) -> tuple[bool, str]:
    with _records(place) as records:
        [drop] = records.execute("SELECT wrapped_seed, destroyed_at FROM drops WHERE id = ?", (drop_id,)).fetchall()
    entries = _find_entries(place, drop_id, "drop.destroyed")
    return drop[0] is None and len(entries) == 1, f"forgotten {str(drop[1])[:19]} UTC; {_show_entries(entries)}"


def _see_swept(place: Place, drop_id: str) -> tuple[bool, str]:
    entries = _find_entries(place, drop_id, "drop.swept")
    return len(entries) == 1, _show_entries(entries)


def _find_entries(place: Place, subject: str, action: str) -> list[tuple[int, str]]:
    with _records(place) as records:
        wanted = "SELECT seq, sha256 FROM audit WHERE subject = ? AND action = ?"
        return records.execute(wanted, (subject, action)).fetchall()


def _show_entries(entries: list[tuple[int, str]]) -> str:
    return "; ".join(f"audit entry {seq}: {digest}" for seq, digest in entries) or "no audit entry"


def _records(place: Place) -> closing[sqlite3.Connection]:
    """Open the records to read, beside certferry."""
    return closing(sqlite3.connect(f"file:{place.root / 'records.db'}?mode=ro", uri=True))
