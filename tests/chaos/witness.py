"""
Whoever looks on from outside: sees every call as it takes effect, and judges what is left in the end.

It reads the records by clients of its own, which no strike hits, and what the fakes hold.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from sqlalchemy import select

from tasks.clients.plans import fetch_plan
from tasks.clients.store import vault_key
from tasks.clients.tables import ApprovalRow
from tasks.core.errors import CertferryError, NotFound
from tasks.core.hand_over import lease_name
from tasks.core.model import Certificate, Drop, DropState, Outcome
from tasks.core.plan import digest_plan
from tests.leaks import Secrets, scan_database
from tests.office import SHOP

if TYPE_CHECKING:
    from tests.chaos.world import Parcel, World

FIRST, SECOND = "a", "b"


class Witness:
    """
    Collects violations.

    Attributes:
        violations: What was seen that must not be, each once.

        emptied: Edges that somebody emptied from outside, until they serve again.

        outcomes: How each hand-over that has ended ended, by drop, in the order of their ends.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.violations: list[str] = []
        self.emptied: set[str] = set()
        self.outcomes: dict[str, Outcome] = {}
        self._served: str | None = None  # the bundle of the last hand-over that completed
        self._shown: dict[str, str | None] = {}  # by edge: what the newest handshake since its last change saw
        self._wrapped: list[bytes] = []
        self._pinned: dict[str, str | None] = {}  # by drop: the version that was pinned first
        self._latest = world.now()

    def blame(self, what: str) -> None:
        if what not in self.violations:
            self.violations.append(what)

    # --- At every call ------------------------------------------------------------------------------

    def saw(self, call: str, args: tuple[Any, ...], result: Any) -> None:
        """Look at a call that has just taken effect."""
        self._latest = max(self._latest, self._world.now())
        match call.split("."):
            case ["keys", "wrap"]:
                self._wrapped.append(args[0])
            case [edge, action] if edge.startswith("edge "):
                self._look_at_edge(edge.removeprefix("edge "), action, args)
            case ["probe", "handshake"]:
                self._shown[args[0].name] = self._serves()[args[0].name]
            case ["drops", "pin_upload"]:
                self._pinned.setdefault(result.id, result.version_id)
            case ["drops", "close" | "close_unassigned"]:
                self._look_at_outcome(result)
            case ["billing", "charge"]:
                self._look_at_approval(self._of_hostname(args[0].idempotency_key), "charged")
            case ["gate", "suspend"] if result and args[1].startswith("approval"):
                self._look_at_question(args[0], args[1])

    def _look_at_edge(self, edge: str, action: str, args: tuple[Any, ...]) -> None:
        serves = self._serves()
        for name, bundle in serves.items():
            if bundle:
                self.emptied.discard(name)
            elif self._served and name not in self.emptied:
                self.blame(f"edge {name} stopped serving at {action} on {edge}")
        if action in ("commit", "restore", "remove"):
            self._shown.pop(edge, None)
        if action == "commit":
            self._look_at_approval(self._of_bundle(args[1]), f"put on edge {edge}")
            if edge == SECOND and not self._shown.get(FIRST) == serves[FIRST] == args[1]:
                self.blame("the second edge was pointed at what the first one had not proven")

    def _look_at_outcome(self, drop: Drop) -> None:
        if drop.outcome is None:
            return
        first = self.outcomes.setdefault(drop.id, drop.outcome)
        if drop.outcome is not first:
            self.blame(f"the outcome {first} became {drop.outcome}")
        if first is Outcome.COMPLETED:
            self._served = self._serves()[FIRST]

    def _look_at_approval(self, certificate: Certificate | None, what: str) -> None:
        """Blame if nobody has approved the plan for *certificate*, as the process at work sees it."""
        if certificate is None or not self._is_approved(certificate):
            self.blame(f"{what} without an approval of this very plan")

    def _look_at_question(self, run: str, key: str) -> None:
        """Blame if this plan was decided, or is asked about and the answer can still be read."""
        drop, gate = self._world.prefect.drop_of(run), key.rpartition("-a")[0]
        certificate = self._world.view.certificates.find_by_drop(drop)
        plan = certificate and self._digest(certificate)
        if plan and gate.endswith(plan[:16]) and plan in self._decisions(drop):
            self.blame("asked about a plan that is decided")
        *before, _ = (q for q in self._world.prefect.open_questions() if q.run == run and q.key.startswith(gate))
        if any(self._counts(question.run, question.key) for question in before):
            self.blame("asked twice about a plan, while the first answer could be read")

    def _counts(self, run: str, key: str) -> bool:
        """
        Say whether a question is open still, or has an answer that counts.

        One of an earlier attempt does not: a run that was started once more looks under the keys of its own attempt.
        """
        if key.rpartition("-r")[2] != str(self._world.running.count):
            return False
        answer = self._world.prefect.find_answer(run, key)
        return answer is None or answer["name"] in ("olga", "oscar")

    # --- In the end -----------------------------------------------------------------------------------

    def judge(self) -> None:
        """Look at all that is left of the case."""
        for parcel in self._world.parcels:
            drop = self._world.find_drop(parcel) if parcel.requested else None
            if drop is None or drop.outcome is None:
                state = self._world.prefect.runs.get((drop and drop.flow_run_id) or "", "no run")
                self.blame(f"never ended: its drop is {drop and drop.state}, its run {state}")
            else:
                self._judge_outcome(parcel, drop)
                self._judge_remains(parcel, drop)
                self._judge_ticket(parcel, drop)
        self._judge_edges()
        self._judge_ledger()
        self._judge_records()

    def _judge_outcome(self, parcel: Parcel, drop: Drop) -> None:
        decided = self._decisions(drop.id).values()
        caused = {
            Outcome.COMPLETED: "approve" in decided,
            Outcome.CANCELLED: parcel.cancelled,
            Outcome.EXPIRED: self._latest >= drop.expires_at,
            Outcome.REJECTED: ("reject" in decided and drop.outcome_code == "approval-denied")
            or (parcel.doubled and drop.outcome_code == "several-uploads"),
        }
        assert drop.outcome is not None
        if not caused[drop.outcome]:
            self.blame(f"{drop.outcome} ({drop.outcome_code}) without a cause")
        if drop.outcome is not self.outcomes.get(drop.id):
            self.blame(f"the outcome {self.outcomes.get(drop.id)} became {drop.outcome}")

    def _judge_remains(self, parcel: Parcel, drop: Drop) -> None:
        world, certificate = self._world, self._world.view.certificates.find_by_drop(drop.id)
        if (drop.state, drop.swept_at is None) != (DropState.DESTROYED, False):
            self.blame(f"an ended hand-over's drop is {drop.state}, {'' if drop.swept_at else 'not '}swept twice")
        if world.office.store.has_upload(drop.id):
            self.blame("something is left in the drop")
        try:
            world.view.drops.fetch_seed(drop.id)
            self.blame("the seed of the drop is left")
        except CertferryError:
            pass
        if drop.flow_run_id and world.prefect.runs[drop.flow_run_id] == "Suspended":
            self.blame("the run of an ended hand-over still asks a person")
        if certificate:
            self._judge_certificate(parcel, drop, certificate)

    def _judge_certificate(self, parcel: Parcel, drop: Drop, certificate: Certificate) -> None:
        sent = parcel.versions.get(drop.version_id or "")
        if sent is None or sent.leaf_sha256 != certificate.leaf_sha256:
            self.blame("the certificate is not the one of the version on record")
        if drop.version_id != self._pinned.get(drop.id):
            self.blame("another version of the upload counts than the first that was read")
        kept = any(key == vault_key(certificate.id) for key, _ in self._world.office.vault._objects.versions.values())
        if drop.outcome is Outcome.COMPLETED:
            try:
                self._world.office.vault.get(certificate.vault_key, certificate.vault_version)
            except NotFound:
                self.blame("the vault has lost a certificate that is served")
        elif kept:
            self.blame("the vault copy of a hand-over that did not complete is left")
        on_edges = any(certificate.bundle_sha256 in edge.bundles for edge in self._world.office.edges)
        if on_edges and drop.outcome is not Outcome.COMPLETED:
            self.blame("an edge has the key of a hand-over that did not complete")

    def _judge_ticket(self, parcel: Parcel, drop: Drop) -> None:
        matched = self._world.view.decisions.find_match(drop.id)
        said = [message.body for message in self._messages(parcel) if message.author == "certferry"]
        endings = [body for body in said if body.startswith(("Done: ", "The hand-over of "))]
        done = [body.startswith("Done: ") for body in endings]
        if matched and done != [drop.outcome is Outcome.COMPLETED]:
            self.blame(f"the ticket of a hand-over that is {drop.outcome} says {endings}")
        if len(set(said)) != len(said):
            self.blame("the ticket says something twice")
        if parcel.filed and self._world.view.tickets.fetch(parcel.ticket_id).state != "closed":
            self.blame("the ticket of an ended hand-over is open")

    def _judge_edges(self) -> None:
        serves = self._serves()
        completed = [drop for drop, outcome in self.outcomes.items() if outcome is Outcome.COMPLETED]
        wanted = self._world.view.certificates.find_by_drop(completed[-1]) if completed else None
        bundle = wanted.bundle_sha256 if wanted else None
        if set(serves.values()) != {bundle}:
            names = {found: number for number, found in enumerate(dict.fromkeys((None, bundle, *serves.values())))}
            self.blame(f"the edges serve {[names[found] for found in serves.values()]}, wanted is {names[bundle]}")
        elif wanted:
            leaves = {edge.find_leaf(SHOP) for edge in self._world.office.edges}
            if {leaf and leaf.fingerprint(hashes.SHA256()).hex() for leaf in leaves} != {wanted.leaf_sha256}:
                self.blame("the edges show another leaf than the approved one")
        for edge in self._world.office.edges:
            if any(sha256(content).hexdigest() != name for name, content in edge.bundles.items()):
                self.blame(f"edge {edge.name} holds other bytes than the approved ones")
        assigned = {row.edge: row.bundle_sha256 for row in self._world.view.certificates.list_assignments()}
        if {edge: assigned.get(edge) for edge in serves} != serves:
            self.blame("the edges serve something else than the records mean them to")

    def _judge_ledger(self) -> None:
        lines = self._world.view.billing.list_entries("acme")
        completed = Outcome.COMPLETED in self.outcomes.values()
        if len(lines) != completed:
            self.blame(f"{len(lines)} charges for a hostname that is {'' if completed else 'not '}served")

    def _judge_records(self) -> None:
        view, url = self._world.view, self._world.view.database.engine.url.render_as_string(hide_password=False)
        try:
            view.audit.verify()
        except CertferryError as broken:
            self.blame(f"the audit trail does not verify: {broken}")
        if view.leases.is_held(lease_name(SHOP), self._world.now()) or view.leases.list_run_out(self._world.now()):
            self.blame("a lease was neither given back nor recovered")
        secrets = Secrets({})
        for issued in (issued for parcel in self._world.parcels for issued in parcel.versions.values()):
            secrets |= Secrets.of_key(issued.key_pem)
        for secret in self._wrapped:
            secrets |= Secrets.of_bytes(secret, "seed or data key")
        for hit in scan_database(url, secrets, "records"):
            self.blame(f"key material: {hit}")

    # --- Looking ----------------------------------------------------------------------------------------

    def _serves(self) -> dict[str, str | None]:
        edges = self._world.office.edges
        return {edge.name: bundle if (bundle := edge.hosts.get(SHOP)) in edge.bundles else None for edge in edges}

    def _certificates(self) -> list[Certificate]:
        found = (self._world.view.certificates.find_by_drop(parcel.drop_id) for parcel in self._world.parcels)
        return [certificate for certificate in found if certificate]

    def _of_bundle(self, bundle_sha256: str) -> Certificate | None:
        return next((c for c in self._certificates() if c.bundle_sha256 == bundle_sha256), None)

    def _of_hostname(self, idempotency_key: str) -> Certificate | None:
        return next((c for c in self._certificates() if c.id in idempotency_key), None)

    def _digest(self, certificate: Certificate) -> str:
        self._world.view.settings = self._world.office.here.settings  # those of the process at work
        plan, _ = fetch_plan(self._world.view, self._world.view.drops.fetch(certificate.drop_id))
        return digest_plan(plan)

    def _is_approved(self, certificate: Certificate) -> bool:
        if self._world.running.flow == "reconcile":  # it puts on an edge what it had lost: the plan was for that
            return "approve" in self._decisions(certificate.drop_id).values()
        return self._decisions(certificate.drop_id).get(self._digest(certificate)) == "approve"

    def _decisions(self, drop_id: str) -> dict[str, str]:
        """Give the decisions about a drop on record, by the digest of the plan."""
        wanted = select(ApprovalRow.plan_sha256, ApprovalRow.decision).where(ApprovalRow.subject == drop_id)
        with self._world.view.database.reading() as session:
            return {row.plan_sha256: row.decision for row in session.execute(wanted)}

    def _messages(self, parcel: Parcel) -> tuple[Any, ...]:
        return self._world.view.tickets.fetch(parcel.ticket_id).messages if parcel.filed else ()
