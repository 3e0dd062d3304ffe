"""A short run of each fuzzer, the same chance each time; `make fuzz` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.core.certificate import judge
from tasks.core.doctor.pem import armour
from tests.corpus import craft
from tests.fuzz import seeds
from tests.fuzz.__main__ import fuzz
from tests.fuzz.harnesses import HARNESSES

_SECONDS = 3


@pytest.mark.parametrize("name", HARNESSES)
class TestHarness:
    """Each harness starts from good inputs and finds nothing."""

    def test_it_runs_over_its_seeds(self, name: str) -> None:
        """The inputs that a fuzzer starts from break no claim, nor does an empty one."""
        for data in (b"", *HARNESSES[name].seeds()):
            HARNESSES[name].run(data)

    def test_it_finds_nothing_in_a_few_seconds(self, name: str, tmp_path: Path) -> None:
        """Some seconds of atheris find nothing."""
        pytest.importorskip("atheris", reason="atheris is made for some platforms only")
        campaign = fuzz(name, _SECONDS, tmp_path, seed=1)
        assert not campaign.failed, campaign.output


SEEDS = [*seeds.key_ders(), *seeds.certificate_ders(), *seeds.other_ders()]


class TestSeeds:
    """What the fuzzers are helped with does what it says."""

    @pytest.mark.parametrize("number", range(len(SEEDS)))  # by number: the keys among them are new each time
    def test_a_value_put_back_changes_nothing(self, number: int) -> None:
        """A change of one value that leaves it as it is gives the same bytes: all lengths are put right."""
        der = SEEDS[number]
        count = seeds.count_values(der)
        assert count > 3
        for number in (0, count // 2, count - 1):
            assert seeds.change_value(der, number, craft.tlv) == der

    def test_a_value_is_reached_inside_a_string(self) -> None:
        """The numbers inside PKCS#8's OCTET STRING are among the values."""
        changed = {seeds.change_value(seeds.key_ders()[0], n, lambda *_: b"") for n in range(12)}
        assert len(changed) == 12

    def test_files_packed_are_unpacked(self) -> None:
        """Files go into one string of bytes and come out of it."""
        files = seeds.good().files()
        assert seeds.unpack(seeds.pack(files)) == {"": b"", **files}

    def test_what_is_signed_anew_is_accepted(self) -> None:
        """The good leaf signed once more is as good."""
        again = seeds.resign(seeds.good().leaf.tbs_certificate_bytes)
        assert judge(seeds.good().files(crt=armour("CERTIFICATE", again)), seeds.terms()).accepted
