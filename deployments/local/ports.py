"""
Every address and port of the local stack, from one place.

All servers listen on loopback. The pair stands on two addresses of its own with the same ports, as two
machines would. `CERTFERRY_PORT_BASE` moves everything at once.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass

import psutil

from tasks.core.errors import BadInput, Who

LOOPBACK = "127.0.0.1"
EDGE_ADDRESSES = {"a": "127.0.0.11", "b": "127.0.0.12"}
DEFAULT_BASE = 8000
SPAN = 800  # the ports of one stack lie in [base, base + SPAN)


@dataclass(frozen=True)
class Ports:
    """One port a server; `edge_http` and `edge_https` are opened on both edges' addresses."""

    edge_http: int
    edge_https: int
    front_desk: int
    prefect: int
    dns: int
    app: int
    gateway: int
    s3: int
    s3_grpc: int
    master: int
    master_grpc: int
    volume: int
    volume_grpc: int
    filer: int
    filer_grpc: int

    @classmethod
    def at(cls, base: int) -> Ports:
        """Give the ports of the stack at *base*: the edges at +80 and +443, the rest from +700 on."""
        names = [name for name in cls.__dataclass_fields__ if not name.startswith("edge_")]
        rest = {name: base + 700 + i for i, name in enumerate(names)}
        return cls(edge_http=base + 80, edge_https=base + 443, **rest)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Ports:
        """
        Give the ports at ``CERTFERRY_PORT_BASE``, or at 8000: edges on 8080 and 8443, the rest from 8700 on.

        Raises:
            BadInput: The variable is no number, or too near either end of the range.
        """
        text = environ.get("CERTFERRY_PORT_BASE", str(DEFAULT_BASE))
        if not text.isdecimal() or not 1024 <= int(text) <= 65535 - SPAN:
            raise BadInput(
                f"CERTFERRY_PORT_BASE={text!r}",
                got="not a usable port",
                wanted=f"a number from 1024 to {65535 - SPAN}",
                do="Set it to 9000, for example, or unset it.",
                who=Who.OPERATOR,
            )
        return cls.at(int(text))

    @classmethod
    def free(cls) -> Ports:
        """Give ports that are free at this moment, for tests."""
        held: list[socket.socket] = []
        try:
            return cls(**{name: _hold_free_port(held) for name in cls.__dataclass_fields__})
        finally:
            for holder in held:
                holder.close()

    @property
    def seaweed(self) -> tuple[int, ...]:
        """The store's ports, in the order of `deployments.local.seaweed.LISTENERS`."""
        s3 = (self.s3, self.s3_grpc)
        return (*s3, self.master, self.master_grpc, self.volume, self.volume_grpc, self.filer, self.filer_grpc)

    def listeners(self) -> list[tuple[str, str, int]]:
        """Give (what for, address, port) of everything the stack will listen on."""
        edges = [
            (f"edge {edge} {scheme}", address, port)
            for edge, address in EDGE_ADDRESSES.items()
            for scheme, port in (("http", self.edge_http), ("https", self.edge_https))
        ]
        rest = [(name, LOOPBACK, port) for name, port in asdict(self).items() if not name.startswith("edge_")]
        return edges + rest


def find_taken(ports: Ports) -> list[tuple[str, str, int]]:
    """
    Give what `listeners` gives, but only where somebody listens already.

    Raises:
        BadInput: Code ``no-loopback``.
    """
    return [(name, address, port) for name, address, port in ports.listeners() if not _is_free(address, port)]


def check_ports(ports: Ports) -> None:
    """
    Raise unless every port can be listened on.

    Raises:
        BadInput: Code ``ports-taken``: lists every taken port, with the process that has it where it may be known;
            or ``no-loopback``: the machine has no further loopback addresses.
    """
    taken = find_taken(ports)
    if taken:
        shown = (f"{address}:{port} ({name}){_holder(port)}" for name, address, port in taken)
        raise BadInput(
            "the local stack",
            got=f"taken: {', '.join(shown)}",
            wanted="free ports",
            do="End that process, or move the whole stack: CERTFERRY_PORT_BASE=9000 make demo.",
            who=Who.OPERATOR,
            code="ports-taken",
        )


def _is_free(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # else a port in TIME_WAIT looks taken
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno in _ADDRESS_MISSING:
                raise _no_such_address(address) from error
            return False
    return True


_ADDRESS_MISSING = (99, 49)  # EADDRNOTAVAIL on Linux, on the BSDs and macOS


def _no_such_address(address: str) -> BadInput:
    return BadInput(
        address,
        got="this machine has no such address",
        wanted="two loopback addresses for the pair",
        do=f"Linux has them from the start; on macOS add each: sudo ifconfig lo0 alias {address}",
        who=Who.OPERATOR,
        code="no-loopback",
    )


def _holder(port: int) -> str:
    """Name the process that listens on *port*, as far as this user may know."""
    try:
        listening = [
            c
            for c in psutil.net_connections("tcp")
            if c.status == psutil.CONN_LISTEN and c.laddr[1:2] == (port,) and c.pid
        ]
        return f" by {psutil.Process(listening[0].pid).name()}, pid {listening[0].pid}" if listening else ""
    except psutil.Error:
        return ""


def _hold_free_port(held: list[socket.socket]) -> int:
    """
    Bind a port that is free on every address of the stack.

    Below 32768, where Linux begins to give out ports for outgoing connections: one of those may
    take a port between this moment and the server's start.
    """
    while True:
        holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        held.append(holder)
        with suppress(OSError):
            holder.bind(("0.0.0.0", 10_000 + secrets.randbelow(22_768)))
            port: int = holder.getsockname()[1]
            return port
