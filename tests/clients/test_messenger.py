"""Letters go out through a real HTTP service, and no URL ever comes back."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tasks.clients.messenger import AppriseMessenger
from tasks.clients.settings import Notices
from tasks.core.errors import BadInput, MessengerUnavailable
from tasks.core.expiry import Audience

PASSWORD = "hunter2-very-secret"


@dataclass
class Service:
    """A web service that takes letters, and answers *status*."""

    port: int = 0
    status: int = 200
    taken: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@pytest.fixture(name="service")
def _service() -> Iterator[Service]:
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            service.taken.append(json.loads(body))
            service.paths.append(self.path)
            self.send_response(service.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield service
        server.shutdown()


def messenger(service: Service, query: str = "") -> AppriseMessenger:
    url = f"json://user:{PASSWORD}@127.0.0.1:{service.port}/letters{query}"
    return AppriseMessenger(Notices.model_validate({"customers": {"web": url}, "operators": {"web": url}}))


class TestSend:
    @pytest.mark.parametrize("audience", Audience)
    def test_a_letter_arrives_as_it_was_written(self, service: Service, audience: Audience) -> None:
        """Subject and text, with its line breaks and its angle brackets."""
        messenger(service).send(audience, "web", "", "A <subject>", "One & two\n\n    certferry push\n")
        (taken,) = service.taken
        assert (taken["title"], taken["message"].rstrip()) == ("A <subject>", "One & two\n\n    certferry push")

    def test_the_address_is_put_into_the_url_and_adds_nothing_to_it(self, service: Service) -> None:
        """An address is a customer's own to choose."""
        messenger(service, "/{contact}").send(Audience.CUSTOMER, "web", "a+b&to=x/../y?z@acme.test", "s", "b")
        (path,) = service.paths
        assert "?" not in path
        assert path.startswith("/letters/")

    def test_a_service_that_refuses_is_unavailable(self, service: Service) -> None:
        """So that it is tried again."""
        service.status = 500
        with pytest.raises(MessengerUnavailable, match="channel web"):
            messenger(service).send(Audience.CUSTOMER, "web", "", "s", "b")

    def test_a_channel_that_is_not_there_is_no_outage(self, service: Service) -> None:
        """Trying again cannot help."""
        with pytest.raises(BadInput, match="no URL that apprise knows"):
            messenger(service).send(Audience.CUSTOMER, "mail", "", "s", "b")

    def test_the_url_is_in_no_log_and_no_error(
        self, service: Service, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """It holds a password: neither a failure nor a URL that apprise does not know repeats it."""
        caplog.set_level(logging.DEBUG)
        service.status = 500
        wrong = AppriseMessenger(Notices.model_validate({"customers": {"web": f"nonsense://{PASSWORD}"}}))
        said = []
        for chosen in (messenger(service), wrong):
            with pytest.raises((MessengerUnavailable, BadInput)) as refusal:
                chosen.send(Audience.CUSTOMER, "web", "", "s", "b")
            said.append(f"{refusal.value!r} {refusal.value} {refusal.value.__cause__} {refusal.value.__context__}")
        assert PASSWORD not in "".join((*said, caplog.text, *capfd.readouterr()))
