"""What holds for each verdict, whatever was sent; each function raises `AssertionError` where it does not."""

from __future__ import annotations

import base64
import json
import re
import ssl
import tempfile
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from tasks.core.certificate import Terms, Verdict, judge
from tests.fuzz import seeds

_CODE: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SECRET_CHARACTERS: Final = 12  # of base64 in a row: 9 bytes of the key


def judge_firmly(files: Mapping[str, bytes], terms: Terms, secrets: Iterable[bytes] = ()) -> Verdict:
    """
    Judge *files*: nothing is raised, and the verdict is sound.

    Args:
        secrets: Private keys in DER that are somewhere in *files*: no part of them may be shown.
    """
    try:
        verdict = judge(files, terms)
        shown = verdict.as_dict()
        letters = [finding.letter(terms.hostname or "the files") for finding in verdict.findings]
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic of Rust is no Exception
        raise AssertionError(f"judge raised {type(error).__name__}: {error}") from error
    _check_outcome(verdict)
    texts = [*_strings(shown), *letters]
    _check_texts(texts)
    check_no_secret("\n".join([*texts, repr(verdict), json.dumps(shown)]), secrets)
    return verdict


def _check_outcome(verdict: Verdict) -> None:
    refusing = [finding.refuses for finding in verdict.findings]
    assert (verdict.bundle is None) == any(refusing), "a verdict has a bundle, or a finding that refuses"
    assert refusing == sorted(refusing, reverse=True), "what refuses comes first"
    assert len(set(verdict.findings)) == len(verdict.findings), "a finding is given once"
    for finding in verdict.findings:
        assert _CODE.fullmatch(finding.code), finding.code
        assert finding.cause and finding.fix, finding.code


def _strings(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _check_texts(texts: Iterable[str]) -> None:
    """No text moves a cursor, breaks a line or turns the writing direction."""
    for text in texts:
        for character in set(text):
            assert character == " " or unicodedata.category(character)[0] not in "CZ", f"{character!r} in {text!r}"


def check_no_secret(shown: str, secrets: Iterable[bytes]) -> None:
    """No part of a secret stands in *shown*, neither in base64 nor in hex."""
    found = _windows(shown) & {part for secret in secrets for part in _parts(secret)} - _in_every_key()
    assert not found, f"a part of the key is shown: {sorted(found)[:3]}"


@lru_cache(maxsize=64)
def _parts(secret: bytes) -> frozenset[str]:
    forms = (base64.b64encode(secret).decode(), secret.hex(), secret.hex().upper())
    return frozenset(part for form in forms for part in _windows(form))


@cache
def _in_every_key() -> frozenset[str]:
    """What is no secret, since it stands in keys that nobody uses: their frames, and what is all but empty."""
    return frozenset(part for key in (*seeds.spare_key_ders(), bytes(40)) for part in _parts(key))


def _windows(text: str) -> set[str]:
    return {text[at : at + _SECRET_CHARACTERS] for at in range(len(text) - _SECRET_CHARACTERS + 1)}


def check_is_served(verdict: Verdict, files: Mapping[str, bytes]) -> None:
    """What was accepted is loaded by OpenSSL as an edge loads it, and judged the same when it is handed over."""
    if verdict.bundle is None:
        return
    pem = verdict.bundle.edge_pem(files)
    with tempfile.NamedTemporaryFile(dir=_memory()) as file:
        file.write(pem)
        file.flush()
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file.name)
        except (ssl.SSLError, OSError) as error:
            raise AssertionError(f"accepted, but OpenSSL does not load it: {error}") from None


def check_hands_over(verdict: Verdict, files: Mapping[str, bytes], terms: Terms) -> None:
    """The four files made of what was accepted are accepted, and make the same four files."""
    if verdict.bundle is None:
        return
    handed = verdict.bundle.hand_over(files)
    again = judge_firmly(handed, terms)
    assert again.bundle is not None, f"accepted, but not once more: {[f.code for f in again.findings]}"
    assert again.bundle.hand_over(handed) == handed, "handing over twice changes nothing"


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
