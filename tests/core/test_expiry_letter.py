"""The letters: read by a tired customer, and by an operator at three in the morning."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tasks.core.expiry import Audience, Rung
from tasks.core.expiry_letter import Desk, Ending, Letter, Renewal, concerns, write_to_customer, write_to_operators
from tasks.core.hand_over import Stage, Turn

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)  # a Tuesday
DESK = Desk("Example Hosting", ZoneInfo("Europe/Berlin"), frozenset({date(2026, 12, 4)}))


def an_ending(
    days: float,
    rung: Rung,
    hostname: str = "shop.example.com",
    stage: Stage | None = Stage.AWAITING_UPLOAD,
) -> Ending:
    name = f"renew-{hostname.replace('.', '-')}"
    renewal = Renewal(name, NOW + timedelta(days=13), stage) if stage else None
    return Ending("cert-1", "acme", hostname, "shop", NOW + timedelta(days=days), rung, renewal)


def letter(*endings: Ending, left_out: int = 0) -> Letter:
    return write_to_customer("acme", endings, left_out, DESK, NOW)


class TestToACustomer:
    def test_whole_letter(self) -> None:
        """What expires when, until when an office can act, and the commands, in the order in which they are typed."""
        written = letter(an_ending(12, Rung.REMIND))
        assert written.subject == "The certificate of shop.example.com expires in 12 days, on Sunday 6 December 2026"
        assert written.body == (
            "Hello acme,\n\n"
            "the certificate of https://shop.example.com/ on Example Hosting expires on Sunday 6 December 2026 at 07:00 "
            "CET, in 12 days. From then on browsers warn your visitors off. "
            "The last working day before that is Thursday 3 December 2026.\n\n"
            "1. Have your certificate authority issue a new certificate. This makes the key and the request for it:\n\n"
            "    certferry csr shop.example.com --out ./renew-shop-example-com\n\n"
            "2. Put what the authority sends you beside the key, into ./renew-shop-example-com. Then hand it over:\n\n"
            "    certferry push renew-shop-example-com ./renew-shop-example-com\n"
            "    certferry ticket file renew-shop-example-com\n\n"
            "This hand-over is open until Monday 7 December 2026.\n\n"
            "`certferry status renew-shop-example-com` says where it stands. "
            "The certificate that is there now serves on until the new one is proven: no interruption. "
            "A renewal costs nothing extra.\n\n"
            "Never send a private key by mail or in a ticket: `certferry push` seals it on your machine.\n\n"
            "Example Hosting\n"
        )

    def test_an_expired_one_says_so_first(self) -> None:
        """And promises no interruption that has happened already."""
        written = letter(an_ending(-1, Rung.EXPIRED))
        assert written.subject == "EXPIRED: the certificate of shop.example.com, on Monday 23 November 2026"
        assert "no interruption" not in written.body
        assert "working day" not in written.body

    @pytest.mark.parametrize("rung", [Rung.URGENT, Rung.LAST_DAYS])
    def test_a_subject_is_urgent_when_it_is(self, rung: Rung) -> None:
        """And not before, or nobody believes it."""
        assert letter(an_ending(2, rung)).subject.startswith("URGENT: ")
        assert not letter(an_ending(12, Rung.REMIND)).subject.startswith("URGENT")

    def test_without_an_open_renewal_it_says_how_to_open_one(self) -> None:
        """Before the push, which would find nothing."""
        body = letter(an_ending(2, Rung.LAST_DAYS, stage=None)).body
        create = "certferry create renew-shop-example-com --app shop --hostname shop.example.com"
        assert 0 < body.index(create) < body.index("certferry push")

    def test_who_has_pushed_is_asked_for_the_ticket_only(self) -> None:
        """Nobody is sent to buy a certificate twice."""
        body = letter(an_ending(2, Rung.LAST_DAYS, stage=Stage.AWAITING_TICKET)).body
        assert "certferry ticket file renew-shop-example-com" in body
        assert "certferry push renew" not in body
        assert "certferry csr" not in body

    def test_who_is_stuck_is_shown_where(self) -> None:
        """The files are there, the domain is not: status knows."""
        body = letter(an_ending(2, Rung.LAST_DAYS, stage=Stage.CHECKING)).body
        assert "    certferry status renew-shop-example-com" in body
        assert "certferry csr" not in body

    def test_many_are_one_letter_the_nearest_first(self) -> None:
        """Each with its own date and commands."""
        written = letter(an_ending(9, Rung.REMIND, "b.example.com"), an_ending(-2, Rung.EXPIRED, "a.example.com"))
        assert written.subject == "EXPIRED: the certificate of a.example.com; 2 of your certificates need you"
        heads = [line for line in written.body.splitlines() if line.startswith("* ")]
        assert heads == [
            "* a.example.com: EXPIRED on Sunday 22 November 2026 at 07:00 CET",
            "* b.example.com: expires on Thursday 3 December 2026 at 07:00 CET, in 9 days",
        ]
        assert written.body.count("certferry push renew-") == 2

    def test_what_is_left_out_is_counted(self) -> None:
        """A letter with a thousand names is not read."""
        written = letter(an_ending(2, Rung.LAST_DAYS), left_out=999)
        assert written.subject.startswith("URGENT: 1000 of your certificates expire soon")
        assert "and 999 more. `certferry sites` lists all of them." in written.body


class TestToTheOperators:
    def test_whole_letter(self) -> None:
        """What is down comes first; each line says who must do what."""
        endings = (
            an_ending(0.2, Rung.LAST_DAYS, "b.example.com", Stage.AWAITING_APPROVAL),
            an_ending(-1.5, Rung.EXPIRED, "a.example.com", None),
        )
        written = write_to_operators(endings, 3, DESK, NOW)
        assert written.subject == (
            "DOWN: Certificates: 1 expired and still served, 4 about to expire; first a.example.com"
        )
        assert written.body == (
            "* a.example.com of acme: EXPIRED Sunday 22 November 2026 at 19:00 CET (36 hours ago)\n"
            "  No renewal is open. Call the customer.\n"
            "* b.example.com of acme: expires Tuesday 24 November 2026 at 11:48 CET (in 4 hours)\n"
            "  WAITS FOR YOU: open the run of renew-b-example-com in Prefect, choose Resume, and decide.\n\n"
            "and 3 more. The artifact *expiry* of the run shows all.\n\n"
            "Their customers have been written to at every rung before. A letter that nobody answers needs a call. "
            "You will not be told of these again until they come to the next rung.\n"
        )

    def test_nothing_is_down_that_serves(self) -> None:
        """A word that is in every subject wakes nobody."""
        assert "DOWN" not in write_to_operators([an_ending(2, Rung.LAST_DAYS)], 0, DESK, NOW).subject


def a_hand_over(stage: Stage, turn: Turn) -> Any:
    return SimpleNamespace(stage=stage, turn=turn)


UPLOAD = a_hand_over(Stage.AWAITING_UPLOAD, Turn.CUSTOMER)
OPENING = a_hand_over(Stage.OPENING, Turn.PLATFORM)
CHECKING = a_hand_over(Stage.CHECKING, Turn.PLATFORM)
APPROVAL = a_hand_over(Stage.AWAITING_APPROVAL, Turn.OPERATOR)


class TestConcerns:
    @pytest.mark.parametrize(
        ("renewal", "told"), [(None, True), (UPLOAD, True), (OPENING, True), (CHECKING, False), (APPROVAL, False)]
    )
    @pytest.mark.parametrize("rung", Rung)
    def test_the_customer_while_it_is_the_customers_turn(self, rung: Rung, renewal: Any, told: bool) -> None:
        """Who has done all there is to do hears nothing."""
        assert concerns(Audience.CUSTOMER, rung, renewal) is told

    @pytest.mark.parametrize(
        ("renewal", "rungs"),
        [
            (None, {Rung.LAST_DAYS, Rung.EXPIRED}),
            (UPLOAD, {Rung.LAST_DAYS, Rung.EXPIRED}),
            (CHECKING, {Rung.EXPIRED}),
            (APPROVAL, {Rung.URGENT, Rung.LAST_DAYS, Rung.EXPIRED}),
        ],
    )
    def test_the_operators_when_a_letter_was_not_enough(self, renewal: Any, rungs: set[Rung]) -> None:
        """Earlier if it is they who are waited for; later if the platform works on it; always when it is down."""
        assert {rung for rung in Rung if concerns(Audience.OPERATORS, rung, renewal)} == rungs
