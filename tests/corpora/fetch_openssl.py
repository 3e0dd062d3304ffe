"""
Fetch the key and certificate files of OpenSSL's own tests, out of the distribution's source package, into ``.cache/corpora``.

`apt-get` does it, from the sources that this machine already trusts, with lists of its own in a temporary directory:
nothing of the machine is changed, and no root is needed. `apt-get` checks the signatures and digests.

Run it as ``make corpora``; it does nothing where the files are there.

Source:
    sources.list(5), apt-get(8).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Final

CORPORA: Final = Path(__file__).parents[2] / ".cache" / "corpora"
OPENSSL: Final = CORPORA / "openssl"
_ORIGINS: Final = ("Debian", "Ubuntu")
_PACKAGE: Final = "openssl"
VERIFICATIONS: Final = OPENSSL / "test" / "recipes" / "25-test_verify.t"
_SUFFIXES: Final = (".pem", ".key", ".crt", ".cer", ".der", ".p12")
_TIMEOUT_SECONDS: Final = 300


class CannotFetch(Exception):
    """The package cannot be had here; the message says why."""


def main() -> int:
    if OPENSSL.exists():
        _say(f"openssl: the files of {openssl_version()} are there already")
        return 0
    try:
        archive = _download()
    except (CannotFetch, OSError, subprocess.SubprocessError) as error:
        _say(f"openssl: its source package cannot be had here ({error}); the tests over it will be skipped")
        return 1
    _say(f"openssl: {_unpack(archive)} files from {archive.name}")
    return 0


def openssl_version() -> str:
    """Give what the files are of: ``openssl 3.0.22``."""
    return (OPENSSL / "version").read_text()


def _download() -> Path:
    """Give the path of the package's original archive."""
    if not shutil.which("apt-get"):
        raise CannotFetch("there is no apt-get")
    sources = "".join(sorted(set(_source_lines())))
    if not sources:
        raise CannotFetch("apt has no lists of Debian or Ubuntu; run apt-get update once")
    CORPORA.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as directory:
        options = _private_apt(Path(directory), sources)
        _run("apt-get", *options, "--quiet", "update", cwd=CORPORA)
        _run("apt-get", *options, "--quiet", "source", "--download-only", "--tar-only", _PACKAGE, cwd=CORPORA)
    archives = sorted(CORPORA.glob(f"{_PACKAGE}_*.orig.tar.?z*"))
    if not archives:
        raise CannotFetch("the package has no archive of OpenSSL's own")
    return archives[-1]


def _source_lines() -> Iterator[str]:
    """Give a deb-src line for each source of packages of the distribution that apt has lists of."""
    form = "$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)"
    for line in _run("apt-get", "indextargets", "--format", form, "Created-By: Packages").splitlines():
        origin, _, source = line.partition(" ")
        if origin in _ORIGINS:
            keyring = Path(f"/usr/share/keyrings/{origin.lower()}-archive-keyring.gpg")
            trust = f"[signed-by={keyring}] " if keyring.exists() else ""
            yield f"deb-src {trust}{source}\n"


def _private_apt(directory: Path, sources: str) -> list[str]:
    """Give the options that keep *sources*, lists and caches in *directory*."""
    (directory / "sources.list").write_text(sources)
    (directory / "status").touch()
    (directory / "lists" / "partial").mkdir(parents=True)
    (directory / "cache" / "archives" / "partial").mkdir(parents=True)
    values = {
        "Dir::State": directory,
        "Dir::State::lists": directory / "lists",
        "Dir::State::status": directory / "status",
        "Dir::Cache": directory / "cache",
        "Dir::Etc::sourcelist": directory / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "APT::Sandbox::User": "root",  # as root the temporary directory is root's own; without root it means nothing
        "Acquire::Retries": "2",
        "Acquire::http::Timeout": "20",
    }
    return [argument for name, value in values.items() for argument in ("-o", f"{name}={value}")]


def _unpack(archive: Path) -> int:
    """Put keys, certificates and what OpenSSL says about them under `OPENSSL`, by their paths; give their number."""
    partial = OPENSSL.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    count = 0
    with tarfile.open(archive) as tar:
        for member in tar:
            path = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            content = tar.extractfile(member) if _is_wanted(path) else None
            if content is None:
                continue
            target = partial / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read())
            count += 1
    (partial / "version").write_text(archive.name.split(".orig")[0].replace("_", " "))
    partial.rename(OPENSSL)
    return count


def _is_wanted(path: PurePosixPath) -> bool:
    return ".." not in path.parts and (path.suffix in _SUFFIXES or path.name == VERIFICATIONS.name)


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    if done.returncode != 0:
        raise CannotFetch(f"{command[0]} failed: {done.stderr.strip().splitlines()[-1:] or done.returncode}")
    return done.stdout


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
