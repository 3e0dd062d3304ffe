"""The command that a finding gives mends what it found, in the customer's own directory."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import PrivateFormat

from tasks.core.certificate import Terms, judge
from tasks.core.doctor.identify import Kind, identify
from tasks.core.model import Finding
from tests.corpus import CASES
from tests.corpus.case import PASSPHRASE, Case, Files, Lab
from tests.corpus.containers import locked, p12, p12_without_key
from tests.pki import CA, DOTCLOUD_YML, cert_pem, key_pem

BY_HAND = {
    "archive-refused": "it has to be fetched or packed anew",
    "certificate-malformed": "the authority has to issue it again",
    "certificate-missing": "nobody but the customer and the authority has it",
    "certificate-unreadable": "the undamaged file has to be found",
    "chain-invalid": "the authority has to give the right intermediates",
    "is-keystore": "the corpus has only the outside of one; a real one is mended below",
    "is-request": "the authority has to answer it",
    "key-is-public": "nobody but the customer has the private key",
    "key-mismatch": "nobody but the customer has the right key",
    "key-missing": "nobody but the customer has it",
    "key-unreadable": "the undamaged file has to be found",
    "not-yet-valid": "time mends it",
    "precertificate": "the authority has to give the certificate",
    "too-many-certificates": "nobody but the customer knows which ones are meant",
    "too-many-files": "nobody but the customer knows which ones are meant",
    "two-keys": "nobody but the customer knows which one is meant",
}
"""Codes that no command mends, with the reason."""

BY_HAND_CASES = {
    "PuTTY key of version 2 under a passphrase": "the corpus has only the outside of one",
    "a bundle of browsers' roots for the chain": "nobody but the customer knows which ones are meant",
    "something large for the chain": "nobody but the customer knows what it is",
    "OpenSSH key of type Ed25519": "nobody but the customer has the right key",
    "another authority's key identifier": "the authority has to issue it again",
    "PuTTY key of type Ed25519": "nobody but the customer has the right key",
    "an authority of the trust store for the server": "nobody else is in the trust store",
    "a root of the trust store that has expired": "the authority has to give a chain to a root of today",
    "two authorities that signed each other": "the corpus has no third one",
    "a leaf with a damaged signature": "it looks like a wrong issuer, and no download helps",
    **dict.fromkeys(
        (
            "escape sequences in the name of a file",
            "a line break and a forged log line in the name of a file",
            "a turned writing direction in the name of a file",
            "invisible letters in the name of a file",
        ),
        "no command can be shown for a name that cannot be shown",
    ),
}
"""The same for single cases."""

WRITTEN_OVER = {"dotcloud.yml"}
"""The one file that is written anew."""

MENDABLE = [
    (theme, case) for theme, case in CASES if case.code and case.code not in BY_HAND and case.name not in BY_HAND_CASES
]
OPENSSH = PrivateFormat.OpenSSH
MOST_ROUNDS = 8
PATIENCE = 20  # seconds for one command
_ASKS = re.compile(rb"(pass ?phrase|password)[^\n]*: *$", re.IGNORECASE)
_ANSWER = re.compile(r"save what comes back as (\S+) beside")
_DOWNLOAD = re.compile(r"save it as (\S+) beside")


@pytest.mark.parametrize(
    "case", [case for _, case in MENDABLE], ids=[f"{theme}: {case.name}" for theme, case in MENDABLE]
)
def test_following_the_findings_leads_to_files_that_are_accepted(case: Case, lab: Lab, tmp_path: Path) -> None:
    """Each first finding is gone once its command was run, and a few rounds of it end in a bundle."""
    terms = case.terms(lab)
    _write(tmp_path, case.files(lab))
    for _ in range(MOST_ROUNDS):
        verdict = judge(_read(tmp_path), terms)
        if verdict.bundle:
            break
        finding = verdict.findings[0]
        _mend(finding, case, lab, terms, tmp_path)
        again = judge(_read(tmp_path), terms)
        assert finding not in again.findings, finding
    assert verdict.bundle, verdict.findings[0]
    assert not list(tmp_path.rglob("pwned*")), "a name was run as a command"


def test_what_is_mended_by_hand_is_in_the_corpus() -> None:
    """No code and no case is excused that does not occur."""
    assert set(BY_HAND) <= {case.code for _, case in CASES}
    assert set(BY_HAND_CASES) <= {case.name for _, case in CASES}


@pytest.mark.parametrize(
    ("code", "files", "then"),
    [
        ("is-pkcs12", lambda lab: {"shop.pfx": p12_without_key(lab.good)}, "key-missing"),
        ("is-pkcs12", lambda lab: lab.good.files(key=p12(lab.other)), "key-mismatch"),
        ("key-encrypted", lambda lab: lab.good.files(key=locked(lab.other.key)), "key-mismatch"),
        ("key-is-openssh", lambda lab: lab.good.files(key=key_pem(lab.other.key, OPENSSH)), "key-mismatch"),
        ("file-too-large", lambda lab: lab.good.files(key=lab.other.key_pem + bytes(80_000)), "key-mismatch"),
    ],
    ids=["PKCS#12 without key", "PKCS#12", "under a passphrase", "OpenSSH", "too large"],
)
def test_what_was_converted_is_told_for_what_it_then_is(
    code: str, files: Callable[[Lab], Files], then: str, lab: Lab, tmp_path: Path
) -> None:
    """Nobody is asked for the same conversion twice because the key turned out to be missing, or another's."""
    _write(tmp_path, {**files(lab), "dotcloud.yml": DOTCLOUD_YML})
    finding = judge(_read(tmp_path), lab.terms).findings[0]
    assert finding.code == code
    _run(finding.command, tmp_path, PASSPHRASE)
    verdict = judge(_read(tmp_path), lab.terms)
    assert verdict.bundle is None
    assert verdict.findings[0].code == then


def test_a_mistyped_passphrase_can_be_typed_again(lab: Lab, tmp_path: Path) -> None:
    """What a failed conversion leaves behind does not stop the next one."""
    _write(tmp_path, lab.good.files(key=locked(lab.good.key)))
    command = judge(_read(tmp_path), lab.terms).findings[0].command
    with pytest.raises(AssertionError):
        _run(command, tmp_path, b"wrong")
    again = judge(_read(tmp_path), lab.terms).findings[0].command
    assert again == command
    _run(again, tmp_path, PASSPHRASE)
    assert judge(_read(tmp_path), lab.terms).bundle


def test_a_real_java_keystore_is_mended(lab: Lab, tmp_path: Path) -> None:
    """keytool and openssl take a keystore apart that keytool made."""
    if not shutil.which("keytool"):
        pytest.skip("there is no keytool on this machine")
    word = PASSPHRASE
    (tmp_path / "shop.p12").write_bytes(p12(lab.good))
    make = (
        "keytool -importkeystore -srckeystore shop.p12 -srcstoretype PKCS12 -destkeystore shop.jks -deststoretype JKS"
    )
    _run(make, tmp_path, word)
    (tmp_path / "shop.p12").unlink()
    (tmp_path / "dotcloud.yml").write_bytes(DOTCLOUD_YML)
    verdict = judge(_read(tmp_path), lab.terms)
    assert verdict.findings[0].code == "is-keystore"
    _run(verdict.findings[0].command, tmp_path, word)
    mended = judge(_read(tmp_path), lab.terms)
    assert mended.bundle, mended.findings


def _mend(finding: Finding, case: Case, lab: Lab, terms: Terms, directory: Path) -> None:
    """Do what *finding* says, and play the authority where it must act."""
    if download := _DOWNLOAD.search(finding.fix):
        certificate = lab.download(finding.fix + finding.cause)
        (directory / download[1]).write_bytes(cert_pem([certificate]))
        return
    if finding.code == "leaf-missing":
        (directory / "server.crt").write_bytes(lab.good.leaf_pem + lab.good.chain_pem)
        return
    assert finding.command, f"no command for {finding}"
    if "puttygen" in finding.command and not shutil.which("puttygen"):
        pytest.skip("there is no puttygen on this machine")
    before = {path.name for path in directory.glob("*.csr")}
    had = _read(directory)
    _run(finding.command, directory, case.passphrase)
    _check_harmless(had, directory)
    requests = [path for path in directory.glob("*.csr") if path.name not in before]
    if requests and (answer := _ANSWER.search(finding.fix)):
        (directory / answer[1]).write_bytes(_issue(lab.middle, lab, requests[0].read_bytes(), terms))


def _check_harmless(had: Files, directory: Path) -> None:
    """Nothing of the customer's was written over, and no key that was written can be read by others."""
    has = _read(directory)
    changed = {name for name, data in had.items() if has.get(name) != data}
    assert changed <= WRITTEN_OVER, changed
    for name in has.keys() - had.keys():
        if b"PRIVATE KEY" in has[name] or identify(has[name]) is Kind.PKCS12:
            path = directory / name
            places = (path, *(parent for parent in path.parents if directory in parent.parents))
            assert any(not place.stat().st_mode & 0o077 for place in places), f"others can read {name}"


def _issue(authority: CA, lab: Lab, request: bytes, terms: Terms) -> bytes:
    """Be the authority: check the request and give the certificate, with the chain."""
    csr = x509.load_pem_x509_csr(request)
    assert csr.is_signature_valid
    names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    assert terms.hostname is None or names == [terms.hostname]
    public_key = csr.public_key()
    issue = lab.logged if terms.public_trust else lambda *names, **more: authority.issue(names, **more)
    issued = issue(*names, public_key=public_key, common_name="answered", age_days=0)
    return issued.leaf_pem + issued.chain_pem


def _write(directory: Path, files: Files) -> None:
    for name, data in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _read(directory: Path) -> Files:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()
    }


def _run(command: str, directory: Path, passphrase: bytes) -> None:
    """Run *command* in a terminal of its own, typing the passphrase each time it is asked for."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(directory)
        os.umask(0o022)
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(directory)}
        os.execve("/bin/sh", ["/bin/sh", "-ec", command], environment)
    shown = _converse(terminal, child, passphrase)
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, (command, shown.decode(errors="replace"))


def _converse(terminal: int, child: int, passphrase: bytes) -> bytes:
    shown, unanswered = b"", b""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 0.2)[0]:
            if _ASKS.search(unanswered):
                os.write(terminal, passphrase + b"\n")
                unanswered = b""
            continue
        try:
            text = os.read(terminal, 4096)
        except OSError:  # the other end is closed: it has ended
            return shown
        shown, unanswered = shown + text, unanswered + text
    os.kill(child, signal.SIGKILL)
    return shown + b"\n(killed: it took too long)"
