"""Debian's Chromium, driven by Playwright: owns how it is started and how somebody signs in with it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.panel.browser.house import PASSWORD

EXECUTABLE = "/usr/bin/chromium"
# In a container, without a GPU, and talking to nobody but us.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
DESKTOP = {"width": 1280, "height": 860}
TELEPHONE = {"width": 390, "height": 844}


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, while the block lasts."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visitor:
    """Somebody before a browser. `complaints` are what the browser said against our pages: a blocked
    script, an error. Tests want none.
    """

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)

    def goes_to(self, path: str) -> Page:
        """Open a page; it must be there."""
        answer = self.page.goto(self.address + path)
        assert answer is not None
        assert answer.ok, f"{path}: {answer.status}"
        return self.page

    def signs_in(self, login: str, secret: str = PASSWORD, language: str = "en") -> Page:
        """As a person does it: the station's address, the form, the button."""
        page = self.page
        page.goto(self.address + "/")
        page.fill("[name=login]", login)
        page.fill("[name=secret]", secret)
        page.select_option("[name=language]", language)
        page.click("form.stack button")
        return page


def visitor(
    browser: Browser,
    address: str,
    *,
    javascript: bool = True,
    telephone: bool = False,
    dark: bool = False,
    locale: str = "en",
) -> tuple[Visitor, BrowserContext]:
    """Somebody new, who knows nothing of earlier visits."""
    context = browser.new_context(
        java_script_enabled=javascript,
        viewport=TELEPHONE if telephone else DESKTOP,
        device_scale_factor=2 if telephone else 1,
        has_touch=telephone,
        color_scheme="dark" if dark else "light",
        locale=locale,
        accept_downloads=True,
        reduced_motion="reduce",
    )
    context.set_default_timeout(15_000)
    found = Visitor(context.new_page(), address)
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.on(
        "console",
        lambda said: (
            found.complaints.append(said.text) if said.type == "error" and _ours(said.text) else None
        ),
    )
    return found, context


def _ours(text: str) -> bool:
    """A refusal's status is no fault of a page; that is what `Failed to load resource` tells."""
    return "Failed to load resource" not in text
