"""What certferry may expect of an edge: one contract, over the fake edge and a running nginx, seen from outside."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from tasks.clients import settings
from tasks.clients.edges import DIRECTORIES, Edge, NginxEdge
from tasks.clients.probes import NetworkProbe, Probe
from tasks.core import policy
from tasks.core.errors import BadHostname, Drifted, EdgeUnavailable
from tasks.core.force_https import Rule
from tasks.core.model import Handshake, Hostname
from tests.edge_server import RunningEdge, running_edge
from tests.fakes.edges import FakeEdge
from tests.fakes.probes import FakeProbe
from tests.pki import CA, Issued, key_pem, make_key

SHOP = Hostname("shop.example.test")
BLOG = Hostname("blog.example.test")
DOMAIN = Hostname("apps.platform.test")
APP = Hostname("myapp.apps.platform.test")
NOW = datetime.now(UTC)


def digest(bundle: bytes) -> str:
    return sha256(bundle).hexdigest()


@dataclass
class World:
    """One edge with its piggyback bundle, and someone who looks at it from outside."""

    edge: Edge
    probe: Probe
    where: settings.Edge
    trust: settings.Trust
    ca: CA
    piggyback: Issued

    def look(self, hostname: Hostname) -> Handshake:
        return self.probe.handshake(self.where, hostname, self.trust, NOW)

    def leaf_seen(self, hostname: Hostname) -> str:
        return self.look(hostname).leaf_sha256

    def is_refused(self, hostname: Hostname) -> bool:
        return self.probe.find_refusal(self.where, hostname) is not None

    def stage(self, *hostnames: str) -> Issued:
        """Issue a certificate and stage its bundle."""
        issued = self.ca.issue(hostnames)
        self.edge.stage(digest(issued.edge_pem), issued.edge_pem)
        return issued

    def serve(self, hostname: Hostname) -> Issued:
        """Issue, stage and commit."""
        issued = self.stage(hostname)
        self.edge.commit(hostname, digest(issued.edge_pem))
        return issued


@pytest.fixture(name="ca", scope="module")
def _ca() -> CA:
    return CA().intermediate()


@pytest.fixture(name="trust", scope="module")
def _trust(ca: CA, tmp_path_factory: pytest.TempPathFactory) -> settings.Trust:
    roots = tmp_path_factory.mktemp("trust") / "roots.pem"
    roots.write_bytes(ca.root.pem)
    return settings.Trust(store="private", file=roots)


@pytest.fixture(name="nginx", scope="module")
def _nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEdge]:
    with running_edge(tmp_path_factory.mktemp("edge")) as running:
        yield running


@pytest.fixture(name="clean_nginx")
def _clean_nginx(nginx: RunningEdge) -> RunningEdge:
    """The running nginx with nothing on it: emptied without a reload, like everything on an edge."""
    directory = nginx.settings.directory
    (directory / "default").unlink(missing_ok=True)
    for name in DIRECTORIES:
        shutil.rmtree(directory / name, ignore_errors=True)
        (directory / name).mkdir(mode=0o700)
    return nginx


@pytest.fixture(name="make_world", params=["fake", "nginx"])
def _make_world(request: pytest.FixtureRequest, ca: CA, trust: settings.Trust) -> Callable[[], World]:
    piggyback = ca.issue(["*.apps.platform.test"])
    if request.param == "fake":
        fake = FakeEdge("edge-a")
        nowhere = settings.Edge(name="edge-a", directory=Path("nowhere"), address="192.0.2.1")
        return lambda: World(fake, FakeProbe([fake]), nowhere, trust, ca, piggyback)
    running: RunningEdge = request.getfixturevalue("clean_nginx")
    return lambda: World(NginxEdge(running.settings), NetworkProbe(), running.settings, trust, ca, piggyback)


@pytest.fixture(name="world")
def _world(make_world: Callable[[], World]) -> World:
    world = make_world()
    world.edge.stage(digest(world.piggyback.edge_pem), world.piggyback.edge_pem)
    world.edge.set_piggyback(DOMAIN, digest(world.piggyback.edge_pem))
    return world


class TestServing:
    def test_new_edge_answers_and_serves_no_hostname(self, world: World) -> None:
        """A new edge is healthy, lists nothing, and knows no hostname."""
        world.edge.health()
        assert world.edge.list() == {}
        assert world.edge.get(SHOP) is None

    def test_every_app_has_piggyback(self, world: World) -> None:
        """An app answers over HTTPS on its platform address with the platform's wildcard, and a browser trusts it."""
        seen = world.look(APP)
        assert (world.piggyback.leaf_sha256, True) == (seen.leaf_sha256, seen.chain_trusted)

    def test_name_without_a_bundle_gets_no_handshake(self, world: World) -> None:
        """HTTPS is refused with an alert, instead of a certificate for another name that a visitor may click away."""
        assert world.is_refused(SHOP)
        assert world.is_refused(Hostname("a.b.apps.platform.test"))

    def test_staging_serves_nothing_yet(self, world: World) -> None:
        """A staged bundle waits: no visitor sees it before the commit."""
        world.stage(SHOP)
        assert world.is_refused(SHOP)
        assert world.edge.list() == {}

    def test_commit_serves_the_bundle_from_the_next_handshake_on(self, world: World) -> None:
        """A committed certificate is what the next visitor sees, chain and all."""
        issued = world.serve(SHOP)
        seen = world.look(SHOP)
        assert (issued.leaf_sha256, True) == (seen.leaf_sha256, seen.chain_trusted)
        assert {SHOP: digest(issued.edge_pem)} == world.edge.list()

    def test_commit_gives_what_was_served_before(self, world: World) -> None:
        """Whoever swaps learns what to put back: nothing at first, then the bundle before."""
        first, second = world.stage(SHOP), world.stage(SHOP)
        assert world.edge.commit(SHOP, digest(first.edge_pem)) is None
        assert digest(first.edge_pem) == world.edge.commit(SHOP, digest(second.edge_pem))
        assert second.leaf_sha256 == world.leaf_seen(SHOP)

    def test_hostnames_do_not_touch_each_other(self, world: World) -> None:
        """Two hostnames have a bundle each."""
        shop, blog = world.serve(SHOP), world.serve(BLOG)
        assert [shop.leaf_sha256, blog.leaf_sha256] == [world.leaf_seen(SHOP), world.leaf_seen(BLOG)]
        assert {BLOG: digest(blog.edge_pem), SHOP: digest(shop.edge_pem)} == world.edge.list()

    def test_piggyback_can_be_renewed(self, world: World) -> None:
        """The platform's own certificate is swapped like any other."""
        renewed = world.stage("*.apps.platform.test")
        world.edge.set_piggyback(DOMAIN, digest(renewed.edge_pem))
        assert renewed.leaf_sha256 == world.leaf_seen(APP)


class TestRepeating:
    def test_staging_twice_is_staging_once(self, world: World) -> None:
        """A step that runs again stages the same bundle again, and nothing is wrong with it."""
        issued = world.stage(SHOP)
        world.edge.stage(digest(issued.edge_pem), issued.edge_pem)
        world.edge.commit(SHOP, digest(issued.edge_pem))
        assert issued.leaf_sha256 == world.leaf_seen(SHOP)

    def test_commit_twice_changes_nothing(self, world: World) -> None:
        """The second commit finds the bundle served already, and says so."""
        issued = world.serve(SHOP)
        assert digest(issued.edge_pem) == world.edge.commit(SHOP, digest(issued.edge_pem))
        assert issued.leaf_sha256 == world.leaf_seen(SHOP)

    def test_removing_twice_is_removing_once(self, world: World) -> None:
        """A hostname that is gone is gone."""
        world.serve(SHOP)
        world.edge.remove(SHOP)
        world.edge.remove(SHOP)
        assert world.edge.list() == {}


class TestPuttingBack:
    def test_restore_serves_the_bundle_before(self, world: World) -> None:
        """A swap that failed elsewhere is put back."""
        first, second = world.serve(SHOP), world.serve(SHOP)
        assert second.leaf_sha256 == world.leaf_seen(SHOP)
        world.edge.restore(SHOP, digest(first.edge_pem))
        assert first.leaf_sha256 == world.leaf_seen(SHOP)

    def test_restore_to_nothing_takes_https_off(self, world: World) -> None:
        """A first certificate that is put back leaves the hostname as it was: without one."""
        world.serve(SHOP)
        world.edge.restore(SHOP, None)
        assert world.is_refused(SHOP)
        assert world.edge.get(SHOP) is None

    def test_restore_to_a_bundle_that_is_gone_is_refused(self, world: World) -> None:
        """Nothing is pointed at a bundle that is not there."""
        issued = world.serve(SHOP)
        with pytest.raises(Drifted, match="bundle-not-staged"):
            world.edge.restore(SHOP, "0" * 64)
        assert issued.leaf_sha256 == world.leaf_seen(SHOP)


class TestTakingOff:
    def test_remove_deletes_the_bundle_with_its_key(self, world: World) -> None:
        """A hostname taken off gets no handshake, the apps' own names do, and its key is not left on the edge."""
        issued = world.serve(SHOP)
        world.edge.remove(SHOP)
        assert world.is_refused(SHOP)
        assert world.piggyback.leaf_sha256 == world.leaf_seen(APP)
        with pytest.raises(Drifted, match="bundle-not-staged"):
            world.edge.commit(SHOP, digest(issued.edge_pem))

    def test_remove_spares_a_bundle_that_another_hostname_serves(self, world: World) -> None:
        """Two hostnames on one certificate: taking one off leaves the other served."""
        issued = world.stage(SHOP, BLOG)
        for hostname in (SHOP, BLOG):
            world.edge.commit(hostname, digest(issued.edge_pem))
        world.edge.remove(SHOP)
        assert issued.leaf_sha256 == world.leaf_seen(BLOG)

    def test_remove_spares_the_piggyback_bundle(self, world: World) -> None:
        """A hostname pointed at the platform's own bundle does not take it along."""
        world.edge.commit(SHOP, digest(world.piggyback.edge_pem))
        world.edge.remove(SHOP)
        assert world.piggyback.leaf_sha256 == world.leaf_seen(APP)

    def test_discard_deletes_a_bundle_nobody_serves(self, world: World) -> None:
        """A bundle that was staged and then refused leaves no key behind; deleting it again is nothing."""
        issued = world.stage(SHOP)
        world.edge.discard(digest(issued.edge_pem))
        world.edge.discard(digest(issued.edge_pem))
        with pytest.raises(Drifted, match="bundle-not-staged"):
            world.edge.commit(SHOP, digest(issued.edge_pem))

    def test_what_nothing_points_at_is_listed(self, world: World) -> None:
        """A bundle is loose from its staging until a hostname points at it, and again after that; piggyback never is."""
        assert world.edge.list_loose() == set()
        bundle = digest(world.stage(SHOP).edge_pem)
        assert world.edge.list_loose() == {bundle}
        world.edge.commit(SHOP, bundle)
        assert world.edge.list_loose() == set()
        world.edge.restore(SHOP, None)
        assert world.edge.list_loose() == {bundle}

    def test_discard_spares_a_bundle_that_is_served(self, world: World) -> None:
        """Neither a hostname's bundle nor piggyback can be discarded."""
        issued = world.serve(SHOP)
        world.edge.discard(digest(issued.edge_pem))
        world.edge.discard(digest(world.piggyback.edge_pem))
        assert issued.leaf_sha256 == world.leaf_seen(SHOP)
        assert world.piggyback.leaf_sha256 == world.leaf_seen(APP)


class TestForcingHTTPS:
    @pytest.mark.parametrize("rule", [Rule(True, None), Rule(True, 300), Rule(True, 0), Rule(False, 0)])
    def test_rule_is_what_was_set(self, world: World, rule: Rule) -> None:
        """The edge says of each hostname what was set last; None leaves nothing."""
        world.edge.set_force_https(BLOG, Rule(True, None))
        for again in (rule, rule):
            world.edge.set_force_https(SHOP, again)
            assert world.edge.list_force_https() == {BLOG: Rule(True, None), SHOP: rule}
        for _ in range(2):
            world.edge.set_force_https(SHOP, None)
            assert world.edge.list_force_https() == {BLOG: Rule(True, None)}

    def test_visitor_is_sent_to_https(self, world: World) -> None:
        """Plain HTTP leads to HTTPS from the next request on."""
        world.edge.set_force_https(SHOP, Rule(True, 300))
        seen = world.probe.ask_plainly(world.where, SHOP)
        assert (seen.status, str(seen.location).startswith(f"https://{SHOP}")) == (308, True)

    def test_certificate_and_rule_do_not_touch_each_other(self, world: World) -> None:
        """A swap leaves the switch on."""
        world.edge.set_force_https(SHOP, Rule(True, 300))
        world.serve(SHOP)
        assert world.look(SHOP).hsts == "max-age=300"


class TestRefusing:
    def test_bundle_that_was_never_staged(self, world: World) -> None:
        """A commit needs a bundle on the edge, or nothing changes."""
        with pytest.raises(Drifted, match="bundle-not-staged"):
            world.edge.commit(SHOP, "0" * 64)
        with pytest.raises(Drifted, match="bundle-not-staged"):
            world.edge.set_piggyback(DOMAIN, "0" * 64)
        assert world.piggyback.leaf_sha256 == world.leaf_seen(APP)

    def test_bytes_that_are_not_the_bundle_approved(self, world: World) -> None:
        """Bytes with another digest than the approved one are not staged."""
        with pytest.raises(Drifted, match="bundle-differs"):
            world.edge.stage("0" * 64, world.ca.issue().edge_pem)

    @pytest.mark.parametrize(
        "defect", ["no-key", "another-key", "encrypted-key", "no-leaf", "chain-before-leaf", "cut-short", "empty"]
    )
    def test_bundle_that_does_not_load(self, world: World, defect: str) -> None:
        """A bundle TLS cannot load is refused before anything points at it, and the refusal shows nothing of it."""
        issued = world.ca.issue()
        encrypted = key_pem(issued.key, passphrase=b"secret")
        bundle = {
            "no-key": issued.leaf_pem + issued.chain_pem,
            "another-key": key_pem(make_key()) + issued.leaf_pem,
            "encrypted-key": encrypted + issued.leaf_pem,
            "no-leaf": issued.key_pem,
            "chain-before-leaf": issued.key_pem + issued.chain_pem + issued.leaf_pem,
            "cut-short": issued.edge_pem[:400],
            "empty": b"",
        }[defect]
        with pytest.raises(Drifted, match="bundle-does-not-load") as refused:
            world.edge.stage(digest(bundle), bundle)
        assert refused.value.__cause__ is None
        assert "PRIVATE" not in str(refused.value)
        with pytest.raises(Drifted, match="bundle-not-staged"):
            world.edge.commit(SHOP, digest(bundle))

    @pytest.mark.parametrize(
        "hostname",
        ["", ".", "..", "../default", "../bundles", "a/b.test", "shop.example.test/..", "x\0.test", "*.example.test",
         "%2e%2e.test", "-x.test", "localhost", "127.0.0.1", f"{'a.' * 126}test", "$host.test", "a\n.test", "a;b.test"],
    )  # fmt: skip
    def test_names_that_are_no_hostnames_never_become_paths(self, world: World, hostname: str) -> None:
        """Every call parses the hostname again."""
        issued = world.stage(SHOP)
        name = Hostname(hostname)
        bundle = digest(issued.edge_pem)
        calls: list[Callable[[], object]] = [
            lambda: world.edge.get(name),
            lambda: world.edge.commit(name, bundle),
            lambda: world.edge.restore(name, bundle),
            lambda: world.edge.restore(name, None),
            lambda: world.edge.remove(name),
            lambda: world.edge.set_force_https(name, Rule(True, None)),
        ]
        for call in calls:
            with pytest.raises(BadHostname):
                call()
        assert world.edge.list() == {}

    @pytest.mark.parametrize("bundle", ["", "..", "../default", "A" * 64, "0" * 63, "0" * 64 + "\n"])
    def test_digests_that_are_none_never_become_paths(self, world: World, bundle: str) -> None:
        """Every call checks the form of the digest."""
        with pytest.raises(Drifted):
            world.edge.commit(SHOP, bundle)
        with pytest.raises(Drifted):
            world.edge.discard(bundle)


class TestNginxOnDisk:
    """What only an edge with a disk can get wrong."""

    @pytest.fixture(name="edge")
    def _edge(self, tmp_path: Path) -> NginxEdge:
        for name in DIRECTORIES:
            (tmp_path / name).mkdir()
        return NginxEdge(settings.Edge(name="edge-a", directory=tmp_path, address="127.0.0.1"))

    @pytest.fixture(name="bundle")
    def _bundle(self, ca: CA) -> bytes:
        return ca.issue().edge_pem

    def test_only_the_owner_can_read_a_bundle(self, edge: NginxEdge, bundle: bytes, tmp_path: Path) -> None:
        """A bundle holds a key: mode 0600, whatever the umask."""
        before = os.umask(0)
        try:
            edge.stage(digest(bundle), bundle)
        finally:
            os.umask(before)
        assert [file.stat().st_mode & 0o777 for file in (tmp_path / "bundles").iterdir()] == [0o600]

    def test_links_are_relative(self, edge: NginxEdge, bundle: bytes, tmp_path: Path) -> None:
        """An edge's directory can be moved or mounted elsewhere."""
        edge.stage(digest(bundle), bundle)
        edge.commit(SHOP, digest(bundle))
        edge.set_piggyback(DOMAIN, digest(bundle))
        assert Path(f"../bundles/{digest(bundle)}.pem") == (tmp_path / "hosts" / SHOP).readlink()
        assert Path(f"bundles/{digest(bundle)}.pem") == (tmp_path / "default").readlink()

    def test_full_disk_leaves_no_key_behind(
        self, edge: NginxEdge, bundle: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A full disk is an edge that cannot be written: tried again later, and half a key is not left lying."""

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(EdgeUnavailable, match="No space left"):
            edge.stage(digest(bundle), bundle)
        assert [*(tmp_path / "incoming").iterdir(), *(tmp_path / "bundles").iterdir()] == []

    @pytest.mark.parametrize("missing", ["bundles", "hosts", "incoming"])
    def test_missing_directory_is_an_edge_that_is_not_there(
        self, edge: NginxEdge, bundle: bytes, tmp_path: Path, missing: str
    ) -> None:
        """An edge whose disk is not mounted is unavailable: nothing is made up in its place."""
        (tmp_path / missing).rmdir()
        with pytest.raises(EdgeUnavailable):
            edge.stage(digest(bundle), bundle)
            edge.commit(SHOP, digest(bundle))
        assert not (tmp_path / missing).exists()

    def test_what_a_killed_run_left_is_swept(self, edge: NginxEdge, bundle: bytes, tmp_path: Path) -> None:
        """A run killed while it wrote a key leaves a file that the next change deletes."""
        (tmp_path / "incoming" / "bundle").write_bytes(bundle[:50])
        (tmp_path / "incoming" / "link").symlink_to("nowhere")
        edge.set_force_https(SHOP, Rule(True, None))
        assert [*(tmp_path / "incoming").iterdir()] == []

    def test_damaged_bundle_is_written_again(self, edge: NginxEdge, bundle: bytes, tmp_path: Path) -> None:
        """Staging looks at the content, not only at the name."""
        edge.stage(digest(bundle), bundle)
        path = tmp_path / "bundles" / f"{digest(bundle)}.pem"
        path.write_bytes(bundle[:50])
        edge.stage(digest(bundle), bundle)
        assert bundle == path.read_bytes()

    def test_link_to_a_bundle_that_is_gone_counts_as_none(self, edge: NginxEdge, bundle: bytes, tmp_path: Path) -> None:
        """A link to nothing serves nothing, so that is what the edge reports; removing cleans it up."""
        edge.stage(digest(bundle), bundle)
        edge.commit(SHOP, digest(bundle))
        (tmp_path / "bundles" / f"{digest(bundle)}.pem").unlink()
        assert edge.get(SHOP) is None
        assert edge.list() == {}
        edge.remove(SHOP)
        assert [*(tmp_path / "hosts").iterdir()] == []

    def test_two_writers_take_turns(
        self, edge: NginxEdge, bundle: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While another process changes the edge, a change waits, and gives up as unavailable, not for ever."""
        monkeypatch.setattr(policy, "ROLLBACK_DEADLINE", timedelta(milliseconds=30))
        with (tmp_path / "lock").open("w") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            with pytest.raises(EdgeUnavailable, match="lock"):
                edge.stage(digest(bundle), bundle)
        edge.stage(digest(bundle), bundle)

    def test_many_writers_at_once_lose_nothing(self, edge: NginxEdge, ca: CA, tmp_path: Path) -> None:
        """Hand-overs that end at the same moment all end up on the edge."""
        bundles = {Hostname(f"h{i}.example.test"): ca.issue([f"h{i}.example.test"]).edge_pem for i in range(16)}

        def serve(hostname: Hostname) -> None:
            edge.stage(digest(bundles[hostname]), bundles[hostname])
            edge.commit(hostname, digest(bundles[hostname]))

        with ThreadPoolExecutor(8) as writers:
            list(writers.map(serve, bundles))
        assert {hostname: digest(bundle) for hostname, bundle in bundles.items()} == edge.list()

    def test_edge_that_does_not_answer_is_not_healthy(self, nginx: RunningEdge) -> None:
        """Files on a disk are no edge: something must answer, and it must be an edge."""
        elsewhere = nginx.settings.model_copy(update={"http_port": nginx.settings.https_port})
        with pytest.raises(EdgeUnavailable):
            NginxEdge(elsewhere).health()
