"""Whatever holds for every page: it can be used by everybody, in both languages, in light and dark."""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from babel.messages.pofile import read_po
from playwright.sync_api import Page

from recorderd.panel.pages import PAGES
from tests.panel.browser.chromium import Visitor
from tests.panel.browser.pages import SIGHTS, Sight

Comes = Callable[..., Visitor]
_RUSSIAN = Path(__file__).parents[3] / "recorderd" / "panel" / "locale" / "ru" / "LC_MESSAGES" / "panel.po"
_BY_VISITOR = {
    who: [n for n, s in SIGHTS.items() if s.who == who] for who in {s.who for s in SIGHTS.values()}
}


# What is wider than where it stands: the page itself, and what would be cut off at the edge of a card.
_WIDE = """() => {
  const boxes = [document.documentElement, ...document.querySelectorAll(
    ".calls tbody, .live, .small tbody tr, .card, .player, .tiles div, .hints, fieldset")];
  return boxes
    .filter((box) => box.scrollWidth > box.clientWidth + 1)
    .map((box) => "wide: " + box.outerHTML.slice(0, 160));
}"""


def _see(guest: Visitor, sight: Sight) -> None:
    page = guest.goes_to(sight.path)
    sight.deed(page)
    page.wait_for_load_state("networkidle")


def _visitors(*, in_the_long_form: Container[str]) -> pytest.MarkDecorator:
    """In the short form everybody's pages are looked at once: the administrator's and the door's in the dark."""
    marks = {who: [pytest.mark.full] if who in in_the_long_form else [] for who in sorted(_BY_VISITOR)}
    return pytest.mark.parametrize(
        "who", [pytest.param(w, id=w or "door", marks=m) for w, m in marks.items()]
    )


@_visitors(in_the_long_form=["admin", ""])
def test_axe_finds_no_violation_on_any_page(comes: Comes, who: str) -> None:
    guest = comes(who)
    assert _faults(guest, who, _violations) == {}


@_visitors(in_the_long_form=_BY_VISITOR.keys() - {"admin", ""})
def test_a_dark_telephone_in_russian_shows_every_page_whole(comes: Comes, who: str) -> None:
    """No violation, no English sentence, and nothing wider than the telephone."""
    english = _english()
    guest = comes(who, telephone=True, dark=True, language="ru")

    def faults(page: Page) -> list[object]:
        text = " ".join(page.inner_text("body").split())
        left = [s for s in english if re.search(rf"(?<!\w){re.escape(s)}(?!\w)", text)]
        language = page.get_attribute("html", "lang")
        return [
            *_violations(page),
            *left,
            *page.evaluate(_WIDE),
            *[language] * (language != "ru"),
        ]

    assert _faults(guest, who, faults) == {}


def _faults(guest: Visitor, who: str, look: Callable[[Page], list[object]]) -> dict[str, list[object]]:
    """What is wrong with the pages of this visitor, by page."""
    found = {}
    for name in _BY_VISITOR[who]:
        _see(guest, SIGHTS[name])
        if faults := look(guest.page):
            found[name] = faults
    return found


def _violations(page: Page) -> list[object]:
    answer = Axe().run(page)
    return [(v["id"], [n["html"][:160] for n in v["nodes"]][:3]) for v in answer.response["violations"]]


def _english() -> list[str]:
    """What the pages say in English, as far as it cannot be anything else."""
    with _RUSSIAN.open("rb") as file:
        catalogue = read_po(file)
    single = [m.id for m in catalogue if isinstance(m.id, str) and m.id and m.id != m.string]
    return [s for s in single if " " in s and "%(" not in s and "{" not in s and not s.startswith("Jan ")]


def test_every_page_of_the_table_is_looked_at() -> None:
    seen = {re.sub(r"\?.*", "", sight.path) for sight in SIGHTS.values()}
    shown = {page.path for page in PAGES.values() if "GET" in page.methods}
    without_a_look = {
        "/calls.csv",
        "/admin/extensions.csv",
        "/live",
        "/login/oidc",
        "/login/oidc/return",
        "/calls/{id}",
        "/calls/{id}/delete/{sound}",
    }
    # A path with a hole is seen if some sight fits it.
    unseen = [
        path
        for path in shown - without_a_look
        if not any(re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), found) for found in seen)
    ]
    assert not unseen


def test_the_first_tab_leads_past_the_menu(comes: Comes) -> None:
    page = comes("107").page
    page.wait_for_selector("table.calls")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "main"
