"""A TLS client that sends any bytes as SNI: what the usual libraries refuse to send."""

from __future__ import annotations

import os
import socket
from hashlib import sha256

HANDSHAKE, CLIENT_HELLO, CERTIFICATE = 22, 1, 11


def leaf_shown_to(address: tuple[str, int], server_name: bytes) -> str | None:
    """
    Give the SHA-256 of the leaf a server shows to SNI *server_name*; None if it ends the handshake instead.

    TLS 1.2, where the certificate comes in clear.
    """
    with socket.create_connection(address, timeout=5) as connection:
        connection.sendall(_client_hello(server_name))
        return _find_leaf(connection)


def _client_hello(server_name: bytes) -> bytes:
    names = b"\0" + _sized(server_name, 2)
    extensions = (
        b"\0\0" + _sized(_sized(names, 2), 2)  # server_name
        + b"\0\x0a" + _sized(_sized(b"\0\x1d\0\x17", 2), 2)  # groups: X25519, P-256
        + b"\0\x0b" + _sized(b"\x01\0", 2)  # points uncompressed
        + b"\0\x0d" + _sized(_sized(b"\x04\x03\x08\x04\x04\x01", 2), 2)  # ECDSA, PSS, PKCS#1, each with SHA-256
    )  # fmt: skip
    ciphers = b"\xc0\x2b\xc0\x2f"  # ECDHE with AES-128-GCM
    hello = b"\x03\x03" + os.urandom(32) + b"\0" + _sized(ciphers, 2) + b"\x01\0" + _sized(extensions, 2)
    return bytes([HANDSHAKE, 3, 1]) + _sized(bytes([CLIENT_HELLO]) + _sized(hello, 3), 2)


def _sized(content: bytes, width: int) -> bytes:
    return len(content).to_bytes(width, "big") + content


def _find_leaf(connection: socket.socket) -> str | None:
    messages = b""
    with connection.makefile("rb") as stream:
        while (header := stream.read(5)) and header[0] == HANDSHAKE:
            messages += stream.read(int.from_bytes(header[3:], "big"))
            while len(messages) >= 4 and len(messages) >= 4 + (length := int.from_bytes(messages[1:4], "big")):
                kind, body, messages = messages[0], messages[4 : 4 + length], messages[4 + length :]
                if kind == CERTIFICATE:
                    return sha256(body[6 : 6 + int.from_bytes(body[3:6], "big")]).hexdigest()
    return None
