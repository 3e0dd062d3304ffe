"""
The DNS server of the local stack: real packets over UDP and TCP, names from a file.

    python -m deployments.local.zone --config zone.yaml --port 5300

The file is read again when it changes, so whoever plays the customer sets records as at a registrar:

    edge.platform.test: {A: [127.0.0.11, 127.0.0.12]}
    "*.apps.platform.test": {CNAME: [edge.platform.test]}
    shop.example.test: {CNAME: [edge.platform.test]}
    _certferry-challenge.shop.example.test: {TXT: ["certferry-challenge=abc"]}

It answers for these names and no others (NXDOMAIN), and asks nobody else.
"""
# mypy: allow-untyped-calls

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from socketserver import BaseServer
from types import TracebackType
from typing import Any, Final

from dnslib import AAAA, CAA, CNAME, QTYPE, RCODE, RD, RR, TXT, A, DNSRecord
from dnslib.server import BaseResolver, DNSLogger, DNSServer

from deployments.local.reread import RereadFile, write_file

TTL_SECONDS: Final = 5  # the stack's changes must show at once
MAX_CNAMES: Final = 8  # how far one answer follows a chain
POLL_SECONDS: Final = 0.05  # how soon a server that is told to stop does
UDP_BYTES: Final = 512  # RFC 1035, section 4.2.1; what is longer comes over TCP

Records = Mapping[str, Mapping[str, list[str]]]


class ZoneFile(BaseResolver):
    """Answers from a file of names."""

    def __init__(self, config: Path) -> None:
        self._file = RereadFile(config)

    def resolve(self, request: DNSRecord, handler: Any) -> DNSRecord:
        """Answer one question, or say that the answer needs TCP."""
        reply = self._answer(request)
        if handler.protocol == "udp" and len(reply.pack()) > UDP_BYTES:
            # dnslib's own truncation drops the question, which clients then refuse
            reply = request.reply()
            reply.header.tc = 1
        return reply

    def _answer(self, request: DNSRecord) -> DNSRecord:
        records = self._file.content()
        reply: DNSRecord = request.reply()
        name, kind = str(request.q.qname).lower().removesuffix("."), QTYPE[request.q.qtype]
        if _find(records, name) is None:
            reply.header.rcode = RCODE.NOERROR if _is_above_a_name(records, name) else RCODE.NXDOMAIN
        for record in _follow(records, name, kind):
            reply.add_answer(_record(*record))
        return reply


class ZoneServer:
    """The server of one file, on UDP and TCP at the same port; a context manager for tests and the stack."""

    def __init__(self, config: Path, address: str = "127.0.0.1", port: int = 0) -> None:
        answers, quiet = ZoneFile(config), DNSLogger("-request,-reply,-truncated,-error,-recv,-send")
        # TCP first: with port 0, its free port is likely to be free on UDP too
        tcp = DNSServer(answers, address=address, port=port, tcp=True, logger=quiet)
        self.port: int = tcp.server.server_address[1]
        udp = DNSServer(answers, address=address, port=self.port, logger=quiet)
        self._servers: tuple[BaseServer, ...] = (udp.server, tcp.server)

    def __enter__(self) -> ZoneServer:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


def set_record(config: Path, name: str, kind: str, values: list[str]) -> None:
    """Set the records of one type at one name, as a customer does at a registrar; no values delete them."""
    records = dict(RereadFile(config).content()) if config.exists() else {}
    held = {**records.get(name, {}), kind: values}
    records[name] = {k: v for k, v in held.items() if v}
    write_file(config, {n: held for n, held in records.items() if held})


def _find(records: Records, name: str) -> Mapping[str, list[str]] | None:
    if name in records:
        return records[name]
    _, _, parent = name.partition(".")
    return records.get(f"*.{parent}")


def _follow(records: Records, name: str, kind: str) -> Iterator[tuple[str, str, str]]:
    """Give name, type and value of each record of an answer: the CNAME chain, as far as the file holds it, first."""
    for _ in range(MAX_CNAMES):
        held = _find(records, name) or {}
        if kind in held or "CNAME" not in held:
            yield from ((name, kind, value) for value in held.get(kind, []))
            return
        target = held["CNAME"][0].lower().removesuffix(".")
        yield name, "CNAME", target
        name = target


def _is_above_a_name(records: Records, name: str) -> bool:
    return any(held.endswith(f".{name}") for held in records)


def _record(name: str, kind: str, value: str) -> RR:
    return RR(name, getattr(QTYPE, kind), rdata=_rdata(kind, value), ttl=TTL_SECONDS)


def _rdata(kind: str, value: str) -> RD:
    if kind == "TXT":
        text = value.encode("utf-8")
        return TXT([text[i : i + 255] for i in range(0, len(text), 255)])
    if kind == "CAA":  # 0 issue "ca.example"
        flags, tag, quoted = value.split(" ", 2)
        return CAA(flags=int(flags), tag=tag, value=quoted.strip('"'))
    return {"A": A, "AAAA": AAAA, "CNAME": CNAME}[kind](value)


def main() -> None:
    parser = argparse.ArgumentParser(prog="deployments.local.zone", description="Serve DNS names from a file.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    chosen = parser.parse_args()
    with suppress(KeyboardInterrupt), ZoneServer(chosen.config, chosen.address, chosen.port):
        threading.Event().wait()


if __name__ == "__main__":
    main()
