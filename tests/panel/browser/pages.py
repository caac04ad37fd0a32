"""Every page there is, as somebody may come to it: for the pictures, and for the tests that look at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from playwright.sync_api import Page

RULES = "rules:\n- name: order line\n  when: {did: '5550101'}\n  mode: never\n  reason: a test\n"


def _nothing(_page: Page) -> None:
    """The page as it comes."""


def _play(page: Page) -> None:
    """The transferred call's player, some way in."""
    page.click("tbody:has(.parts) .play >> nth=0")
    page.wait_for_selector(".player.ready")
    page.wait_for_function("() => document.querySelector('.player').player.lanes")
    page.evaluate("() => { const p = document.querySelector('.player').player; p.audio.pause(); p.seek(9); }")
    # On a telephone it lies below the edge.
    page.evaluate("() => document.querySelector('.player').scrollIntoView({ block: 'nearest' })")


def _open(page: Page) -> None:
    page.click("tbody:has(.parts) .opener >> nth=0")
    page.wait_for_selector(".player.ready")
    page.wait_for_function("() => document.querySelector('.player').player.lanes")


def _more(page: Page) -> None:
    page.click(".hints summary")


def _try_rules(page: Page) -> None:
    page.fill("#rules", RULES)
    page.click("button[value=try]")
    page.wait_for_selector("#tried")


@dataclass(frozen=True, slots=True)
class Sight:
    """One page in one state. `who` is its visitor, empty for the door."""

    path: str
    who: str = "admin"
    deed: Callable[[Page], None] = _nothing


SIGHTS: Mapping[str, Sight] = {
    "login": Sight("/login", who=""),
    "calls": Sight("/", who="107"),
    "calls-everybody": Sight("/", who="admin"),
    "calls-filter": Sight("/?q=107+%3E60s", who="107", deed=_more),
    "player": Sight("/", who="107", deed=_play),
    "call-opened": Sight("/", who="107", deed=_open),
    "reason": Sight("/", who="auditor", deed=lambda page: page.click(".play >> nth=0")),
    "settings": Sight("/settings", who="107"),
    "settings-locked": Sight("/settings", who="103"),
    "tokens": Sight("/settings/tokens", who="107"),
    "password": Sight("/password", who="107"),
    "status": Sight("/admin/status"),
    "coverage": Sight("/admin/coverage?since=yesterday"),
    "extensions": Sight("/admin/extensions"),
    "import": Sight("/admin/extensions/import"),
    "rules": Sight("/admin/rules", deed=_try_rules),
    "explain": Sight("/admin/explain?caller=101&callee=0612345678"),
    "storage": Sight("/admin/storage"),
    "users": Sight("/admin/users"),
    "user": Sight("/admin/users/lead"),
    "webhooks": Sight("/admin/webhooks"),
    "audit": Sight("/admin/audit"),
}
