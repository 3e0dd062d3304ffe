"""A customer's archive is opened in memory, or refused as a whole with a reason; no bytes make it costly."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import subprocess
import sys
import tarfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core import policy
from tasks.core.doctor.archive import Unpacked, is_archive, unpack
from tasks.core.model import Finding

FILES = {
    "ssl.key": b"key\n" * 60,
    "chain/CA 1.crt": b"root\n",
    "chain/Grün.crt": b"",
    "dotcloud.yml": b"type: python-worker\n",
}
TAR_MODES = {"": "certs.tar", "gz": "certs.tgz", "bz2": "certs.tar.bz2", "xz": "certs.tar.xz"}


def make_zip(
    files: Mapping[str, bytes | str] | Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """Give a zip of *files*; pairs where a name is wanted twice."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", method) as archive:
        for name, content in files.items() if isinstance(files, Mapping) else files:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return into.getvalue()


def make_tar(
    files: Mapping[str, bytes], mode: str = "", form: int = tarfile.PAX_FORMAT, kind: bytes = tarfile.REGTYPE
) -> bytes:
    """Give a tar of *files*, all of one *kind*."""
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode=f"w:{mode}", format=form) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.type, info.linkname = len(content), kind, "/etc/passwd" if kind != tarfile.REGTYPE else ""
            archive.addfile(info, io.BytesIO(content))
    return into.getvalue()


def tar_header(name: bytes = b"a", size: bytes = b"%011o\0" % 0, kind: bytes = b"0") -> bytes:
    """Give one header with the right checksum, whatever it states."""
    header = bytearray(tarfile.TarInfo("").tobuf(tarfile.USTAR_FORMAT))
    header[: len(name)], header[124:136], header[156:157], header[148:156] = name, size, kind, b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def pax(*records: bytes, kind: bytes = b"x") -> bytes:
    """Give an extended header with *records* as they are."""
    content = b"".join(records)
    return tar_header(size=b"%011o\0" % len(content), kind=kind) + content.ljust(-(-len(content) // 512) * 512, b"\0")


def patched(data: bytes, signature: bytes, at: int, value: bytes) -> bytes:
    """Change a zip's bytes at *at* after every *signature*."""
    parts = data.split(signature)
    return signature.join([parts[0], *(part[: at - 4] + value + part[at - 4 + len(value) :] for part in parts[1:])])


def central(data: bytes, at: int, value: bytes) -> bytes:
    """Change what a zip's list of members states, at the offset that the APPNOTE gives."""
    return patched(data, b"PK\x01\x02", at, value)


def refusal(data: bytes, name: str = "certs.zip") -> Finding:
    """Give the one finding of an archive that is refused."""
    unpacked = unpack(name, data)
    (finding,) = unpacked.findings
    assert (finding.code, finding.refuses, unpacked.files) == ("archive-refused", True, {})
    return finding


def notes(unpacked: Unpacked) -> list[str]:
    assert not any(finding.refuses for finding in unpacked.findings)
    return [finding.cause for finding in unpacked.findings]


class TestIsArchive:
    @pytest.mark.parametrize("mode", TAR_MODES)
    def test_the_content_counts(self, mode: str) -> None:
        """A zip of any kind (a jar, a docx), an empty one, a tar, compressed or not."""
        assert is_archive(make_tar(FILES, mode))
        assert is_archive(make_zip(FILES))
        assert is_archive(make_zip({}))

    @pytest.mark.parametrize(
        "data", [b"", b"PK", b"-----BEGIN CERTIFICATE-----\n", b"\x30\x82\x01\x00", b"BZh9 is no bzip2", bytes(2000)]
    )
    def test_what_customers_hand_over_otherwise_is_none(self, data: bytes) -> None:
        """Not PEM, not DER, not nothing."""
        assert not is_archive(data)

    def test_asking_loads_nothing_heavy(self) -> None:
        """Most customers send no archive, and their command is to be quick."""
        code = (
            "import sys; from tasks.core.doctor.archive import is_archive; is_archive(b'PK'); "
            "print([x for x in ('zipfile', 'tarfile', 'lzma', 'bz2') if x in sys.modules])"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert ran.stdout == "[]\n"


class TestUnpack:
    @pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    @pytest.mark.parametrize("mode", TAR_MODES)
    def test_a_tar_is_read(self, mode: str, form: int) -> None:
        """In each of the three formats, also with names that need an extended header, and compressed in each way."""
        files = {**FILES, "long/" + "x" * 90 + "/" + "y" * 60: b"z"}
        unpacked = unpack(TAR_MODES[mode], make_tar(files, mode, form))
        assert {f"certs/{name}": content for name, content in files.items()} == unpacked.files
        assert notes(unpacked) == [f"{TAR_MODES[mode]} was unpacked in memory, and 5 files in it were read"]

    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    def test_a_zip_is_read(self, method: int) -> None:
        """Stored or deflated."""
        unpacked = unpack("new/Certs.ZIP", make_zip(FILES, method))
        assert {f"new/Certs/{name}": content for name, content in FILES.items()} == unpacked.files

    @pytest.mark.parametrize(
        "name",
        [
            "certs.zip",
            "-rf.tgz",
            "certs[1].zip",
            "a*?.zip",
            "it's mine (1).tar.xz",
            "certs",
            "c:d.tar.gz",
            ".zip",
            "...zip",
            "a/b.tar",
        ],
    )
    def test_its_command_gives_the_same_files(self, name: str, tmp_path: Path) -> None:
        """After the command of the note, each file lies under the name that the findings use."""
        kind = "zip" if name.endswith("zip") else ("gz", "xz", "")[len(name) % 3]
        data = make_zip(FILES) if kind == "zip" else make_tar(FILES, kind)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
        (tmp_path / "certs1.zip").write_bytes(b"another")
        unpacked = unpack(name, data)
        environ = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        subprocess.run(["/bin/sh", "-ec", unpacked.findings[0].command], cwd=tmp_path, env=environ, check=True)
        present = {str(x.relative_to(tmp_path)): x.read_bytes() for x in tmp_path.rglob("*") if x.is_file()}
        assert present == {**unpacked.files, name: data, "certs1.zip": b"another"}

    @pytest.mark.parametrize("command", ["tar czf packed -C certs .", "cd certs && zip -qr - . > ../packed"])
    def test_what_the_systems_own_programs_pack_is_read(self, command: str, tmp_path: Path) -> None:
        """A directory packed as people do it, directories included; zip writes UTF-8 without saying so."""
        for name, content in FILES.items():
            (tmp_path / "certs" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "certs" / name).write_bytes(content)
        subprocess.run(["/bin/sh", "-ec", command], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, check=True)
        unpacked = unpack("a.zip", (tmp_path / "packed").read_bytes())
        assert {f"a/{name}": content for name, content in FILES.items()} == unpacked.files

    def test_what_file_managers_add_is_skipped_silently(self) -> None:
        """macOS's companions and Windows' thumbnails are not the customer's files."""
        junk = ("__MACOSX/._ssl.key", "._ssl.key", "chain/.DS_Store", "Thumbs.db", "chain/")
        unpacked = unpack("certs.zip", make_zip({**dict.fromkeys(junk, b""), "ssl.key": b"key"}))
        assert (unpacked.files, len(unpacked.findings)) == ({"certs/ssl.key": b"key"}, 1)

    def test_a_global_header_as_git_writes_it_is_no_file(self) -> None:
        """`git archive` notes the commit in front."""
        data = pax(b"14 comment=ab\n", kind=b"g") + tar_header() + bytes(1024)
        assert unpack("certs.tar", data).files == {"certs/a": b""}

    @pytest.mark.parametrize("make", [make_zip, make_tar])
    def test_a_large_member_is_left_out_and_named(self, make: Callable[[Mapping[str, bytes]], bytes]) -> None:
        """Authorities add manuals; the largest size that is read is exact."""
        most = policy.ARCHIVE_MEMBER_MAX_BYTES
        unpacked = unpack("certs.zip", make({"manual.pdf": bytes(most + 1), "ssl.key": bytes(most)}))
        assert list(unpacked.files) == ["certs/ssl.key"]
        assert f"manual.pdf in certs.zip is larger than {most} bytes" in notes(unpacked)[1]

    @pytest.mark.parametrize("inner", [make_zip(FILES), make_tar(FILES), gzip.compress(b"x", mtime=0), make_zip({})])
    def test_an_archive_in_an_archive_is_not_opened(self, inner: bytes) -> None:
        """It is named, with what to do if it matters."""
        unpacked = unpack("certs.zip", make_zip({"inner": inner, "ssl.key": b"key"}))
        assert list(unpacked.files) == ["certs/ssl.key"]
        assert (unpacked.findings[1].code, unpacked.findings[1].command) == (
            "file-left-out",
            "mkdir -m 700 certs && unzip -n certs.zip -d certs",
        )
        assert "inner in certs.zip is itself an archive" in notes(unpacked)[1]

    def test_a_key_is_not_in_the_representation(self) -> None:
        """Tracebacks print objects."""
        assert "key" not in repr(unpack("certs.zip", make_zip({"a": b"key"})))


class TestRefusals:
    @pytest.mark.parametrize(
        "name",
        [
            "../a",
            "a/../../b",
            "..",
            "/etc/passwd",
            "//a",
            "C:\\a",
            "c:a",
            "a\\..\\b",
            "a\x00.crt",
            "a\nb",
            "a\x1b[2J",
            "a\u202eb",
            "x" * 256,
        ],
    )
    def test_a_name_that_leads_elsewhere(self, name: str) -> None:
        """Up, to the root, to a drive, with Windows' separator, or one that a terminal or a C program reads otherwise."""
        placed = name.replace("\x00", "N")
        data = make_zip([("ssl.key", b""), (placed, b"")]).replace(placed.encode(), name.encode())
        assert "holds a name" in refusal(data).cause
        if "\x00" not in name:
            assert "holds a name" in refusal(make_tar({"ssl.key": b"", name: b""})).cause
            assert "holds a name" in refusal(make_tar({name: b""}, form=tarfile.GNU_FORMAT)).cause

    def test_a_name_that_is_no_text(self) -> None:
        """Nobody could type it into a command."""
        assert "cannot be shown" in refusal(tar_header(b"Gr\xfcn.crt") + bytes(512)).cause

    @pytest.mark.parametrize("name", [".", "./", "a/.."])
    def test_a_file_without_a_name(self, name: str) -> None:
        """What is left once the dots are gone is nothing."""
        assert refusal(tar_header(name.encode()) + bytes(512)).cause.startswith("certs.zip holds a ")

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_two_names_for_one_file(self) -> None:
        """Also where only some file systems take them for one, or the second is a directory."""
        for first, second in (
            ("a", "a"),
            ("a", "./a"),
            ("a/b", "a//b"),
            ("A", "a"),
            ("\u00fc", "u\u0308"),
            ("a", "a/b"),
        ):
            data = make_zip([(first, b"1"), (second, b"2")])
            assert refusal(data).cause.endswith(("more than once", "below something that is a file"))

    @pytest.mark.parametrize(
        "kind",
        [
            tarfile.SYMTYPE,
            tarfile.LNKTYPE,
            tarfile.CHRTYPE,
            tarfile.BLKTYPE,
            tarfile.FIFOTYPE,
            tarfile.GNUTYPE_SPARSE,
            b"V",
            b"Z",
        ],
    )
    def test_what_is_no_file_in_a_tar(self, kind: bytes) -> None:
        """Links, devices, pipes, sparse files, volume labels."""
        assert "holds a, which is " in refusal(tar_header(b"a", kind=kind) + bytes(512)).cause

    def test_a_link_with_a_long_target(self) -> None:
        """GNU tar writes the target first."""
        data = make_tar({"a": b""}, form=tarfile.GNU_FORMAT, kind=tarfile.SYMTYPE)
        long = tar_header(b"././@LongLink", b"%011o\0" % 5, b"K") + b"/etc\0".ljust(512, b"\0")
        assert refusal(long + data).cause.endswith("holds a, which is a symbolic link")

    @pytest.mark.parametrize("mode", [0o120777, 0o020666, 0o010600])
    @pytest.mark.parametrize("name", ["a", "a/"])
    def test_what_is_no_file_in_a_zip(self, mode: int, name: str) -> None:
        """A link or a device, also one whose name ends like a directory's."""
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        into = io.BytesIO()
        with zipfile.ZipFile(into, "w") as archive:
            archive.writestr(info, "/etc/passwd")
        assert "holds a, which is a " in refusal(into.getvalue()).cause

    def test_a_sparse_file_in_the_newer_form(self) -> None:
        """Its content is a map and the rest."""
        assert "a sparse file" in refusal(pax(b"22 GNU.sparse.major=1\n") + tar_header() + bytes(512)).cause

    def test_a_password(self) -> None:
        """unzip asks for it, but for AES, which it does not know."""
        data = make_zip({"ssl.key": b"x"})
        assert "password" in refusal(central(data, 8, b"\1\0")).cause
        assert refusal(central(data, 8, b"\1\0")).command == "mkdir -m 700 certs && unzip -n certs.zip -d certs"
        assert refusal(central(data, 8, b"\1\0\x63\0")).command == "mkdir -m 700 certs && 7z x -ocerts certs.zip"

    @pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 9, 93, 98])
    def test_an_unusual_compression(self, method: int) -> None:
        """What zipfile cannot, or cannot within bounds."""
        data = (
            make_zip(FILES, method) if method in (12, 14) else central(make_zip(FILES), 10, struct.pack("<H", method))
        )
        assert f"method {method} of zip" in refusal(data).cause

    @pytest.mark.parametrize("start", [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x01\x00", b"\x28\xb5\x2f\xfd"])
    def test_an_archive_of_another_kind(self, start: bytes) -> None:
        """It is named, with the command that opens it."""
        finding = refusal(start + bytes(100), "c.x")
        assert finding.cause.startswith("c.x is of a kind that is not opened here")
        assert finding.command.startswith(("mkdir -m 700 c.x.d && 7z x", "mkdir -m 700 c.x.d && tar xf"))

    @pytest.mark.parametrize(
        ("data", "command"),
        [(gzip.compress(b"x", mtime=0), "gzip"), (bz2.compress(b"x"), "bzip2"), (lzma.compress(b""), "xz")],
    )
    def test_a_single_file_that_is_compressed(self, data: bytes, command: str) -> None:
        """A tar was expected in it."""
        assert refusal(data, "ssl.crt.gz").command == f"{command} -dk ssl.crt.gz"

    def test_no_files(self) -> None:
        """Nothing, or nothing but directories."""
        for data in (make_zip({}), make_zip({"a/": b""}), pax() + bytes(512)):
            assert "holds no files" in refusal(data).cause

    @pytest.mark.parametrize("mode", ["zip", *TAR_MODES])
    def test_every_cut(self, mode: str) -> None:
        """An archive that broke off on its way is damaged wherever it broke off, and changes nothing silently."""
        whole = make_zip(FILES) if mode == "zip" else make_tar(FILES, mode)[: None if mode else 9 * 512]
        for length in range(520, len(whole), max(1, (len(whole) - 520) // 50)):
            assert "is damaged" in refusal(whole[:length]).cause

    def test_a_changed_byte_of_content(self) -> None:
        """The checksums of zip and of the compressions are compared."""
        data = make_zip({"a": b"content"}, zipfile.ZIP_STORED).replace(b"content", b"CONTENT")
        assert "is damaged" in refusal(data).cause
        assert "is damaged" in refusal(make_tar(FILES, "xz")[:-40] + bytes(40)).cause

    @pytest.mark.parametrize(
        "record",
        [
            b"5 path=a\n",
            b"99 path=a\n",
            b"x path=a\n",
            b"path=a\n",
            b"9 path a\n",
            b"0 path=a\n",
            b"-9 path=a\n",
            b"9 path=aa",
        ],
    )
    def test_an_extended_header_that_does_not_parse(self, record: bytes) -> None:
        """Two programs would take different names from it."""
        assert "an extended header does not parse" in refusal(pax(record) + tar_header() + bytes(512)).cause

    @pytest.mark.parametrize("size", [b"\xff" * 12, b"\x80" + b"\x7f" * 11, b"77777777777\0", b"00000001000\0"])
    def test_a_size_that_is_not_there(self, size: bytes) -> None:
        """Negative, huge, or more than follows: in a member and in an extended header."""
        for kind in b"0", b"x", b"g", b"L", b"K":
            assert "is damaged" in refusal(tar_header(size=size, kind=kind) + bytes(511)).cause

    def test_members_that_share_their_bytes(self) -> None:
        """The way zip bombs multiply; and bytes in front, where another zip may be."""
        one, two = make_zip({"a": b"1"}), make_zip([("a", b"1"), ("b", b"1")])
        assert "share their bytes" in refusal(central(two, 42, bytes(4))).cause
        assert "share their bytes" in refusal(one + one).cause


class TestBounds:
    @pytest.mark.parametrize("count", [policy.ARCHIVE_MAX_MEMBERS, policy.ARCHIVE_MAX_MEMBERS + 1])
    def test_the_number_of_members(self, count: int) -> None:
        """Directories and skipped files count, so that nobody hides a million of them."""
        for data in (
            make_zip({f"._{n}": b"" for n in range(count - 1)} | {"a": b""}),
            make_tar({f"{n}": b"" for n in range(count)}),
        ):
            refused = unpack("certs.zip", data).findings[0].refuses
            assert (count > policy.ARCHIVE_MAX_MEMBERS) == refused

    def test_the_bytes_in_all(self) -> None:
        """Of a zip those that are read count, of a tar all."""
        most = policy.ARCHIVE_TOTAL_MAX_BYTES // policy.ARCHIVE_MEMBER_MAX_BYTES
        full = {f"{n}": bytes(policy.ARCHIVE_MEMBER_MAX_BYTES) for n in range(most)}
        assert len(unpack("certs.zip", make_zip(full)).files) == most
        for data in (make_zip({**full, "more": b"x"}), make_tar(full, "gz")):
            assert "too large when unpacked" in refusal(data).cause

    def test_the_archive_itself(self) -> None:
        """At the limit it is read."""
        data = make_tar(FILES).ljust(policy.ARCHIVE_MAX_BYTES, b"\0")
        assert unpack("certs.tar", data).files
        assert f"has {len(data) + 1} bytes" in refusal(data + b"\0").cause


SEEDS = [
    make_zip(FILES),
    make_zip(FILES, zipfile.ZIP_STORED),
    *(make_tar(FILES, mode) for mode in TAR_MODES),
    make_tar(FILES, "", tarfile.GNU_FORMAT),
]


def _repeated(part: bytes) -> bytes:
    return part * (policy.ARCHIVE_MAX_BYTES // len(part))


def _zip_of_zeros() -> bytes:
    return make_zip({"a": bytes(50 * policy.MIB)})


def _list_of_members(count: int) -> bytes:
    entries = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *[0] * 16) * count
    return (
        b"PK\x03\x04"
        + bytes(26)
        + entries
        + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(entries), 30, 0)
    )


BOMBS: Mapping[str, Callable[[], bytes]] = {
    "a gigabyte of zeros, gzip": lambda: gzip.compress(bytes(50 * policy.MIB)) * 20,
    "a gigabyte of zeros, bzip2": lambda: bz2.compress(bytes(50 * policy.MIB)) * 20,
    "a gigabyte of zeros, xz": lambda: lzma.compress(bytes(50 * policy.MIB)) * 20,
    "an xz that states a dictionary of 1.5 GiB": lambda: lzma.compress(
        tar_header() + bytes(1024), filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 3 << 29}]
    ),
    "50 MiB in a zip": _zip_of_zeros,
    "50 MiB in a zip that states 64 KiB": lambda: central(_zip_of_zeros(), 24, struct.pack("<L", 65536)),
    "the same bytes 1,000 times in a zip": lambda: _list_of_members(1000),
    "22,000 members in a zip": lambda: _list_of_members(22_000),
    "tiny headers, compressed": lambda: gzip.compress(tar_header() * 100_000),
    "2,000 members that are skipped": lambda: _repeated(tar_header(b"._a")),
    "2,000 extended headers, each about the next": lambda: _repeated(tar_header(kind=b"x")),
    "2,000 long names, each about the next": lambda: _repeated(tar_header(kind=b"L")),
    "50,000 records in an extended header": lambda: pax(_repeated(b"5 a=\n")[: 256 * 1024 // 5 * 5]) + bytes(512),
    "200,000 records in an extended header": lambda: pax(_repeated(b"5 a=\n")[:-2000]) + bytes(512),
    "an extended header of digits": lambda: pax(b"1" * (policy.ARCHIVE_MAX_BYTES - 2000)) + bytes(512),
    "a name of a mebibyte": lambda: (
        tar_header(size=b"%011o\0" % (2**20 - 2048), kind=b"L")
        + b"\xc3\xa4" * (2**19 - 1024)
        + tar_header()
        + bytes(512)
    ),
    "50,000 empty gzip streams": lambda: _repeated(gzip.compress(b"")),
    "70,000 empty bzip2 streams": lambda: _repeated(bz2.compress(b"")),
    "30,000 empty xz streams": lambda: _repeated(lzma.compress(b"")),
    "200,000 empty blocks in gzip": lambda: b"\x1f\x8b\x08" + bytes(7) + _repeated(b"\0\0\0\xff\xff")[:-20],
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_no_bomb_takes_time_or_memory(bomb: str) -> None:
    """Half a second of the processor and 40 MiB are never reached, whatever the headers state."""
    data = BOMBS[bomb]()[: policy.ARCHIVE_MAX_BYTES]
    for usual in SEEDS:
        unpack("usual", usual)  # what is loaded once is not the bomb's
    began = time.process_time()
    unpack("certs.zip", data)
    took = time.process_time() - began
    tracemalloc.start()
    try:
        unpacked = unpack("certs.zip", data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (unpacked.files, took < 0.5, peak < 40 * policy.MIB) == ({}, True, True)


def check_bounds(unpacked: Unpacked) -> None:
    """Whatever came in, what comes out is bounded and said."""
    assert unpacked.findings
    assert len(unpacked.files) <= policy.ARCHIVE_MAX_MEMBERS
    assert sum(map(len, unpacked.files.values())) <= policy.ARCHIVE_TOTAL_MAX_BYTES
    assert all(name.startswith("certs/") and ".." not in name.split("/") for name in unpacked.files)


@given(
    st.sampled_from(
        [b"", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08", b"BZh91AY&SY", b"\xfd7zXZ\x00", SEEDS[2][:512]]
    ),
    st.binary(max_size=600),
)
def test_random_bytes_never_raise(start: bytes, rest: bytes) -> None:
    """Behind each magic number too."""
    check_bounds(unpack("certs.zip", start + rest))


@settings(max_examples=500)
@given(st.data())
def test_damaged_archives_never_raise(data: st.DataObject) -> None:
    """Bytes of good archives changed, cut out and repeated; the checksums of tar's headers made right again."""
    archive = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(archive)))
        archive[at : at + data.draw(st.integers(0, 12))] = data.draw(st.binary(max_size=12))
    for at in range(0, len(archive) - 511, 512) if data.draw(st.booleans()) else ():
        if archive[at + 257 : at + 262] == b"ustar":
            archive[at + 148 : at + 156] = b" " * 8
            archive[at + 148 : at + 156] = b"%06o\0 " % sum(archive[at : at + 512])
    check_bounds(unpack("certs.zip", bytes(archive)))
