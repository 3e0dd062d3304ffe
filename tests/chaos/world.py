"""
One case: an installation with its customers, operators, watchers and worker, under strikes.

Every call to every client goes through `World.call`, where a strike may fall. A process is a call stack of its own
with a context of its own: the one that is struck sleeps while another one runs, and goes on afterwards, if it lives.
What was killed calls nothing any more, so a ``finally`` of a dead process gives no lease back. All time is made here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, Final, TypeVar
from uuid import UUID

import pytest
from prefect import Task
from prefect.client.schemas.objects import State
from prefect.exceptions import Abort
from prefect.input import RunInput

from flows import (
    carrying,
    destroy_drop,
    endings,
    gates,
    provision,
    reconcile,
    recover,
    renew,
    watch_drops,
    watch_tickets,
)
from flows import open_drop as opening
from tasks import hold_lease, verify_domain
from tasks.clients.database import Database
from tasks.clients.fence import Lease
from tasks.clients.installation import Installation, lend
from tasks.core import policy
from tasks.core.care import STOPPED
from tasks.core.envelope import Binding, seal
from tasks.core.errors import CertferryError, LeaseLost, Unavailable
from tasks.core.model import Drop, Invitation, make_id
from tasks.file_ticket import file_ticket
from tasks.issue_invitation import issue_invitation
from tasks.open_drop import open_drop
from tasks.request_drop import request_drop
from tests.chaos.prefect import ForgetfulOrchestrator
from tests.chaos.strikes import STEPS, Kind, Strike, find_error, make_error
from tests.chaos.witness import Witness
from tests.desk import at_price
from tests.flows.test_anywhere import CLIENTS, Killed
from tests.office import CONTACT, SHOP, Clocked, Office, make_office
from tests.pki import CA, Issued
from tests.theatre import Waiting, flow_of, without_prefect

T = TypeVar("T", bound=RunInput)

FLOWS: Final = (
    carrying, destroy_drop, endings, gates, opening, provision, reconcile, recover, renew, watch_drops, watch_tickets,
)  # fmt: skip
STRUCK: Final = (*CLIENTS, "leases", "orchestrator")
ACTS: Final = ("provision_edges", "adjust_billing")
UNGUARDED: Final = ("gate.suspend",)  # the lease is looked at right before it; Prefect cannot look at it meanwhile
DEEPEST: Final = 3  # processes inside one another
STORMY_ROUNDS: Final = 25
CALM_ROUNDS: Final = 60
OUTAGE_LASTS_SECONDS: Final = 240  # at most: some outlast a step's retries, and some do not
TIMEOUT_SECONDS: Final = 30  # what a client waits for an answer, with its one repeat (`tasks.clients.aws`)
SKEW: Final = timedelta(days=2)  # the clock is never further off


class MadeTime(Clocked):
    """An installation whose clock goes on by itself only a little, with each look."""

    begun = datetime.now(UTC)

    def now(self) -> datetime:
        self.ahead += timedelta(milliseconds=1)
        return self.begun + self.ahead


@dataclass
class Process:
    """
    One process.

    Attributes:
        count: How often its run was started (`flow_run.run_count`).

        asleep: It does not even renew its lease, as a machine that was suspended.

        step: The step it is in, if any.
    """

    flow: str
    run: str
    count: int
    dead: bool = False
    asleep: bool = False
    lease: Lease | None = None
    step: str = ""


@dataclass
class Parcel:
    """A customer's side of one hand-over: what they sent and asked for."""

    name: str
    drop_id: str
    ticket_id: str
    issued: Issued
    invitation: Invitation | None = None
    requested: bool = False
    opened: bool = False
    filed: bool = False
    doubled: bool = False
    cancelled: bool = False
    versions: dict[str, Issued] = field(default_factory=dict)


class Rod:
    """A client whose every call may be struck."""

    def __init__(self, name: str, client: Any, world: World) -> None:
        self._name, self._client, self._world = name, client, world

    def __getattr__(self, call: str) -> Any:
        value = getattr(self._client, call)
        return partial(self._world.call, f"{self._name}.{call}", value) if callable(value) else value


class World:
    """
    The world of one case.

    Attributes:
        strikes: Those still to come.

        struck: What was struck: kind and call, in order.

        trace: The name of every call.
    """

    def __init__(self, office: Office, random: Random, strikes: list[Strike], hand_overs: int, lifetime: timedelta):
        self.office, self.random, self.strikes = office, random, list(strikes)
        self.prefect = ForgetfulOrchestrator(office.here.now)
        self.struck: list[tuple[Kind, str]] = []
        self.trace: list[str] = []
        self.flagged: Counter[str] = Counter()
        self.parcels = [self._pack(number) for number in range(hand_overs)]
        self._stack: list[Process] = []
        self._down: dict[str, float] = {}
        self._monotonic = 0.0
        self._skew = timedelta()
        drops = office.here.settings.drops.model_copy(update={"lifetime": lifetime})
        self.settings = office.here.settings.model_copy(update={"drops": drops})
        self.view = Installation(self.settings)
        self.view.__dict__["database"] = office.here.database
        self.witness = Witness(self)

    # --- Processes and time ---------------------------------------------------------------------

    @property
    def running(self) -> Process:
        return self._stack[-1]

    def live(self, flow: str, run: str, work: Callable[[], Any], count: int = 1) -> Any:
        """Do *work* as a process of its own."""
        here, settings = self.office.here, self.office.here.settings
        here.settings = self.settings
        self._stack.append(Process(flow, run, count))
        try:
            return Context().run(self._lent, work)
        finally:
            self._stack.pop()
            here.settings = settings

    def _lent(self, work: Callable[[], Any]) -> Any:
        with lend(self.office.here):
            return work()

    def try_to(self, flow: str, work: Callable[[], Any]) -> bool:
        """Do *work* as a process of its own that may fail or be killed, and say whether it came to its end."""
        try:
            self.live(flow, str(UUID(int=self.random.getrandbits(128))), work)
        except (Killed, CertferryError):
            return False
        except Exception as error:  # noqa: BLE001 - a round that does not know what to do with it stops for all
            self.witness.blame(f"{flow} failed with {type(error).__name__}: {error}")
            return False
        return True

    def now(self) -> datetime:
        """Look at the clock, without a moment going by."""
        here = self.office.here
        assert isinstance(here, MadeTime)
        return here.begun + here.ahead

    def sleep(self, seconds: float) -> None:
        """Let time go by. Processes that are awake renew their leases."""
        self.office.here.ahead += timedelta(seconds=seconds)
        self._monotonic += seconds
        for process in self._stack:
            if process.lease and not (process.asleep or process.dead or self._is_down("leases.renew")):
                Context().run(self._renew, process.lease)

    def _renew(self, lease: Lease) -> None:
        with suppress(LeaseLost):
            self.view.leases.renew(lease, self.now(), policy.LEASE_LIFETIME)

    # --- Calls and strikes ------------------------------------------------------------------------

    def call(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Make one call of a process: strike it, if it is time."""
        me = self.running
        if me.dead:
            raise Killed
        self.trace.append(name)
        error = find_error(name)
        if error and self._is_down(name):
            raise make_error(error, name)

        def do() -> Any:
            result = function(*args, **kwargs)
            self._note(me, name, args, result)
            return result

        strike = next((s for s in self.strikes if self._falls(s, name)), None)
        if strike is None:
            return do()
        self.strikes.remove(strike)
        self.struck.append((strike.kind, name))
        return self._strike(strike, name, do)

    def _note(self, me: Process, name: str, args: tuple[Any, ...], result: Any) -> None:
        if name == "leases.acquire":
            me.lease = result
        elif name == "leases.release":
            me.lease = None
        self.witness.saw(name, args, result)

    def _is_down(self, name: str) -> bool:
        until = self._down.get(name.partition(".")[0])
        return until is not None and self._monotonic < until

    def _falls(self, strike: Strike, name: str) -> bool:
        """Say whether a strike is due at this call, and can do there what it does."""
        if len(self.trace) <= strike.number or strike.call not in (None, name):
            return False
        match strike.kind:
            case Kind.REFUSE | Kind.LOSE | Kind.OUTAGE | Kind.TIMEOUT:
                return find_error(name) is not None
            case Kind.TWIN | Kind.RENEWAL | Kind.CANCEL | Kind.TICKETS | Kind.ROUND | Kind.SLOW if name in UNGUARDED:
                return False
            case Kind.TAKEOVER:
                return self.running.lease is not None
            case Kind.TWIN:
                return self.prefect.runs.get(self.running.run) == "Running" and len(self._stack) < DEEPEST
            case Kind.RENEWAL:
                return bool(self._others()) and len(self._stack) < DEEPEST
            case Kind.CANCEL:
                return any(parcel.requested for parcel in self.parcels) and len(self._stack) < DEEPEST
            case Kind.TICKETS | Kind.ROUND | Kind.SLOW:
                return len(self._stack) < DEEPEST
            case Kind.ANSWER:
                return bool(self.prefect.list_asking("approval"))
            case Kind.UPLOAD:
                return any(self._may_upload(parcel) for parcel in self.parcels)
            case _:
                return True

    def _strike(self, strike: Strike, name: str, do: Callable[[], Any]) -> Any:
        error = find_error(name)
        match strike.kind:
            case Kind.KILL_BEFORE:
                self._kill()
            case Kind.KILL_AFTER:
                do()
                self._kill()
            case Kind.LOSE if error:
                do()
                raise make_error(error, name)
            case Kind.REFUSE if error:
                raise make_error(error, name)
            case Kind.TIMEOUT if error:
                self.sleep(TIMEOUT_SECONDS)
                raise make_error(error, name)
            case Kind.OUTAGE if error:
                self._down[name.partition(".")[0]] = self._monotonic + strike.chance * OUTAGE_LASTS_SECONDS
                raise make_error(error, name)
            case _:
                self._meanwhile(strike)
        return do()

    def _kill(self) -> None:
        self.running.dead = True
        raise Killed

    def _meanwhile(self, strike: Strike) -> None:
        """Let something else happen while the process that is struck waits for its call."""
        me = self.running
        me.asleep = strike.chance < 0.5 or strike.kind is Kind.SLOW
        pick = Random(strike.chance)
        match strike.kind:
            case Kind.TAKEOVER if me.lease:
                Context().run(
                    self.view.leases.acquire, me.lease.name, me.lease.holder, self.now(), policy.LEASE_LIFETIME
                )
            case Kind.SLOW:
                self._outlast_lease()
            case Kind.CLOCK:
                self._step_clock(pick.choice(STEPS))
            case Kind.FORGET:
                self.prefect.forget()
            case Kind.TWIN:
                self.carry(me.run)
            case Kind.RENEWAL:
                self.carry(pick.choice(self._others()))
            case Kind.CANCEL:
                parcel = pick.choice([parcel for parcel in self.parcels if parcel.requested])
                pick.choice((self.cancel, self.cancel, self.cancel_run))(parcel)
            case Kind.TICKETS:
                pick.choice((self.watch_tickets, self.stray_ticket_event))()
            case Kind.ROUND:
                pick.choice((self.watch_drops, self.recover, self.reconcile))()
            case Kind.ANSWER:
                self.answer_twice(pick.choice(self.prefect.list_asking("approval")))
            case Kind.UPLOAD:
                self.upload_again(pick.choice([parcel for parcel in self.parcels if self._may_upload(parcel)]))
            case Kind.PRICE:
                self.change_price()
                if me.step not in ACTS:  # an act looks once, when it begins
                    self.office.here.settings = self.settings
            case _:
                raise AssertionError(strike.kind)
        me.asleep = False
        if me.dead:
            raise Killed

    def _outlast_lease(self) -> None:
        """Let so much time go by that the work of the process at work is taken for dead, and done by others."""
        self.sleep((policy.LEASE_LIFETIME + policy.LEASE_RENEWAL).total_seconds())
        self.recover()
        for run in self.prefect.list_due():
            self.start(run)

    def _step_clock(self, step: timedelta) -> None:
        if abs(self._skew + step) > SKEW:
            step = -step
        self._skew += step
        self.office.here.ahead += step

    def _others(self) -> list[str]:
        """Give the runs that could go on beside the one at work."""
        busy = {process.run for process in self._stack}
        return [run for run in self.prefect.list_due() if run not in busy]

    # --- The worker, the watchers and the people ----------------------------------------------------

    def carry(self, run: str) -> None:
        """Do what a worker does with a run: start its process, and tell Prefect how it ended, if it can."""
        count, drop = self.prefect.begin(run), self.prefect.drop_of(run)
        try:
            ended = self.live("provision", run, lambda: flow_of(self.view.drops.fetch(drop)).fn(drop), count)
        except (Waiting, Abort):
            return
        except Killed:
            state = self.random.choice(("Crashed", "Running"))  # noticed, or believed there for ever
        except Exception as error:  # noqa: BLE001 - whatever it is, a person would have to look at this run
            self.witness.blame(f"a run failed with {type(error).__name__}: {error}")
            state = "Failed"
        else:
            state = str(ended.name) if isinstance(ended, State) else "Completed"
        if self.prefect.runs[run] == "Running":
            self.prefect.set_state(run, state)
            self.flagged.update([state] if state in ("Drifted", "Failed") else [])

    def watch_tickets(self) -> None:
        self.try_to("watch-tickets", watch_tickets.watch_tickets.fn)

    def watch_drops(self) -> None:
        self.try_to("watch-drops", watch_drops.watch_drops.fn)

    def recover(self) -> None:
        self.try_to("recover", recover.recover.fn)

    def reconcile(self) -> None:
        self.try_to("reconcile", reconcile.reconcile.fn)

    def stray_ticket_event(self) -> None:
        """Let an event come in about a ticket that was dealt with long ago, or that nothing is ready for."""
        filed = [parcel for parcel in self.parcels if parcel.filed]
        if filed:
            parcel = self.random.choice(filed)
            self.try_to("watch-tickets", lambda: watch_tickets.judge(parcel.ticket_id, parcel.drop_id))
            resume = vars(watch_tickets)["resume_provision"]  # as the theatre has it
            self.try_to("watch-tickets", lambda: resume(parcel.drop_id, parcel.ticket_id))

    def cancel(self, parcel: Parcel) -> None:
        """Let the customer give the hand-over up."""
        parcel.cancelled = True
        self.try_to("destroy-drop", lambda: destroy_drop.destroy_drop.fn(parcel.drop_id, "account:acme"))

    def cancel_run(self, parcel: Parcel) -> None:
        """Let an operator cancel the run in the UI: Prefect kills its processes."""
        run = self.find_drop(parcel).flow_run_id
        if run and self.prefect.cancel_in_ui(run):
            parcel.cancelled = True
            for process in self._stack:
                process.dead |= process.run == run

    def answer(self, run: str, calm: bool) -> None:
        """Let a person answer the gate: mostly with yes, sometimes not as they should."""
        yes = {"decision": "approve", "name": "olga"}
        no = {"decision": "reject", "name": "oscar", "note": "Not before Monday."}
        forms = (yes, no, {"decision": "approve", "name": "eve"}, {"decision": "approve", "name": " "})
        (form,) = (yes,) if calm else self.random.choices(forms, (14, 2, 1, 1))
        self.prefect.resume(run, form)

    def answer_twice(self, run: str) -> None:
        """Let two people answer the same gate, differently: one of them has to be told that it is answered."""
        decisions = self.random.sample(("approve", "reject"), 2)
        won = [self.prefect.resume(run, {"decision": decision, "name": "olga"}) for decision in decisions]
        if won != [True, False]:
            self.witness.blame(f"two answers to one gate counted as {won}")

    def change_price(self) -> None:
        """Change the settings, for the processes that start from now on."""
        price = Decimal(self.random.randint(1, 9)) / 100
        self.settings = at_price(self.settings, price)

    # --- The customer -----------------------------------------------------------------------------

    def _pack(self, number: int) -> Parcel:
        drop_id, ticket_id = (make_id(kind, self.random.randbytes(16)) for kind in ("drop", "ticket"))
        issued = self.office.ca.issue([SHOP], age_days=5 - number)
        return Parcel(f"edge-{number}", drop_id, ticket_id, issued)

    def go_on(self, parcel: Parcel) -> None:
        """Let the customer do what comes next; what failed is done again later."""
        if not parcel.requested:
            asked = (parcel.drop_id, parcel.name, "acme", "shop", SHOP, "account:acme", self.now())
            parcel.requested = self.try_to("front desk", lambda: request_drop(*asked))
        elif self.find_drop(parcel).outcome is not None:
            return
        elif not parcel.opened:
            parcel.opened = self.try_to("open-drop", lambda: open_drop.fn(parcel.drop_id))
        elif not parcel.versions and (parcel.filed or self.random.random() < 0.8):
            self.try_to("front desk", lambda: self._push(parcel))
        elif not parcel.filed:
            text = f"Please set it up.\n{parcel.drop_id}"
            parcel.filed = self.try_to(
                "front desk", lambda: file_ticket(parcel.ticket_id, CONTACT, "HTTPS", text, None, self.now())
            )

    def _push(self, parcel: Parcel) -> None:
        parcel.invitation = issue_invitation(parcel.drop_id, self.now())
        self._upload(parcel, parcel.issued)

    def _upload(self, parcel: Parcel, issued: Issued) -> None:
        drop, invitation = self.find_drop(parcel), parcel.invitation
        assert invitation is not None
        binding = Binding(drop.id, drop.hostname, drop.account)
        sealed = seal(issued.files(), invitation.secret, invitation.suite, invitation.public_key, binding)
        parcel.versions[self.office.store.arrive(drop.id, sealed)] = issued

    def _may_upload(self, parcel: Parcel) -> bool:
        return (
            bool(parcel.versions)
            and parcel.invitation is not None
            and self.now() < parcel.invitation.expires_at
            and self.find_drop(parcel).swept_at is None
        )

    def upload_again(self, parcel: Parcel) -> None:
        """Let other files come in, as long as the capability lives."""
        parcel.doubled |= self.find_drop(parcel).version_id is None
        issued = self.office.ca.issue([SHOP], age_days=5)
        Context().run(self._upload, parcel, issued)

    def find_drop(self, parcel: Parcel) -> Drop:
        return self.view.drops.fetch(parcel.drop_id)

    # --- A case -------------------------------------------------------------------------------------

    def play(self) -> None:
        """Let everybody do their part under the storm; then, in the calm after it, until all has ended."""
        rounds = 0
        while self.strikes and rounds < STORMY_ROUNDS:
            self._round(calm=False)
            rounds += 1
        self.strikes.clear()
        self._down.clear()
        self.settle()

    def settle(self, growth: float = 1.2) -> None:
        """Let everybody do what is left, in rounds that are further and further apart, until all has ended; judge."""
        for rounds in range(CALM_ROUNDS):
            if self._is_over():
                break
            self._round(calm=True)
            self.sleep(30 * growth**rounds)
        self.sleep(policy.LEASE_LIFETIME.total_seconds())
        self.recover()
        self.witness.judge()

    def _round(self, calm: bool) -> None:
        """Let everybody who has something to do do it, in any order; in a storm, not everybody gets to it."""
        deeds: list[Callable[[], object]] = [
            *(partial(self.go_on, parcel) for parcel in self._begun()),
            self.watch_tickets,
            self.watch_drops,
            self.recover,
            self.reconcile,
            *(partial(self.answer, run, calm) for run in self.prefect.list_asking("approval")),
        ]
        deeds = [deed for deed in deeds if calm or self.random.random() < 0.6]
        deeds += [partial(self.start, run) for run in self.prefect.list_due()]
        if calm:
            deeds += [partial(self.prefect.restart, run) for run in self.prefect.runs if self._wants_person(run)]
        self.random.shuffle(deeds)
        for deed in deeds:
            deed()
        self.sleep(self.random.choice((15, 40, 90)))

    def start(self, run: str) -> None:
        if run in self.prefect.list_due():
            self.carry(run)

    def _wants_person(self, run: str) -> bool:
        state = self.prefect.runs[run]
        return state in ("Drifted", "Failed") and state not in STOPPED

    def _begun(self) -> list[Parcel]:
        """Give the hand-overs that have begun: the next one may begin while one is under way, or wait for its end."""
        begun = [parcel for parcel in self.parcels if parcel.requested]
        waits = begun and self.random.random() < 0.5 and any(self.find_drop(p).outcome is None for p in begun)
        return self.parcels[: len(begun) + (not waits)]

    def _is_over(self) -> bool:
        return all(parcel.requested and self.find_drop(parcel).swept_at for parcel in self.parcels)

    # --- What stands in for Prefect -----------------------------------------------------------------

    def suspend(self, wait_for_input: type[T], key: str) -> T:
        """Stand in for `suspend_flow_run`."""
        run = self.running.run
        answer = self.call("gate.answer", self.prefect.find_answer, run, key)
        if answer is not None:
            return wait_for_input.model_validate(answer)
        if self.call("gate.suspend", self.prefect.ask, run, key):
            self.call("gate.form", self.prefect.formless.discard, run)
        raise Waiting(key)

    def play_step(self, task: Task[Any, Any]) -> Callable[..., Any]:
        """Give the step with Prefect's retries: in the same process, after the delays of its row."""
        delays = task.retry_delay_seconds
        assert isinstance(delays, list)

        def step(*args: Any, **kwargs: Any) -> Any:
            me = self.running
            me.step = task.name
            try:
                for delay in delays:
                    try:
                        return task.fn(*args, **kwargs)
                    except Unavailable:
                        self.sleep(delay)
                return task.fn(*args, **kwargs)
            finally:
                me.step = ""

        return step

    @property
    def id(self) -> str:
        """Give the id of the flow run that is at work (`prefect.runtime.flow_run.id`)."""
        return self.running.run

    @property
    def run_count(self) -> int:
        return self.running.count


class _NoThread:
    """A thread that never runs: leases are renewed as time is made."""

    def __init__(self, **_: Any) -> None:
        pass

    def start(self) -> None:
        pass

    def join(self) -> None:
        pass


class _Flag:
    def set(self) -> None:
        pass


@contextmanager
def make_world(
    directory: Path,
    url: str,
    authority: CA,
    random: Random,
    strikes: list[Strike],
    hand_overs: int,
    lifetime: timedelta,
    kind: type[World] = World,
) -> Iterator[World]:
    """Lend a world of a *kind* on the records at *url*, with two customers and nothing handed over."""
    office = make_office(directory, authority, MadeTime)
    database = Database(url)
    office.here.__dict__["database"] = database
    vars(office.here)["begun"] = datetime.now(UTC)
    with lend(office.here):
        office.settle()
    world = kind(office, random, strikes, hand_overs, lifetime)
    office.runs = world.prefect
    office.here.__dict__["orchestrator"] = world.prefect
    vars(database)["checkpoint"] = partial(world.call, "database.checkpoint", database.checkpoint)
    office.here.__dict__.update({name: Rod(name, getattr(office.here, name), world) for name in STRUCK})
    office.here.__dict__["edges"] = tuple(Rod(f"edge {edge.name}", edge, world) for edge in office.edges)
    clock = SimpleNamespace(monotonic=lambda: world._monotonic, sleep=world.sleep)
    with pytest.MonkeyPatch.context() as patch:
        without_prefect(patch, FLOWS, world.play_step)
        for module in (carrying, destroy_drop, gates, reconcile, watch_drops):
            patch.setattr(module, "flow_run", world)
        patch.setattr(gates, "suspend_flow_run", world.suspend)
        patch.setattr(hold_lease, "time", clock)
        patch.setattr(hold_lease, "threading", SimpleNamespace(Event=_Flag, Thread=_NoThread))
        patch.setattr(verify_domain, "time", clock)
        yield world
    database.dispose()
