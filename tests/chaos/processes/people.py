"""
Whoever stands around the stack: customers who hand over through the front desk, operators who answer in Prefect.

They bear with everything: what fails is done again, as people and the customer's command do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import reduce
from operator import or_
from typing import Any, Final, TypeVar

import httpx

from deployments.local.configuration import APPROVER
from deployments.local.pki import Issued
from tasks.clients.installation import lend
from tasks.clients.keys import open_key_provider
from tasks.core.envelope import Binding, seal
from tasks.core.errors import CertferryError, NotReady, Unavailable
from tasks.core.hand_over import seed_context
from tasks.core.live import challenge_name, challenge_value
from tasks.core.model import Drop, DropState, Hostname, Outcome, make_id
from tasks.customer.client import FrontDesk, upload
from tasks.customer.config import Login
from tasks.issue_token import issue_token
from tasks.onboard import App, Onboarding, onboard
from tests.chaos.processes.scene import Scene
from tests.leaks import Secrets
from tests.stack.world import leaf_sha256

T = TypeVar("T")

PAUSE_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 900.0  # of one hand-over, through all that befalls it
QUESTIONS_SECONDS: Final = 1.0  # between two looks at what is asked


class Wish(StrEnum):
    """What the people want of a hand-over."""

    APPROVED = "approved"
    REFUSED = "refused"
    GIVEN_UP = "given up"


@dataclass
class HandOver:
    """One hand-over, as its customer knows it."""

    name: str
    wish: Wish
    issued: Issued
    drop_id: str = ""
    ended_at: float | None = None
    trouble: str = ""

    @property
    def leaf_sha256(self) -> str:
        return leaf_sha256(self.issued)


@dataclass
class Customer:
    """An account with one app and one hostname."""

    account: str
    hostname: Hostname
    desk: FrontDesk
    hand_overs: list[HandOver] = field(default_factory=list)


@dataclass(frozen=True)
class Question:
    """A gate that was seen to ask for an approval, with its form."""

    run: str
    key: str


class People:
    """
    Everybody.

    Attributes:
        answered: When each question was answered, as far as Prefect said so.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._secrets: list[Secrets] = []
        self._wrapped: dict[str, Secrets] = {}
        self.customers: list[Customer] = []
        self.wishes: dict[str, Wish] = {}
        self.answered: dict[Question, float] = {}
        self._stop = threading.Event()

    # --- Secrets ------------------------------------------------------------------------------------

    @property
    def secrets(self) -> Secrets:
        """Every key, token, drop secret and seed that there ever was."""
        return reduce(or_, self._secrets, Secrets({}))

    def wrapped(self, drop_ids: Iterable[str]) -> Secrets:
        """Give the wrapped seeds of some drops."""
        return reduce(or_, (self._wrapped[drop] for drop in drop_ids if drop in self._wrapped), Secrets({}))

    def remember(self, secret: bytes, label: str) -> None:
        self._secrets.append(Secrets.of_bytes(secret, label))

    def _remember_seed(self, drop: Drop) -> None:
        view = self._scene.view
        wrapped, _ = view.drops.fetch_seed(drop.id)
        self._wrapped[drop.id] = Secrets.of_bytes(wrapped, f"wrapped seed of {drop.id}")
        seed = open_key_provider(view.settings.keys).unwrap(wrapped, seed_context(drop))
        self.remember(seed, f"seed of {drop.id}")

    # --- Customers ------------------------------------------------------------------------------------

    def welcome(self, name: str) -> Customer:
        """Onboard an account with a hostname that leads here."""
        scene, hostname = self._scene, Hostname(f"{name}.example.test")
        with lend(scene.view):
            wanted = Onboarding(
                account=name, contact=f"ops@{name}.example", apps=[App(name=f"{name}-app", hostnames=[hostname])]
            )
            (site,) = onboard(wanted, scene.view.now())
            _, token = issue_token(name, scene.view.now())
        self.remember(token.encode(), f"token of {name}")
        set_record = scene.stack.set_customer_record
        set_record(challenge_name(hostname), "TXT", [challenge_value(site)])
        set_record(hostname, "CNAME", list(scene.view.settings.platform.cname_targets))
        customer = Customer(name, hostname, FrontDesk(Login(scene.stack.place.front_desk_url, token)))
        self.customers.append(customer)
        return customer

    def prepare(self, customer: Customer, wish: Wish) -> HandOver:
        """Buy a certificate for the customer's next hand-over."""
        issued = self._scene.stack.ca.issue([customer.hostname])
        label = f"key of {customer.hostname} {len(customer.hand_overs)}"
        self._secrets.append(Secrets.of_key(issued.key, label))
        hand_over = HandOver(f"edge-{len(customer.hand_overs)}", wish, issued)
        customer.hand_overs.append(hand_over)
        return hand_over

    def carry(self, customer: Customer, hand_over: HandOver, prepared: Callable[[str], None] = lambda _: None) -> None:
        """
        Do all that a customer does for one hand-over, and wait until it has ended.

        Args:
            prepared: Called with the drop's id before anything else is done with it.
        """
        try:
            with lend(self._scene.view):
                self._carry(customer, hand_over, prepared)
        except (TimeoutError, CertferryError) as trouble:
            hand_over.trouble = f"{type(trouble).__name__}: {trouble}"

    def _carry(self, customer: Customer, hand_over: HandOver, prepared: Callable[[str], None]) -> None:
        desk, drops = customer.desk, self._scene.view.drops
        app = f"{customer.account}-app"
        hand_over.drop_id = _bear(lambda: desk.create_drop(hand_over.name, app, customer.hostname))["id"]
        self.wishes[hand_over.drop_id] = hand_over.wish
        prepared(hand_over.drop_id)
        _wait(lambda: drops.fetch(hand_over.drop_id).state is not DropState.REQUESTED or None, "an open drop")
        _bear(lambda: self._push(customer, hand_over))
        key = make_id("ticket", hand_over.drop_id.encode()[-16:])
        text = f"Please set up HTTPS.\n{hand_over.drop_id}"
        _bear(lambda: desk.file_ticket("HTTPS", text, hand_over.name, key))
        if hand_over.wish is Wish.GIVEN_UP:
            _bear(lambda: desk.destroy_drop(hand_over.name))
        ended = lambda: drops.fetch(hand_over.drop_id).outcome  # noqa: E731
        _wait(ended, f"the end of {hand_over.drop_id}")
        hand_over.ended_at = time.time()

    def _push(self, customer: Customer, hand_over: HandOver) -> None:
        """Upload as `certferry push` does: an answer that got lost may have been a yes."""
        desk, drop = customer.desk, self._scene.view.drops.fetch(hand_over.drop_id)
        if drop.outcome or drop.flow_run_id:
            return
        with suppress(NotReady):
            desk.tell_uploaded(hand_over.name)
            return
        invitation = desk.create_invitation(hand_over.name)
        self.remember(invitation.secret, f"drop secret of {drop.id}")
        self._remember_seed(drop)
        issued = hand_over.issued
        files = {
            "ssl.key": issued.key,
            "ssl.crt": issued.leaf,
            "ssl.chain": issued.chain,
            "dotcloud.yml": b"type: python-worker\n",
        }
        binding = Binding(drop.id, drop.hostname, drop.account)
        envelope = seal(files, invitation.secret, invitation.suite, invitation.public_key, binding)
        with suppress(Unavailable):
            upload(invitation, envelope)
        desk.tell_uploaded(hand_over.name)

    # --- Operators --------------------------------------------------------------------------------------

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Have operators answer whatever asks for an approval, as the wishes say, inside the block."""
        thread = threading.Thread(target=self._answer, name="operators", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
            self._stop.clear()

    def _answer(self) -> None:
        while not self._stop.wait(QUESTIONS_SECONDS):
            with suppress(httpx.HTTPError):
                for run in self.suspended():
                    self._answer_one(run)

    def suspended(self) -> list[dict[str, Any]]:
        """Give the runs that wait for somebody."""
        query = {"flow_runs": {"state": {"name": {"any_": ["Suspended"]}}}, "limit": 200}
        found: list[dict[str, Any]] = self._scene.prefect.call("POST", "/flow_runs/filter", query)
        return found

    def _answer_one(self, run: dict[str, Any]) -> None:
        key, wish = run["state"]["state_details"]["pause_key"], self.wishes.get(run["parameters"].get("drop_id", ""))
        if not key.startswith("approval") or wish in (None, Wish.GIVEN_UP) or not self.has_form(run["id"], key):
            return
        decision = "approve" if wish is Wish.APPROVED else "reject"
        answer = {"decision": decision, "name": APPROVER, "note": "as wished"}
        result = self._scene.prefect.call("POST", f"/flow_runs/{run['id']}/resume", {"run_input": answer})
        if result["status"] == "ACCEPT":
            self.answered[Question(run["id"], key)] = time.time()

    def has_form(self, run: str, key: str) -> bool:
        """Say whether the form of a gate is there, which is saved after the run is suspended."""
        body = {"prefix": f"suspended-{key}-description", "limit": 1, "exclude_keys": []}
        return bool(self._scene.prefect.call("POST", f"/flow_runs/{run}/input/filter", body))


def _bear(action: Callable[[], T]) -> T:
    """Do it again until it is done, however often nobody answers or says: not yet."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return action()
        except (Unavailable, NotReady):
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_SECONDS)


def _wait(look: Callable[[], T | None], what: str) -> T:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        with suppress(Unavailable):
            if (found := look()) is not None:
                return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {PATIENCE_SECONDS:.0f} s")
        time.sleep(PAUSE_SECONDS)


def is_as_wished(wish: Wish, outcome: Outcome | None) -> bool:
    """Say whether a hand-over ended as it had to."""
    return (
        outcome
        is {Wish.APPROVED: Outcome.COMPLETED, Wish.REFUSED: Outcome.REJECTED, Wish.GIVEN_UP: Outcome.CANCELLED}[wish]
    )
