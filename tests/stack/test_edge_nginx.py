"""A real edge under real traffic: what reaches the app, what a hostile visitor gets, a swap, the memory."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import string
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import psutil
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deployments.local import nginx
from tasks.clients import settings
from tasks.clients.edges import DIRECTORIES, NginxEdge
from tasks.clients.probes import NetworkProbe
from tasks.core import policy
from tasks.core.force_https import Rule
from tasks.core.model import Hostname
from tests.client_hello import leaf_shown_to
from tests.edge_server import NOBODY, RunningEdge, running_edge, running_platform
from tests.pki import CA, Issued
from tests.traffic import Visitors

SHOP = Hostname("shop.example.test")
BLOG = Hostname("blog.example.test")
DOMAIN = Hostname("apps.platform.test")

HOSTILE = string.ascii_letters + string.digits + ";{}#$\"'\\\n\r\t %/:.-[]\0é"


def digest(issued: Issued) -> str:
    return sha256(issued.edge_pem).hexdigest()


@dataclass
class Served:
    """An edge with SHOP on it, and a sample app behind."""

    running: RunningEdge
    edge: NginxEdge
    ca: CA
    trust: settings.Trust
    piggyback: Issued
    shop: Issued

    @property
    def where(self) -> settings.Edge:
        return self.running.settings

    def stage(self, *hostnames: str) -> Issued:
        issued = self.ca.issue(hostnames)
        self.edge.stage(digest(issued), issued.edge_pem)
        return issued

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.trust.file)

    def ask(
        self, path: str, headers: dict[str, str], *, tls: bool, host: str = SHOP
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request as a visitor, and give status, headers and body."""
        port = self.where.https_port if tls else self.where.http_port
        with socket.create_connection((self.where.address, port), timeout=5) as plain:
            connection = self.context().wrap_socket(plain, server_hostname=SHOP) if tls else plain
            with closing(connection):
                lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
                lines += [f"{name}: {value}" for name, value in headers.items()]
                connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
                answer = http.client.HTTPResponse(connection)
                answer.begin()
                return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()

    def headers_at_app(self, headers: dict[str, str], *, tls: bool) -> dict[str, str]:
        status, _, body = self.ask("/headers", headers, tls=tls)
        assert status == 200
        reached: dict[str, str] = json.loads(body)
        return reached

    def leaf_seen(self, hostname: Hostname) -> str:
        return NetworkProbe().handshake(self.where, hostname, self.trust, datetime.now(UTC)).leaf_sha256

    def leaf_shown_to(self, server_name: bytes) -> str | None:
        return leaf_shown_to((self.where.address, self.where.https_port), server_name)


@pytest.fixture(name="served", scope="module")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("served")
    ca = CA().intermediate()
    roots = directory / "roots.pem"
    roots.write_bytes(ca.root.pem)
    with running_platform(directory, [SHOP, BLOG]) as gateway, running_edge(directory / "edge", gateway) as running:
        trust = settings.Trust(store="private", file=roots)
        served = Served(running, NginxEdge(running.settings), ca, trust, ca.issue(["*.apps.platform.test"]), ca.issue())
        served.edge.stage(digest(served.piggyback), served.piggyback.edge_pem)
        served.edge.set_piggyback(DOMAIN, digest(served.piggyback))
        served.edge.stage(digest(served.shop), served.shop.edge_pem)
        yield served


@pytest.fixture(autouse=True)
def _shop_is_served(served: Served) -> None:
    served.edge.commit(SHOP, digest(served.shop))
    served.edge.set_force_https(SHOP, None)


class TestForwarding:
    @pytest.mark.parametrize(("tls", "port", "proto"), [(True, "443", "https"), (False, "80", "http")])
    def test_app_learns_how_the_visitor_came(self, served: Served, tls: bool, port: str, proto: str) -> None:
        """Every request reaches the app with X-Forwarded-Port and X-Forwarded-Proto, under the name asked for."""
        reached = served.headers_at_app({}, tls=tls)
        assert (port, proto) == (reached["x-forwarded-port"], reached["x-forwarded-proto"])
        assert (reached["host"], reached["x-forwarded-for"]) == (SHOP, "127.0.0.1")

    @pytest.mark.parametrize("tls", [True, False])
    def test_visitor_cannot_claim_to_have_come_otherwise(self, served: Served, tls: bool) -> None:
        """What a visitor sends under these names never reaches the app, in any spelling."""
        names = ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Real-IP",
                 "Forwarded", "X-Forwarded-Ssl", "X-Forwarded-Scheme", "X-Forwarded-Server", "X-Forwarded-Prefix",
                 "Front-End-Https", "Proxy"]  # fmt: skip
        spoofed = {
            spelling: "spoofed"
            for name in names
            for spelling in (name, name.replace("-", "_").upper() + "_", name.lower())
        }
        reached = served.headers_at_app(spoofed, tls=tls)
        assert [name for name, value in reached.items() if "spoofed" in value] == []

    def test_other_headers_reach_the_app(self, served: Served) -> None:
        """Cookies and the app's own headers pass."""
        reached = served.headers_at_app({"Cookie": "a=b", "X-Shop": "1"}, tls=True)
        assert (reached["cookie"], reached["x-shop"]) == ("a=b", "1")

    def test_upgrade_to_plain_http2_is_not_passed_on(self, served: Served) -> None:
        """An h2c upgrade would tunnel requests past the edge's headers; a websocket's passes."""
        h2c = served.headers_at_app({"Upgrade": "h2c", "HTTP2-Settings": "x"}, tls=True)
        assert "upgrade" not in h2c

    def test_browser_is_offered_http2(self, served: Served) -> None:
        """A modern browser gets HTTP/2."""
        context = served.context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        with (
            socket.create_connection((served.where.address, served.where.https_port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=SHOP) as tls,
        ):
            assert tls.selected_alpn_protocol() == "h2"

    def test_health_is_answered_on_no_customers_name(self, served: Served) -> None:
        """The edge's own answer does not shadow a path of a customer's app."""
        status, _, _ = served.ask("/.certferry/health", {}, tls=False)
        assert status == 404


class TestForceHTTPS:
    def test_switch_sends_visitors_to_https(self, served: Served) -> None:
        """With the switch on, plain HTTP answers 308 to the same path and query over HTTPS."""
        served.edge.set_force_https(SHOP, Rule(True, None))
        status, headers, _ = served.ask("/buy?a=1&b=%2F", {}, tls=False)
        assert (308, f"https://{SHOP}:{served.where.https_port}/buy?a=1&b=%2F") == (status, headers["location"])

    def test_browser_remembers_no_redirect(self, served: Served) -> None:
        """A 308 that a browser kept would outlive the switch."""
        served.edge.set_force_https(SHOP, Rule(True, None))
        assert served.ask("/", {}, tls=False)[1]["cache-control"] == "no-store"
        assert "strict-transport-security" not in served.ask("/", {}, tls=True)[1]

    @pytest.mark.parametrize("rule", [Rule(True, 300), Rule(True, 0), Rule(False, 0)])
    def test_hsts_is_promised_over_https_alone(self, served: Served, rule: Rule) -> None:
        """RFC 6797, 7.2: one header, over HTTPS, for this hostname and not its subdomains."""
        served.edge.set_force_https(SHOP, rule)
        assert served.ask("/", {}, tls=True)[1]["strict-transport-security"] == f"max-age={rule.max_age}"
        status, headers, _ = served.ask("/", {}, tls=False)
        assert status == (308 if rule.redirect else 200)
        assert "strict-transport-security" not in headers

    @pytest.mark.parametrize(
        "line",
        ["", "redirect", "redirect\n\n", " redirect\n", "redirect  max-age=300\n", "redirectmax-age=300\n",
         "redirect max-age=300; includeSubDomains\n", "redirect max-age=-1\n", "redirect max-age=0300\n",
         "redirect max-age=999999999\n", "REDIRECT\n", "redirect\r\n", "redirect max-age=300\nX-Evil: 1\n", "\n"],
    )  # fmt: skip
    def test_line_that_is_no_rule_does_nothing(self, served: Served, line: str) -> None:
        """What the edge does not understand forces nobody and promises nothing, and both readers agree on it."""
        (served.where.directory / "force-https" / SHOP).write_text(line, newline="")
        assert served.ask("/", {}, tls=False)[0] == 200
        assert "strict-transport-security" not in served.ask("/", {}, tls=True)[1]
        assert served.edge.list_force_https() == {SHOP: None}

    def test_https_itself_is_not_sent_anywhere(self, served: Served) -> None:
        """Over HTTPS the app answers."""
        served.edge.set_force_https(SHOP, Rule(True, None))
        assert served.ask("/", {}, tls=True)[0] == 200

    def test_switch_is_per_hostname_and_can_be_turned_off(self, served: Served) -> None:
        """Another hostname, and this one afterwards, answer over plain HTTP."""
        served.edge.set_force_https(SHOP, Rule(True, None))
        assert served.ask("/", {}, tls=False, host=BLOG)[0] == 200
        served.edge.set_force_https(SHOP, None)
        assert served.ask("/", {}, tls=False)[0] == 200

    def test_host_is_matched_as_dns_matches_names(self, served: Served) -> None:
        """Upper case and a port do not get around the switch."""
        served.edge.set_force_https(SHOP, Rule(True, None))
        assert served.ask("/", {}, tls=False, host=f"{SHOP.upper()}:8080")[0] == 308

    @pytest.mark.parametrize(
        "host", ["../evil", "..%2fevil", "evil", "..", ".", "", "a" * 300, "x\\..\\evil", "%2e%2e"]
    )
    def test_host_never_leaves_the_directory(self, served: Served, host: str) -> None:
        """A Host that is no hostname is never looked for on the disk: a file lies in wait where it would lead."""
        for trap in (served.where.directory / "evil", served.where.directory / "force-https" / "evil"):
            trap.touch()
        assert served.ask("/", {}, tls=False, host=host)[0] in {400, 404}


class TestServerName:
    @pytest.mark.parametrize(
        "name",
        [b"../trap", b"../../trap", b"..", b".", b"", b"/", b"trap", b"hosts/trap", b"../hosts/shop.example.test",
         b"./shop.example.test", b"shop.example.test/", b"shop.example.test\n", b"shop.example.test ",
         b"shop.example.test.", b"%2e%2e/trap", b"..\\trap", b"\xff\xfe.example.test", b"*.example.test",
         b"_wildcard.example.test", b"$certferry_bundle", b"-shop.example.test", b"a" * 64 + b".test",
         b"xn--\xe2\x80\xae.test", b"a." * 126 + b"b", b"127.0.0.1"],
    )  # fmt: skip
    def test_name_that_is_no_hostname_gets_piggyback(self, served: Served, name: bytes) -> None:
        """A hostile SNI meets the platform's own certificate, whatever lies where it would lead."""
        directory = served.where.directory
        for trap in (directory / "trap", directory.parent / "trap", directory / "hosts" / "trap"):
            trap.unlink(missing_ok=True)
            trap.symlink_to(directory / "bundles" / f"{digest(served.shop)}.pem")
        assert served.leaf_shown_to(name) in {served.piggyback.leaf_sha256, None}
        assert served.shop.leaf_sha256 == served.leaf_shown_to(SHOP.encode())

    @pytest.mark.parametrize("name", [b"shop.example.test\0.evil.test", b"\0", b"a." * 150])
    def test_name_tls_forbids_ends_the_handshake(self, served: Served, name: bytes) -> None:
        """A NUL or 300 characters get no certificate at all."""
        assert served.leaf_shown_to(name) is None

    def test_upper_case_is_the_same_name(self, served: Served) -> None:
        """DNS names have no case."""
        assert served.shop.leaf_sha256 == served.leaf_shown_to(b"SHOP.Example.TEST")

    def test_wildcard_of_the_parent_comes_before_piggyback(self, served: Served) -> None:
        """A second platform domain has its own wildcard; a name's own bundle comes before it."""
        wildcard = served.stage("*.example.test")
        link = served.where.directory / "hosts" / "_wildcard.example.test"
        link.symlink_to(f"../bundles/{digest(wildcard)}.pem")
        try:
            assert wildcard.leaf_sha256 == served.leaf_seen(BLOG)
            assert served.shop.leaf_sha256 == served.leaf_seen(SHOP)
            assert served.leaf_shown_to(b"a.b.example.test") is None
            assert {SHOP: digest(served.shop)} == served.edge.list()
        finally:
            link.unlink()

    def test_link_out_of_the_bundles_is_not_followed(self, served: Served) -> None:
        """A link to a file that is no bundle serves nothing."""
        outside = served.where.directory / "outside.pem"
        outside.write_bytes(served.shop.edge_pem)
        (served.where.directory / "hosts" / BLOG).symlink_to(outside)
        try:
            assert served.leaf_shown_to(BLOG.encode()) is None
        finally:
            (served.where.directory / "hosts" / BLOG).unlink()


class TestSwap:
    SWAPS = 60

    def test_swap_under_traffic_fails_nobody(self, served: Served) -> None:
        """
        While visitors ask without pause, a hostname is swapped dozens of times: no handshake and no request
        fails, each visitor sees one of the two certificates, and after each commit the next sees the new one.
        """
        pair = [served.shop, served.stage(SHOP)]
        visitors = Visitors(served.where, SHOP, served.context)
        with visitors.asking():
            for swap in range(self.SWAPS):
                issued = pair[(swap + 1) % 2]
                served.edge.commit(SHOP, digest(issued))
                assert issued.leaf_sha256 == served.leaf_seen(SHOP)
        assert visitors.failures == []
        assert {issued.leaf_sha256 for issued in pair} == visitors.leaves
        assert visitors.answers > self.SWAPS

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_resumed_session_cannot_outlive_a_swap(self, served: Served, version: ssl.TLSVersion) -> None:
        """A visitor who comes back with a session shakes hands in full, and so sees the certificate of now."""
        context = served.context()
        context.maximum_version = version
        session: ssl.SSLSession | None = None
        for _ in range(2):
            with (
                socket.create_connection((served.where.address, served.where.https_port), timeout=5) as plain,
                context.wrap_socket(plain, server_hostname=SHOP, session=session) as tls,
            ):
                tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
                tls.recv(1)  # a TLS 1.3 ticket would come with the answer
                assert not tls.session_reused
                session = tls.session

    def test_no_reload_is_ever_needed(self, served: Served) -> None:
        """The worker that served the first certificate serves the last one."""
        worker = psutil.Process(served.running.process.pid).children()
        for _ in range(5):
            served.edge.commit(SHOP, digest(served.stage(SHOP)))
        assert worker == psutil.Process(served.running.process.pid).children()


class TestProcess:
    def test_memory_is_held_to_160_mb(self, served: Served) -> None:
        """Master and worker together may not take more address space than the customer pays for, and take far less."""
        for number in range(200):
            served.leaf_shown_to(b"host%d.example.test" % number)
        processes = _processes(served)
        allowed = [process.rlimit(psutil.RLIMIT_AS)[1] for process in processes]
        assert len(processes) == nginx.PROCESSES
        assert min(allowed) > 0  # -1 is no limit
        assert sum(allowed) <= policy.EDGE_MEMORY_MB * policy.MIB
        assert sum(process.memory_full_info().pss for process in processes) < 32 * policy.MIB

    def test_edge_at_its_limit_refuses_visitors_and_lives(self, served: Served, tmp_path: Path) -> None:
        """When the memory is used up, the next visitors are turned away; once others have left, all is as before."""
        with running_edge(tmp_path) as running, ExitStack() as visitors:
            edge, where = NginxEdge(running.settings), (running.settings.address, running.settings.https_port)
            edge.stage(digest(served.shop), served.shop.edge_pem)
            edge.commit(SHOP, digest(served.shop))
            workers = psutil.Process(running.process.pid).children()
            room = workers[0].memory_info().vms + 2 * policy.MIB
            workers[0].rlimit(psutil.RLIMIT_AS, (room, room))
            with pytest.raises(OSError):  # reset or closed, as the allocation that fails has it
                for _ in range(500):
                    plain = visitors.enter_context(socket.create_connection(where, timeout=5))
                    visitors.enter_context(served.context().wrap_socket(plain, server_hostname=SHOP))
            visitors.close()
            assert served.shop.leaf_sha256 == leaf_shown_to(where, SHOP.encode())
            assert workers == psutil.Process(running.process.pid).children()

    def test_no_core_is_dumped(self, served: Served) -> None:
        """A crash writes no key to the disk."""
        assert {(0, 0)} == {process.rlimit(psutil.RLIMIT_CORE) for process in _processes(served)}

    def test_nothing_on_the_edge_is_open_to_others(self, served: Served) -> None:
        """Directories are 0700: others on the machine cannot even list the hostnames."""
        paths = [served.where.directory, *(served.where.directory / name for name in DIRECTORIES)]
        assert {0o700} == {path.stat().st_mode & 0o777 for path in paths}

    def test_log_holds_no_query(self, tmp_path: Path) -> None:
        """A visitor's query is the app's affair, also where the app does not answer and the edge says so."""
        with running_edge(tmp_path, gateway=NOBODY) as running, closing(_plain(running)) as asked:
            asked.request("GET", "/?token=secret-query")
            assert asked.getresponse().status == 502
        assert b"secret-query" not in (tmp_path / "log" / "error.log").read_bytes()


class TestConfiguration:
    def test_nginx_accepts_it(self, tmp_path: Path) -> None:
        """The configuration passes nginx's own check, on IPv4 and IPv6."""
        for address in ("127.0.0.1", "::1"):
            nginx.prepare(tmp_path, nginx.render(address, 18080, 18443, "127.0.0.1:18081"))
            checked = subprocess.run([*nginx.nginx_command(tmp_path), "-t"], capture_output=True, check=False)
            assert (checked.returncode, checked.stdout) == (0, b""), checked.stderr

    @given(st.text(alphabet=HOSTILE), st.sampled_from(["address", "gateway"]), st.integers(0, 14))
    @example("%eth0; error_log /etc/passwd", "address", 14)
    def test_no_text_can_add_a_directive(self, text: str, where: str, at: int) -> None:
        """Whatever the settings say, the configuration has the same tree, or there is none."""
        values = {"address": "fd00::1", "gateway": "gateway.test:1"}
        values[where] = values[where][:at] + text + values[where][at:]
        try:
            written = nginx.render(values["address"], 80, 443, values["gateway"])
        except ValueError:
            return
        assert _tree(nginx.render("::1", 80, 443, "gateway.test:1")) == _tree(written)

    def test_usual_https_port_is_not_in_the_redirect(self) -> None:
        """With 443, the redirect is to the name alone."""
        assert "return 308 https://$host$request_uri;" in nginx.render("127.0.0.1", 80, 443, "127.0.0.1:1")

    def test_another_nginx_can_be_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A distribution's nginx takes the wheel's place through the environment."""
        monkeypatch.setenv("CERTFERRY_NGINX", "/usr/sbin/nginx")
        assert Path("/usr/sbin/nginx") == nginx.find_nginx()

    def test_starting_again_keeps_what_is_served(self, tmp_path: Path) -> None:
        """An edge that is stopped and started serves the same bundles."""
        issued = CA().issue()
        for start in range(2):
            with running_edge(tmp_path) as running:
                edge = NginxEdge(running.settings)
                if start == 0:
                    edge.stage(digest(issued), issued.edge_pem)
                    edge.commit(SHOP, digest(issued))
                where = (running.settings.address, running.settings.https_port)
                assert issued.leaf_sha256 == leaf_shown_to(where, SHOP.encode())


def _plain(running: RunningEdge) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(running.settings.address, running.settings.http_port, timeout=5)


def _tree(configuration: str) -> list[str]:
    """Give what holds a configuration together, in order, and how many lines there are."""
    return [*re.findall(r"[;{}#$\"']", configuration), str(configuration.count("\n"))]


def _processes(served: Served) -> list[psutil.Process]:
    master = psutil.Process(served.running.process.pid)
    return [master, *master.children()]
