"""
The commands that findings give: a key and a request made anew, a request for the key that is there.

None writes over a file of the customer's, and no key that one writes can be read by others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import count
from typing import Final

from tasks.core.doctor.findings import shell_name

_MAX_COMMON_NAME: Final = 64  # X.520 ub-common-name; openssl refuses a longer one
_NEW: Final = ("key", "csr", "crt")


def free_stem(stem: str, endings: Sequence[str], taken: Collection[str]) -> str:
    """Give *stem*, numbered where one of *endings* behind it would be among the names that are *taken*."""
    numbered = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
    return next(name for name in numbered if not {f"{name}.{ending}" for ending in endings} & set(taken))


def name_new(taken: Collection[str]) -> str:
    """Name what is made anew: the stem of a key, a request and the certificate that will come back."""
    return free_stem("new", _NEW, taken)


def private(command: str, *made: str) -> str:
    """
    Give *command* so that what it writes is for its owner alone.

    Args:
        made: The files that it writes: where one is there already, nothing is done. An empty one may be there, which
            is what a mistyped passphrase leaves behind.
    """
    tests = "".join(f"test ! -s {shell_name(file)} && " for file in made)
    return f"{tests}(umask 077; {command})"


def request_with_new_key(names: Sequence[str], new: str) -> str:
    """Give the command that makes a new key and asks for a certificate for it, in files called *new*."""
    make = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    return private(f"{make} -keyout {new}.key -out {new}.csr {_for(names)}", f"{new}.key")


def request_with_key(key_file: str, names: Sequence[str], new: str) -> str:
    """Give the command that asks for another certificate for the key in *key_file*."""
    return unless_there(f"openssl req -new -key {shell_name(key_file)} -out {new}.csr {_for(names)}", f"{new}.csr")


def unless_there(command: str, made: str) -> str:
    """Give *command* so that it does nothing where the file *made* is there already."""
    return f"test ! -e {shell_name(made)} && {command}"


def _for(names: Sequence[str]) -> str:
    """Give the options that name what the certificate is for; *names* are hostnames, perhaps with a wildcard."""
    listed = ",".join(f"DNS:{name}" for name in names) or "DNS:YOUR.HOST.NAME"
    subject = f"/CN={names[0]}" if names and len(names[0]) <= _MAX_COMMON_NAME else "/"
    return f'-subj "{subject}" -addext "subjectAltName={listed}"'
