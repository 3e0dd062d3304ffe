"""What the customer gives is read whole, whatever it is called, and what cannot be read is said in one go."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tasks.core import policy
from tasks.core.errors import BadInput
from tasks.core.model import Finding
from tasks.core.ticket_text import REMOVED
from tasks.customer.collect import MAX_DEPTH, Collected, _Reading, collect
from tests.pki import key_pem, make_key

not_as_root = pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
AWKWARD = ("my key (1).pem", "zertifikät.crt", "-rf", "a'b\"c.pem", "two\nlines.pem", "$(touch x).pem", "a*.pem")


def write(directory: Path, *names: str) -> None:
    """Write files that hold their own names."""
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(os.fsencode(name))


def only(collected: Collected) -> Finding:
    """Give the one finding."""
    (finding,) = collected.findings
    return finding


def run(command: str, directory: Path) -> None:
    """Do what a finding says, in the customer's directory."""
    subprocess.run(["/bin/sh", "-c", command], cwd=directory, check=True)


class TestNames:
    def test_in_a_directory_are_as_typed_in_it(self, tmp_path: Path) -> None:
        """So that a finding's command works in that directory."""
        write(tmp_path, "ssl.key", "from the ca/chain.crt")
        collected = collect([tmp_path])
        assert collected.files == {"ssl.key": b"ssl.key", "from the ca/chain.crt": b"from the ca/chain.crt"}
        assert collected.findings == ()

    def test_of_files_and_several_directories_are_as_given(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """So that a finding's command works where the customer is."""
        write(tmp_path, "a/x.pem", "b/y.pem", "z.pem", "-rf")
        monkeypatch.chdir(tmp_path)
        collected = collect([Path("a"), Path("b/"), Path("z.pem"), Path("./-rf"), tmp_path / "a/x.pem"])
        assert list(collected.files) == ["a/x.pem", "b/y.pem", "z.pem", "-rf", f"{tmp_path}/a/x.pem"]

    @pytest.mark.parametrize("name", AWKWARD)
    def test_may_be_any(self, tmp_path: Path, name: str) -> None:
        """Spaces, umlauts, quotes, line breaks, a leading dash, what a shell would expand."""
        write(tmp_path, name)
        assert collect([tmp_path]).files == {name: os.fsencode(name)}

    def test_need_not_be_text(self, tmp_path: Path) -> None:
        """A name from another century's encoding is read all the same."""
        name = os.fsdecode(b"f\xfcr.crt")
        write(tmp_path, name)
        assert collect([tmp_path]).files == {name: b"f\xfcr.crt"}


class TestLeftAlone:
    def test_what_is_hidden_and_what_file_managers_add(self, tmp_path: Path) -> None:
        """macOS's companions, Windows' pictures, version control: silently."""
        write(tmp_path, "ssl.key", "._ssl.key", ".DS_Store", "Thumbs.db", "__MACOSX/ssl.key", ".git/config")
        collected = collect([tmp_path])
        assert (list(collected.files), collected.findings) == (["ssl.key"], ())

    def test_but_not_when_it_is_named(self, tmp_path: Path) -> None:
        """Who names a hidden file or directory means it."""
        write(tmp_path, ".certs/ssl.key")
        assert list(collect([tmp_path / ".certs"]).files) == ["ssl.key"]
        assert len(collect([tmp_path / ".certs/ssl.key"]).files) == 1

    def test_what_lies_too_deep_is_said(self, tmp_path: Path) -> None:
        """Three levels are read; deeper ones are named once."""
        write(tmp_path, "a/b/c.pem", "a/b/c/d.pem", "a/b/e/f.pem")
        assert MAX_DEPTH == 3
        collected = collect([tmp_path])
        assert list(collected.files) == ["a/b/c.pem"]
        assert only(collected).code == "directory-too-deep"
        assert "a/b/c and 1 more" in only(collected).cause

    def test_what_is_beyond_the_limit_is_said_once(self, tmp_path: Path) -> None:
        """The files at the top come first, so a deep pile of others does not hide them."""
        write(tmp_path, *(f"a{n}/{m}" for n in range(3) for m in range(policy.MAX_FILES // 2)), "ssl.key")
        collected = collect([tmp_path])
        assert (len(collected.files), "ssl.key" in collected.files) == (policy.MAX_FILES, True)
        assert {finding.code for finding in collected.findings} == {"too-many-files"}
        assert len(set(collected.findings)) == 1


class TestLinks:
    def test_in_a_directory_are_explained_with_the_command_that_copies(self, tmp_path: Path) -> None:
        """The directory that certbot keeps is all links; after the command the copies are read."""
        write(tmp_path, "archive/privkey1.pem", "archive/my chain.pem")
        live = tmp_path / "live"
        live.mkdir()
        (live / "privkey.pem").symlink_to("../archive/privkey1.pem")
        (live / "full chain.pem").symlink_to("../archive/my chain.pem")
        finding = only(collect([live]))
        assert (finding.code, finding.refuses) == ("symbolic-link", True)
        assert finding.cause.startswith("full chain.pem, privkey.pem are symbolic links")
        run(finding.command, live)
        assert collect([live / "copies"]).files == {
            "privkey.pem": b"archive/privkey1.pem",
            "full chain.pem": b"archive/my chain.pem",
        }
        assert (live / "copies").stat().st_mode & 0o777 == 0o700

    def test_to_a_directory_is_named_only(self, tmp_path: Path) -> None:
        """It is not walked into, and no command copies it: it may be all of the machine."""
        write(tmp_path, "key")
        (tmp_path / "given").mkdir()
        (tmp_path / "given" / "root").symlink_to("/")
        (tmp_path / "given" / "ssl.key").symlink_to("../key")
        collected = collect([tmp_path / "given"])
        assert collected.files == {}
        assert [(finding.cause.split(";")[0], finding.command) for finding in collected.findings] == [
            ("root is a symbolic link to directories", ""),
            ("ssl.key is a symbolic link", "mkdir -p -m 700 copies && cp -RL ssl.key copies"),
        ]

    def test_to_a_device_or_a_pipe_has_no_command(self, tmp_path: Path) -> None:
        """Copying one might never end."""
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "given").mkdir()
        (tmp_path / "given" / "a").symlink_to("/dev/zero")
        (tmp_path / "given" / "b").symlink_to("../pipe")
        assert [finding.command for finding in collect([tmp_path / "given"]).findings] == ["", ""]

    def test_each_directory_has_a_command_of_its_own(self, tmp_path: Path) -> None:
        """Two sites' files of the same names do not end up in one place."""
        write(tmp_path, "key")
        for site in ("one", "two"):
            (tmp_path / "live" / site).mkdir(parents=True)
            (tmp_path / "live" / site / "-k.pem").symlink_to("../../key")
        commands = [finding.command for finding in collect([tmp_path / "live"]).findings]
        assert commands == [
            f"mkdir -p -m 700 {site}/copies && cp -RL {site}/-k.pem {site}/copies" for site in ("one", "two")
        ]

    def test_that_leads_nowhere_is_told(self, tmp_path: Path) -> None:
        """There is nothing to copy."""
        (tmp_path / "ssl.key").symlink_to("gone")
        finding = only(collect([tmp_path]))
        assert (finding.code, finding.command) == ("symbolic-link", "")

    def test_that_is_named_is_followed(self, tmp_path: Path) -> None:
        """A file or a directory that the customer asked for by name is what they mean."""
        write(tmp_path, "real/ssl.key")
        (tmp_path / "link").symlink_to("real")
        (tmp_path / "key").symlink_to("real/ssl.key")
        assert list(collect([tmp_path / "link"]).files) == ["ssl.key"]
        assert collect([tmp_path / "key"]).files == {f"{tmp_path}/key": b"real/ssl.key"}


class TestUnreadable:
    @not_as_root
    def test_a_file_of_ones_own_is_told_with_the_command_that_mends_it(self, tmp_path: Path) -> None:
        """Permissions are the commonest slip with keys; the other files are read all the same."""
        write(tmp_path, "my key.pem", "ssl.crt")
        (tmp_path / "my key.pem").chmod(0)
        collected = collect([tmp_path])
        assert (list(collected.files), only(collected).code) == (["ssl.crt"], "file-unreadable")
        run(only(collected).command, tmp_path)
        assert len(collect([tmp_path]).files) == 2

    @not_as_root
    def test_a_directory_of_ones_own_too(self, tmp_path: Path) -> None:
        """Within another, and as the one that was given."""
        write(tmp_path, "in/ssl.key")
        (tmp_path / "in").chmod(0)
        inside, given = only(collect([tmp_path])), only(collect([tmp_path / "in"]))
        assert (inside.command, given.command) == ("chmod u+rX in", f"chmod u+rX {tmp_path}/in")
        run(inside.command, tmp_path)
        assert list(collect([tmp_path]).files) == ["in/ssl.key"]

    def test_what_belongs_to_somebody_else_is_to_be_copied(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody can change the mode of a file that is not theirs, and a server's key should keep its owner."""
        write(tmp_path, "ssl.key")

        def refuse(*_: object) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        finding = only(collect([tmp_path]))
        assert finding.code == "file-unreadable"
        assert finding.command == 'sudo cp -RL ssl.key ssl.key.copy && sudo chown -R "$(id -u)" ssl.key.copy'

    def test_a_pipe_a_socket_and_a_device_are_not_opened(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody waits for a pipe's other end, in a directory or named."""
        monkeypatch.chdir(tmp_path)
        os.mkfifo("pipe.key")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("socket.key")
            collected = collect([Path(), Path("pipe.key"), Path("/dev/null")])
        assert collected.files == {}
        assert [finding.code for finding in collected.findings] == ["not-a-file"] * 4

    def test_a_file_of_the_kernels_that_gives_nothing_is_none(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`/proc/kmsg` says it is a regular file, and has whoever reads it wait."""
        write(tmp_path, "kmsg")
        reading, writing = os.pipe2(os.O_NONBLOCK)
        regular = (tmp_path / "kmsg").stat()
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", lambda *_: reading)
            patch.setattr(os, "fstat", lambda _: regular)
            collected = collect([tmp_path])
        os.close(writing)
        assert (collected.files, only(collected).code) == ({}, "not-a-file")

    def test_a_file_that_vanishes_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Between the look into the directory and the reading; the others are read."""
        write(tmp_path, "a.key", "b.crt")
        real = os.open

        def vanish(path: Path, flags: int) -> int:
            (tmp_path / "a.key").unlink(missing_ok=True)
            return real(path, flags)

        monkeypatch.setattr(os, "open", vanish)
        collected = collect([tmp_path])
        assert (list(collected.files), only(collected).code) == (["b.crt"], "file-unreadable")

    def test_a_link_that_takes_a_files_place_is_not_followed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also not in the moment between the look and the reading."""
        write(tmp_path, "a.key")
        real = os.open

        def swap(path: Path, flags: int) -> int:
            (tmp_path / "a.key").unlink()
            (tmp_path / "a.key").symlink_to("/etc/passwd")
            return real(path, flags)

        monkeypatch.setattr(os, "open", swap)
        assert collect([tmp_path]).files == {}

    def test_no_more_is_read_than_is_ever_accepted(self, tmp_path: Path) -> None:
        """One byte more tells that it is too large; a disk image costs no memory."""
        with (tmp_path / "disk.img").open("wb") as file:
            file.truncate(10 * policy.ARCHIVE_MAX_BYTES)
        assert len(collect([tmp_path]).files["disk.img"]) == policy.ARCHIVE_MAX_BYTES + 1


class TestKeysAsNames:
    HEX = make_key("ec256").private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()).hex()

    def test_each_file_keeps_a_name_of_its_own(self, tmp_path: Path) -> None:
        """Both are read, and told apart by a number."""
        one, other = self.HEX, self.HEX.replace("3077", "3078", 1)
        write(tmp_path, one, other)
        assert list(collect([tmp_path]).files) == [REMOVED, f"{REMOVED} (2)"]

    def test_a_command_falls_away(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Links, what cannot be read, what lies too deep, what is missing: named without the key."""
        write(tmp_path, "key", f"a/b/{self.HEX}/x", f"a/{self.HEX}.crt")
        (tmp_path / "link").symlink_to("key")
        (tmp_path / f"{self.HEX}.pem").symlink_to("key")
        real = os.open

        def refuse(path: Path, flags: int) -> int:
            if self.HEX in str(path):
                raise PermissionError(13, "Permission denied")
            return real(path, flags)

        monkeypatch.setattr(os, "open", refuse)
        collected = collect([tmp_path, tmp_path / f"{self.HEX}.none"])
        codes = sorted(finding.code for finding in collected.findings)
        assert codes == ["directory-too-deep", "file-missing", "file-unreadable", "symbolic-link"]
        assert self.HEX[20:40] not in str(collected.findings)
        assert {finding.command for finding in collected.findings} == {""}

    def test_what_is_read_is_not_in_the_representation_of_anything(self) -> None:
        """Tracebacks print objects."""
        assert "content" not in repr(_Reading({"a": b"content"})) + repr(Collected({"a": b"content"}, ()))


class TestMissing:
    def test_one_of_several_is_a_finding(self, tmp_path: Path) -> None:
        """A slip in one name keeps nothing from being looked at."""
        write(tmp_path, "ssl.key")
        collected = collect([tmp_path / "ssl.key", tmp_path / "slip.crt"])
        assert (len(collected.files), only(collected).code) == (1, "file-missing")

    def test_nothing_at_all_is_an_error(self, tmp_path: Path) -> None:
        """A path that leads nowhere, through a file too; all of them are named."""
        write(tmp_path, "file")
        with pytest.raises(BadInput) as caught:
            collect([tmp_path / "none", tmp_path / "file" / "none"])
        assert caught.value.code == "no-such-path"
        assert "/none, " in caught.value.subject

    def test_an_empty_directory_is_no_error(self, tmp_path: Path) -> None:
        """What is missing in it is for the judge to say."""
        assert collect([tmp_path]) == Collected({}, ())

    @pytest.mark.parametrize("kind", ["ec256", "rsa2048"])
    def test_a_key_in_a_names_place_is_not_repeated(self, kind: str) -> None:
        """`certferry doctor $(cat key)`: also where it is longer than a name can be."""
        body = "".join(key_pem(make_key(kind)).decode().splitlines()[1:-1])
        try:
            shown = str(collect([Path(body)]).findings)
        except BadInput as error:
            shown = str(error)
        assert "removed: private key" in shown
        assert body[-40:] not in shown
