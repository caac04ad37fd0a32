"""Signing in through a provider, as a person does it: the button, the other site, and back; in both languages."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.panel.browser.chromium import Visitor
from tests.panel.browser.house import House

Comes = Callable[..., Visitor]
WORDS = {
    "en": ("Sign in with Example Office", "You are signed out here.", "Sign out there too"),
    "ru": ("Войти через Example Office", "Здесь вы вышли.", "Выйти и там"),
}


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
@pytest.mark.parametrize("language", list(WORDS))
def test_a_person_comes_in_through_the_provider_and_goes_out_again(
    comes: Comes, house: House, language: str, javascript: bool
) -> None:
    button, out, there = WORDS[language]
    guest = comes(language=language, javascript=javascript)
    page = guest.page
    page.goto(guest.address + "/settings")
    page.click(f"text={button}")
    expect(page).to_have_title("Example Office")
    page.click("button[value=nina]")
    expect(page).to_have_url(f"{guest.address}/settings")
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.locator(".me")).to_contain_text("204")
    page.click("form[action='/logout'] button")
    expect(page.locator(".said")).to_contain_text(out)
    page.click(f"text={there}")
    expect(page).to_have_url(re.compile(rf"{house.provider.issuer}/logout\?client_id=recorderd"))
    page.goto(guest.address + "/")
    expect(page).to_have_url(f"{guest.address}/login")


def test_whom_the_provider_gives_no_role_stays_outside_and_reads_why(comes: Comes) -> None:
    page = comes().goes_to("/login")
    page.click("text=Sign in with Example Office")
    page.click("button[value=visitor]")
    expect(page.locator(".fault")).to_contain_text("Example Office says that you are visitor")
    expect(page.locator("#login")).to_be_visible()
