"""What findings tell people to type does no harm: no file is written over, and no key is left for others to read."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tasks.core import policy
from tasks.core.certificate import Terms, judge
from tasks.core.doctor.commands import free_stem, name_new, private, request_with_key, request_with_new_key
from tasks.core.doctor.verdict import Verdict
from tasks.core.model import Hostname
from tests.core.conftest import NOW
from tests.pki import CA, Issued, key_pem, make_key, self_signed

SHOP = Hostname("shop.example.test")
LATER = NOW + timedelta(days=400)

Judge = Callable[..., Verdict]


@pytest.fixture(name="judged")
def _judged(root: CA) -> Judge:
    return lambda files, now=NOW: judge(files, Terms([root.certificate], False, now, SHOP))


def _run(command: str, directory: Path) -> int:
    run = ["/bin/sh", "-c", f"umask 022; {command}"]
    return subprocess.run(run, cwd=directory, check=False, capture_output=True).returncode


def test_a_name_is_numbered_where_it_is_taken() -> None:
    """Neither a key nor a request nor a certificate of the customer's gets a namesake."""
    assert name_new([]) == "new"
    assert name_new(["new.csr"]) == "new-2"
    assert name_new(["new.crt", "new-2.key", "new-3.txt"]) == "new-3"
    assert free_stem("intermediate", ["cer"], ["intermediate.pem"]) == "intermediate"


def test_a_private_command_writes_for_its_owner_alone(tmp_path: Path) -> None:
    """The mode is 0600, whatever the umask."""
    assert _run(private("echo secret > 'a key'", "a key"), tmp_path) == 0
    assert (tmp_path / "a key").stat().st_mode & 0o777 == 0o600


def test_a_private_command_writes_over_nothing_but_what_is_empty(tmp_path: Path) -> None:
    """A file with content stops it; what a mistyped passphrase leaves does not."""
    (tmp_path / "full.key").write_text("mine")
    (tmp_path / "empty.key").write_text("")
    assert _run(private("echo new > full.key", "full.key"), tmp_path) != 0
    assert _run(private("echo new > empty.key", "empty.key"), tmp_path) == 0
    assert (tmp_path / "full.key").read_text() == "mine"


def test_a_new_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    """The command makes key and request, once."""
    command = request_with_new_key([SHOP], "new")
    assert _run(command, tmp_path) == 0
    made = (tmp_path / "new.key").read_bytes()
    assert (tmp_path / "new.key").stat().st_mode & 0o777 == 0o600
    assert _run(command, tmp_path) != 0
    assert (tmp_path / "new.key").read_bytes() == made


def test_a_request_is_called_as_asked_for() -> None:
    """It says which key it is for, and writes where nothing is."""
    assert request_with_key("my key", [], "new-2").startswith(
        "test ! -e new-2.csr && openssl req -new -key 'my key' -out new-2.csr "
    )


@pytest.mark.parametrize(
    ("write", "renews"),
    [
        (lambda pem: pem, True),
        (lambda pem: b"\xef\xbb\xbf" + pem.replace(b"\n", b"\r\n"), True),
        (lambda pem: base64.b64decode(b"".join(pem.splitlines()[1:-1])), True),
        (lambda pem: pem.decode().encode("utf-16"), False),
        (lambda pem: b"  " + pem.replace(b"\n", b"\n  "), False),
        (lambda pem: pem.replace(b"\n", b"\\n"), False),
        (lambda pem: b"".join(pem.splitlines(True)[1:-1]), False),
        (lambda pem: pem.replace(b"PRIVATE KEY", b"CERTIFICATE"), False),
    ],
    ids=["PEM", "of Windows", "DER", "UTF-16", "indented", "written out", "bare", "label"],
)
def test_a_request_is_for_a_key_that_openssl_can_read(
    good: Issued, judged: Judge, tmp_path: Path, write: Callable[[bytes], bytes], renews: bool
) -> None:
    """The judge reads more than openssl does; where only the judge can, the request is for a new key."""
    files = good.files(key=write(good.key_pem))
    (tmp_path / "ssl.key").write_bytes(files["ssl.key"])
    (expired, *_) = (f for f in judged(files, LATER).findings if f.code == "expired")
    assert _run(expired.command, tmp_path) == 0
    assert (tmp_path / "new.csr").exists()
    assert (tmp_path / "new.key").exists() is not renews


def test_the_names_of_the_customers_files_are_left_alone(good: Issued, judged: Judge) -> None:
    """Advice names files that are not there yet."""
    taken = {**good.files(chain=None), "new.key": good.key_pem, "intermediate.cer": CA("Stranger", now=NOW).pem}
    advice = {finding.code: finding.advice for finding in judged(taken, LATER).findings}
    assert "-out new-2.csr" in advice["expired"]
    assert "save what comes back as new-2.crt" in advice["expired"]
    assert "save it as intermediate-2.cer" in advice["chain-incomplete"]


def test_a_large_file_is_cut_down_beside(good: Issued, judged: Judge, tmp_path: Path) -> None:
    """The smaller file is read in its place; the larger one stays as it is."""
    files = good.files(key=good.key_pem + b"\n" * policy.FILE_MAX_BYTES)
    (tmp_path / "ssl.key").write_bytes(files["ssl.key"])
    assert _run(judged(files).findings[0].command, tmp_path) == 0
    small = tmp_path / "ssl.small.pem"
    assert (tmp_path / "ssl.key").read_bytes() == files["ssl.key"]
    assert small.stat().st_mode & 0o777 == 0o600
    assert judged({**files, "ssl.small.pem": small.read_bytes()}).accepted


@pytest.mark.parametrize("data", [bytes(policy.FILE_MAX_BYTES + 1), b"#" * policy.FILE_MAX_BYTES + b"-----BEGIN X"])
def test_a_large_file_that_cannot_be_cut_down_gets_no_command(good: Issued, judged: Judge, data: bytes) -> None:
    """An empty file, or one that is still too large, would help nobody."""
    files = good.files(chain=data if b"BEGIN" not in data else CA("Large", now=NOW).pem * 150)
    (large, *_) = (f for f in judged(files).findings if f.code == "file-too-large")
    assert not large.command


# --- What is set aside ---------------------------------------------------------------------


def test_a_damaged_key_does_no_harm_beside_the_right_one(good: Issued, judged: Judge) -> None:
    """It is noted, and refused only where no key fits."""
    damaged = {"backup.key": good.key_pem[:-40]}
    verdict = judged({**good.files(), **damaged})
    assert verdict.accepted
    assert [finding.code for finding in verdict.findings] == ["file-left-out"]
    assert judged({**good.files(key=key_pem(make_key())), **damaged}).findings[0].code == "key-unreadable"


def test_what_was_converted_is_not_asked_for_again(good: Issued, judged: Judge) -> None:
    """A key that turns out to be another's is told as such."""
    files = good.files(key=key_pem(make_key(), passphrase=b"secret"))
    assert judged(files).findings[0].code == "key-encrypted"
    codes = [finding.code for finding in judged({**files, "ssl.plain.key": key_pem(make_key())}).findings]
    assert codes == ["key-mismatch", "file-left-out"]


def test_a_key_that_is_wanted_is_never_passed_over(good: Issued, judged: Judge) -> None:
    """An empty file of the name that the command makes changes nothing."""
    files = good.files(key=key_pem(good.key, passphrase=b"secret"))
    assert judged({**files, "ssl.plain.key": b""}).findings[0].code == "key-encrypted"


def test_der_may_end_in_what_looks_like_a_line_break(intermediate: CA, judged: Judge) -> None:
    """Only what follows the certificate is taken away."""
    for _ in range(2_000):
        issued = intermediate.issue([SHOP])
        der = issued.leaf.public_bytes(Encoding.DER)
        if der[-1:] in b"\r\n":
            break
    assert judged(issued.files(crt=der)).accepted
    assert judged(issued.files(crt=der + b"\r\n")).accepted


def test_who_signed_it_comes_before_what_it_says(judged: Judge) -> None:
    """A certificate signed by its own key is told as that, whatever else is wrong with it."""
    authority = CA(SHOP, now=NOW)
    made = authority.issue([SHOP], key=authority.key, is_ca=True, san=False)
    assert judged(made.files(chain=None)).findings[0].code == "chain-untrusted"
    assert judged(self_signed([SHOP], now=NOW).files(), LATER).findings[0].code == "chain-untrusted"
