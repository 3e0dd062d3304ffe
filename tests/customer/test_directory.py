"""The customer's directory is read strictly, and what is off is said in a way that can be mended."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.core import policy
from tasks.core.errors import BadInput
from tasks.customer.directory import read_directory

FILES = {"ssl.key": b"key", "ssl.crt": b"leaf", "dotcloud.yml": b"type: python-worker\n"}


@pytest.fixture(name="directory")
def _directory(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def refusal(directory: Path) -> BadInput:
    """Give the error that reading *directory* raises."""
    with pytest.raises(BadInput) as caught:
        read_directory(directory)
    return caught.value


class TestReadDirectory:
    def test_the_chain_is_optional_and_other_files_are_left_alone(self, directory: Path) -> None:
        """Only the four names are read; macOS's companions, backups and notes are not."""
        for name in ("._ssl.key", "notes.txt", "ssl.key.bak"):
            (directory / name).write_bytes(b"other")
        assert read_directory(directory) == FILES
        (directory / "ssl.chain").write_bytes(b"chain")
        assert read_directory(directory) == {**FILES, "ssl.chain": b"chain"}

    @pytest.mark.parametrize(
        ("present", "wanted"),
        [
            ("SSL.KEY", "ssl.key"),
            ("Ssl.Crt", "ssl.crt"),
            ("ssl.crt.txt", "ssl.crt"),
            ("ssl.cert", "ssl.crt"),
            ("dotcloud.yaml", "dotcloud.yml"),
        ],
    )
    def test_a_name_that_is_nearly_right_is_hinted_at(self, directory: Path, present: str, wanted: str) -> None:
        """Another case, another ending or a slip of a finger is named, with the name it should have."""
        (directory / wanted).rename(directory / present)
        error = refusal(directory)
        assert (error.code, error.got) == ("missing-file", f"without {wanted}")
        assert f"{present} looks like {wanted}" in error.do

    def test_all_missing_files_are_named_at_once(self, directory: Path) -> None:
        """Nobody mends one file only to hear of the next; a companion of macOS is no hint."""
        for name in FILES:
            (directory / name).rename(directory / f"._{name}")
        error = refusal(directory)
        assert error.got == "without ssl.key, ssl.crt, dotcloud.yml"
        assert "type: python-worker" in error.do
        assert "._" not in error.do

    def test_a_symbolic_link_is_refused(self, directory: Path) -> None:
        """What a link leads to is not what lies in the directory, even if it is readable."""
        (directory / "elsewhere").write_bytes(b"key")
        (directory / "ssl.key").unlink()
        (directory / "ssl.key").symlink_to("elsewhere")
        assert refusal(directory).code == "symbolic-link"

    def test_a_file_over_the_limit_is_refused_and_the_limit_itself_is_not(self, directory: Path) -> None:
        """The limit is the platform's; a byte more is said here."""
        (directory / "ssl.crt").write_bytes(b"x" * policy.FILE_MAX_BYTES)
        assert len(read_directory(directory)["ssl.crt"]) == policy.FILE_MAX_BYTES
        (directory / "ssl.crt").write_bytes(b"x" * (policy.FILE_MAX_BYTES + 1))
        error = refusal(directory)
        assert (error.code, str(policy.FILE_MAX_BYTES + 1) in error.got) == ("file-too-large", True)

    def test_what_is_not_a_file_is_refused_at_once(self, directory: Path) -> None:
        """A directory and a pipe of that name are refused; nobody waits for a pipe's other end."""
        (directory / "ssl.key").unlink()
        os.mkfifo(directory / "ssl.key")
        assert refusal(directory).code == "unreadable-file"
        (directory / "ssl.key").unlink()
        (directory / "ssl.key").mkdir()
        assert refusal(directory).code == "unreadable-file"

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
    def test_an_unreadable_file_is_told_with_the_command_that_mends_it(self, directory: Path) -> None:
        """Permissions are the commonest slip with keys."""
        (directory / "ssl.key").chmod(0)
        error = refusal(directory)
        assert (error.code, "chmod u+r" in error.do) == ("unreadable-file", True)

    def test_no_directory(self, tmp_path: Path) -> None:
        """A path that leads nowhere, and one that is a file, are refused by name."""
        assert refusal(tmp_path / "none").code == "unreadable-directory"
        (tmp_path / "file").touch()
        assert refusal(tmp_path / "file").code == "unreadable-directory"
