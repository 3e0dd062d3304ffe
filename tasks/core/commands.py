"""The commands that findings give: a key and a request made anew, or a request for the key that is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tasks.core.findings import shell_name

NEW_KEY: Final = "new.key"
NEW_REQUEST: Final = "new.csr"
_MAX_COMMON_NAME: Final = 64  # X.520 ub-common-name; openssl refuses a longer one


def request_with_new_key(names: Sequence[str]) -> str:
    """Give the command that makes a new key and asks for a certificate for it; it writes over no key."""
    make = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    return f"test ! -e {NEW_KEY} && {make} -keyout {NEW_KEY} -out {NEW_REQUEST} {_for(names)}"


def request_with_key(key_file: str, names: Sequence[str]) -> str:
    """Give the command that asks for another certificate for the key in *key_file*."""
    return f"openssl req -new -key {shell_name(key_file)} -out {NEW_REQUEST} {_for(names)}"


def _for(names: Sequence[str]) -> str:
    """Give the options that name what the certificate is for; *names* are hostnames, perhaps with a wildcard."""
    listed = ",".join(f"DNS:{name}" for name in names) or "DNS:YOUR.HOST.NAME"
    subject = f"/CN={names[0]}" if names and len(names[0]) <= _MAX_COMMON_NAME else "/"
    return f'-subj "{subject}" -addext "subjectAltName={listed}"'
