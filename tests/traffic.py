"""Visitors of a site who ask an edge without pause, and keep an eye on the certificate."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256

from tasks.clients import settings
from tasks.core.model import Hostname

NEW_CONNECTIONS, KEPT_CONNECTIONS = 3, 2


@dataclass
class Visitors:
    """
    Clients that ask for *hostname* on new connections and on kept ones, until told to stop.

    Attributes:
        leaves: SHA-256 of every leaf that was seen.

        failures: Every handshake and every request that failed.
    """

    where: settings.Edge
    hostname: Hostname
    context: Callable[[], ssl.SSLContext]
    stop: threading.Event = field(default_factory=threading.Event)
    leaves: set[str] = field(default_factory=set)
    answers: int = 0
    failures: list[str] = field(default_factory=list)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Let them ask inside the block."""
        ways = [self._ask_on_new_connections] * NEW_CONNECTIONS + [self._ask_on_one_connection] * KEPT_CONNECTIONS
        threads = [threading.Thread(target=way) for way in ways]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()

    def _ask_on_new_connections(self) -> None:
        self._until_stopped(lambda: self._ask_once(self._connect()))

    def _ask_on_one_connection(self) -> None:
        kept = self._connect()
        self._until_stopped(lambda: self._ask_once(kept, keep=True))
        kept.close()

    def _until_stopped(self, ask: Callable[[], None]) -> None:
        while not self.stop.is_set():
            try:
                ask()
            except (OSError, http.client.HTTPException, AssertionError) as failure:
                self.failures.append(repr(failure))

    def _connect(self) -> http.client.HTTPSConnection:
        connection = _Pinned(self.hostname, self.where.https_port, context=self.context(), timeout=5)
        connection.address = self.where.address
        return connection

    def _ask_once(self, connection: http.client.HTTPSConnection, keep: bool = False) -> None:
        connection.request("GET", "/")
        leaf = sha256(connection.sock.getpeercert(binary_form=True) or b"").hexdigest()
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        self.leaves.add(leaf)
        self.answers += 1
        if not keep:
            connection.close()


class _Pinned(http.client.HTTPSConnection):
    """HTTPS to a name, at an address of our choice."""

    address: str
    _context: ssl.SSLContext

    def connect(self) -> None:
        plain = socket.create_connection((self.address, self.port), self.timeout)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)
