"""From a directory to a sealed envelope in the drop: what leaves the machine, and what does not."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tasks.core.envelope import Binding, open_envelope
from tasks.core.invitation import parse_invitation
from tasks.core.model import Outcome
from tests.desk import HOSTNAME, NOW, Customer, Town
from tests.pki import CA, Issued

ROOT = CA("The Platform's Own Root")
ISSUED = ROOT.intermediate().issue([HOSTNAME])


def lay_out(directory: Path, issued: Issued = ISSUED, **changed: bytes | None) -> str:
    """Write a customer's files, and give the directory as an argument."""
    directory.mkdir(exist_ok=True)
    for name, content in issued.files(**changed).items():
        (directory / name).write_bytes(content)
    return str(directory)


def kept(customer: Customer, name: str = "edge") -> Path:
    """Give the place of the invitation that the command keeps for itself."""
    return customer.home / ".local" / "state" / "certferry" / f"{name}.json"


def uploads(town: Town) -> list[httpx.Request]:
    """Give the requests that S3 saw."""
    return [request for request in town.network.sent if request.url.host != "desk.test"]


def opened(town: Town) -> dict[str, bytes]:
    """Open what lies in the drop, as the platform does."""
    drop = town.drop()
    seed, secret_sha256 = town.seed(drop)
    assert drop.suite is not None
    binding = Binding(drop.id, HOSTNAME, "acme")
    return open_envelope(town.store.fetch_envelope(drop.id).body, drop.suite, seed, secret_sha256, binding)


class TestCreate:
    def test_it_waits_for_the_drop_and_keeps_the_invitation_to_itself(self, town: Town, customer: Customer) -> None:
        """The invitation lies 0600 in the state directory, and its secret is nowhere in the output."""
        ran = customer.create()
        assert (ran.code, customer.pauses) == (0, 1)
        invitation = parse_invitation(kept(customer).read_bytes())
        assert invitation.drop_id == town.drop().id == ran.json["hand_over"]["id"]
        assert stat.S_IMODE(kept(customer).stat().st_mode) == 0o600
        secret = json.loads(kept(customer).read_bytes())["secret"]
        assert secret not in ran.out + ran.err

    def test_it_says_what_to_do_next(self, town: Town, customer: Customer) -> None:
        """The push, the two DNS records as they go into a zone, and the ticket."""
        ran = customer.run("create", "edge", "--app", "shop", "--hostname", HOSTNAME)
        for said in (
            "certferry push edge",
            "edge.platform.test.",
            "certferry-challenge=",
            "certferry ticket file edge",
        ):
            assert said in ran.out

    def test_a_drop_that_stays_shut_is_not_ready(self, town: Town, customer: Customer) -> None:
        """After the deadline the exit code is 3; run again, the command goes on with the same drop."""
        customer.while_waiting = lambda: None
        ran = customer.create()
        assert (ran.code, ran.error["code"]) == (3, "not-ready")
        drop = town.drop()
        town.open_drops()
        assert (customer.create().code, town.drop()) == (0, town.installation.drops.fetch(drop.id))

    def test_the_invitation_can_go_to_a_file(self, customer: Customer, tmp_path: Path) -> None:
        """For a colleague who has no login; the command then keeps none itself."""
        out = tmp_path / "edge.invitation"
        ran = customer.run("create", "edge", "--app", "shop", "--hostname", HOSTNAME, "--invitation-out", str(out))
        assert (ran.code, parse_invitation(out.read_bytes()).name) == (0, "edge")
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
        assert not kept(customer).exists()

    def test_a_file_that_is_no_invitation_is_not_overwritten(
        self, town: Town, customer: Customer, tmp_path: Path
    ) -> None:
        """A slip of a finger must not cost a key; nothing is asked of the platform either."""
        precious = tmp_path / "ssl.key"
        precious.write_bytes(ISSUED.key_pem)
        precious.chmod(0o600)
        ran = customer.run("create", "edge", "--app", "shop", "--hostname", HOSTNAME, "--invitation-out", str(precious))
        assert (ran.code, precious.read_bytes(), town.network.sent) == (1, ISSUED.key_pem, [])


class TestPush:
    def test_what_arrives_opens_to_the_customers_files(self, town: Town, customer: Customer, tmp_path: Path) -> None:
        """The envelope in S3 opens with the drop's seed, for this hostname and account, and the run is started."""
        customer.create()
        ran = customer.run("push", "edge", lay_out(tmp_path / "files"))
        assert ran.code == 0, ran.err
        assert ISSUED.files() == opened(town)
        assert f"provision-{town.drop().id}" in town.runs.started

    def test_no_request_and_no_output_has_the_key(self, town: Town, customer: Customer, tmp_path: Path) -> None:
        """The key leaves the machine sealed only, and the token goes to the front desk only."""
        customer.create()
        ran = customer.run("--json", "push", "edge", lay_out(tmp_path / "files"))
        line = ISSUED.key_pem.splitlines()[1]
        for request in town.network.sent:
            assert line not in request.content
        assert all("authorization" not in request.headers for request in uploads(town))
        assert len(uploads(town)) == 1
        assert line.decode() not in ran.out + ran.err

    def test_a_refused_bundle_is_not_uploaded(self, town: Town, customer: Customer, tmp_path: Path) -> None:
        """All findings are shown, each with what mends it; S3 sees nothing and the drop stays open."""
        customer.create()
        other = CA().issue(["other.example.test"], days=3)
        ran = customer.run("push", "edge", lay_out(tmp_path / "files", other, yml=b"type: php\n"))
        assert (ran.code, uploads(town)) == (1, [])
        for code in ("name-mismatch", "expires-too-soon", "wrong-type"):
            assert f"[{code}]" in ran.err
        assert kept(customer).exists()

    def test_for_programs_the_error_carries_all_findings(self, customer: Customer, tmp_path: Path) -> None:
        """stdout is one JSON document and stderr is silent."""
        customer.create()
        ran = customer.run("--json", "push", "edge", lay_out(tmp_path / "files", crt=CA().issue([HOSTNAME]).leaf_pem))
        assert (ran.code, ran.err) == (1, "")
        assert "key-mismatch" in {finding["code"] for finding in ran.error["findings"]}

    def test_an_unknown_root_is_a_warning_here_and_a_refusal_with_the_platforms_roots(
        self, town: Town, customer: Customer, tmp_path: Path
    ) -> None:
        """Without the platform's private store nobody here can tell; with it as a file the verdict is final."""
        customer.create()
        files = lay_out(tmp_path / "files")
        (tmp_path / "other.pem").write_bytes(CA("Another Root").pem)
        (tmp_path / "right.pem").write_bytes(ROOT.pem)
        refused = customer.run("--json", "push", "edge", files, "--trust", str(tmp_path / "other.pem"))
        assert (refused.code, refused.error["code"] in ("chain-untrusted", "chain-incomplete")) == (1, True)
        trusted = customer.run("--json", "push", "edge", files, "--trust", str(tmp_path / "right.pem"))
        assert (trusted.code, [f["severity"] for f in trusted.json["findings"]]) == (0, [])

    def test_the_warning_says_who_decides(self, customer: Customer, tmp_path: Path) -> None:
        """A private root's chain passes with a warning that names --trust."""
        customer.create()
        ran = customer.run("push", "edge", lay_out(tmp_path / "files"))
        assert (ran.code, "warn: " in ran.err, "--trust FILE" in " ".join(ran.err.split())) == (0, True, True)

    @pytest.mark.parametrize("trusted", [True, False], ids=["by the platform's roots", "by public roots"])
    def test_a_messy_directory_arrives_as_the_four_files(
        self, town: Town, customer: Customer, tmp_path: Path, trusted: bool
    ) -> None:
        """Odd names, DER, one file for all certificates, a picture, no dotcloud.yml: what is sealed is canonical."""
        customer.create()
        (tmp_path / "root.pem").write_bytes(ROOT.pem)
        files = tmp_path / "from the CA"
        (files / "certs").mkdir(parents=True)
        (files / "my key (1).txt").write_bytes(ISSUED.key_pem.replace(b"\n", b"\r\n"))
        (files / "certs" / "all.pem").write_bytes(ISSUED.chain_pem + ISSUED.leaf_pem)
        (files / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(2_000))
        more = ("--trust", str(tmp_path / "root.pem")) if trusted else ()
        ran = customer.run("--json", "push", "edge", str(files), *more)
        assert ran.code == 0
        assert "yaml-added" in {finding["code"] for finding in ran.json["findings"]}
        assert opened(town) == ISSUED.files()

    def test_files_can_be_named_one_by_one(self, town: Town, customer: Customer, tmp_path: Path) -> None:
        """Also through links, as certbot keeps them."""
        customer.create()
        lay_out(tmp_path / "files")
        (tmp_path / "privkey.pem").symlink_to("files/ssl.key")
        parts = ("privkey.pem", "files/ssl.crt", "files/ssl.chain")
        assert customer.run("push", "edge", *(str(tmp_path / part) for part in parts)).code == 0
        assert opened(town) == ISSUED.files()

    def test_what_was_not_read_is_not_uploaded(self, town: Town, customer: Customer, tmp_path: Path) -> None:
        """Nothing leaves the machine while the key is behind a link in the directory, or the path leads nowhere."""
        customer.create()
        files = Path(lay_out(tmp_path / "files", key=None))
        (files / "ssl.key").symlink_to("elsewhere.key")
        ran = customer.run("--json", "push", "edge", str(files))
        assert (ran.code, ran.error["code"], uploads(town)) == (1, "symbolic-link", [])
        ran = customer.run("--json", "push", "edge", str(tmp_path / "nosuch"))
        assert (ran.code, ran.error["code"], uploads(town)) == (1, "no-such-path", [])

    def test_an_expired_invitation_is_replaced_by_itself(self, town: Town, customer: Customer, tmp_path: Path) -> None:
        """A customer who comes back after lunch pushes all the same."""
        customer.create()
        customer.now = lambda: datetime.now(UTC) + timedelta(hours=2)
        ran = customer.run("push", "edge", lay_out(tmp_path / "files"))
        assert (ran.code, len(uploads(town))) == (0, 1)

    def test_a_used_invitation_is_forgotten(self, customer: Customer, tmp_path: Path) -> None:
        """The drop secret does not lie around longer than it is good for."""
        customer.create()
        customer.run("push", "edge", lay_out(tmp_path / "files"))
        assert not kept(customer).exists()

    def test_a_push_after_a_silent_store_starts_afresh(self, town: Town, customer: Customer, tmp_path: Path) -> None:
        """If S3 does not answer the exit code is 4; the next push has one envelope in the drop, that opens."""
        customer.create()
        files = lay_out(tmp_path / "files")
        town.network.down = {"s3.fake.invalid"}
        assert customer.run("--json", "push", "edge", files).code == 4
        town.network.down = set()
        assert customer.run("push", "edge", files).code == 0
        assert opened(town) == ISSUED.files()

    def test_a_lost_yes_of_the_store_counts(self, town: Town, customer: Customer, tmp_path: Path) -> None:
        """The envelope arrived but its answer did not: the front desk looks, and the push is done."""
        customer.create()
        door = town.store.door()

        def lose_answer(request: httpx.Request) -> httpx.Response:
            door.handle_request(request)
            raise httpx.ReadTimeout("lost")

        town.network.store = httpx.MockTransport(lose_answer)
        assert customer.run("push", "edge", lay_out(tmp_path / "files")).code == 0
        assert f"provision-{town.drop().id}" in town.runs.started

    def test_a_name_that_is_nobodys_is_refused(self, customer: Customer, tmp_path: Path) -> None:
        """Without an invitation the front desk is asked for one, and has none for that name."""
        ran = customer.run("--json", "push", "nosuch", lay_out(tmp_path / "files"))
        assert (ran.code, ran.error["code"]) == (1, "not-found")

    def test_a_name_cannot_lead_out_of_the_state_directory(self, customer: Customer, tmp_path: Path) -> None:
        """A name is a name, not a path."""
        ran = customer.run("--json", "push", "../../etc/edge", lay_out(tmp_path / "files"))
        assert (ran.code, ran.error["code"]) == (1, "bad-input")


class TestPushByFile:
    @pytest.fixture(name="invitation")
    def _invitation(self, customer: Customer, tmp_path: Path) -> str:
        path = str(tmp_path / "edge.invitation")
        customer.run("create", "edge", "--app", "shop", "--hostname", HOSTNAME, "--invitation-out", path)
        return path

    @pytest.fixture(name="colleague")
    def _colleague(self, town: Town, tmp_path: Path) -> Customer:
        """Somebody without a login."""
        return Customer(town, tmp_path / "elsewhere", logged_in=False)

    def test_no_login_and_no_front_desk_are_needed(
        self, town: Town, colleague: Customer, invitation: str, tmp_path: Path
    ) -> None:
        """The envelope arrives, and the command says that the platform will notice."""
        town.network.down = {"desk.test"}
        ran = colleague.run("push", "edge", lay_out(tmp_path / "files"), "--invitation", invitation)
        assert (ran.code, "by itself" in ran.out) == (0, True)
        assert town.store.has_upload(town.drop().id)

    def test_an_expired_file_without_a_login_says_whom_to_ask(
        self, town: Town, colleague: Customer, invitation: str, tmp_path: Path
    ) -> None:
        """There is no other way to a fresh one, and nothing is uploaded."""
        colleague.now = lambda: datetime.now(UTC) + timedelta(hours=2)
        ran = colleague.run("--json", "push", "edge", lay_out(tmp_path / "files"), "--invitation", invitation)
        assert (ran.code, ran.error["code"], uploads(town)) == (1, "invitation-expired", [])

    def test_an_invitation_for_another_name_is_refused(
        self, colleague: Customer, invitation: str, tmp_path: Path
    ) -> None:
        """Files for one hand-over do not land in another by a slip."""
        ran = colleague.run("--json", "push", "other", lay_out(tmp_path / "files"), "--invitation", invitation)
        assert (ran.code, ran.error["code"]) == (1, "other-invitation")

    def test_a_file_that_others_may_read_is_refused(self, colleague: Customer, invitation: str, tmp_path: Path) -> None:
        """It holds the drop secret."""
        Path(invitation).chmod(0o644)
        ran = colleague.run("--json", "push", "edge", lay_out(tmp_path / "files"), "--invitation", invitation)
        assert (ran.code, ran.error["code"]) == (1, "readable-by-others")

    def test_a_missing_file_is_told(self, colleague: Customer, tmp_path: Path) -> None:
        """By its path."""
        ran = colleague.run("--json", "push", "edge", lay_out(tmp_path / "files"), "--invitation", str(tmp_path / "no"))
        assert (ran.code, ran.error["code"]) == (1, "missing-file")


class TestStatus:
    def test_it_says_whose_turn_it_is(self, customer: Customer) -> None:
        """The list has a line a hand-over; one by name shows the steps and what to do."""
        customer.create()
        listed, one = customer.run("status"), customer.run("status", "edge")
        assert "awaiting-upload" in listed.out
        assert "yours" in listed.out
        assert "[>] upload the sealed files" in one.out
        assert "certferry push edge" in one.out

    def test_it_watches_until_the_end(self, town: Town, customer: Customer) -> None:
        """Each change is shown once, a front desk that is away is waited for, and the end ends it."""
        customer.while_waiting = lambda: None
        customer.create()

        def end() -> None:
            town.installation.drops.close(town.drop().id, Outcome.EXPIRED, None, None)
            town.installation.drops.shred(town.drop().id, NOW)

        away, back = (lambda: town.network.down.add("desk.test")), town.network.down.clear
        acts = iter([town.open_drops, away, back, end])

        def act() -> None:
            next(acts)()

        customer.while_waiting = act
        ran = customer.run("--json", "status", "edge", "--watch")
        assert [json.loads(line)["stage"] for line in ran.out.splitlines()] == ["opening", "awaiting-upload", "expired"]
        assert ran.code == 0

    def test_a_name_that_is_nobodys(self, customer: Customer) -> None:
        """Exit code 1, and the name is in the message."""
        ran = customer.run("--json", "status", "nosuch")
        assert (ran.code, ran.error["subject"]) == (1, "hand-over nosuch")


class TestDestroy:
    def test_it_starts_the_destruction_and_forgets_the_invitation(self, town: Town, customer: Customer) -> None:
        """The run is on its way, and the secret is gone from this machine."""
        customer.create()
        assert customer.run("destroy", "edge").code == 0
        assert f"destroy-{town.drop().id}" in town.runs.started
        assert not kept(customer).exists()


class TestSites:
    def test_records_are_shown_to_be_copied(self, customer: Customer) -> None:
        """Names end in a dot and the challenge is quoted, as in a zone file."""
        ran = customer.run("sites")
        assert f"_certferry-challenge.{HOSTNAME}." in ran.out
        assert '"certferry-challenge=' in ran.out
        assert "HTTP only" in ran.out
