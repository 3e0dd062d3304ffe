"""What a handshake showed, judged; and the letter about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.core.model import Hostname
from tasks.core.watch import (
    ADVICE,
    DNS,
    EVERYBODY,
    Code,
    Fault,
    Sight,
    Sighting,
    judge_sight,
    write_about_sightings,
)

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
END = NOW + timedelta(days=30)
SHOP = Hostname("shop.example.test")


@pytest.mark.parametrize(
    ("sight", "code"),
    [
        (Sight("aa", None), None),
        (Sight("bb", None), Code.WRONG_LEAF),
        (Sight("bb", Fault.EXPIRED), Code.WRONG_LEAF),
        (Sight("bb", Fault.WRONG_NAME), Code.WRONG_LEAF),
        (Sight("aa", Fault.EXPIRED), Code.EXPIRED),
        (Sight("aa", Fault.UNTRUSTED), Code.CHAIN_BROKEN),
        (Sight("aa", Fault.WRONG_NAME), Code.CHAIN_BROKEN),
        (Sight(None, Fault.SILENT), Code.ADDRESS_SILENT),
        (Sight(None, Fault.NO_HANDSHAKE), Code.NO_HANDSHAKE),
    ],
)
def test_verdicts(sight: Sight, code: Code | None) -> None:
    """The leaf is compared first: a wrong one is wrong whatever else it is."""
    verdict = judge_sight(sight, {"aa"}, END, NOW)
    assert (verdict[0] if verdict else None) is code


def test_expired_exactly_now() -> None:
    """Even where the machine that looked had a slower clock."""
    verdict = judge_sight(Sight("aa", None), {"aa"}, NOW, NOW)
    assert verdict is not None
    assert verdict[0] is Code.EXPIRED


def test_whole_letter() -> None:
    """What to do stands once for each code, above where."""
    letter = write_about_sightings(
        [
            Sighting(SHOP, DNS, Code.CAA_REFUSES, "acme", "issue allows nobody (CAA at example.test)"),
            Sighting(SHOP, "edge-a", Code.WRONG_LEAF, "acme", "shows leaf bb, not aa"),
            Sighting(EVERYBODY, "edge-b", Code.ADDRESS_SILENT, "-", "takes no connection"),
        ],
        2,
    )
    assert letter.subject == "Served wrongly: 5 findings; first shop.example.test of acme at edge-a: wrong-leaf"
    assert letter.body == (
        "What the world gets is not what it should get:\n\n"
        f"[wrong-leaf] {ADVICE[Code.WRONG_LEAF]}\n"
        "* shop.example.test of acme at edge-a: shows leaf bb, not aa\n\n"
        f"[address-silent] {ADVICE[Code.ADDRESS_SILENT]}\n"
        "* edge-b: takes no connection\n\n"
        f"[caa-refuses] {ADVICE[Code.CAA_REFUSES]}\n"
        "* shop.example.test of acme: issue allows nobody (CAA at example.test)\n\n"
        "and 2 more. The artifact *served* of the run shows all.\n\n"
        "Nothing was repaired. You will not be told of these again unless they change.\n"
    )


def test_each_code_is_explained() -> None:
    """To whoever is told, and in the documentation."""
    page = (Path(__file__).parents[2] / "docs" / "served.md").read_text()
    assert set(ADVICE) == set(Code)
    assert [code for code in Code if f"`{code}`" not in page] == []
