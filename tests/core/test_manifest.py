"""A `dotcloud.yml` is one small mapping, and no YAML trick gets further."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core import policy
from tasks.core.doctor.manifest import judge_manifest


@pytest.mark.parametrize(
    "data",
    [
        b"type: python-worker",
        b"type: python-worker\n",
        b"---\ntype: python-worker\n...\n",
        b"type: 'python-worker'\n",
        b'type: "python-worker"\n',
        b"{type: python-worker}",
        b'{"type": "python-worker"}',
        b"# a comment\r\ntype: python-worker\r\n",
        b"\xef\xbb\xbftype: python-worker\n",
        b"name: tls\ntype: python-worker\nbuild: {a: [1, 2]}\n",
        b"type: python-worker\ndate: 2026-99-99\nbig: 1e999\n",
        "type: python-worker\nname: Bücher\n".encode(),
    ],
)
def test_a_mapping_with_the_type_is_right(data: bytes) -> None:
    """However it is written, and whatever else it says."""
    assert judge_manifest(data) is None


BOMB = b"a: &a [x,x]\n" + b"".join(b"%c: &%c [*%c,*%c]\n" % (n, n, n - 1, n - 1) for n in range(ord("b"), ord("z")))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (None, "yaml-missing"),
        (b"", "yaml-missing"),
        (b"\n \n", "yaml-missing"),
        (b"type: python\n", "wrong-type"),
        (b"type: Python-Worker\n", "wrong-type"),
        (b"type: python-worker-2\n", "wrong-type"),
        (b"type:\n", "wrong-type"),
        (b"type: [python-worker]\n", "yaml-bad"),
        (b"python-worker\n", "yaml-bad"),
        (b"- type: python-worker\n", "yaml-bad"),
        (b"www:\n  type: python-worker\n", "yaml-bad"),
        (b"Type: python-worker\n", "yaml-bad"),
        (b"type: python-worker\ntype: python-worker\n", "yaml-bad"),
        (b"type: python-worker\na: {b: 1, b: 2}\n", "yaml-bad"),
        (b"type: python-worker\na: [{b: 1, b: 2}]\n", "yaml-bad"),
        (b"a: &x python-worker\ntype: *x\n", "yaml-bad"),
        (b"type: &x python-worker\n", "yaml-bad"),
        (b"base: &b {type: python-worker}\n<<: *b\n", "yaml-bad"),
        (b"type: !!str python-worker\n", "yaml-bad"),
        (b"type: python-worker\nx: !!python/object/apply:os.system ['id']\n", "yaml-bad"),
        (b"type: python-worker\nx: !custom y\n", "yaml-bad"),
        (b"type: python-worker\n? [a, b]\n: c\n", "yaml-bad"),
        (b"type: python-worker\n---\ntype: python-worker\n", "yaml-bad"),
        (b"type: python-worker: x\n", "yaml-bad"),
        (b"type: [python-worker\n", "yaml-bad"),
        (b"type: python-worker\n\tx: y\n", "yaml-bad"),
        (b"type: python-worker\nx: \xff\n", "yaml-bad"),
        (b"type: python-worker\nx: \x00\n", "yaml-bad"),
        (b"\xff\xfet\x00y\x00p\x00e\x00", "yaml-bad"),
        (b"type: python-worker\nx: " + b"[" * 50 + b"]" * 50, "yaml-bad"),
        (b"type: python-worker\nx: " + b"[" * 4000, "yaml-bad"),
        (b"type: python-worker\n" + b"#" * policy.MANIFEST_MAX_BYTES, "yaml-bad"),
        (BOMB + b"type: python-worker\n", "yaml-bad"),
        (b"%YAML 9.9\n---\ntype: python-worker\n", "yaml-bad"),
    ],
)
def test_anything_else_is_refused_with_the_line_that_mends_it(data: bytes | None, code: str) -> None:
    """Missing, another type, or not plain YAML: each says so, and how to write it anew."""
    finding = judge_manifest(data)
    assert finding is not None
    assert finding.refuses
    assert finding.code == code
    assert "echo 'type: python-worker' > dotcloud.yml" in finding.command
    assert finding.cause.isprintable()


@given(st.binary(max_size=200))
def test_no_bytes_get_an_exception_out(data: bytes) -> None:
    """Whatever the file holds, there is a verdict."""
    finding = judge_manifest(data)
    assert finding is None or finding.cause.isprintable()


@given(st.text(max_size=60))
def test_a_strange_type_is_shown_harmless(text: str) -> None:
    """The value is quoted back without what moves a cursor."""
    finding = judge_manifest(b"type: " + repr(text).encode("utf-8", "surrogatepass"))
    assert finding is None or finding.cause.isprintable()
