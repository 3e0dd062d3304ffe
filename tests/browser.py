"""
Drives Prefect's UI (V2) in a headless Chromium, the way an operator clicks.

Elements are found by what an operator reads: labels, button texts, menu items. Nothing is downloaded: the browser
is the distribution's. Passwords and gate answers are the only things typed here, never key material.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Response, sync_playwright

FLAGS = (
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIMEOUT_MS = 30_000
TRIES = 5
SERVICE_UNAVAILABLE = 503


def find_chromium() -> str | None:
    """Give the path of the browser, or None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class PrefectUI:
    """
    One browser window on one Prefect server, as a context manager; each has a profile of its own.

    Args:
        base_url: The server's address, without ``/api``.

        auth: The auth string, as an operator types it at the login page.
    """

    def __init__(self, base_url: str, auth: str) -> None:
        self._base_url, self._auth = base_url.rstrip("/"), auth
        self._playwright = sync_playwright().start()
        try:
            self._browser = self._playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
            self._page = self._browser.new_page(viewport={"width": 1280, "height": 1400})
            self._page.set_default_timeout(TIMEOUT_MS)
        except BaseException:
            self._playwright.stop()
            raise

    def __enter__(self) -> PrefectUI:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._browser.close()
        self._playwright.stop()

    def login(self) -> None:
        """Type the auth string at the login page, and wait for the dashboard."""
        self._page.goto(self._base_url)
        self._page.get_by_placeholder("admin:pass").fill(self._auth)
        self._page.get_by_role("button", name="Login").click()
        self._page.wait_for_url("**/dashboard**")

    def run_deployment(self, deployment_id: str, fields: Mapping[str, str], shot: Path | None = None) -> str:
        """
        Fill in "Run > Custom run" and submit it.

        Args:
            fields: Label to value.

            shot: Where to keep a picture of the form, filled in.

        Returns:
            The flow run's id.
        """
        page = self._page
        page.goto(f"{self._base_url}/v2/deployments/deployment/{deployment_id}")
        page.get_by_role("button", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Custom run").click()
        page.get_by_role("heading", name="Parameters", exact=True).wait_for()
        _fill(page.get_by_role("main"), page.get_by_role("option"), fields)
        self.screenshot(shot)
        return str(self._send(page.get_by_role("button", name="Submit"), "/create_flow_run")["id"])

    def open_resume_dialog(self, run_id: str) -> Locator:
        """Choose "⋮ > Resume" on a run's page and give the dialog."""
        page = self._page
        page.goto(f"{self._base_url}/v2/runs/flow-run/{run_id}")
        page.get_by_role("main").get_by_role("button", name="Open menu").first.click()
        page.get_by_role("menuitem", name="Resume").click()
        dialog = page.get_by_role("dialog", name="Resume Flow Run")
        dialog.get_by_role("button", name="Resume", exact=True).wait_for()
        return dialog

    def resume(self, run_id: str, shows: str, fields: Mapping[str, str], shot: Path | None = None) -> str:
        """
        Answer the gate that a suspended run waits at.

        Args:
            shows: What the gate's description must say before anything is typed.

            fields: Label to value.

            shot: Where to keep a picture of the dialog, filled in.

        Returns:
            The text an operator reads in the dialog.
        """
        dialog = self.open_resume_dialog(run_id)
        dialog.get_by_text(shows).first.wait_for()
        text = dialog.inner_text()
        _fill(dialog, self._page.get_by_role("option"), fields)
        self.screenshot(shot)
        self._send(dialog.get_by_role("button", name="Resume", exact=True), "/resume")
        return text

    def _send(self, button: Locator, path: str) -> Any:
        """
        Click a button that sends something to the API, and give the answer.

        A server on SQLite answers 503 when two write at once; the form stays, and an operator clicks again.
        """
        for _ in range(TRIES):
            with self._page.expect_response(lambda seen: _is_post(seen, path)) as answer:
                button.click()
            if answer.value.status != SERVICE_UNAVAILABLE:
                break
        assert answer.value.ok, f"{path}: HTTP {answer.value.status}"
        return answer.value.json()

    def open(self, path: str, text: str) -> None:
        """Go to a page of the UI and wait until it shows *text*."""
        self._page.goto(f"{self._base_url}/v2/{path}")
        self._page.get_by_text(text).first.wait_for()

    def screenshot(self, path: Path | None) -> None:
        """Keep a picture of the page; of nothing, where *path* is None."""
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._page.screenshot(path=path, full_page=True)


def _is_post(answer: Response, path: str) -> bool:
    return answer.request.method == "POST" and urlsplit(answer.url).path.endswith(path)


def _fill(form: Locator, options: Locator, fields: Mapping[str, str]) -> None:
    """Type into the fields called so; an enumeration is a button with a list of options behind it."""
    for name, value in fields.items():
        label = re.compile(rf"^(Select )?{re.escape(name)}( \(Optional\))?$")
        select = form.get_by_role("button", name=label)
        text = form.get_by_role("textbox", name=label)
        select.or_(text).wait_for()
        if select.count():
            select.click()
            options.filter(has_text=re.compile(rf"^{re.escape(value)}$")).click()
        else:
            text.fill(value)
