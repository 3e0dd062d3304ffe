"""The `dotcloud.yml`, forgotten, mistyped or made to harm."""

from __future__ import annotations

from collections.abc import Callable

from tasks.core import policy
from tests.corpus.case import Case, Files, Lab, accepted, refused


def _manifest(data: bytes | None) -> Callable[[Lab], Files]:
    return lambda lab: lab.good.files(yml=data)


def _bomb() -> bytes:
    """Nine levels of nine aliases: 3 GB once built."""
    levels = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    levels += [f"{b}: &{b} [{', '.join(['*' + a] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    return "\n".join([*levels, "type: python-worker", ""]).encode()


CASES: tuple[Case, ...] = (
    accepted(
        "comments, quotes and more settings", _manifest(b"# ours\nname: tls\ntype: 'python-worker'\nenv: {A: b}\n")
    ),
    accepted("Windows line ends", _manifest(b"name: tls\r\ntype: python-worker\r\n")),
    accepted("a byte order mark", _manifest(b"\xef\xbb\xbftype: python-worker\n")),
    accepted("JSON", _manifest(b'{"type": "python-worker"}\n')),
    accepted("a document mark", _manifest(b"---\ntype: python-worker\n...\n")),
    accepted("no final line break", _manifest(b"type: python-worker")),
    refused("missing", "yaml-missing", _manifest(None)),
    refused("empty", "yaml-missing", _manifest(b"")),
    refused("spaces only", "yaml-missing", _manifest(b" \n\n")),
    refused(
        "under another name",
        "yaml-missing",
        lambda lab: {**lab.good.files(yml=None), "dotcloud.yaml": b"type: python-worker\n"},
    ),
    refused(
        "with the ending that Windows hides",
        "yaml-missing",
        lambda lab: {**lab.good.files(yml=None), "dotcloud.yml.txt": b"type: python-worker\n"},
    ),
    refused(
        "another type, in a directory",
        "wrong-type",
        lambda lab: {**lab.good.files(yml=None), "app/dotcloud.yml": b"type: java\n"},
    ),
    refused("comments only", "yaml-bad", _manifest(b"# type: python-worker\n")),
    refused("another type", "wrong-type", _manifest(b"type: python\n")),
    refused("a type in capitals", "wrong-type", _manifest(b"type: Python-Worker\n")),
    refused("an empty type", "wrong-type", _manifest(b"type:\n")),
    refused("no space behind the colon", "yaml-bad", _manifest(b"type:python-worker\n")),
    refused("no type", "yaml-bad", _manifest(b"name: tls\n")),
    refused("a service around it", "yaml-bad", _manifest(b"www:\n  type: python-worker\n")),
    refused("a list of types", "yaml-bad", _manifest(b"type: [python-worker]\n")),
    refused("a list", "yaml-bad", _manifest(b"- type: python-worker\n")),
    refused("prose", "yaml-bad", _manifest(b"python-worker\n")),
    refused("indented by tabs", "yaml-bad", _manifest(b"app:\n\tname: tls\ntype: python-worker\n")),
    refused("an open bracket", "yaml-bad", _manifest(b"type: [\n")),
    refused("a type twice", "yaml-bad", _manifest(b"type: python-worker\ntype: java\n")),
    refused("two documents", "yaml-bad", _manifest(b"type: python-worker\n---\ntype: java\n")),
    refused("an object of Python", "yaml-bad", _manifest(b"type: !!python/object/apply:os.system ['touch pwned']\n")),
    refused("an alias bomb", "yaml-bad", _manifest(_bomb())),
    refused("a merge of an anchor", "yaml-bad", _manifest(b"base: &b {type: python-worker}\n<<: *b\n")),
    refused("a thousand brackets", "yaml-bad", _manifest(b"type: " + b"[" * 1000 + b"]" * 1000 + b"\n")),
    refused("UTF-16", "yaml-bad", _manifest("type: python-worker\n".encode("utf-16"))),
    refused("Latin-1", "yaml-bad", _manifest("# für uns\ntype: python-worker\n".encode("latin-1"))),
    refused(
        "larger than may be", "yaml-bad", _manifest(b"type: python-worker\n" + b"# \n" * policy.MANIFEST_MAX_BYTES)
    ),
    refused("NULs", "yaml-bad", _manifest(b"type: python-worker\n" + bytes(20))),
    refused("the certificate in its place", "yaml-bad", lambda lab: lab.good.files(yml=lab.good.leaf_pem)),
    refused(
        "the key as its type",
        "wrong-type",
        lambda lab: lab.good.files(yml=b"type: " + lab.good.key_pem.splitlines()[1] + b"\n"),
    ),
)
